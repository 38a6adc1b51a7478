// The words of a report that the desk does not have yet, kept outside the page: a tablet drops pages that nobody looks at.
import { store, stored } from "./stored.js";
import { noteUnsent } from "./unsent.js";

const KEPT = "desk.report.";
const LOOK_AGAIN_AFTER = 250;
const SEND_AGAIN_AFTER = 5000;

export class Report {
  /** `place`: the class of the element in which the field of the visit's report stands. */
  constructor(visit, place) {
    this.name = KEPT + visit;
    this.place = `.${place}`;
    this.kept = stored(KEPT, this.name, ({ at }) => at);
    this.onInput = ({ target }) => {
      if (target.closest?.(this.place)) this.keep(target.value);
    };
    document.addEventListener("input", this.onInput);
  }

  close() {
    document.removeEventListener("input", this.onInput);
    clearTimeout(this.again);
    noteUnsent(this, false);
  }

  /** `stored`: the words that a page loaded anew would show; `known`: those that the desk was told last. */
  take({ stored, known }) {
    this.stored = stored;
    this.known = known;
    if (this.kept && isSame(this.kept.words, stored)) this.keep(null);
    noteUnsent(this, this.waits);
    if (this.kept && !this.begun) this.bringBack();
    this.begun = true;
  }

  get waits() {
    return Boolean(this.kept) && !isSame(this.kept.words, this.known);
  }

  get field() {
    return document.querySelector(`${this.place} textarea`);
  }

  // What a page before this one could not send. Words that were stored meanwhile, by another tablet, stay above it.
  bringBack() {
    const { field, kept } = this;
    clearTimeout(this.again);
    if (!kept) return;
    // The field stands there before its words do.
    if (!field || ![this.known, kept.words].some((words) => isSame(words, field.value))) {
      this.again = setTimeout(() => this.bringBack(), LOOK_AGAIN_AFTER);
      return;
    }
    if (!isSame(field.value, kept.words)) {
      type(field, isSame(kept.base, this.stored) ? kept.words : `${this.stored}\n${kept.words}`);
    }
    this.send();
  }

  send() {
    clearTimeout(this.again);
    const { field } = this;
    if (!this.waits || !field) return;
    if (document.activeElement !== field && isSame(field.value, this.kept.words)) {
      // Typed once more, or the field takes it for told already.
      const words = field.value;
      type(field, `${words} `);
      type(field, words);
      field.dispatchEvent(new FocusEvent("focusout", { bubbles: true }));
    }
    this.again = setTimeout(() => this.send(), SEND_AGAIN_AFTER);
  }

  keep(words) {
    this.kept = words === null ? null : { words, base: this.kept?.base ?? this.stored, at: Date.now() };
    clearTimeout(this.again);
    if (this.kept) this.again = setTimeout(() => this.send(), SEND_AGAIN_AFTER);
    noteUnsent(this, this.waits);
    store(this.name, this.kept);
  }
}

/** The desk tidies spaces and the ends of lines. */
function isSame(one, other) {
  const [first, second] = [one, other].map((words) => words.trim().replace(/\s+/g, " "));
  return first === second;
}

/** Put words into a field of Streamlit as if they were typed. */
function type(field, words) {
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(field, words);
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
