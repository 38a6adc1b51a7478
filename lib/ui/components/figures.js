// Tiles of a report: each is one link to the cases behind it, with its definition on hover, focus or tap.
import { element, stage } from "./elements.js";

const mounted = new WeakMap();
const ARROWS = { 1: "↑", 0: "", [-1]: "↓" };

export default function figures({ parentElement, data, setTriggerValue }) {
  let place = mounted.get(parentElement);
  if (!place) {
    place = stage(parentElement, data.style);
    place.className = "figures";
    mounted.set(parentElement, place);
  }
  const focused = place.getRootNode().activeElement?.dataset?.code;
  place.replaceChildren(...data.tiles.map((tile) => draw(tile, data.words, setTriggerValue)));
  if (focused) place.querySelector(`[data-code="${focused}"]`)?.focus();
  return () => mounted.delete(parentElement);
}

function draw(tile, words, setTriggerValue) {
  const go = element("a", { className: "go", href: tile.address, "data-code": tile.code }, tile.title);
  go.onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    setTriggerValue("chosen", tile.code);
  };
  const tip = element("span", { className: "tip", id: `tip-${tile.code}`, role: "tooltip" }, tile.definition);
  const info = element(
    "button",
    { type: "button", className: "info", "aria-label": `${tile.title}: ${words.definition}`, "aria-describedby": tip.id },
    "?",
  );
  const made = element(
    "div",
    { className: tile.pressed ? "tile pressed" : "tile" },
    element("div", { className: "head" }, go, info),
    element("div", { className: "value" }, tile.value, element("small", {}, tile.unit)),
    element(
      "div",
      { className: "foot" },
      element("span", { className: `change ${tile.meaning}` }, [ARROWS[tile.arrow], tile.change].filter(Boolean).join(" ")),
      element("span", { className: "base" }, tile.base),
    ),
    tip,
  );
  info.onclick = () => made.classList.toggle("told");
  info.onblur = () => made.classList.remove("told");
  info.onkeydown = (event) => event.key === "Escape" && made.classList.remove("told");
  return made;
}
