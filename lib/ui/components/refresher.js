// Asks for one rerun of the surrounding page or fragment when somebody else changed what it shows.
import { Stream, afterRandom } from "./stream.js";

const WAIT_WHILE_BUSY = 250;
const mounted = new WeakMap();

// A rerun would close an open list under the finger; and a run under way brings the change by itself.
function isBusy() {
  const running = document.querySelector('[data-test-script-state="running"]');
  return Boolean(running ?? document.querySelector('[role="listbox"]'));
}

export default function refresher({ parentElement, data, setTriggerValue }) {
  const state = mounted.get(parentElement) ?? { newest: 0 };
  mounted.set(parentElement, state);
  state.number = data.number;
  state.ask = () => {
    if (!state.lost && state.newest <= state.number) return;
    if (isBusy()) {
      state.waiting = setTimeout(state.ask, WAIT_WHILE_BUSY);
      return;
    }
    state.lost = false;
    setTriggerValue("changed", state.newest);
  };
  if (!state.lost && state.newest <= data.number) {
    clearTimeout(state.waiting);
    state.waiting = null;
  }
  if (state.token !== data.token) {
    state.stream?.close();
    state.token = data.token;
    const askSoon = (limit) => {
      clearTimeout(state.waiting);
      state.waiting = afterRandom(limit, () => state.ask());
    };
    state.stream = new Stream({
      url: `${data.stream}?view=${data.token}`,
      since: () => Math.max(state.number, state.newest),
      clock: () => {},
      lost: () => {
        state.lost = true;
        askSoon(2000);
      },
      heard: (message) => {
        if (message.t === "reset" || message.t === "viewers") {
          state.lost = true;
          askSoon(2000);
        }
        if (message.t !== "touched" || message.no <= state.number) return;
        state.newest = Math.max(state.newest, message.no);
        askSoon(300);
      },
    });
  }
  return () => {
    clearTimeout(state.waiting);
    state.stream?.close();
    mounted.delete(parentElement);
  };
}
