// Somebody's notices: one line each, unread ones marked by shape and weight; a click on the number opens the case.
import { drawing, element, stage } from "./elements.js";

const mounted = new WeakMap();

export default function notices({ parentElement, data, setTriggerValue }) {
  let place = mounted.get(parentElement);
  if (!place) {
    place = stage(parentElement, data.style);
    place.className = "notices";
    mounted.set(parentElement, place);
  }
  const focused = place.getRootNode().activeElement?.dataset?.at;
  const line = (row) => {
    const what = element("div", { className: "what" }, element("b", { className: row.tone }, drawing(row.drawing), row.kind));
    if (row.link) {
      const link = element("a", { href: row.link, "data-at": `open-${row.id}` }, row.number);
      link.onclick = (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
        event.preventDefault();
        setTriggerValue("opened", row.id);
      };
      what.append(link);
    }
    if (row.customer) what.append(element("span", { className: "customer" }, row.customer));
    const text = element("div", { className: "text" }, row.text);
    if (row.withdrawn) text.append(element("em", {}, row.withdrawn));
    const end = element("div", { className: "end" }, element("time", {}, row.at));
    if (row.unread) {
      const read = element("button", { type: "button", "data-at": `read-${row.id}`, title: data.words.read, "aria-label": `${data.words.read}: ${row.number || row.kind}` }, drawing("ok"));
      read.onclick = () => setTriggerValue("read", row.id);
      end.append(read);
    }
    const state = element("span", { className: "state" }, row.unread ? data.words.unread : "");
    return element("li", { className: [row.unread ? "unread" : "", row.withdrawn ? "withdrawn" : ""].join(" ") }, state, element("div", { className: "body" }, what, text), end);
  };
  place.replaceChildren(element("ul", { "aria-label": data.words.caption }, ...data.rows.map(line)));
  if (focused) place.querySelector(`[data-at="${focused}"]`)?.focus();
  return () => mounted.delete(parentElement);
}
