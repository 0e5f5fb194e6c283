// Plain JSON, and the long-poll, which is the same request with one header more.

import { keep, show } from "./keep.js";
import { TicketList } from "./list.js";
import { wire } from "./wire.js";

export const url = document.body.dataset.url;

// Milliseconds. The long-poll waits for 25 s.
const PATIENCE = 40000, OFTEN = 5000;

// What there is since `etag`: { etag, tickets, took }, with null for tickets if nothing has changed.
async function ask(line, etag, { wait, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (etag) headers["If-None-Match"] = etag;
  if (etag && wait) headers.Prefer = `wait=${wait}`;
  wire(line, "↑", "GET", [url, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join("\n"));
  const asked = Date.now();
  const response = await fetch(url, { headers, signal, cache: "no-store" });
  const text = response.status === 200 ? await response.text() : "";
  const took = Date.now() - asked, after = `after ${(took / 1000).toFixed(1)} s`;
  const said = ["ETag", "Preference-Applied"].filter((name) => response.headers.has(name))
    .map((name) => `${name}: ${response.headers.get(name)}`);
  wire(line, "↓", String(response.status), [after, ...said, text].filter(Boolean).join("\n"));
  if (response.status === 304) return { etag, tickets: null, took };
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return { etag: response.headers.get("ETag"), tickets: JSON.parse(text), took };
}

export function startPoll() {
  const list = new TicketList("poll");
  keep("poll", async (opened, ended) => {
    // The first answer comes at once, and shows that the server is there.
    for (let etag = "";;) {
      const signal = AbortSignal.any([ended, AbortSignal.timeout(PATIENCE)]);
      const answer = await ask("poll", etag, { wait: 25, signal });
      // Past the proxy nobody waits: do not ask again and again.
      if (!answer.etag || (!answer.tickets && answer.took < 1000)) throw new Error("nobody waits here");
      if (answer.tickets) list.replace(answer.tickets);
      etag = answer.etag;
      opened();
    }
  }, { restful: true });
}

export function startJson() {
  const list = new TicketList("json"), often = document.getElementById("often");
  let etag = "", timer;
  async function look() {
    clearTimeout(timer);
    try {
      const answer = await ask("json", etag);
      etag = answer.etag;
      if (answer.tickets) list.replace(answer.tickets);
      show("json", "live", "as of " + new Date().toTimeString().slice(0, 8));
    } catch (error) {
      wire("json", "!", "lost", error.message);
      show("json", "waiting", "no answer");
    }
    if (often.checked) timer = setTimeout(look, OFTEN);
  }
  document.getElementById("get").onclick = look;
  often.onchange = look;
  look();
}
