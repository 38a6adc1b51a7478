// The head of a visit on a tablet: when, who, where, what; large enough for gloves and poor light.
import { drawing, element, stage } from "./elements.js";

const mounted = new WeakMap();

export default function visitCard({ parentElement, data, setTriggerValue }) {
  let place = mounted.get(parentElement);
  if (!place) {
    place = stage(parentElement, data.style);
    mounted.set(parentElement, place);
  }
  place.className = `visit ${data.state}`;
  const { words } = data;
  const open = element("button", { type: "button", className: "number" }, data.number);
  open.onclick = () => setTriggerValue("opened", data.ticket);
  const links = [];
  if (data.tel) {
    links.push(
      element("a", { className: "link", href: `tel:${data.tel}`, "aria-label": `${words.call} ${data.phone}` },
        drawing("phone"), words.call),
    );
  }
  if (data.map) {
    links.push(element("a", { className: "link", href: `geo:0,0?q=${encodeURIComponent(data.map)}` },
      drawing("place"), words.navigate));
  }
  const facts = data.facts
    .filter(([, told]) => told)
    .map(([name, told]) => [element("dt", {}, name), element("dd", {}, told)])
    .flat();
  place.replaceChildren(
    element("div", { className: "top" },
      element("div", { className: "when" }, data.times),
      element("span", { className: "badge status" }, drawing(data.mark), data.status),
      element("span", { className: `badge ${data.coverage_state}` }, data.coverage),
      element("span", { className: "priority" }, data.priority),
      open),
    element("div", { className: "middle" },
      element("div", { className: "where" },
        element("div", { className: "customer" }, data.customer),
        element("div", { className: "address" }, data.address),
        element("div", { className: "contact" }, data.contact, element("span", { className: "phone" }, data.phone))),
      element("div", { className: "links" }, ...links)),
    element("dl", {}, ...facts),
  );
  return () => mounted.delete(parentElement);
}
