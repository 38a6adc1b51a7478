// The open queue: rows that tick and change in place. The server sends codes and patches, never reruns.
import { Lists } from "./queue_lists.js";
import { Selection } from "./queue_selection.js";
import { Stream, afterRandom } from "./stream.js";

const HOUR = 3600000;
const NEVER_DUE = 253402300799;
const MOST_EXTRA_ROWS = 20;
const FEWEST_ROWS = 15;
const SEND_EVERY = 150;
const SEND_AGAIN_AFTER = 2000;
const MARKS = {
  late: "M5 1h6l4 4v6l-4 4H5l-4-4V5zM5 5l6 6M11 5l-6 6",
  soon: "M8 1.5 15 14.5H1zM8 6v4M8 12v.6",
  ok: "M8 1.5a6.5 6.5 0 1 0 .01 0M8 4.5V8l2.5 2",
  paused: "M5 2.5v11M11 2.5v11",
  none: "",
  eye: "M1 8s2.6-4.5 7-4.5S15 8 15 8s-2.6 4.5-7 4.5S1 8 1 8M8 6.2a1.8 1.8 0 1 0 .01 0",
  search: "M7 2a5 5 0 1 0 .01 0M10.7 10.7 14.5 14.5",
};

const catalogues = new Map();
const mounted = new WeakMap();

export default function queue(component) {
  const root = component.parentElement;
  let shown = mounted.get(root);
  if (!shown) {
    shown = new Queue(root);
    mounted.set(root, shown);
  }
  shown.take(component);
  return () => {
    shown.close();
    mounted.delete(root);
  };
}

async function catalogue(address) {
  if (!catalogues.has(address)) {
    const words = fetch(address, { credentials: "same-origin" }).then((answer) => {
      if (!answer.ok) throw new Error(`words ${answer.status}`);
      return answer.json();
    });
    words.catch(() => catalogues.delete(address));
    catalogues.set(address, words);
  }
  return catalogues.get(address);
}

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name === "role" || name === "scope") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

function drawing(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", MARKS[name]);
  path.setAttribute("fill", "none");
  path.setAttribute("stroke", "currentColor");
  path.setAttribute("stroke-width", name === "paused" ? "3" : "1.6");
  path.setAttribute("stroke-linecap", "round");
  path.setAttribute("stroke-linejoin", "round");
  svg.append(path);
  return svg;
}

/** Texts by their characters' numbers, as both stores compare them. */
function byCharacters(one, other) {
  const left = Array.from(one);
  const right = Array.from(other);
  for (let at = 0; at < left.length && at < right.length; at += 1) {
    const apart = left[at].codePointAt(0) - right[at].codePointAt(0);
    if (apart) return apart;
  }
  return left.length - right.length;
}

const NARROWING = ["status", "priority", "technician", "customer", "from", "until", "q"];

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** "1:29:55" or, beyond a day, "3 d 1:29:55" in the words of the language. */
function spanText(seconds, words) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const two = (number) => String(number).padStart(2, "0");
  const tail = `${two(minutes)}:${two(seconds % 60)}`;
  if (days) return `${days} ${words["queue.timer.days"]} ${hours}:${tail}`;
  return hours ? `${hours}:${tail}` : `${minutes}:${two(seconds % 60)}`;
}

class Queue {
  constructor(root) {
    this.root = root;
    this.rows = new Map();
    this.gone = new Map();
    this.later = [];
    this.commands = [];
    this.newest = 0;
    this.generation = -1;
    this.serial = 0;
    this.extra = 0;
    this.unseen = 0;
    this.clock = null;
    this.holding = false;
    this.onShortcut = (event) => this.pressShortcut(event);
    this.onResize = () => this.fit();
    this.onRelease = () => {
      this.holding = false;
      this.goOnLater();
    };
    this.onSelection = () => this.goOnLater();
    document.addEventListener("keydown", this.onShortcut);
    document.addEventListener("selectionchange", this.onSelection);
    window.addEventListener("resize", this.onResize);
    window.addEventListener("pointerup", this.onRelease);
    window.addEventListener("pointercancel", this.onRelease);
  }

  close() {
    this.remember();
    this.closed = true;
    this.stream?.close();
    this.surroundings?.disconnect();
    [this.ticking, this.typing, this.sending, this.asking].forEach(clearTimeout);
    document.removeEventListener("keydown", this.onShortcut);
    document.removeEventListener("selectionchange", this.onSelection);
    window.removeEventListener("resize", this.onResize);
    window.removeEventListener("pointerup", this.onRelease);
    window.removeEventListener("pointercancel", this.onRelease);
  }

  async take({ data, setTriggerValue }) {
    this.send = setTriggerValue;
    this.arriving = data;
    const words = await catalogue(data.words);
    if (this.closed || this.arriving !== data) return;
    this.words = words;
    if (!this.box) this.build(data);
    this.show(data);
  }

  say(key, values = {}) {
    const text = this.words[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  }

  // --- building -------------------------------------------------------------------------------

  build(data) {
    const sheet = element("link", { rel: "stylesheet", href: data.style });
    sheet.addEventListener("load", () => this.fit());
    this.box = this.root.querySelector(".queue");
    this.heading = element("h1", { className: "hidden-words" });
    this.buildTools();
    this.views = element("div", { className: "views", role: "group" });
    this.lists = new Lists({
      say: (key, values) => this.say(key, values),
      open: (where) => this.ask({ ...this.nothing(), ...where }),
      change: (told) => this.request({ saved: told }),
      say_status: (text) => write(this.said, text),
    });
    this.strip = element("div", { className: "strip" }, this.views, this.lists.button, this.lists.panel);
    this.selection = new Selection({
      say: (key, values) => this.say(key, values),
      give: (verb, values, cases) => this.command(verb, values, cases),
      changed: () => this.showChosen(),
      say_status: (text) => write(this.said, text),
    });
    this.selection.bar.addEventListener("focusout", () => this.goOnLater());
    this.buildTable(data.columns);
    this.bar = element("button", { className: "bar", type: "button", hidden: true });
    this.bar.addEventListener("click", () => this.refresh());
    this.empty = element("div", { className: "empty", role: "status" });
    this.frame = element("div", { className: "frame" }, this.scroll, this.empty, this.bar);
    this.buildFoot();
    this.box.before(sheet);
    const { bar, results } = this.selection;
    this.box.append(this.heading, this.tools, this.strip, this.frame, bar, results, this.foot);
    this.surroundings = new ResizeObserver(() => this.fit());
    this.surroundings.observe(document.body);
    this.surroundings.observe(this.tools);
  }

  buildTools() {
    this.search = element("input", { type: "search", maxLength: 60, autocomplete: "off" });
    this.search.addEventListener("input", (event) => {
      if (!event.isComposing) this.typed(350);
    });
    this.search.addEventListener("compositionend", () => this.typed(350));
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) this.typed(0);
      if (event.key === "ArrowDown") this.focusFirst(event);
    });
    this.chosen = {};
    for (const name of ["scope", "status", "priority", "technician"]) {
      const select = element("select", {});
      select.addEventListener("change", () => this.ask({ [name]: select.value }));
      this.chosen[name] = select;
    }
    this.days = {};
    for (const name of ["from", "until"]) {
      const day = element("input", { type: "date" });
      day.addEventListener("change", () => this.ask({ [name]: day.value }));
      this.days[name] = day;
    }
    this.range = element("span", { className: "days" }, element("span"), this.days.from, "–", this.days.until);
    this.customer = element("button", { className: "plain customer", type: "button" });
    this.customer.addEventListener("click", () => this.ask({ customer: "" }));
    this.clear = element("button", { className: "plain", type: "button" });
    this.clear.addEventListener("click", () => {
      this.search.value = "";
      this.ask(this.nothing());
    });
    this.fresh = element("button", { className: "new", type: "button" });
    this.fresh.addEventListener("click", () => this.leave({ open: "new" }));
    const search = element("div", { className: "search" }, drawing("search"), this.search);
    this.tools = element(
      "div",
      { className: "tools", role: "search" },
      search,
      ...Object.values(this.chosen),
      this.range,
      this.customer,
      this.clear,
      this.fresh,
    );
  }

  buildTable(columns) {
    this.columns = columns;
    this.heads = columns.map((name) => element("th", { scope: "col", className: name }));
    this.sorters = new Map();
    this.heads.forEach((head, index) => {
      const name = columns[index];
      if (name === "select") return;
      const button = element("button", { type: "button" });
      button.addEventListener("click", () => this.sortBy(name));
      this.sorters.set(name, button);
      head.append(button);
    });
    this.every = element("input", { type: "checkbox" });
    this.every.addEventListener("change", () => this.chooseEvery());
    if (columns[0] === "select") this.heads[0].append(this.every);
    this.body = element("tbody");
    this.caption = element("caption", { className: "hidden-words" });
    this.table = element(
      "table",
      {},
      this.caption,
      element("thead", {}, element("tr", {}, ...this.heads)),
      this.body,
    );
    this.scroll = element("div", { className: "scroll" }, this.table);
    this.scroll.addEventListener("pointerdown", () => {
      this.holding = true;
    });
    this.table.addEventListener("click", (event) => this.click(event));
    this.table.addEventListener("mousedown", (event) => {
      if (event.shiftKey && event.target.closest("td.select")) event.preventDefault();
    });
    this.table.addEventListener("keydown", (event) => this.pressKey(event));
    this.table.addEventListener("focusin", (event) => this.focused(event));
  }

  buildFoot() {
    this.total = element("span", { className: "total" });
    this.offline = element("span", { className: "offline", role: "status", hidden: true });
    this.said = element("span", { className: "said", role: "status" });
    this.keys = element("span", { className: "keys" });
    const step = (name) => {
      const button = element("button", { type: "button" });
      button.addEventListener("click", () => this.turn(name));
      return button;
    };
    this.steps = { first: step("first"), previous: step("previous"), next: step("next") };
    this.pages = element("nav", {}, ...Object.values(this.steps));
    this.foot = element(
      "div",
      { className: "foot" },
      this.total,
      this.offline,
      this.said,
      this.keys,
      this.pages,
    );
  }

  // --- showing --------------------------------------------------------------------------------

  show(data) {
    const sameView = this.data?.token === data.token && this.data.generation === data.generation;
    this.data = data;
    if (data.acknowledged >= this.serial) {
      this.unanswered = null;
      this.wanted = null;
    }
    this.generation = data.generation;
    this.newest = Math.max(data.number, sameView ? this.newest : 0);
    this.extra = 0;
    this.unseen = 0;
    this.stale = false;
    this.bar.hidden = true;
    this.viewers = data.viewers;
    if (!sameView) {
      this.gone.clear();
      for (const row of this.rows.values()) row.number = 0;
    }
    this.showWords();
    this.showTools();
    this.selection.offer(data);
    this.lists.offer(data);
    this.showCounts(data.counts);
    this.replaceRows();
    const waiting = this.later.filter((message) => message.generation >= this.generation);
    this.later = [];
    waiting.forEach((message) => this.heard(message));
    this.restore();
    this.takeResults();
    this.fit();
    this.listen();
  }

  showWords() {
    if (this.shownWords === this.words) return;
    this.shownWords = this.words;
    this.box.lang = this.data.language;
    write(this.heading, this.say("queue.title"));
    this.table.setAttribute("aria-label", this.say("queue.title"));
    write(this.caption, this.say("queue.caption"));
    this.every.setAttribute("aria-label", this.say("queue.choose_page"));
    this.heads.forEach((head, index) => {
      const name = this.columns[index];
      if (name !== "select") write(this.sorters.get(name), this.say(`queue.column.${name}`));
    });
    const what = this.say(this.data.by_phone ? "queue.search" : "queue.search_masked");
    this.search.placeholder = what;
    this.search.setAttribute("aria-label", what);
    this.search.title = this.say("queue.search_key");
    write(this.clear, this.say("queue.clear"));
    this.fresh.replaceChildren(
      this.say("queue.new"),
      element("span", { className: "keys" }, "Alt+N"),
    );
    this.fresh.setAttribute("aria-keyshortcuts", "Alt+N");
    this.views.setAttribute("aria-label", this.say("queue.views"));
    this.pages.setAttribute("aria-label", this.say("queue.pages"));
    for (const [name, button] of Object.entries(this.steps)) write(button, this.say(`queue.page.${name}`));
    write(this.keys, this.say(this.data.may.length ? "queue.keys_desk" : "queue.keys"));
    write(this.offline, this.say("queue.offline"));
    for (const row of this.rows.values()) this.fill(row);
  }

  showTools() {
    const { where, technicians, statuses, priorities } = this.data;
    const fill = (name, options, whole = false) => {
      const select = this.chosen[name];
      const first = whole ? [] : [["", this.say(`queue.any.${name}`)]];
      select.replaceChildren(
        ...first.concat(options).map(([value, text]) => element("option", { value, textContent: text })),
      );
      select.value = where[name] ?? "";
      select.classList.toggle("chosen", select.value !== "" && select.value !== "open");
      select.setAttribute("aria-label", this.say(`queue.column.${name}`));
    };
    fill("scope", ["open", "closed", "all"].map((code) => [code, this.say(`queue.scope.${code}`)]), true);
    for (const [name, day] of Object.entries(this.days)) {
      if (this.root.activeElement !== day) day.value = where[name] ?? "";
      day.setAttribute("aria-label", this.say(`queue.${name}`));
      day.title = this.say(`queue.${name}`);
    }
    this.range.hidden = where.scope === "open";
    write(this.range.firstChild, this.say("queue.received_on"));
    this.customer.hidden = !where.customer;
    write(this.customer, this.say("queue.one_customer"));
    this.showSort();
    fill("status", statuses.map((code) => [code, this.statusText(code)]));
    fill("priority", priorities.map((code) => [code, this.say(`priority.${code}`)]));
    fill(
      "technician",
      [["none", this.say("queue.unassigned")]].concat(technicians.map(([id, name]) => [String(id), name])),
    );
    const typing = this.root.activeElement === this.search;
    if (!typing && this.search.value !== (where.q ?? "")) this.search.value = where.q ?? "";
    this.clear.hidden = where.scope === "open" && !NARROWING.some((name) => where[name]);
    this.fresh.hidden = !this.data.may_enter;
  }

  showCounts(counts) {
    if (!counts) return;
    this.counts = counts;
    const chips = [["overdue", "badge late"], ["due_soon", "badge soon"], null].concat(
      this.data.views.map((name) => [name, ""]),
    );
    if (!this.chips) {
      this.chips = new Map();
      for (const chip of chips) {
        if (!chip) {
          this.views.append(element("span", { className: "gap" }));
          continue;
        }
        const [name, look] = chip;
        const button = element("button", { type: "button", className: look });
        button.addEventListener("click", () => this.chooseView(name));
        button.append(element("span"), element("b"));
        this.chips.set(name, button);
        this.views.append(button);
      }
    }
    for (const [name, button] of this.chips) {
      write(button.firstChild, this.say(`queue.view.${name}`));
      write(button.lastChild, String(counts[name] ?? 0));
      const chosen = name === this.data.where.view && this.data.where.scope === "open";
      button.setAttribute("aria-pressed", String(chosen));
      button.classList.toggle("none", !counts[name]);
    }
    this.showFoot();
  }

  showFoot() {
    const { where, page, total } = this.data;
    const narrowed = where.scope !== "open" || NARROWING.some((name) => where[name]);
    const count = narrowed ? total : this.counts[where.view];
    const many = { count: count ?? this.rows.size };
    write(this.total, this.say(count === null ? "queue.total_page" : "queue.total", many));
    if (this.data.cut_short) write(this.total, this.say("queue.cut_short", { most: this.data.cut_short }));
    this.steps.first.disabled = !page.previous && !page.further;
    this.steps.previous.disabled = !page.previous;
    this.steps.next.disabled = !page.next;
    this.pages.hidden = !page.previous && !page.next && !page.further;
  }

  /** Rows and departures newer than the data have come by the stream already and stay. */
  replaceRows() {
    const { rows, number } = this.data;
    const sent = new Set();
    for (const [id, at] of this.gone) if (at <= number) this.gone.delete(id);
    this.places = new Map(rows.map((values, place) => [values[0], place]));
    for (const values of rows) {
      const facts = this.read(values);
      sent.add(facts.id);
      if (this.gone.has(facts.id) || this.rows.get(facts.id)?.number > number) continue;
      this.put(facts, number);
    }
    for (const [id, row] of this.rows) if (!sent.has(id) && row.number <= number) this.drop(id);
    this.arrange();
  }

  read(values) {
    const facts = {};
    this.data.fields.forEach((name, index) => {
      facts[name] = values[index];
    });
    return facts;
  }

  put(facts, number) {
    let row = this.rows.get(facts.id);
    if (!row) {
      row = this.makeRow(facts);
      this.rows.set(facts.id, row);
    }
    row.facts = facts;
    row.number = number;
    this.selection.meet(facts);
    this.fill(row);
    return row;
  }

  drop(id) {
    const row = this.rows.get(id);
    if (!row) return;
    if (this.current === id) this.moveFocus(row);
    row.node.remove();
    this.rows.delete(id);
  }

  makeRow(facts) {
    const link = element("a", { tabIndex: -1, href: `${this.data.ticket_page}?ticket=${facts.id}` });
    const cells = {};
    const node = element("tr", {});
    for (const name of this.columns) {
      cells[name] = element("td", { className: name });
      node.append(cells[name]);
    }
    const viewer = element("span", { className: "viewer", hidden: true }, drawing("eye"), element("span"));
    cells.number.append(link, viewer);
    const chosen = element("input", { type: "checkbox", tabIndex: -1 });
    cells.select?.append(chosen);
    const mark = element("span");
    const time = element("span", { className: "time" });
    const word = element("span", { className: "word" });
    const timer = element("span", { className: "timer" }, mark, time, word);
    cells.due.append(timer);
    node.dataset.id = facts.id;
    return { node, cells, link, viewer, chosen, timer, time, word, facts };
  }

  fill(row) {
    const { facts, cells } = row;
    write(cells.priority, facts.priority.toUpperCase());
    cells.priority.title = this.say(`priority.${facts.priority}`);
    write(row.link, facts.number);
    write(cells.company, facts.company);
    cells.company.title = facts.company;
    write(cells.contact, facts.contact || "—");
    write(cells.fault, this.say(`fault_code.${facts.fault}`));
    write(cells.warranty, this.say(`coverage_state.${facts.warranty}`));
    write(cells.status, this.progress(facts));
    write(cells.technician, facts.technician || "—");
    row.chosen.setAttribute("aria-label", this.say("queue.choose", { number: facts.number }));
    this.showViewer(row);
    row.state = null;
    this.showTimer(row);
  }

  /** Who else has the case open. */
  showViewer({ viewer, facts }) {
    const names = (this.viewers?.[facts.id] ?? []).join("、");
    viewer.hidden = !names;
    write(viewer.lastChild, names);
    viewer.title = names ? this.say("queue.open_by", { names }) : "";
  }

  progress(facts) {
    if (facts.waiting_for) return this.say(`queue.waiting.${facts.waiting_for}`);
    return facts.return_call ? this.say("queue.return_call") : this.statusText(facts.status);
  }

  statusText(code) {
    return this.say(`ticket_status.${code}`);
  }

  /** The order of the server: by what the list is sorted by, then by id. */
  compare(one, other) {
    const { sort, where } = this.data;
    if (where.scope !== "open") return (this.places.get(one.id) ?? -1) - (this.places.get(other.id) ?? -1);
    let apart;
    if (sort.by === "due") apart = one.due_at - other.due_at;
    else if (sort.order) apart = sort.order.indexOf(one[sort.by]) - sort.order.indexOf(other[sort.by]);
    else apart = byCharacters(one[sort.by], other[sort.by]);
    apart = apart || one.id - other.id;
    return sort.falling ? -apart : apart;
  }

  /** Rows move in the document only where they must. */
  arrange() {
    const anchor = this.rows.get(this.current)?.node;
    const before = anchor && this.hasFocus() ? anchor.offsetTop : null;
    const sorted = [...this.rows.values()].sort((a, b) => this.compare(a.facts, b.facts));
    let place = this.body.firstChild;
    for (const { node } of sorted) {
      if (node === place) place = place.nextSibling;
      else this.moveKeepingFocus(node, place);
    }
    if (before !== null && anchor.isConnected) this.scroll.scrollTop += anchor.offsetTop - before;
    if (!this.rows.has(this.current)) this.current = sorted[0]?.facts.id ?? null;
    for (const [id, row] of this.rows) row.link.tabIndex = id === this.current ? 0 : -1;
    this.empty.hidden = sorted.length > 0;
    this.table.hidden = sorted.length === 0;
    if (sorted.length === 0) this.showEmpty();
    this.showChosen();
  }

  showEmpty() {
    const { where, refused } = this.data;
    this.empty.replaceChildren(refused || this.say("queue.empty"));
    if (where.scope !== "open" || !where.q) return;
    const wider = element("button", { type: "button", textContent: this.say("queue.search_closed") });
    wider.addEventListener("click", () => this.ask({ scope: "all", view: "all" }));
    this.empty.append(wider);
  }

  showSort() {
    const { sort, where } = this.data;
    for (const [name, button] of this.sorters) {
      const chosen = name === sort.by && where.scope === "open";
      const head = button.parentElement;
      button.disabled = where.scope !== "open";
      button.title = button.disabled ? "" : this.say("queue.sort");
      button.dataset.falling = String(sort.falling);
      button.classList.toggle("sorted", chosen);
      if (chosen) head.setAttribute("aria-sort", sort.falling ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  /** First rising, then falling, then as usual. */
  sortBy(name) {
    const { by, falling } = this.data.sort;
    let sort = name === "due" ? "" : name;
    if (by === name) sort = falling ? "" : `-${name}`;
    this.ask({ sort });
  }

  moveKeepingFocus(node, place) {
    const focused = this.root.activeElement;
    const inside = focused && node.contains(focused);
    this.body.insertBefore(node, place);
    if (inside) focused.focus({ preventScroll: true });
  }

  // --- ticking --------------------------------------------------------------------------------

  setClock(serverNow) {
    this.clock = serverNow - performance.now();
    this.tick();
  }

  serverNow() {
    return this.clock === null ? null : this.clock + performance.now();
  }

  tick() {
    clearTimeout(this.ticking);
    if (this.closed || this.clock === null) return;
    if (this.box) for (const row of this.rows.values()) this.showTimer(row);
    this.ticking = setTimeout(() => this.tick(), 1000 - (this.serverNow() % 1000) + 5);
  }

  showTimer(row) {
    const { facts } = row;
    const now = this.serverNow();
    let state = "none";
    let text = "";
    const over = this.data.where.scope !== "open" && facts.due_at >= NEVER_DUE && !facts.paused;
    if (over) text = this.dateText(facts.received_at * 1000);
    else if (facts.paused) state = "paused";
    else if (facts.due_at < NEVER_DUE) {
      const due = facts.due_at * 1000;
      if (now === null) {
        state = "ok";
        text = new Intl.DateTimeFormat("zh-CN", {
          timeZone: "Asia/Shanghai", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
        }).format(due);
      } else {
        const left = due - now;
        state = left < 0 ? "late" : left < HOUR ? "soon" : "ok";
        const seconds = left < 0 ? Math.floor(-left / 1000) : Math.ceil(left / 1000);
        text = (left < 0 ? "\u2212" : "") + spanText(seconds, this.words);
      }
    }
    write(row.time, text);
    if (row.state === state && row.saidIn === this.words) return;
    row.state = state;
    row.saidIn = this.words;
    row.timer.className = `timer ${state}`;
    row.timer.replaceChild(drawing(state), row.timer.firstChild);
    write(row.word, this.say(over ? "queue.received" : `queue.timer.${state}`));
    row.timer.title = facts.due_kind ? this.say(`timer_kind.${facts.due_kind}`) : "";
  }

  dateText(at) {
    return new Intl.DateTimeFormat("zh-CN", {
      timeZone: "Asia/Shanghai", year: "numeric", month: "2-digit", day: "2-digit",
    }).format(at).replaceAll("/", "-");
  }

  // --- the stream -----------------------------------------------------------------------------

  listen() {
    if (this.token === this.data.token) return;
    this.token = this.data.token;
    this.stream?.close();
    this.stream = new Stream({
      url: `${this.data.stream}?view=${this.data.token}`,
      since: () => this.newest,
      clock: (now) => {
        this.offline.hidden = true;
        this.setClock(now);
      },
      heard: (message) => this.heard(message),
      lost: (reason) => {
        this.offline.hidden = reason !== "silent";
        this.refreshSoon();
      },
    });
  }

  heard(message) {
    if (message.t === "reset") this.refreshSoon();
    if (message.t === "counts") {
      this.showCounts(message.counts);
      this.lists.count(message.saved);
    }
    if (message.t === "viewers") {
      this.viewers = message.open;
      for (const row of this.rows.values()) this.showViewer(row);
    }
    if (message.t === "touched" && message.no > this.data.number) {
      this.newest = Math.max(this.newest, message.no);
      this.stale = true;
      this.showBar();
    }
    if (message.t !== "patch") return;
    if (message.generation < this.generation) return;
    if (message.generation > this.generation || this.isHeld()) {
      this.later.push(message);
      if (message.generation === this.generation) this.showBar();
      return;
    }
    this.patch(message);
  }

  patch({ no, set, gone }) {
    this.newest = Math.max(this.newest, no);
    for (const values of set) {
      const facts = this.read(values);
      const known = this.rows.get(facts.id);
      if (known?.number > no || this.gone.get(facts.id) > no) continue;
      if (!known && this.extra >= MOST_EXTRA_ROWS) {
        this.unseen += 1;
        continue;
      }
      if (!known) this.extra += 1;
      this.gone.delete(facts.id);
      const { node } = this.put(facts, no);
      node.classList.remove("fresh");
      void node.offsetWidth;
      node.classList.add("fresh");
    }
    for (const id of gone) {
      if (this.rows.get(id)?.number > no) continue;
      this.gone.set(id, no);
      this.drop(id);
    }
    this.arrange();
    this.showBar();
    if (this.rows.size < FEWEST_ROWS && this.data.page.next) this.refreshSoon();
  }

  showBar() {
    const count = this.unseen + this.later.filter((each) => each.generation === this.generation).length;
    this.bar.hidden = count === 0 && !this.stale;
    if (this.stale) write(this.bar, this.say("queue.changed_some"));
    else if (count) write(this.bar, this.say("queue.changed", { count }));
  }

  /** Nothing moves between press and release, or while words are being marked. */
  isHeld() {
    if (this.holding || this.selection.isOpen(this.root.activeElement)) return true;
    const selection = this.root.getSelection?.() ?? document.getSelection();
    return Boolean(selection && !selection.isCollapsed && this.scroll.contains(selection.anchorNode));
  }

  /** After the click that ends a press has been dealt with. */
  goOnLater() {
    if (!this.later.length) return;
    setTimeout(() => {
      if (this.closed || !this.box || this.isHeld()) return;
      const waiting = this.later.filter((message) => message.generation <= this.generation);
      this.later = this.later.filter((message) => message.generation > this.generation);
      waiting.forEach((message) => this.heard(message));
      this.showBar();
    }, 0);
  }

  refreshSoon() {
    clearTimeout(this.asking);
    this.asking = afterRandom(2000, () => this.refresh());
  }

  refresh() {
    this.request({ again: true });
  }

  // --- asking the server ----------------------------------------------------------------------

  ask(changed) {
    const where = { ...this.data.where, ...this.wanted, ...changed };
    delete where.after;
    delete where.before;
    write(this.said, "");
    this.wanted = where;
    this.request({ where });
  }

  typed(pause) {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => {
      if (this.search.value.trim() !== (this.data.where.q ?? "")) this.ask({ q: this.search.value });
    }, pause);
  }

  chooseView(name) {
    const chosen = this.data.where.view;
    const badge = name === "overdue" || name === "due_soon";
    const wanted = badge && chosen === name ? this.data.views[this.data.views.length - 1] : name;
    const open = this.data.where.scope === "open" ? {} : { scope: "open", from: "", until: "" };
    this.ask({ view: wanted, ...open });
  }

  /** A list without any filter. */
  nothing() {
    const nothing = { scope: "open", view: this.data.where.view };
    for (const name of NARROWING) nothing[name] = "";
    return nothing;
  }

  turn(name) {
    const where = { ...this.data.where };
    delete where.after;
    delete where.before;
    if (name === "previous") where.before = this.data.page.previous;
    if (name === "next") where.after = this.data.page.next;
    this.scroll.scrollTop = 0;
    this.request({ where });
  }

  open(id) {
    this.current = Number(id);
    this.leave({ open: String(id) });
  }

  leave(request) {
    this.remember(true);
    this.request(request);
  }

  /**
   * One request at a time, the newest wins, and it is sent again until the server names its serial:
   * two triggers within 60 ms can lose one.
   */
  request(content) {
    if (content.again && this.unanswered) return;
    this.serial = Math.max(this.serial, this.data.acknowledged) + 1;
    this.unanswered = { serial: this.serial, ...content };
    this.sendSoon();
  }

  sendSoon() {
    clearTimeout(this.sending);
    const wait = Math.max(0, SEND_EVERY - (performance.now() - (this.lastSent ?? -Infinity)));
    this.sending = setTimeout(() => this.sendNow(), wait);
  }

  /** Commands first, each until its results have come. */
  sendNow() {
    if (this.closed) return;
    if (this.commands.length) this.send("command", this.commands[0]);
    else if (this.unanswered) this.send("request", this.unanswered);
    else return;
    this.lastSent = performance.now();
    this.sending = setTimeout(() => this.sendNow(), SEND_AGAIN_AFTER);
  }

  command(verb, values, cases) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const items = cases.map(({ id, version }) => ({ id, version }));
    this.commands.push({ key, verb, arguments: values, items });
    this.sendSoon();
    return key;
  }

  takeResults() {
    const { results } = this.data;
    if (!results || this.commands[0]?.key !== results.key) return;
    this.commands.shift();
    this.selection.showResults(results);
    if (this.commands.length || this.unanswered) this.sendSoon();
  }

  // --- choosing cases -------------------------------------------------------------------------

  choose(id, range) {
    const row = this.rows.get(id);
    if (!row || this.columns[0] !== "select") return;
    const nodes = [...this.body.children];
    const from = nodes.indexOf(this.rows.get(this.anchor)?.node);
    if (range && from >= 0) {
      const to = nodes.indexOf(row.node);
      const between = nodes.slice(Math.min(from, to), Math.max(from, to) + 1);
      this.selection.add(between.map((node) => this.rows.get(Number(node.dataset.id)).facts));
    } else this.selection.toggle(row.facts);
    this.anchor = id;
  }

  chooseEvery() {
    const cases = [...this.rows.values()].map((row) => row.facts);
    if (this.every.checked) this.selection.add(cases);
    else this.selection.remove(cases);
  }

  showChosen() {
    let all = this.rows.size > 0;
    for (const [id, row] of this.rows) {
      const chosen = this.selection.has(id);
      row.chosen.checked = chosen;
      row.node.classList.toggle("chosen", chosen);
      all &&= chosen;
    }
    this.every.checked = all;
    if (this.fitted !== `${this.selection.bar.hidden}${this.selection.results.hidden}`) this.fit();
  }

  // --- keyboard, pointer, focus ---------------------------------------------------------------

  hasFocus() {
    return this.body?.contains(this.root.activeElement);
  }

  click(event) {
    const row = event.target.closest("tbody tr");
    if (row && event.target.closest("td.select")) {
      this.choose(Number(row.dataset.id), event.shiftKey);
      return;
    }
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const selection = this.root.getSelection?.() ?? document.getSelection();
    if (selection && !selection.isCollapsed) return;
    event.preventDefault();
    this.open(row.dataset.id);
  }

  pressKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    const steps = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      event.preventDefault();
      this.step(steps[event.key]);
    } else if (event.key === "Enter" && this.current) {
      event.preventDefault();
      this.open(this.current);
    } else if (event.key === "R" || event.key === "r") {
      event.preventDefault();
      this.refresh();
    } else if (event.key.toLowerCase() === "x") {
      event.preventDefault();
      this.choose(this.current, event.shiftKey);
    } else if (event.key.toLowerCase() === "a" && !event.repeat) {
      event.preventDefault();
      const row = this.rows.get(this.current);
      if (row) this.selection.command("take", {}, [row.facts]);
    } else if (event.key === "Escape") {
      this.selection.hideResults();
      this.selection.clear();
      this.lists.close();
    } else if (event.key === "/") {
      event.preventDefault();
      this.search.focus();
    }
  }

  pressShortcut(event) {
    if (!event.altKey || event.ctrlKey || event.metaKey || !this.box) return;
    if (event.code === "KeyN" && this.data.may_enter) {
      event.preventDefault();
      this.leave({ open: "new" });
    } else if (event.code === "KeyS") {
      event.preventDefault();
      this.search.focus();
      this.search.select();
    }
  }

  step(distance) {
    const nodes = [...this.body.children];
    if (!nodes.length) return;
    const at = nodes.findIndex((node) => Number(node.dataset.id) === this.current);
    const to = Math.min(nodes.length - 1, Math.max(0, at + distance));
    this.focusRow(Number(nodes[to].dataset.id));
  }

  focusFirst(event) {
    event.preventDefault();
    const first = this.body.firstElementChild;
    if (first) this.focusRow(Number(first.dataset.id));
  }

  focusRow(id) {
    const row = this.rows.get(id);
    if (!row) return;
    row.link.focus({ preventScroll: true });
    const top = row.node.offsetTop - this.heads[0].offsetHeight;
    const bottom = row.node.offsetTop + row.node.offsetHeight;
    if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
    else if (bottom > this.scroll.scrollTop + this.scroll.clientHeight) {
      this.scroll.scrollTop = bottom - this.scroll.clientHeight;
    }
  }

  focused(event) {
    const node = event.target.closest("tbody tr");
    if (!node) return;
    const old = this.rows.get(this.current);
    if (old) old.link.tabIndex = -1;
    this.current = Number(node.dataset.id);
    this.rows.get(this.current).link.tabIndex = 0;
  }

  moveFocus(row) {
    const neighbour = row.node.nextElementSibling ?? row.node.previousElementSibling;
    const had = row.node.contains(this.root.activeElement);
    this.current = neighbour ? Number(neighbour.dataset.id) : null;
    if (had && neighbour) this.focusRow(this.current);
  }

  /** Where the eye was, kept for this tab only: ids and pixels, no facts. */
  remember(returning = false) {
    if (!this.data || !this.box) return;
    if (!returning && this.leaving) return;
    this.leaving = returning;
    const here = { id: this.current, top: this.scroll.scrollTop, returning };
    const kept = returning ? here : (this.returned ?? here);
    sessionStorage.setItem("queue.place", JSON.stringify(kept));
  }

  restore() {
    if (this.restored) return;
    this.restored = true;
    const kept = JSON.parse(sessionStorage.getItem("queue.place") ?? "null");
    sessionStorage.removeItem("queue.place");
    if (!kept?.returning) return;
    // A page may be drawn twice on the way back. Until somebody acts, the next queue returns to the same place.
    this.returned = kept;
    for (const act of ["pointerdown", "keydown", "wheel"]) {
      this.box.addEventListener(act, () => (this.returned = null), { capture: true, once: true, passive: true });
    }
    this.fit();
    this.scroll.scrollTop = kept.top;
    if (this.rows.has(kept.id)) this.focusRow(kept.id);
  }

  /** The table fills the window below it, with at least fifteen rows. */
  fit() {
    if (!this.box || this.closed) return;
    const above = this.scroll.getBoundingClientRect().top + (this.scroller()?.scrollTop ?? 0);
    const { bar, results } = this.selection;
    this.fitted = `${bar.hidden}${results.hidden}`;
    const between = [bar, results].reduce((sum, { hidden, offsetHeight }) => sum + (hidden ? 0 : offsetHeight + 8), 0);
    const below = this.foot.offsetHeight + 8 + 18 + between;
    const least = 33 + 34 * 4;
    this.scroll.style.maxHeight = `${Math.max(least, Math.floor(window.innerHeight - above - below))}px`;
  }

  scroller() {
    return this.root.host?.closest('[data-testid="stMain"]');
  }
}
