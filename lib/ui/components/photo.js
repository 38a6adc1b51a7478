// Photos from the rear camera, made smaller before they are sent, one after the other until the desk has stored them.
import { drawing, element, stage } from "./elements.js";
import { forgetPicture, keepPicture, keptPictures } from "./kept.js";
import { noteUnsent } from "./unsent.js";

const LONGEST_SIDE = 1600;
const QUALITY = 0.82;
const SEND_AGAIN_AFTER = 20000;
const mounted = new WeakMap();

export default function photo(component) {
  const root = component.parentElement;
  let camera = mounted.get(root);
  if (!camera) {
    camera = new Camera(root, component.data);
    mounted.set(root, camera);
  }
  camera.take(component);
  return () => {
    camera.close();
    mounted.delete(root);
  };
}

class Camera {
  constructor(root, data) {
    this.owner = `photo.${data.visit}`;
    this.waiting = [];
    this.answered = [];
    this.reading = 1;
    this.place = stage(root, data.style);
    this.place.className = "photo";
    this.shoot = this.chooser("camera", true);
    this.pick = this.chooser("pictures", false);
    this.told = element("p", { role: "status" });
    this.place.append(element("div", { className: "buttons" }, this.shoot.label, this.pick.label), this.told);
    this.remember();
  }

  // What a page before this one could not send.
  async remember() {
    const kept = await keptPictures(this.owner);
    this.waiting.unshift(...kept.map(({ key, image }) => ({ key, image })));
    this.reading -= 1;
    this.settle();
    if (this.waiting.length && this.tell) this.deliver();
    if (this.words) this.show();
  }

  settle() {
    const answered = this.waiting.filter((each) => this.answered.includes(each.key));
    for (const { key } of answered) forgetPicture(key);
    this.waiting = this.waiting.filter((each) => !answered.includes(each));
  }

  chooser(icon, fromCamera) {
    const input = element("input", { type: "file", accept: "image/*", multiple: !fromCamera });
    if (fromCamera) input.setAttribute("capture", "environment");
    const words = element("span");
    input.onchange = () => {
      const files = [...input.files];
      input.value = "";
      this.add(files);
    };
    return { input, words, label: element("label", {}, input, drawing(icon), words) };
  }

  close() {
    clearTimeout(this.again);
    noteUnsent(this, false);
  }

  take({ data, setTriggerValue }) {
    this.tell = setTriggerValue;
    this.words = data.words;
    this.room = data.room;
    this.shoot.words.textContent = data.words.shoot;
    this.pick.words.textContent = data.words.pick;
    const before = this.waiting[0]?.key;
    this.answered = data.answered;
    this.settle();
    if (this.waiting.length && this.waiting[0].key !== before) this.deliver();
    if (!this.waiting.length) clearTimeout(this.again);
    this.show();
  }

  show() {
    const full = this.room - this.waiting.length <= 0;
    for (const each of [this.shoot, this.pick]) {
      each.input.disabled = full;
      each.label.classList.toggle("off", full);
    }
    const count = this.waiting.length;
    noteUnsent(this, count + this.reading > 0);
    const sending = count ? this.words.sending.replace("{count}", count) : "";
    this.told.textContent = this.trouble || sending || (full ? this.words.full : "");
  }

  async add(files) {
    this.trouble = "";
    this.reading += 1;
    this.show();
    for (const file of files.slice(0, Math.max(0, this.room - this.waiting.length))) {
      try {
        const image = await shrunk(file);
        const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
        const taken = { key, image };
        keepPicture(this.owner, taken);
        this.waiting.push(taken);
        if (this.waiting.length === 1) this.deliver();
      } catch {
        this.trouble = this.words.unreadable;
      }
      this.show();
    }
    this.reading -= 1;
    this.show();
  }

  deliver() {
    clearTimeout(this.again);
    if (!this.waiting.length) return;
    this.tell("taken", this.waiting[0]);
    this.again = setTimeout(() => this.deliver(), SEND_AGAIN_AFTER);
  }
}

/** The picture as a JPEG data address of at most 1600 px a side. */
async function shrunk(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
  const sheet = element("canvas", {
    width: Math.max(1, Math.round(picture.width * scale)),
    height: Math.max(1, Math.round(picture.height * scale)),
  });
  const pen = sheet.getContext("2d");
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.drawImage(picture, 0, 0, sheet.width, sheet.height);
  picture.close();
  return sheet.toDataURL("image/jpeg", QUALITY);
}
