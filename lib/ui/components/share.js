// A link, a button that copies it, and a code to scan.
import { element, stage } from "./elements.js";

const mounted = new WeakMap();

export default function share({ parentElement, data }) {
  let place = mounted.get(parentElement);
  if (!place) {
    place = stage(parentElement, data.style);
    place.className = "share";
    mounted.set(parentElement, place);
  }
  if (place.dataset.shown === `${data.address} ${data.words.copy}`) return;
  place.dataset.shown = `${data.address} ${data.words.copy}`;
  const text = element("input", { readOnly: true, value: data.address, "aria-label": data.words.link });
  text.onfocus = () => text.select();
  const told = element("span", { className: "told", role: "status" });
  const button = element("button", { type: "button" }, data.words.copy);
  button.onclick = async () => {
    told.textContent = (await copy(text)) ? data.words.copied : "";
  };
  place.replaceChildren(
    element("img", { src: data.code, alt: data.words.code }),
    element("div", { className: "line" }, text, element("div", { className: "act" }, button, told)),
  );
  return () => mounted.delete(parentElement);
}

/** Over plain HTTP on a local network browsers offer no clipboard; the old command still works there. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text.value);
    return true;
  } catch {
    text.focus();
    text.select();
    return document.execCommand("copy");
  }
}
