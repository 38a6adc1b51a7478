// Saved lists of the queue: a panel that opens, keeps, renames, shares and gives them up. The server decides.
import { element } from "./elements.js";

export class Lists {
  /** `open(where)` shows a list; `change(told)` asks the server; its answer comes with the next data. */
  constructor({ say, open, change, say_status }) {
    Object.assign(this, { say, open, change, sayStatus: say_status });
    this.counts = {};
    this.editing = null;
    this.build();
  }

  build() {
    this.button = element("button", { type: "button", "aria-expanded": "false" }, element("span"), element("b"));
    this.button.addEventListener("click", () => this.toggle());
    this.list = element("ul");
    this.refused = element("div", { className: "refused", role: "alert", hidden: true });
    this.name = element("input", { type: "text", maxLength: 60, autocomplete: "off" });
    this.roles = element("div", { role: "group" });
    this.save = element("button", { type: "submit", className: "main" });
    this.stop = element("button", { type: "button" });
    this.stop.addEventListener("click", () => this.edit(null));
    this.form = element(
      "form",
      {},
      element("b"),
      element("div", {}, this.name),
      this.roles,
      this.refused,
      element("div", {}, this.save, this.stop),
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.panel = element("div", { className: "lists", role: "group", hidden: true }, this.list, this.form);
    this.panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close(true);
      event.stopPropagation();
    });
    this.onPress = (event) => {
      const path = event.composedPath();
      if (!this.panel.hidden && !path.includes(this.panel) && !path.includes(this.button)) this.close();
    };
    document.addEventListener("pointerdown", this.onPress);
  }

  drop() {
    document.removeEventListener("pointerdown", this.onPress);
  }

  toggle() {
    if (!this.panel.hidden) {
      this.close(true);
      return;
    }
    this.panel.hidden = false;
    const room = this.panel.parentElement.clientWidth - this.panel.offsetWidth;
    this.panel.style.left = `${Math.max(0, Math.min(this.button.offsetLeft, room))}px`;
    this.button.setAttribute("aria-expanded", "true");
    const first = this.list.querySelector("button") ?? this.name;
    first.focus();
  }

  close(focus = false) {
    if (this.panel.hidden) return;
    this.panel.hidden = true;
    this.refused.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    if (focus) this.button.focus();
  }

  offer({ saved, shareable, answer, where }) {
    this.saved = saved;
    this.shareable = shareable;
    this.where = where;
    this.counts = Object.fromEntries(saved.map(({ id, count }) => [id, count]));
    const label = this.say("queue.lists");
    this.button.firstChild.textContent = label;
    this.button.lastChild.textContent = saved.length ? String(saved.length) : "";
    this.panel.setAttribute("aria-label", label);
    this.stop.textContent = this.say("queue.lists.cancel");
    this.name.placeholder = this.say("queue.lists.name");
    this.name.setAttribute("aria-label", this.say("queue.lists.name"));
    this.roles.setAttribute("aria-label", this.say("queue.lists.share"));
    if (answer && answer.serial !== this.answered && this.asked) this.take(answer);
    this.show();
  }

  /** Done: the form is empty again. Refused: what was typed stays beside the reason. */
  take(answer) {
    this.answered = answer.serial;
    this.asked = false;
    this.refused.textContent = answer.refused;
    this.refused.hidden = !answer.refused;
    this.sayStatus("");
    if (answer.refused) return;
    this.sayStatus(this.say(`queue.lists.done.${answer.what}`));
    this.edit(null);
  }

  isShown({ where }) {
    const usual = { view: "all", scope: "open" };
    const told = (from, name) => from[name] ?? usual[name] ?? "";
    const same = (name) => told(where, name) === told(this.where, name);
    return Object.keys({ ...where, ...this.where }).every((name) => name === "q" || same(name));
  }

  show() {
    const kept = this.panel.contains(this.root()?.activeElement) ? this.root().activeElement.dataset.place : null;
    this.list.replaceChildren(...this.saved.map((each) => this.line(each)));
    this.button.classList.toggle("chosen", this.saved.some((each) => this.isShown(each)));
    this.showForm();
    if (kept) this.list.querySelector(`[data-place="${kept}"]`)?.focus();
  }

  root() {
    return this.panel.getRootNode();
  }

  line(each) {
    const open = element("button", { type: "button", className: "open", "data-place": `open${each.id}` });
    open.append(
      element("span", { textContent: each.name }),
      element("i", { textContent: each.owner || (each.roles.length ? this.say("queue.lists.shared") : "") }),
      element("b", { textContent: this.countText(each.id) }),
    );
    open.classList.toggle("chosen", this.isShown(each));
    open.addEventListener("click", () => {
      this.close();
      this.open(each.where);
    });
    const row = element("li", {}, open);
    if (each.owner) return row;
    const change = element("button", { type: "button", textContent: this.say("queue.lists.change") });
    change.dataset.place = `change${each.id}`;
    change.addEventListener("click", () => this.edit(each));
    const remove = element("button", { type: "button", textContent: this.say("queue.lists.delete") });
    remove.dataset.place = `delete${each.id}`;
    remove.setAttribute("aria-label", `${this.say("queue.lists.delete")} ${each.name}`);
    change.setAttribute("aria-label", `${this.say("queue.lists.change")} ${each.name}`);
    remove.addEventListener("click", () => this.tell({ what: "delete", id: each.id, version: each.version }));
    row.append(change, remove);
    return row;
  }

  countText(id) {
    const count = this.counts[id];
    return count === null || count === undefined ? "" : String(count);
  }

  count(counts) {
    if (!counts) return;
    this.counts = counts;
    for (const node of this.list.querySelectorAll(".open")) {
      node.lastChild.textContent = this.countText(Number(node.dataset.place.slice(4)));
    }
  }

  edit(each) {
    this.editing = each;
    this.name.value = each?.name ?? "";
    this.refused.hidden = true;
    this.chosenRoles = new Set(each?.roles ?? []);
    this.showForm();
    if (each) this.name.focus();
  }

  showForm() {
    const title = this.editing ? "queue.lists.change_one" : "queue.lists.keep";
    this.form.firstChild.textContent = this.say(title, { name: this.editing?.name ?? "" });
    this.save.textContent = this.say(this.editing ? "queue.lists.save_change" : "queue.lists.save");
    this.stop.hidden = !this.editing;
    this.chosenRoles ??= new Set();
    this.roles.replaceChildren(
      element("span", { textContent: this.say("queue.lists.share") }),
      ...this.shareable.map((role) => {
        const box = element("input", { type: "checkbox", checked: this.chosenRoles.has(role) });
        box.addEventListener("change", () => this.chosenRoles[box.checked ? "add" : "delete"](role));
        return element("label", {}, box, this.say(`role.${role}`));
      }),
    );
  }

  submit() {
    const { editing } = this;
    const named = { name: this.name.value, roles: [...this.chosenRoles] };
    if (editing) this.tell({ what: "change", id: editing.id, version: editing.version, ...named });
    else this.tell({ what: "save", ...named });
  }

  tell(told) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    this.asked = true;
    this.change({ key, ...told });
  }
}
