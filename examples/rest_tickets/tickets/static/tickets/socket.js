// The WebSocket: the events of the stream, and answers to what is asked for.

import { hear } from "./events.js";
import { keep } from "./keep.js";
import { wire } from "./wire.js";
import { url } from "./json.js";

// Milliseconds that an answer may take.
const PATIENCE = 20000;

let socket, ref = 0;
const asked = new Map(); // ref -> what takes the answer

// Ask for an action of the viewset: request({ action: "create", data: {...} }). What comes is the answer, with `status`
// and `data` or `errors`; with status 0 if the connection was lost, and nobody knows whether it was done.
export function request(message) {
  return new Promise((answered) => {
    if (socket?.readyState !== WebSocket.OPEN) return answered({ status: 0, errors: { detail: "Not connected." } });
    ref += 1;
    asked.set(ref, answered);
    send({ ...message, ref });
    setTimeout(lose, PATIENCE, ref);
  });
}

function lose(which) {
  asked.get(which)?.({ status: 0, errors: { detail: "Nobody knows whether it was done: there was no answer." } });
  asked.delete(which);
}

function send(message) {
  const text = JSON.stringify(message);
  wire("socket", "↑", message.action, text);
  socket.send(text);
}

export function startSocket(list) {
  const source = { list, again, one: async (pk) => {
    const { status, data, errors } = await request({ action: "retrieve", pk });
    if (status !== 200 && status !== 404) throw new Error(errors.detail);
    return data ?? null;
  } };
  async function again() {
    const { status, data, errors } = await request({ action: "list" });
    if (status !== 200) throw new Error(errors.detail);
    list.replace(data);
  }

  keep("socket", (opened) => new Promise((done, failed) => {
    wire("socket", "↑", "open", url);
    const mine = socket = new WebSocket(location.origin.replace("http", "ws") + url);
    let isLive = false, heard = Promise.resolve();
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      wire("socket", "↓", message.action ?? message.type, data);
      if (message.type) return asked.get(message.ref)?.(message), asked.delete(message.ref);
      if (message.action === "subscribed") return heard = again().then(() => { isLive = true; opened(); }, give);
      // One after the other: what comes while the list is on its way is heard when it is there.
      heard = heard.then(() => hear(message, source)).catch(give);
    };
    function give() { mine.close(); }
    socket.onclose = ({ code, reason }) => {
      for (const which of [...asked.keys()]) lose(which);
      // Who was logged in is no longer: the page asks again who that is.
      if (code === 4401 && isLive) location.reload();
      failed(new Error(`closed: ${code} ${reason}`));
    };
  }));
}
