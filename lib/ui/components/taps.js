// The taps "on the way", "arrived" and "done": each keeps the tablet's time until the desk has it, also without a network.
import { drawing, element, stage } from "./elements.js";
import { Report } from "./report.js";
import { store, stored } from "./stored.js";
import { isUnsent } from "./unsent.js";

const SEND_AGAIN_AFTER = 5000;
const LOOK_AGAIN_AFTER = 500;
const LONGEST_MEASURE = 5000;
const TOLD_AFTER = 1500;
const KEPT = "desk.taps.";
const SHOWN = { planned: ["set_out", "arrive"], on_the_way: ["arrive"], arrived: ["finish"] };
const BRINGS = { set_out: "on_the_way", arrive: "arrived", finish: "done" };
const MARKS = { set_out: "car", arrive: "place", finish: "ok" };
const mounted = new WeakMap();

export default function taps(component) {
  const root = component.parentElement;
  let place = mounted.get(root);
  if (!place) {
    place = new Taps(root, component.data);
    mounted.set(root, place);
  }
  place.take(component);
  return () => {
    place.close();
    mounted.delete(root);
  };
}

class Taps {
  constructor(root, data) {
    this.name = KEPT + data.visit;
    this.waiting = stored(KEPT, this.name, (taps) => Math.max(...taps.map(({ at }) => at))) ?? [];
    this.place = stage(root, data.style);
    this.place.className = "taps";
    this.buttons = Object.fromEntries(Object.keys(MARKS).map((what) => [what, this.button(what)]));
    const buttons = Object.values(this.buttons).map(({ button }) => button);
    this.told = element("p", { role: "status" });
    this.place.append(element("div", { className: "buttons" }, ...buttons), this.told);
    this.onOnline = () => this.deliver();
    window.addEventListener("online", this.onOnline);
  }

  button(what) {
    const words = element("span");
    const button = element("button", { type: "button" }, drawing(MARKS[what]), words);
    button.onclick = () => this.tap(what);
    return { button, words };
  }

  close() {
    this.closed = true;
    clearTimeout(this.again);
    clearTimeout(this.late);
    this.report?.close();
    window.removeEventListener("online", this.onOnline);
  }

  take({ data, setTriggerValue }) {
    this.tell = setTriggerValue;
    this.data = data;
    if (data.report) {
      this.report ??= new Report(data.visit, data.report.place);
      this.report.take(data.report);
    }
    const before = this.waiting[0]?.key;
    const still = this.waiting.filter((each) => !data.answered.includes(each.key));
    if (still.length !== this.waiting.length) {
      this.waiting = still;
      this.keep();
    }
    if (!this.begun) {
      // What a page before could not send of the visit is looked up first.
      this.begun = true;
      this.again = setTimeout(() => this.deliver(), LOOK_AGAIN_AFTER);
    } else if (this.waiting.length && (this.held || this.waiting[0].key !== before)) this.deliver();
    if (!this.waiting.length) clearTimeout(this.again);
    this.show();
  }

  /** The visit's state as it is once all taps are stored. */
  get state() {
    return this.waiting.length ? BRINGS[this.waiting.at(-1).what] : this.data.state;
  }

  // The buttons keep their places until the desk has answered: a second tap of an impatient finger hits the same one.
  show() {
    const { words } = this.data;
    const shown = SHOWN[this.data.state] ?? [];
    for (const [what, { button, words: place }] of Object.entries(this.buttons)) {
      button.hidden = !shown.includes(what);
      button.disabled = !(SHOWN[this.state] ?? []).includes(what);
      button.classList.toggle("primary", shown[0] === what);
      place.textContent = words[what];
    }
    const last = this.waiting.at(-1);
    const isLate = last && Date.now() - last.at >= TOLD_AFTER;
    const told = last && this.goesAfter(last) ? words.after : words.kept;
    const isTold = isLate ? told.replace("{step}", words[last.what]).replace("{at}", clockTime(last.at)) : "";
    if (this.told.textContent !== isTold) this.told.textContent = isTold;
    clearTimeout(this.late);
    if (last && !isLate) this.late = setTimeout(() => this.show(), TOLD_AFTER);
  }

  tap(what) {
    if (!(SHOWN[this.state] ?? []).includes(what)) return;
    const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
    // A tap after another that still waits is for the version which that one brings.
    const version = this.waiting.length ? null : this.data.version;
    this.waiting.push({ key, what, version, at: Date.now(), form: this.data.form });
    this.keep();
    if (this.waiting.length === 1) this.deliver();
    this.show();
  }

  /** The report, photos and the signature are stored before the end of their visit. */
  goesAfter(tap) {
    return tap.what === "finish" && isUnsent();
  }

  /** Without an answer to the measurement there is no network, and nothing is sent. Sent again, a tap stays the same. */
  async deliver() {
    const tap = this.waiting[0];
    if (!tap || this.measuring || this.closed) return;
    clearTimeout(this.again);
    this.held = this.goesAfter(tap);
    if (this.held) {
      this.again = setTimeout(() => this.deliver(), LOOK_AGAIN_AFTER);
      this.show();
      return;
    }
    this.again = setTimeout(() => this.deliver(), SEND_AGAIN_AFTER);
    if (tap.skew === undefined) {
      this.measuring = true;
      const skew = await measured(this.data.clock);
      this.measuring = false;
      if (skew === null || this.closed) return;
      tap.skew = skew;
      tap.version ??= this.data.version;
      this.keep();
    }
    this.tell("tapped", { ...tap });
  }

  // Kept outside the page too: a tablet drops pages that nobody looks at.
  keep() {
    store(this.name, this.waiting.length ? this.waiting : null);
  }
}

/** How many milliseconds the tablet's clock is ahead of the desk's; null without an answer. */
async function measured(address) {
  const before = Date.now();
  try {
    const answer = await fetch(address, {
      cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(LONGEST_MEASURE),
    });
    const server = answer.ok ? Number(await answer.text()) : 0;
    return server ? Math.round((before + Date.now()) / 2 - server) : null;
  } catch {
    return null;
  }
}

function clockTime(milliseconds) {
  const at = new Date(milliseconds);
  return `${at.getHours()}`.padStart(2, "0") + ":" + `${at.getMinutes()}`.padStart(2, "0");
}
