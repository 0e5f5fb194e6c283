// The document: a long-poll asks for the next version, and what is written here is saved as the next one.

import { keep, post, settle, sleep, waitAgain } from "./keep.js";
import { rebase, shift } from "./rebase.js";
import { notify } from "./tabs.js";
import { wire } from "./wire.js";

// Milliseconds. The view lets a client wait for 25 s.
const PATIENCE = 40000, BETWEEN_SAVES = 300, LONGEST_PAUSE = 8000;

const page = document.getElementById("document"), note = document.getElementById("document-note");
// The last version the server is known to have.
let base = { text: "", version: 0 };
let saving = false;
// While a version of ours is on its way: what came in by the long-poll, as nobody knows yet whether ours is in it.
let waiting = null, underWay = false;

export function startDocument() {
  keep("document", follow, { restful: true });
  page.oninput = save;
}

async function follow(opened, ended) {
  // The first answer comes at once, and shows that the server is there.
  for (let etag = "";;) {
    const asked = Date.now();
    wire("document", "↑", etag ? "GET, waits" : "GET", etag && "If-None-Match: " + etag);
    const response = await fetch("/document/", {
      cache: "no-store",
      headers: etag ? { "If-None-Match": etag } : {},
      signal: AbortSignal.any([ended, AbortSignal.timeout(PATIENCE)]),
    });
    const after = `after ${((Date.now() - asked) / 1000).toFixed(1)} s`;
    if (!response.ok && response.status !== 304) throw new Error(`${response.status} ${response.statusText}`);
    if (response.ok) {
      etag = response.headers.get("ETag");
      const next = await response.json();
      wire("document", "↓", "200", `${after} · ETag: ${etag} · ${JSON.stringify(next)}`);
      if (underWay) waiting = next;
      else take(next);
    } else {
      wire("document", "↓", "304", `${after} · nothing new`);
    }
    opened();
  }
}

// Make the server's version the base, with what was written here meanwhile on top of it. begins: the document is another
// one now, whose versions are counted from the beginning.
function take(next, { begins = false } = {}) {
  if (begins) base = { text: page.value, version: 0 };
  if (next.version <= base.version) return;
  const mine = page.value, text = base.version ? rebase(base.text, mine, next.text) : next.text;
  if (text !== mine) {
    const [start, end] = [page.selectionStart, page.selectionEnd].map((place) => shift(place, mine, text));
    page.value = text;
    if (document.activeElement === page) page.setSelectionRange(start, end);
    if (base.version) notify("document");
  }
  base = next;
  page.disabled = false;
  tell();
}

async function save() {
  tell();
  if (saving) return;
  saving = true;
  for (let pause = 500; page.value !== base.text;) {
    await sleep(BETWEEN_SAVES);
    const text = page.value;
    wire("document", "↑", "POST", `known: ${base.version}`);
    const body = new URLSearchParams({ text, known: base.version });
    underWay = true;
    const response = await post("/document/save/", body).catch(() => null);
    wire("document", response ? "↓" : "!", response ? "POST " + response.status : "POST lost");
    const next = response?.ok ? await response.json().catch(() => null) : null;
    underWay = false;
    // Once it is saved it is the base, with what was typed since then on top of it.
    if (next?.saved) base = { text, version: next.version };
    // Otherwise somebody was faster.
    else if (next) take(next, { begins: next.version < base.version });
    if (waiting) take(waiting);
    waiting = null;
    if (next) {
      pause = 500;
      settle("the document");
    } else {
      await waitAgain("the document", pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
    tell();
  }
  saving = false;
}

function tell() {
  note.textContent = `Version ${base.version} · ` + (page.value === base.text ? "saved" : "saving …");
}
