// The page as a whole: the four connections, how they are, and a second window.

import { startAssistant } from "./assistant.js";
import { startBoard } from "./board.js";
import { startChat } from "./chat.js";
import { tryNow, watchLines } from "./keep.js";
import { startDocument } from "./paper.js";

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

// A browser opens six connections to one host, and a window needs two of them: the second window asks another host.
const another = document.getElementById("another"), url = new URL(location);
url.hostname = { "127.0.0.1": "localhost", localhost: "127.0.0.1" }[url.hostname] ?? url.hostname;
another.href = url;
another.onclick = (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || matchMedia("(max-width: 60rem)").matches) return;
  event.preventDefault();
  open(url, "_blank", "popup,noopener,width=620,height=820");
};

startBoard();
startChat();
startDocument();
startAssistant();
