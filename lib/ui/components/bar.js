// The right end of the top line: the other language, light or dark, the bell, and the person's own menu.
import { Bell } from "./bell.js";
import { drawing, element, stage } from "./elements.js";

const mounted = new WeakMap();

export default function bar(component) {
  const root = component.parentElement;
  let shown = mounted.get(root);
  if (!shown) {
    shown = new Bar(stage(root, component.data.style));
    mounted.set(root, shown);
  }
  shown.take(component);
  return () => {
    shown.close();
    mounted.delete(root);
  };
}

class Bar {
  constructor(place) {
    this.place = place;
    place.className = "bar";
    this.language = element("button", { type: "button", id: "language" });
    this.language.onclick = () => this.send("language", Date.now());
    this.theme = element("button", { type: "button", id: "theme" }, drawing("contrast"));
    this.bellPlace = element("div", { className: "bell" });
    this.name = element("span");
    this.account = element("a", {}, drawing("person"), element("span"));
    this.account.onclick = (event) => this.open(event);
    this.leave = element("button", { type: "button", id: "leave" }, drawing("leave"), element("span"));
    this.leave.onclick = () => this.signOut();
    this.menu = element("div", { popover: "auto", className: "menu" }, this.account, this.leave);
    this.person = element("button", { type: "button", id: "person" }, drawing("person"), this.name, drawing("down"));
    this.person.popoverTargetElement = this.menu;
    this.menu.onbeforetoggle = () => this.hang();
    this.onResize = () => this.menu.hidePopover();
    window.addEventListener("resize", this.onResize);
    place.replaceChildren(this.language, this.theme, this.bellPlace, this.person, this.menu);
  }

  take({ data, setTriggerValue }) {
    this.send = setTriggerValue;
    window.desk?.frame({ data: data.frame, parentElement: this.place });
    this.language.textContent = data.words.language;
    this.takeBell(data.bell, setTriggerValue);
    this.person.hidden = !data.name;
    this.name.textContent = data.name;
    this.person.title = data.name;
    this.account.hidden = !data.account;
    this.account.href = data.account;
    this.account.lastChild.textContent = data.words.account;
    this.leave.lastChild.textContent = data.words.leave;
  }

  takeBell(data, setTriggerValue) {
    this.bellPlace.hidden = !data;
    if (!data) {
      this.bell?.close();
      this.bell = null;
      return;
    }
    this.bell ??= new Bell(this.bellPlace);
    this.bell.take({ data, setTriggerValue });
  }

  close() {
    this.bell?.close();
    window.removeEventListener("resize", this.onResize);
  }

  // Right under its button; the top layer knows no anchor.
  hang() {
    const button = this.person.getBoundingClientRect();
    this.menu.style.top = `${button.bottom + 4}px`;
    this.menu.style.right = `${document.documentElement.clientWidth - button.right}px`;
  }

  open(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    this.menu.hidePopover();
    this.send("account", Date.now());
  }

  signOut() {
    this.leave.disabled = true;
    window.desk?.leave();
  }
}
