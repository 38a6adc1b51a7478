// The bell in the top line: how many notices are unread, told by whichever stream the page has open.
import { drawing, element } from "./elements.js";
import { Stream, afterRandom, bells, hasOther, unreadCount } from "./stream.js";

const SETTLING = 700;
const MOST_SHOWN = 99;

export class Bell {
  constructor(place) {
    this.badge = element("span", { className: "badge", hidden: true, "aria-hidden": "true" });
    this.link = element("a", {}, drawing("bell"), this.badge);
    this.link.onclick = (event) => this.open(event);
    place.replaceChildren(this.link);
    this.onUnread = () => this.draw();
    this.onStreams = () => this.adjustSoon();
    bells.addEventListener("unread", this.onUnread);
    bells.addEventListener("streams", this.onStreams);
  }

  take({ data, setTriggerValue }) {
    this.send = setTriggerValue;
    if (this.data?.token !== data.token) this.drop();
    this.data = data;
    this.link.href = data.page;
    this.draw();
    this.adjustSoon();
  }

  close() {
    clearTimeout(this.waiting);
    clearTimeout(this.asking);
    bells.removeEventListener("unread", this.onUnread);
    bells.removeEventListener("streams", this.onStreams);
    this.drop();
  }

  drop() {
    const stream = this.stream;
    this.stream = null;
    stream?.close();
  }

  // The streams of a page come and go while it is drawn.
  adjustSoon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.adjust(), SETTLING);
  }

  adjust() {
    if (hasOther(this.stream)) {
      this.drop();
    } else if (!this.stream) {
      this.stream = new Stream({
        url: `${this.data.stream}?view=${this.data.token}`,
        since: () => this.data.number,
        clock: () => {},
        heard: () => {},
        lost: (reason) => this.askAnew(reason),
      });
    }
  }

  // The desk has forgotten the view: a run of the page registers it again. Silence alone is no reason.
  askAnew(reason) {
    if (reason !== "refused") return;
    clearTimeout(this.asking);
    this.asking = afterRandom(2000, () => this.send("lost", Date.now()));
  }

  open(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    this.send("opened", Date.now());
  }

  draw() {
    const count = unreadCount() ?? 0;
    const { none, some } = this.data.words;
    const name = count ? some.replace("{count}", count) : none;
    this.link.setAttribute("aria-label", name);
    this.link.title = name;
    this.badge.hidden = count === 0;
    this.badge.textContent = count > MOST_SHOWN ? `${MOST_SHOWN}+` : String(count);
  }
}
