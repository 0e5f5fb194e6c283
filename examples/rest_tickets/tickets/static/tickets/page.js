// The page as a whole: the four transports, how they are, and a second window.

import { startDesk } from "./desk.js";
import { startEvents } from "./events.js";
import { startJson, startPoll } from "./json.js";
import { tryNow, watchLines } from "./keep.js";

const health = document.getElementById("health"), said = document.getElementById("said");
const now = document.getElementById("now");

watchLines((lines) => {
  const lost = lines.filter(({ state, wasLive }) => state === "waiting" || (state === "connecting" && wasLive));
  const live = lines.filter(({ state }) => state === "live");
  const state = lost.length ? "lost" : live.length === lines.length ? "live" : "connecting";
  const text = { lost: "Connection lost", live: "Connected", connecting: "Connecting" }[state];
  document.getElementById("health-text").textContent = text;
  if (health.dataset.state !== state && (state === "lost" || health.dataset.state === "lost")) said.textContent = text;
  if (health.dataset.state !== state && state !== "connecting") health.dataset.state = state;
  now.hidden = state !== "lost";
});
now.onclick = tryNow;

// Another name of this machine: there one may be logged in as somebody else, and a browser opens six more connections.
const another = document.getElementById("another"), there = new URL(location);
there.hostname = { "127.0.0.1": "localhost", localhost: "127.0.0.1" }[there.hostname] ?? there.hostname;
another.href = there;
another.onclick = (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || matchMedia("(max-width: 60rem)").matches) return;
  event.preventDefault();
  open(there, "_blank", "popup,noopener,width=1180,height=820");
};

startDesk();
startEvents();
startPoll();
startJson();
