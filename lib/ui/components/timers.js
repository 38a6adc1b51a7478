// The timers of one case. They tick by the server's time: `at` came with the data, the rest is performance.now().

const HOUR = 3600;
const MARKS = {
  late: "M5 1h6l4 4v6l-4 4H5l-4-4V5zM5 5l6 6M11 5l-6 6",
  soon: "M8 1.5 15 14.5H1zM8 6v4M8 12v.6",
  ok: "M8 1.5a6.5 6.5 0 1 0 .01 0M8 4.5V8l2.5 2",
  paused: "M5 2.5v11M11 2.5v11",
  met: "M2.5 8.5 6.5 12.5 13.5 4",
  ended: "M3 8h10",
};

const mounted = new WeakMap();

export default function timers({ parentElement, data, setTriggerValue }) {
  let shown = mounted.get(parentElement);
  if (!shown) {
    shown = new Timers(parentElement, data.style, setTriggerValue);
    mounted.set(parentElement, shown);
  }
  shown.take(data);
  return () => {
    clearTimeout(shown.ticking);
    mounted.delete(parentElement);
  };
}

class Timers {
  constructor(root, style, send) {
    this.send = send;
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = style;
    this.box = document.createElement("div");
    this.box.className = "timers";
    root.append(link, this.box);
  }

  take(data) {
    this.words = data.words;
    this.started = performance.now();
    this.at = data.at;
    this.rows = data.rows.map((row) => ({ ...row, ...this.chip() }));
    this.rows.forEach((row) => {
      row.node.title = this.words.explain;
      row.node.onclick = () => this.send("opened", row.id);
    });
    this.box.replaceChildren(...this.rows.map((row) => row.node));
    this.tick();
  }

  chip() {
    const node = document.createElement("button");
    node.type = "button";
    const mark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    mark.setAttribute("viewBox", "0 0 16 16");
    mark.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    mark.append(path);
    const kind = document.createElement("b");
    const told = document.createElement("span");
    const due = document.createElement("small");
    node.append(mark, kind, told, due);
    return { node, path, kindNode: kind, told, dueNode: due };
  }

  tick() {
    clearTimeout(this.ticking);
    const now = this.at + (performance.now() - this.started) / 1000;
    this.rows.forEach((row) => this.draw(row, now));
    if (this.rows.some((row) => row.verdict === "running" || row.overdue)) {
      this.ticking = setTimeout(() => this.tick(), 1000 - ((now * 1000) % 1000));
    }
  }

  draw(row, now) {
    let look = { met: "met", missed: "late", paused: "paused", cancelled: "ended" }[row.verdict];
    let told = row.state;
    if (row.verdict === "running" && row.due === null) {
      look = "late";
    } else if (row.verdict === "running" || row.overdue) {
      const left = Math.ceil(row.due - now);
      look = left < 0 ? "late" : left < HOUR ? "soon" : "ok";
      told = `${left < 0 ? this.words.overdue : this.words.left} ${this.span(Math.abs(left))}`;
      if (left >= 0 && row.outside) told += ` · ${this.words.outside}`;
    } else if (row.verdict === "paused" && row.remaining !== null) {
      told = `${row.state} · ${this.words.left} ${this.span(row.remaining)}`;
    }
    row.node.className = `timer ${look}`;
    row.path.setAttribute("d", MARKS[look]);
    row.kindNode.textContent = row.kind;
    if (row.told.textContent !== told) row.told.textContent = told;
    row.dueNode.textContent = row.when;
  }

  span(seconds) {
    const two = (number) => String(number).padStart(2, "0");
    const days = Math.floor(seconds / 86400);
    const hours = Math.floor((seconds % 86400) / HOUR);
    const tail = `${two(Math.floor((seconds % HOUR) / 60))}:${two(seconds % 60)}`;
    if (days) return `${days} ${this.words.days} ${hours}:${tail}`;
    return `${hours}:${tail}`;
  }
}
