// The board: a stream of its notes' changes, and a POST for each change made here.

import { readEvents } from "./events.js";
import { keep, post, settle, sleep, waitAgain } from "./keep.js";
import { me, makeName } from "./me.js";
import { drawNote, eraseNote, fit, surface, writeOn } from "./note.js";
import { notify } from "./tabs.js";
import { wire } from "./wire.js";

// Milliseconds. The proxy sends a comment after 15 s of silence.
const PATIENCE = 40000, SECOND_LOOK = 1500, BETWEEN_POSTS = 40, LONGEST_PAUSE = 8000, TOAST = 10000;

const colors = surface.dataset.colors.split(" ");
const notes = new Map(); // as they are shown here, by id
const unsent = new Map(); // fields the server has not confirmed, by id
let last = "", sending = false;

export function startBoard() {
  keep("board", follow, { restful: true });
  document.getElementById("add").onclick = () => add(findPlace());
  surface.ondblclick = ({ target, clientX, clientY }) => {
    const box = surface.getBoundingClientRect();
    if (target !== surface) return;
    add({ x: fit((clientX - box.left) / box.width), y: fit((clientY - box.top) / box.height) });
  };
}

// -- what comes ------------------------------------------------------------------------------------------------------

async function follow(opened, ended) {
  const silent = new AbortController();
  let timer, look;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silent.abort(new Error("nothing was heard")), PATIENCE);
  };
  heard();
  wire("board", "↑", "GET", last && "Last-Event-ID: " + last);
  try {
    const response = await fetch("/board/", {
      headers: { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) },
      cache: "no-store",
      signal: AbortSignal.any([ended, silent.signal]),
    });
    document.getElementById("past").hidden = response.status !== 501;
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    opened();
    look = setTimeout(lookAgain, SECOND_LOOK, ended);
    for await (const { event, data, id } of readEvents(response.body)) {
      heard();
      wire("board", "↓", event ?? ":", event ? (id ? `id: ${id} · ` : "") + data : "still here");
      if (event === "reset") forget();
      if (event === "note") take(JSON.parse(data));
      if (id !== undefined) last = id;
    }
    throw new Error("the stream has ended");
  } finally {
    clearTimeout(timer);
    clearTimeout(look);
  }
}

// A change may have come between the stream's first events and its opening. signal: ends the look with the stream.
async function lookAgain(signal) {
  const response = await fetch("/board/notes/?since=" + last, { signal }).catch(() => null);
  const news = response?.ok ? await response.json().catch(() => null) : null;
  news?.notes.forEach(take);
}

function take(news) {
  const known = notes.get(news.id);
  if (known && known.version >= news.version) return;
  // What was changed here and is on its way stays as it is here.
  const note = { ...news, ...unsent.get(news.id) };
  notes.set(note.id, note);
  show(note, news.by === me.name ? "" : news.by);
  if (news.by && news.by !== me.name) notify("board");
}

function show(note, by) {
  if (note.gone) eraseNote(note.id);
  else drawNote(note, { change, by });
}

function forget() {
  for (const id of [...notes.keys()].filter((id) => !unsent.has(id))) {
    eraseNote(id);
    notes.delete(id);
  }
}

// -- what goes -------------------------------------------------------------------------------------------------------

function add(place) {
  const id = makeName(), color = colors[Math.floor(Math.random() * colors.length)];
  change(id, { text: "", color, ...place });
  writeOn(id);
}

// Of some places, the one that has the most room.
function findPlace() {
  const here = [...notes.values()].filter((note) => !note.gone);
  const { clientWidth: width, clientHeight: height } = surface;
  const apart = (a, b) => Math.max(Math.abs(a.x - b.x) * width, Math.abs(a.y - b.y) * height);
  const room = (place) => Math.min(...here.map((note) => apart(note, place)));
  const places = Array.from({ length: 20 }, () => ({ x: fit(Math.random()), y: fit(Math.random()) }));
  return places.reduce((best, place) => (room(place) > room(best) ? place : best));
}

function change(id, fields) {
  if (fields.color === "next") fields.color = colors[(colors.indexOf(notes.get(id).color) + 1) % colors.length];
  fields.by = me.name;
  unsent.set(id, { ...unsent.get(id), ...fields });
  notes.set(id, { version: 0, ...notes.get(id), ...fields, id });
  show(notes.get(id), "");
  if (fields.gone) toast("The note is gone.", () => change(id, { gone: false }));
  flush();
}

// One POST after the other. What a note has become meanwhile goes with the next one, and what failed goes again: a
// change says what a note is, so to say it twice does no harm.
async function flush() {
  if (sending) return;
  sending = true;
  for (let pause = 500; unsent.size;) {
    const [id, fields] = unsent.entries().next().value;
    const body = JSON.stringify({ id, ...fields });
    wire("board", "↑", "POST", body);
    const response = await post("/board/", body, { "Content-Type": "application/json" }).catch(() => null);
    wire("board", response ? "↓" : "!", response ? "POST " + response.status : "POST lost");
    if (response && response.status < 500) {
      pause = 500;
      settle("a note");
      if (unsent.get(id) === fields || !response.ok) unsent.delete(id);
      if (!response.ok) refused(id, await response.text().catch(() => ""));
      await sleep(BETWEEN_POSTS);
    } else {
      await waitAgain("a note", pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }
  sending = false;
}

function refused(id, reason) {
  toast(reason.length < 100 && reason ? reason : "The server refused this change.");
  // As it was, from the server.
  if (notes.get(id).version === 0) eraseNote(id);
  notes.delete(id);
  last = "";
  lookAgain();
}

function toast(text, undo) {
  const bar = document.getElementById("toast"), [words, button] = bar.children;
  words.textContent = text;
  button.hidden = !undo;
  button.onclick = () => { bar.hidden = true; undo(); };
  bar.hidden = false;
  clearTimeout(bar.timer);
  bar.timer = setTimeout(() => { bar.hidden = true; }, TOAST);
}
