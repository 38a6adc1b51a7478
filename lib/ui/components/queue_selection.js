// Which cases are chosen for a command, the bar that gives it, and what came of each. They stay chosen across pages.
import { element } from "./elements.js";

const MOST_CHOSEN = 200;

export class Selection {
  /** `give(verb, arguments, cases)` sends a command; `changed()` is told when the choice has changed. */
  constructor({ say, give, changed, say_status }) {
    Object.assign(this, { say, give, changed, sayStatus: say_status });
    this.chosen = new Map();
    this.giving = new Map();
    this.build();
  }

  build() {
    const button = (act, properties = {}) => {
      const made = element("button", { type: "button", ...properties });
      made.addEventListener("click", act);
      return made;
    };
    const pick = (verb, argument, read) => {
      const list = element("select");
      const go = button(() => this.command(verb, { [argument]: read(list.value) }), { disabled: true });
      list.addEventListener("change", () => this.showButtons());
      return { verb, list, go };
    };
    this.count = element("b");
    this.take = button(() => this.command("take", {}));
    this.picks = {
      technician: pick("assign", "technician_id", Number),
      priority: pick("priority", "priority", String),
      survivor: pick("merge", "survivor_id", Number),
    };
    this.none = button(() => this.clear(), { className: "none" });
    this.bar = element("div", { className: "bulk", role: "group", hidden: true }, this.count, this.take);
    for (const { list, go } of Object.values(this.picks)) this.bar.append(list, go);
    this.bar.append(this.none);
    this.list = element("ul", { tabindex: "0" });
    this.close = button(() => this.hideResults());
    this.results = element("div", { className: "results", role: "group", hidden: true }, this.list, this.close);
  }

  // --- choosing -------------------------------------------------------------------------------

  has(id) {
    return this.chosen.has(id);
  }

  toggle(facts) {
    if (this.chosen.has(facts.id)) this.chosen.delete(facts.id);
    else this.add([facts]);
    this.show();
  }

  add(cases) {
    for (const facts of cases) {
      if (this.chosen.size >= MOST_CHOSEN && !this.chosen.has(facts.id)) {
        this.sayStatus(this.say("queue.chosen_full", { count: MOST_CHOSEN }));
        break;
      }
      this.chosen.set(facts.id, facts);
    }
    this.show();
  }

  remove(cases) {
    for (const { id } of cases) this.chosen.delete(id);
    this.show();
  }

  clear() {
    this.chosen.clear();
    this.show();
  }

  /** A newer state of a case: what is done with it is done with what is seen of it. */
  meet(facts) {
    if (this.chosen.has(facts.id)) this.chosen.set(facts.id, facts);
  }

  // --- the bar --------------------------------------------------------------------------------

  offer({ may, technicians, priorities }) {
    this.may = may;
    this.take.hidden = !may.includes("take");
    const fill = ({ verb, list, go }, name, options) => {
      const kept = list.value;
      const first = [["", this.say(`queue.pick.${name}`)]];
      list.replaceChildren(
        ...first.concat(options).map(([value, text]) => element("option", { value, textContent: text })),
      );
      list.value = options.some(([value]) => value === kept) ? kept : "";
      list.setAttribute("aria-label", this.say(`queue.pick.${name}`));
      list.hidden = go.hidden = !may.includes(verb);
      go.textContent = this.say(`queue.verb.${verb}`);
    };
    fill(this.picks.technician, "technician", technicians.map(([id, name]) => [String(id), name]));
    fill(this.picks.priority, "priority", priorities.map((code) => [code, this.say(`priority.${code}`)]));
    this.fillSurvivors();
    this.take.textContent = this.say("queue.verb.take");
    this.none.textContent = this.say("queue.chosen_none");
    this.close.textContent = this.say("queue.results_close");
    this.bar.setAttribute("aria-label", this.say("queue.bulk"));
    this.results.setAttribute("aria-label", this.say("queue.results"));
    this.list.setAttribute("aria-label", this.say("queue.results"));
    this.show();
  }

  show() {
    this.count.textContent = this.say("queue.chosen", { count: this.chosen.size });
    this.bar.hidden = this.chosen.size === 0;
    this.fillSurvivors();
    this.showButtons();
    this.changed();
  }

  /** One of the chosen cases takes the others in. */
  fillSurvivors() {
    const { list, go } = this.picks.survivor;
    const cases = [...this.chosen.values()];
    const kept = list.value;
    list.replaceChildren(
      element("option", { value: "", textContent: this.say("queue.pick.survivor") }),
      ...cases.map(({ id, number, company }) =>
        element("option", { value: String(id), textContent: `${number} ${company}` })),
    );
    list.value = cases.some(({ id }) => String(id) === kept) ? kept : "";
    list.setAttribute("aria-label", this.say("queue.pick.survivor"));
    go.textContent = this.say("queue.verb.merge");
    list.hidden = go.hidden = !this.may?.includes("merge") || cases.length < 2;
  }

  showButtons() {
    const busy = this.giving.size > 0;
    this.take.disabled = busy;
    for (const { list, go } of Object.values(this.picks)) go.disabled = busy || !list.value;
  }

  /** Whether a list of the bar is under somebody's hand. */
  isOpen(focused) {
    return Object.values(this.picks).some(({ list }) => list === focused);
  }

  // --- commands and their results -------------------------------------------------------------

  command(verb, values, cases = [...this.chosen.values()].filter(({ id }) => id !== values.survivor_id)) {
    if (!cases.length || !this.may?.includes(verb)) return;
    const key = this.give(verb, values, cases);
    this.giving.set(key, { verb, numbers: new Map(cases.map(({ id, number }) => [id, number])) });
    this.hideResults();
    this.sayStatus(this.say("queue.giving", { count: cases.length }));
    this.showButtons();
  }

  showResults({ key, rows }) {
    const given = this.giving.get(key);
    if (!given) return;
    this.giving.delete(key);
    const verb = this.say(`queue.verb.${given.verb}`);
    const number = (id) => given.numbers.get(id) ?? String(id);
    const refused = rows.filter(([, why]) => why);
    for (const [id, why] of rows) if (!why) this.chosen.delete(id);
    const done = rows.length - refused.length;
    if (rows.length === 1 && done) this.sayStatus(this.say("queue.given_one", { verb, number: number(rows[0][0]) }));
    else this.sayStatus(this.say("queue.given", { verb, done, refused: refused.length }));
    const lines = refused.concat(rows.filter(([, why]) => !why)).map(([id, why]) =>
      element(
        "li",
        { className: why ? "refused" : "done" },
        element("b", { textContent: number(id) }),
        element("span", { textContent: why || this.say("queue.row_done") }),
      ),
    );
    this.list.replaceChildren(...lines);
    this.results.hidden = rows.length === 1 && done === 1;
    this.show();
  }

  hideResults() {
    this.results.hidden = true;
    this.changed();
  }
}
