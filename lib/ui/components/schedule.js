// The day of every technician as rows of a time grid, beside the cases that want a visit.
// A case is planned by two taps (case, then time) or by dragging it; the form above has the last word.
import { drawing, element, stage } from "./elements.js";

const STEP = 15;
const mounted = new WeakMap();

export default function schedule(component) {
  const root = component.parentElement;
  let shown = mounted.get(root);
  if (!shown) {
    shown = new Schedule(root, component.data.style);
    mounted.set(root, shown);
  }
  shown.draw(component);
  return () => {
    shown.close();
    mounted.delete(root);
  };
}

const twoDigits = (number) => String(number).padStart(2, "0");
const clock = (minute) => `${twoDigits(Math.floor(minute / 60))}:${twoDigits(minute % 60)}`;

/** Words that stay whole: what finds no room on a narrow bar is left out, never cut. */
const pieces = (words) => words.map((word) => element("span", {}, word));

class Schedule {
  constructor(root, style) {
    this.place = stage(root, style);
    this.place.className = "schedule";
    this.ticking = setInterval(() => this.placeNow(), 20000);
  }

  close() {
    clearInterval(this.ticking);
  }

  draw({ data, setTriggerValue }) {
    this.data = data;
    this.tell = setTriggerValue;
    this.readAt = performance.now();
    const focused = this.place.getRootNode().activeElement?.dataset?.focus;
    const scrolled = this.place.querySelector(".cards")?.scrollTop ?? 0;
    this.place.replaceChildren(this.list(), this.grid());
    this.placeNow();
    this.place.querySelector(".cards").scrollTop = scrolled;
    if (focused) this.place.querySelector(`[data-focus="${focused}"]`)?.focus();
  }

  list() {
    const { cards, total, words, may_plan: mayPlan } = this.data;
    const made = cards.map((card) => {
      const button = element(
        "button",
        {
          type: "button",
          className: `card ${card.priority}`,
          draggable: mayPlan,
          "aria-pressed": String(card.chosen),
          "data-focus": `card-${card.ticket}`,
          title: `${card.number} ${card.customer}`,
        },
        element("span", { className: "first" }, element("b", {}, card.priority_word), card.fault),
        element("span", { className: "second" }, card.customer),
        element("span", { className: "third" }, card.number, element("span", {}, card.status)),
      );
      button.onclick = () => this.tell("chosen", { ticket: card.ticket, at: Date.now() });
      button.ondragstart = (event) => {
        event.dataTransfer.setData("text/plain", String(card.ticket));
        this.dragged = card.ticket;
      };
      button.ondragend = () => (this.dragged = null);
      return button;
    });
    const count = total > cards.length ? `${cards.length} / ${total}` : String(total);
    return element(
      "section",
      { className: "wanting", "aria-label": words.unplanned },
      element("h3", {}, words.unplanned, element("span", {}, count)),
      element("div", { className: "cards" }, ...(made.length ? made : [element("p", {}, words.nothing)])),
    );
  }

  grid() {
    const { words, from, until, rows } = this.data;
    const hours = [];
    for (let minute = from; minute < until; minute += 60) hours.push(minute);
    const scale = element(
      "div",
      { className: "row scale", "aria-hidden": "true" },
      element("div", { className: "who" }, words.technician),
      element(
        "div",
        { className: "line" },
        ...hours.map((minute) => {
          const mark = element("span", {}, clock(minute));
          mark.style.left = this.share(minute);
          return mark;
        }),
      ),
    );
    const grid = element("section", { className: "grid", "aria-label": words.grid }, scale);
    grid.style.setProperty("--hours", hours.length);
    for (const row of rows) grid.append(this.row(row));
    if (!rows.length) grid.append(element("p", {}, words.nobody));
    this.now = element("i", { className: "now", hidden: true });
    grid.append(this.now);
    return grid;
  }

  row(row) {
    const { may_plan: mayPlan } = this.data;
    const line = element("div", { className: "line" }, ...row.bars.map((bar) => this.bar(bar)));
    if (row.slot) {
      const slot = element("i", { className: "slot" });
      slot.style.left = this.share(row.slot[0]);
      slot.style.width = this.width(row.slot[0], row.slot[1]);
      line.append(slot);
    }
    if (mayPlan) {
      line.classList.add("open");
      line.onclick = (event) => {
        if (event.target === line || event.target.classList.contains("slot")) this.choose(row.id, line, event);
      };
      line.ondragover = (event) => {
        event.preventDefault();
        line.classList.add("over");
      };
      line.ondragleave = () => line.classList.remove("over");
      line.ondrop = (event) => {
        event.preventDefault();
        line.classList.remove("over");
        const ticket = this.dragged ?? (Number(event.dataTransfer.getData("text/plain")) || null);
        if (ticket) this.choose(row.id, line, event, ticket);
      };
    }
    return element(
      "div",
      { className: `row${row.chosen ? " chosen" : ""}` },
      element(
        "div",
        { className: "who" },
        element("b", {}, row.name),
        element("span", { className: row.full ? "full" : "" }, row.load),
      ),
      line,
    );
  }

  bar(bar) {
    const { words, from, until, may_plan: mayPlan } = this.data;
    const start = Math.max(from, Math.min(until - STEP, bar.start));
    const made = element("div", { className: `bar ${bar.state}${bar.chosen ? " chosen" : ""}` });
    made.style.left = this.share(start);
    made.style.width = this.width(start, Math.min(until, Math.max(bar.end, start + STEP)));
    const times = `${clock(bar.start)}–${clock(bar.end % 1440)}`;
    const link = element(
      "a",
      {
        href: `/tickets_detail?ticket=${bar.ticket}`,
        title: `${times} ${bar.state_word}\n${bar.title}\n${bar.number} ${bar.customer}`,
        "data-focus": `bar-${bar.id}`,
      },
      element("span", { className: "first" }, bar.mark ? drawing(bar.mark) : null, ...pieces(bar.title.split(/ (.*)/s).slice(0, 2))),
      element("span", { className: "second" }, ...pieces([clock(bar.start), `–${clock(bar.end % 1440)}`, ` ${bar.state_word}`])),
    );
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.tell("opened", bar.ticket);
    };
    made.append(link);
    if (mayPlan && bar.movable) {
      const label = `${words.change}: ${bar.number}`;
      const change = element(
        "button",
        { type: "button", className: "change", title: label, "aria-label": label, "data-focus": `change-${bar.id}` },
        drawing("edit"),
      );
      change.onclick = () => this.tell("chosen", { ticket: bar.ticket, at: Date.now() });
      made.append(change);
    }
    return made;
  }

  choose(technician, line, event, ticket = null) {
    const { from, until } = this.data;
    const box = line.getBoundingClientRect();
    const minute = from + ((event.clientX - box.left) / box.width) * (until - from);
    const start = Math.max(from, Math.floor((minute + 5) / STEP) * STEP);
    this.tell("slot", { technician, start, ticket, at: Date.now() });
  }

  placeNow() {
    const { now, from, until } = this.data;
    const line = this.place.querySelector(".row:not(.scale) .line");
    const minute = now === null ? -1 : now + (performance.now() - this.readAt) / 60000;
    this.now.hidden = !line || minute < from || minute > until;
    if (!this.now.hidden) this.now.style.setProperty("--at", (minute - from) / (until - from));
  }

  share(minute) {
    const { from, until } = this.data;
    return `${((minute - from) / (until - from)) * 100}%`;
  }

  width(start, end) {
    const { from, until } = this.data;
    return `${((Math.min(until, end) - start) / (until - from)) * 100}%`;
  }
}
