// Server-Sent Events: a snapshot, then what changes. The same events come by WebSocket, so `hear` serves both.

import { keep } from "./keep.js";
import { TicketList } from "./list.js";
import { url } from "./json.js";
import { wire } from "./wire.js";

// again(): ask for all of it. one(pk): ask for one ticket, which comes back, or null if it is not ours (any more).
export async function hear({ action, pk, data }, { list, again, one }) {
  if (action === "snapshot") list.replace(data);
  if (action === "invalidate") await again();
  if (action === "deleted") list.remove(pk);
  if (action === "created" || action === "updated") {
    // A ticket that has come from another group is only named: who may see it may ask for it.
    const ticket = data ?? await one(pk);
    if (ticket) list.put(ticket);
    else list.remove(pk);
  }
}

export function startEvents() {
  const list = new TicketList("events");
  const source = { list, again: async () => list.replace(await get(url)), one: (pk) => get(url + pk + "/") };
  // An EventSource comes back by itself as long as it is not answered with an error, always after the same pause. Here
  // the pauses grow, and are shown.
  keep("events", (opened, ended) => new Promise((done, failed) => {
    wire("events", "↑", "GET", `${url}\nAccept: text/event-stream`);
    const events = new EventSource(url);
    ended.onabort = () => { events.close(); done(); };
    events.onopen = opened;
    events.onerror = () => { events.close(); failed(new Error("the stream has ended")); };
    let heard = Promise.resolve();
    events.onmessage = ({ data }) => {
      wire("events", "↓", "data:", data);
      // One after the other, even if one has to ask.
      heard = heard.then(() => hear(JSON.parse(data), source)).catch(events.onerror);
    };
  }), { restful: true });
}

async function get(where) {
  wire("events", "↑", "GET", where);
  const response = await fetch(where, { headers: { Accept: "application/json" }, cache: "no-store" });
  wire("events", "↓", String(response.status));
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(response.statusText);
  return response.json();
}
