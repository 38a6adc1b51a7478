// Asks for one rerun of the surrounding page or fragment when somebody else changed what it shows.
import { Stream, afterRandom } from "./stream.js";

const mounted = new WeakMap();

export default function refresher({ parentElement, data, setTriggerValue }) {
  const state = mounted.get(parentElement) ?? { newest: 0 };
  mounted.set(parentElement, state);
  state.number = data.number;
  state.ask = () => setTriggerValue("changed", state.newest);
  if (state.newest <= data.number) {
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
      lost: () => askSoon(2000),
      heard: (message) => {
        if (message.t === "reset") askSoon(2000);
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
