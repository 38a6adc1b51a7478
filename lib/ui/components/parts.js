// The table of parts: one line a part, those below their minimum marked by colour, mark and word.
import { drawing, element, stage } from "./elements.js";

const mounted = new WeakMap();

export default function parts({ parentElement, data, setTriggerValue }) {
  let place = mounted.get(parentElement);
  if (!place) {
    place = stage(parentElement, data.style);
    place.className = "parts";
    mounted.set(parentElement, place);
  }
  const focused = parentElement.activeElement?.dataset?.part ?? place.getRootNode().activeElement?.dataset?.part;
  const words = data.words;
  const heads = [
    ["number", ""],
    ["name", ""],
    ["on_hand", "figure"],
    ["minimum", "figure"],
    ["unit", "unit"],
    ["state", ""],
  ].map(([name, kind]) => element("th", { scope: "col", className: kind }, words[name]));
  const lines = data.rows.map(([id, number, name, unit, onHand, minimum, short]) => {
    const open = element("button", { type: "button", className: "open", "data-part": id }, number);
    const state = element(
      "span",
      { className: `state ${short ? "short" : "enough"}` },
      drawing(short ? "warning" : "ok"),
      short ? words.short : words.enough,
    );
    const line = element(
      "tr",
      { className: id === data.chosen ? "chosen" : "" },
      element("th", { scope: "row" }, open),
      element("td", { className: "name", title: name }, name),
      element("td", { className: "figure" }, String(onHand)),
      element("td", { className: "figure" }, String(minimum)),
      element("td", { className: "unit" }, unit),
      element("td", {}, state),
    );
    if (id === data.chosen) open.setAttribute("aria-current", "true");
    line.onclick = () => setTriggerValue("chosen", id);
    return line;
  });
  const body = lines.length
    ? lines
    : [element("tr", {}, element("td", { colSpan: 6, className: "empty" }, words.empty))];
  const scrolled = place.firstElementChild?.scrollTop ?? 0;
  const frame = element(
    "div",
    { className: "frame" },
    element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...body)),
  );
  place.replaceChildren(frame);
  frame.scrollTop = scrolled;
  if (focused) place.querySelector(`[data-part="${focused}"]`)?.focus();
  return () => mounted.delete(parentElement);
}
