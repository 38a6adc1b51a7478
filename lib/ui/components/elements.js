// Building blocks of our components: elements with text (never markup), line drawings, the style sheet of a root.

const DRAWINGS = {
  warning: "M8 1.5 15 14.5H1zM8 6v4M8 12v.6",
  late: "M5 1h6l4 4v6l-4 4H5l-4-4V5zM8 4.5v4.5M8 11.4v.2",
  ok: "M2.5 8.5 6.5 12.5 13.5 4",
  clock: "M8 1.5a6.5 6.5 0 1 0 .01 0M8 4.5V8l2.5 2",
  bell: "M3 12c1-1 1.3-2.2 1.3-4.5a3.7 3.7 0 0 1 7.4 0C11.7 9.8 12 11 13 12zM8 1.8V3.8M6.5 13.8a1.6 1.6 0 0 0 3 0",
  contrast: "M8 1.5a6.5 6.5 0 1 0 .01 0M8 1.5v13M8 4.5h4.6M8 8h6.4M8 11.5h4.6",
  person: "M8 8.2a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2zM2.8 14c.4-2.6 2.6-3.7 5.2-3.7s4.8 1.1 5.2 3.7",
  leave: "M9.5 2.5h-7v11h7M6 8h8.5M11.5 5l3 3-3 3",
  down: "M4 6.2 8 10.2 12 6.2",
  edit: "M2.5 13.5l.8-3.2 7.5-7.5 2.4 2.4-7.5 7.5zM9.6 4l2.4 2.4",
  phone: "M4 1.8 6 2l1 3.2-1.6 1.3a8 8 0 0 0 4.1 4.1L10.8 9l3.2 1 .2 2-1.7 1.9C7 14 2 9 2.1 3.5z",
  place: "M8 14.5S3 9.5 3 6a5 5 0 0 1 10 0c0 3.5-5 8.5-5 8.5zM8 4.3a1.8 1.8 0 1 0 .01 0",
  camera: "M1.5 4.5h3l1.2-2h4.6l1.2 2h3v9h-13zM8 6a2.7 2.7 0 1 0 .01 0",
  pictures: "M1.5 2.5h13v11h-13zM3 12l3.5-4 2.5 2.5 2-2 2.5 3M11 4.8a.9.9 0 1 0 .01 0",
  car: "M1.5 11.5v-3l2-4h9l2 4v3zM4.5 11.5a1.3 1.3 0 1 0 .01 0M11.5 11.5a1.3 1.3 0 1 0 .01 0M2 8.3h12",
};

/** An element with properties; attributes by their own names (aria-..., role, scope, tabindex, for). */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria-|data-|role$|scope$|tabindex$|for$|capture$)/.test(name)) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A line drawing in the colour of the text. */
export function drawing(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", DRAWINGS[name]);
  path.setAttribute("fill", "none");
  path.setAttribute("stroke", "currentColor");
  path.setAttribute("stroke-width", "1.5");
  path.setAttribute("stroke-linecap", "round");
  path.setAttribute("stroke-linejoin", "round");
  svg.append(path);
  return svg;
}

/** The part of a component's root that it draws into, beside its style sheet; hidden until that is there. */
export function stage(root, style) {
  const place = element("div");
  const sheet = element("link", { rel: "stylesheet", href: style });
  place.style.visibility = "hidden";
  sheet.onload = sheet.onerror = () => (place.style.visibility = "");
  root.append(sheet, place);
  return place;
}
