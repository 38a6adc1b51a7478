// Reads the desk's event stream: server time, row changes, resets. Nothing is sent while a tab is hidden.

const SILENT_AFTER = 45000;
const ASK_AGAIN = 25000;
const LONGEST_PAUSE = 15000;

// Every stream also tells how many notices its person has not read, so that the bell needs one of its own only on
// pages without any: a browser holds six connections to a host.
const streams = new Set();
let unread = null;

/** Tells "unread" when the count has changed, "streams" when one was opened or closed. */
export const bells = new EventTarget();

/** How many notices are unread; null until a stream has told it. */
export const unreadCount = () => unread;

/** Whether the page has a stream besides `own`. */
export const hasOther = (own) => [...streams].some((stream) => stream !== own);

/**
 * Keeps one stream open while the tab is visible.
 * `since()` gives the last number seen; `heard(message)`, `clock(serverMilliseconds)` and
 * `lost(reason)` are called back; `lost` means the page should be read anew.
 */
export class Stream {
  constructor({ url, since, heard, clock, lost }) {
    Object.assign(this, { url, since, heard, clock, lost });
    this.failures = 0;
    this.lastHeard = performance.now();
    this.lastAsked = -Infinity;
    this.onVisibility = () => (document.hidden ? this.disconnect() : this.connect());
    document.addEventListener("visibilitychange", this.onVisibility);
    this.watch = setInterval(() => this.lookForSilence(), 5000);
    streams.add(this);
    bells.dispatchEvent(new Event("streams"));
    if (!document.hidden) this.connect();
  }

  close() {
    this.closed = true;
    streams.delete(this);
    bells.dispatchEvent(new Event("streams"));
    document.removeEventListener("visibilitychange", this.onVisibility);
    clearInterval(this.watch);
    this.disconnect();
  }

  disconnect() {
    clearTimeout(this.retry);
    this.abort?.abort();
    this.abort = null;
  }

  connect() {
    if (this.closed || this.over) return;
    this.disconnect();
    this.lastHeard = performance.now();
    const abort = new AbortController();
    this.abort = abort;
    this.read(abort.signal).then(
      () => this.connectLater(abort),
      () => this.connectLater(abort),
    );
  }

  connectLater(abort) {
    if (this.closed || this.over || this.abort !== abort || document.hidden) return;
    const pause = Math.min(LONGEST_PAUSE, 500 * 2 ** this.failures) * (0.5 + Math.random());
    this.failures += 1;
    this.retry = setTimeout(() => this.connect(), pause);
  }

  async read(signal) {
    const address = `${this.url}&since=${this.since()}`;
    const answer = await fetch(address, { signal, cache: "no-store", credentials: "same-origin" });
    if (!answer.ok) {
      if (answer.status === 403 || answer.status === 404) this.askAnew("refused");
      throw new Error(`stream ${answer.status}`);
    }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.lastHeard = performance.now();
      this.failures = 0;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      blocks.forEach((block) => this.receive(block));
    }
  }

  receive(block) {
    if (block.startsWith(": ")) {
      const now = Number(block.slice(2));
      if (now) this.clock(now);
      return;
    }
    if (!block.startsWith("data: ")) return;
    const message = JSON.parse(block.slice(6));
    if (message.now) this.clock(message.now);
    if (message.t === "unread") {
      unread = message.count;
      bells.dispatchEvent(new Event("unread"));
      return;
    }
    if (message.t === "over") {
      // The session has ended: asking again would only be refused. A run of the page shows the sign-in.
      this.over = true;
      this.lost("refused");
      return;
    }
    this.heard(message);
  }

  lookForSilence() {
    if (document.hidden || performance.now() - this.lastHeard < SILENT_AFTER) return;
    this.askAnew("silent");
    if (this.abort) this.connect();
  }

  askAnew(reason) {
    if (performance.now() - this.lastAsked < ASK_AGAIN) return;
    this.lastAsked = performance.now();
    this.lost(reason);
  }
}

/** Waits a random moment, so that a hundred browsers do not ask in the same instant. */
export function afterRandom(limit, act) {
  return setTimeout(act, Math.random() * limit);
}
