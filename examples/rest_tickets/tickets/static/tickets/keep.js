// Keeping a connection open, whatever comes: the same loop for a WebSocket, a stream and a long-poll.

import { wire } from "./wire.js";

const FIRST_PAUSE = 500, LONGEST_PAUSE = 8000; // milliseconds

// name -> { state: "live" | "connecting" | "waiting" | "paused", wasLive }
const lines = new Map();
const wishes = new EventTarget();

export const tryNow = () => wishes.dispatchEvent(new Event("now"));
export const watchLines = (watch) => wishes.addEventListener("state", () => watch([...lines.values()]));

export function show(name, state, text = state) {
  const element = document.querySelector(`[data-state-of="${name}"]`);
  element.textContent = text;
  element.dataset.state = state;
}

function note(name, state, text) {
  const before = lines.get(name);
  lines.set(name, { state, wasLive: state === "live" || (state !== "paused" && before?.wasLive) });
  show(name, state, text);
  wishes.dispatchEvent(new Event("state"));
}

// connect(opened, ended) calls opened() once there is a connection, and returns or throws when there is none any more.
// ended is an AbortSignal. With restful = true it is also given up while nobody looks at this page: a browser opens
// six connections to one host at the most (over HTTP/1.1), and a stream and a long-poll take one each.
export async function keep(name, connect, { restful = false } = {}) {
  let pause = FIRST_PAUSE;
  for (;;) {
    if (restful && document.hidden) {
      note(name, "paused");
      await happens(document, "visibilitychange");
      continue;
    }
    note(name, "connecting");
    const end = new AbortController(), over = new AbortController();
    if (restful) document.addEventListener("visibilitychange", () => end.abort(), { once: true, signal: over.signal });
    try {
      await connect(() => { pause = FIRST_PAUSE; note(name, "live"); }, end.signal);
    } catch (error) {
      if (!end.signal.aborted) wire(name, "!", "lost", error.message);
    }
    over.abort();
    if (end.signal.aborted) continue;
    // Longer after each failure, and with chance in it: after a restart not everybody comes back at the same moment.
    await waitAgain(name, pause * (0.75 + Math.random() / 2));
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

// Wait before another try, unless the network comes back, or somebody asks for it at once.
async function waitAgain(name, pause) {
  const over = new AbortController();
  const early = Promise.race([happens(window, "online", over), happens(wishes, "now", over)]).then(() => true);
  for (let end = Date.now() + pause, left; (left = end - Date.now()) > 0;) {
    note(name, "waiting", `again in ${Math.ceil(left / 1000)} s`);
    if (await Promise.race([early, sleep(Math.min(left, 1000))])) break;
  }
  over.abort();
}

const sleep = (pause) => new Promise((done) => setTimeout(done, pause));

function happens(target, event, over) {
  return new Promise((done) => target.addEventListener(event, done, { once: true, signal: over?.signal }));
}
