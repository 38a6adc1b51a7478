// A year of twelve months: each day told apart by colour, mark and word. One block; keys move between days.
import { element, stage } from "./elements.js";

const mounted = new WeakMap();

export default function year({ parentElement, data, setTriggerValue }) {
  let place = mounted.get(parentElement);
  if (!place) {
    place = stage(parentElement, data.style);
    place.className = "year";
    mounted.set(parentElement, place);
  }
  const root = place.getRootNode();
  const focused = root.activeElement?.dataset?.on;
  const months = data.months.map((month) => monthOf(month, data, setTriggerValue));
  const legend = element(
    "p",
    { className: "legend" },
    ...data.legend.map(([look, word, name]) =>
      element("span", {}, element("i", { className: `cell ${look}` }, element("small", {}, word)), name),
    ),
    element("span", {}, element("i", { className: "cell open hand" }), data.hand),
    element("span", {}, element("i", { className: "cell open draft" }), data.draft),
  );
  place.replaceChildren(legend, element("div", { className: "months" }, ...months));
  place.onkeydown = (event) => move(event, place, root);
  if (focused) place.querySelector(`[data-on="${focused}"]`)?.focus({ preventScroll: true });
  return () => mounted.delete(parentElement);
}

function monthOf(month, data, send) {
  const heads = data.weekdays.map((name) => element("span", { className: "weekday", "aria-hidden": "true" }, name));
  const gaps = Array.from({ length: month.offset }, () => element("span", {}));
  const days = month.days.map((day) => {
    const marks = ["hand", "draft", "today"].filter((name) => day[name]);
    const names = ["cell", day.look, ...marks, day.on === data.chosen ? "chosen" : ""];
    const cell = element(
      data.may_choose ? "button" : "span",
      { className: names.join(" "), title: day.title, "data-on": day.on, "aria-label": day.title },
      element("b", {}, String(Number(day.on.slice(8)))),
      element("small", {}, day.word ?? ""),
    );
    if (data.may_choose) {
      cell.type = "button";
      cell.onclick = () => {
        send("chosen", day.on);
        reveal(document.querySelector(data.form));
      };
    }
    if (day.on === data.chosen) cell.setAttribute("aria-current", "date");
    return cell;
  });
  return element(
    "section",
    {},
    element("h3", {}, month.name),
    element("div", { className: "days" }, ...heads, ...gaps, ...days),
  );
}

/* On a tablet the form of a day stands below the year, out of sight. */
function reveal(form) {
  if (form && form.getBoundingClientRect().top > window.innerHeight - 200) form.scrollIntoView({ block: "center" });
}

function move(event, place, root) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
  const on = root.activeElement?.dataset?.on;
  if (!on || !(event.key in steps)) return;
  const days = [...place.querySelectorAll("[data-on]")];
  const at = days.findIndex((day) => day.dataset.on === on) + steps[event.key];
  days[at]?.focus();
  event.preventDefault();
}
