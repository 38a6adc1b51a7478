// The caller's field of the hotline. What is typed is searched on the server; a choice carries the id on screen.

const SEARCH_AFTER = 120;
const SEND_AGAIN_AFTER = 2000;
const FOCUS_TRIES = 40;
const LEAVING_AT_MOST = 10_000;
const NUMBERS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0].map((digit) => `Digit${digit}`).concat("Minus", "Equal");

const fields = new Map();

// Streamlit may take the component down and up again within a call: the field, its clock and its choice live on.
export default function callers(component) {
  const { data, parentElement } = component;
  let field = fields.get(data.name);
  if (!field) {
    field = new Callers(data);
    fields.set(data.name, field);
  }
  const token = field.open(parentElement);
  field.take(component);
  return () => field.close(token);
}

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name === "role" || name === "for") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

class Callers {
  constructor(data) {
    this.serial = Date.now();
    this.token = 0;
    this.leaving = 0;
    this.ahead = null;
    this.active = 0;
    this.typed = false;
    this.generation = null;
    this.hits = [];
    this.style = element("link", { rel: "stylesheet", href: data.style });
    this.label = element("label", { for: "caller" });
    this.input = element("input", {
      id: "caller", type: "text", autocomplete: "off", spellcheck: false, maxLength: data.longest,
      role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "hits",
    });
    this.clock = element("span", { className: "clock", hidden: true });
    this.list = element("div", { id: "hits", role: "listbox", hidden: true });
    this.told = element("div", { className: "told", role: "status" });
    const line = element("div", { className: "line" }, this.input, this.clock);
    this.box = element("div", { className: "callers" }, this.label, line, this.list, this.told);
    this.input.addEventListener("input", (event) => this.type(event));
    this.input.addEventListener("compositionend", () => this.searchSoon());
    this.input.addEventListener("keydown", (event) => this.press(event));
    this.input.addEventListener("focus", () => this.input.select());
    this.onKey = (event) => this.pressAnywhere(event);
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.choose(Number(option.dataset.place), false);
    });
  }

  open(root) {
    this.token += 1;
    document.addEventListener("keydown", this.onKey, true);
    if (this.box.getRootNode() !== root.getRootNode() || !root.contains(this.box)) {
      root.replaceChildren(this.style, this.box);
      if (this.generation !== null && !this.chosen) this.focusSoon(() => this.input);
    }
    return this.token;
  }

  close(token) {
    if (token !== this.token) return;
    document.removeEventListener("keydown", this.onKey, true);
    [this.waiting, this.again, this.focusing].forEach(clearTimeout);
  }

  take({ data, setStateValue }) {
    this.send = (asked) => setStateValue("asked", asked);
    this.data = data;
    this.label.textContent = data.labels.caller;
    this.input.placeholder = data.labels.placeholder;
    this.clock.title = data.labels.call_time;
    if (data.generation !== this.generation) this.begin(data);
    if (data.serial >= this.serial) clearTimeout(this.again);
    if (data.words === this.words && !this.settled) {
      this.hits = data.hits;
      this.arrived = true;
      this.active = Math.min(this.active, this.options() - 1);
      if (this.confirming && this.options() > 0) {
        this.confirming = false;
        this.choose(Math.max(0, this.active), true);
        return;
      }
      this.confirming = false;
    }
    if (data.chosen !== this.chosen) {
      this.chosen = data.chosen;
      // The answer to a choice, repeated by a slow desk, does not take away what was typed since.
      if (data.chosen && !this.typed) this.settle(data.chosen);
    }
    this.draw();
  }

  begin(data) {
    const first = this.generation === null;
    this.leaving = 0;
    this.generation = data.generation;
    this.words = "";
    this.hits = [];
    this.arrived = false;
    this.confirming = false;
    this.settled = Boolean(data.chosen);
    this.typed = false;
    this.chosen = data.chosen;
    this.input.value = data.chosen;
    this.stopClock();
    if (!data.chosen || !first) this.focusSoon(() => this.input);
  }

  settle(text) {
    this.settled = true;
    this.typed = false;
    this.input.value = text;
    this.words = "";
    this.hits = [];
    if (this.byKey) this.focusSoon(() => document.querySelector(this.data.next), FOCUS_TRIES, () => this.land());
    this.byKey = false;
  }

  type(event) {
    this.startClock();
    this.settled = false;
    this.typed = true;
    // What was asked for the words before is no answer to these: its list must not be taken.
    this.words = "";
    this.arrived = false;
    this.confirming = false;
    this.active = 0;
    if (!event.isComposing) this.searchSoon();
  }

  searchSoon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.search(), SEARCH_AFTER);
  }

  search() {
    clearTimeout(this.waiting);
    this.arrived = false;
    this.words = this.input.value.trim();
    if (!this.words) {
      this.hits = [];
      this.draw();
      return;
    }
    this.ask({ words: this.words });
  }

  ask(what) {
    this.serial += 1;
    const since = this.callFrom === undefined ? 0 : Math.round(performance.now() - this.callFrom);
    const asked = { serial: this.serial, generation: this.generation, words: this.words, since, ...what };
    this.send(asked);
    clearTimeout(this.again);
    this.again = setTimeout(() => this.ask(what), SEND_AGAIN_AFTER);
  }

  press(event) {
    if (event.isComposing) return;
    const digit = event.altKey && /^Digit[0-9]$/.test(event.code) ? Number(event.code[5]) : null;
    if (digit !== null && this.options()) {
      event.preventDefault();
      event.stopPropagation();
      const place = digit === 0 ? this.hits.length : digit - 1;
      if (place < this.options()) this.choose(place, true);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (this.options()) this.active = (this.active + step + this.options()) % this.options();
      this.draw();
    } else if (event.key === "Enter" && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      if (this.settled || !this.input.value.trim()) return;
      if (this.arrived && this.words === this.input.value.trim()) {
        if (this.options()) this.choose(this.active, true);
      } else {
        this.confirming = true;
        this.search();
      }
    } else if (event.key === "Escape" && this.data.chosen) {
      this.settle(this.data.chosen);
      this.draw();
    }
  }

  pressAnywhere(event) {
    if (event.isComposing) return;
    this.keepAhead(event);
    this.pressSave(event);
    this.pressNumbered(event, this.data.offer, event.altKey && !this.options());
    this.pressNumbered(event, this.data.numbered, !event.altKey && !event.ctrlKey && !event.metaKey, true);
  }

  // The n-th button of a row by its number: with Alt from anywhere, bare only while the focus is in that row.
  pressNumbered(event, row, wanted, inside = false) {
    const at = NUMBERS.indexOf(event.code);
    if (!wanted || at < 0 || event.defaultPrevented) return;
    const place = document.querySelector(row);
    if (!place || (inside && !place.contains(document.activeElement))) return;
    const button = place.querySelectorAll("button")[at];
    if (!button) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat) return;
    if (inside) button.focus();
    button.click();
  }

  // From every field: choices would take the keys for themselves, and typed text is committed by leaving it.
  pressSave(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const button = document.querySelector(this.data.save);
    if (!button) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat) return;
    const place = document.activeElement;
    place?.blur?.();
    setTimeout(() => {
      document.querySelector(this.data.save)?.click();
      // Refused, the call goes on where it was; saved, the next caller takes the focus.
      place?.focus?.({ preventScroll: true });
    }, 50);
  }

  options() {
    return this.arrived && this.words ? this.hits.length + 1 : 0;
  }

  choose(place, byKey) {
    this.byKey = byKey;
    const hit = this.hits[place];
    this.ask({ choice: hit ? { customer: hit[0], contact: hit[1] } : { company: this.words || this.input.value.trim() } });
    this.chosen = null;
    this.typed = false;
    this.leaving = byKey ? performance.now() : 0;
    this.ahead = null;
  }

  // A number pressed while the focus is on its way to the numbered row waits for it there.
  keepAhead(event) {
    const at = NUMBERS.indexOf(event.code);
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    if (!this.leaving || performance.now() - this.leaving > LEAVING_AT_MOST) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.ahead = at;
  }

  land() {
    const row = document.querySelector(this.data.numbered);
    const button = this.ahead === null ? null : row?.querySelectorAll("button")[this.ahead];
    this.leaving = 0;
    this.ahead = null;
    if (!button || !row.contains(document.activeElement)) return;
    button.focus();
    button.click();
  }

  draw() {
    const open = !this.settled && this.options() > 0;
    this.list.hidden = !open;
    this.input.setAttribute("aria-expanded", String(open));
    this.told.textContent = open ? this.data.labels.found.replace("{count}", this.hits.length) : "";
    if (!open) {
      this.input.removeAttribute("aria-activedescendant");
      return;
    }
    const rows = this.hits.map(([, , company, contact, phone, verified], place) =>
      this.option(place, [
        element("b", { textContent: company }),
        element("span", { textContent: contact }),
        element("span", { className: "phone", textContent: phone }),
        contact && !verified
          ? element("span", { className: "mark", textContent: this.data.labels.unverified })
          : "",
      ]),
    );
    const fresh = this.data.labels.add.replace("{words}", () => this.words);
    rows.push(this.option(this.hits.length, [element("b", { textContent: `+ ${fresh}` })], "fresh"));
    this.list.replaceChildren(...rows);
    this.input.setAttribute("aria-activedescendant", `hit-${this.active}`);
  }

  option(place, children, kind = "") {
    const keys = place === this.hits.length ? "Alt+0" : place < 9 ? `Alt+${place + 1}` : "";
    const row = element(
      "div",
      { id: `hit-${place}`, role: "option", className: kind, "aria-selected": String(place === this.active) },
      ...children,
      element("kbd", { textContent: keys, "aria-hidden": "true" }),
    );
    row.dataset.place = String(place);
    return row;
  }

  startClock() {
    if (this.callFrom !== undefined || !this.data.timed) return;
    this.callFrom = performance.now();
    this.clock.hidden = false;
    const tick = () => {
      const seconds = Math.floor((performance.now() - this.callFrom) / 1000);
      const two = (number) => String(number).padStart(2, "0");
      this.clock.textContent = `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
      this.ticking = setTimeout(tick, 1000 - ((performance.now() - this.callFrom) % 1000));
    };
    tick();
  }

  stopClock() {
    clearTimeout(this.ticking);
    this.callFrom = undefined;
    this.clock.hidden = true;
  }

  // The next field is drawn by the run that follows the choice, so it may still be to come.
  focusSoon(find, tries = FOCUS_TRIES, then = () => {}) {
    clearTimeout(this.focusing);
    const target = find();
    if (target) {
      target.focus();
      then();
    } else if (tries) this.focusing = setTimeout(() => this.focusSoon(find, tries - 1, then), 50);
  }
}
