// The cases behind a figure; a number leads to its case, in a new tab with the usual keys.
import { drawing, element, stage } from "./elements.js";

const mounted = new WeakMap();

export default function cases({ parentElement, data, setTriggerValue }) {
  let place = mounted.get(parentElement);
  if (!place) {
    place = stage(parentElement, data.style);
    place.className = "cases";
    mounted.set(parentElement, place);
  }
  const cell = (row, name) => {
    if (name === "number") {
      const link = element("a", { href: data.page + row.id }, row.number);
      link.onclick = (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
        event.preventDefault();
        setTriggerValue("opened", row.id);
      };
      return element("th", { scope: "row" }, link);
    }
    if (name === "verdict") {
      const mark = drawing(row.missed ? "late" : "ok");
      return element("td", {}, element("span", { className: row.missed ? "verdict missed" : "verdict" }, mark, row.verdict));
    }
    return element("td", { className: name, title: row[name] }, row[name]);
  };
  const lines = data.rows.map((row) => element("tr", {}, ...data.columns.map((name) => cell(row, name))));
  if (!lines.length) {
    lines.push(element("tr", {}, element("td", { className: "empty", colSpan: data.columns.length }, data.empty)));
  }
  place.replaceChildren(
    element(
      "div",
      { className: "frame", tabindex: "0", role: "region", "aria-label": data.caption },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, ...data.heads.map((head) => element("th", { scope: "col" }, head)))),
        element("tbody", {}, ...lines),
      ),
    ),
  );
  return () => mounted.delete(parentElement);
}
