// The customer signs with finger or pen on white paper. Sent until the desk says that it is stored.
import { element, stage } from "./elements.js";
import { forgetPicture, keepPicture, keptPictures } from "./kept.js";
import { noteUnsent } from "./unsent.js";

const HEIGHT = 200;
const SEND_AGAIN_AFTER = 15000;
const WIDEST = 1200;
const mounted = new WeakMap();

export default function signature(component) {
  const root = component.parentElement;
  let pad = mounted.get(root);
  if (!pad) {
    pad = new Pad(root, component.data);
    mounted.set(root, pad);
  }
  pad.take(component);
  return () => {
    pad.close();
    mounted.delete(root);
  };
}

class Pad {
  constructor(root, data) {
    this.owner = `signature.${data.visit}`;
    this.reading = true;
    this.strokes = [];
    this.place = stage(root, data.style);
    this.place.className = "signature";
    this.canvas = element("canvas", { role: "img" });
    this.hint = element("span", { className: "hint", "aria-hidden": "true" });
    this.clear = element("button", { type: "button" });
    this.confirm = element("button", { type: "button", className: "primary" });
    this.told = element("p", { role: "status" });
    this.place.append(
      element("div", { className: "paper" }, this.canvas, this.hint),
      element("div", { className: "buttons" }, this.clear, this.confirm),
      this.told,
    );
    this.canvas.onpointerdown = (event) => this.begin(event);
    this.canvas.onpointermove = (event) => this.go(event);
    this.canvas.onpointerup = this.canvas.onpointercancel = () => (this.stroke = null);
    this.clear.onclick = () => this.wipe();
    this.confirm.onclick = () => this.send();
    this.sizes = new ResizeObserver(() => this.fit());
    this.sizes.observe(this.canvas);
    this.remember();
  }

  // What a page before this one could not send.
  async remember() {
    const last = (await keptPictures(this.owner)).at(-1);
    this.reading = false;
    if (last && !this.strokes.length) {
      this.key = last.key;
      this.image = last.image;
      this.strokes = last.strokes;
      if (this.tell) this.deliver();
    }
    if (this.words) {
      this.fit();
      this.show();
    }
  }

  close() {
    this.sizes.disconnect();
    clearTimeout(this.again);
    noteUnsent(this, false);
  }

  take({ data, setTriggerValue }) {
    this.tell = setTriggerValue;
    this.words = data.words;
    this.canvas.setAttribute("aria-label", data.words.paper);
    this.hint.textContent = data.words.hint;
    this.clear.textContent = data.words.clear;
    this.confirm.textContent = data.words.confirm;
    if (this.key && data.answered === this.key) {
      clearTimeout(this.again);
      forgetPicture(this.key);
      this.key = null;
      if (data.stored) this.strokes = [];
    }
    this.fit();
    this.show();
  }

  show() {
    this.hint.hidden = this.strokes.length > 0;
    this.clear.disabled = !this.strokes.length || Boolean(this.key);
    this.confirm.disabled = !this.strokes.length || Boolean(this.key);
    this.told.textContent = this.key ? this.words.sending : "";
    noteUnsent(this, this.reading || Boolean(this.key));
  }

  fit() {
    const box = this.canvas.getBoundingClientRect();
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(box.width * scale), Math.round(box.height * scale)];
    if (width && (this.canvas.width !== width || this.canvas.height !== height)) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.paint(this.canvas, box.width ? width / box.width : 1);
  }

  begin(event) {
    if (this.key || (event.pointerType === "mouse" && event.button !== 0)) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.stroke = [];
    this.strokes.push(this.stroke);
    this.go(event);
    this.show();
  }

  go(event) {
    if (!this.stroke) return;
    const box = this.canvas.getBoundingClientRect();
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) {
      this.stroke.push([each.clientX - box.left, each.clientY - box.top]);
    }
    this.paint(this.canvas, this.canvas.width / box.width);
  }

  wipe() {
    this.strokes = [];
    this.fit();
    this.show();
  }

  paint(canvas, scale) {
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = "#ffffff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.strokeStyle = pen.fillStyle = "#101820";
    pen.lineWidth = 3;
    pen.lineCap = pen.lineJoin = "round";
    for (const stroke of this.strokes) {
      pen.beginPath();
      pen.moveTo(...stroke[0]);
      for (const point of stroke) pen.lineTo(...point);
      pen.stroke();
      if (stroke.length < 3) {
        pen.beginPath();
        pen.arc(...stroke[0], 2, 0, 7);
        pen.fill();
      }
    }
  }

  send() {
    const box = this.canvas.getBoundingClientRect();
    const scale = Math.min(2, WIDEST / box.width);
    const sheet = element("canvas", { width: Math.round(box.width * scale), height: Math.round(HEIGHT * scale) });
    this.paint(sheet, scale);
    this.key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
    this.image = sheet.toDataURL("image/png");
    keepPicture(this.owner, { key: this.key, image: this.image, strokes: this.strokes });
    this.deliver();
    this.show();
  }

  deliver() {
    clearTimeout(this.again);
    if (!this.key) return;
    this.tell("signed", { key: this.key, image: this.image });
    this.again = setTimeout(() => this.deliver(), SEND_AGAIN_AFTER);
  }
}
