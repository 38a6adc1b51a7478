// Open return calls: one line a call; an overdue one is told by colour, mark and word.
import { drawing, element, stage } from "./elements.js";

const mounted = new WeakMap();

export default function calls({ parentElement, data, setTriggerValue }) {
  let place = mounted.get(parentElement);
  if (!place) {
    place = stage(parentElement, data.style);
    place.className = "calls";
    mounted.set(parentElement, place);
  }
  const focused = place.getRootNode().activeElement?.dataset?.ticket;
  const lines = data.rows.map((row) => {
    const open = element("button", { type: "button", className: "open", "data-ticket": row.ticket }, row.number);
    const due = element("span", { className: row.late ? "due late" : "due" }, drawing(row.late ? "late" : "clock"), row.due);
    if (row.late) due.append(element("b", {}, data.late));
    const line = element(
      "tr",
      { className: row.ticket === data.chosen ? "chosen" : "" },
      element("td", {}, due),
      element("th", { scope: "row" }, open),
      element("td", { className: "company", title: `${row.company} ${row.contact}` }, row.company, element("small", {}, row.contact)),
      element("td", { className: "fault" }, row.fault),
      element("td", { className: "tries" }, row.tries),
    );
    if (row.ticket === data.chosen) open.setAttribute("aria-current", "true");
    line.onclick = () => setTriggerValue("chosen", row.ticket);
    return line;
  });
  const frame = element(
    "div",
    { className: "frame" },
    element(
      "table",
      {},
      element("caption", {}, data.caption),
      element("thead", {}, element("tr", {}, ...data.heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...lines),
    ),
  );
  const scrolled = place.firstElementChild?.scrollTop ?? 0;
  place.replaceChildren(frame);
  frame.scrollTop = scrolled;
  if (focused) place.querySelector(`[data-ticket="${focused}"]`)?.focus();
  return () => mounted.delete(parentElement);
}
