// The chat room: one WebSocket for what is said, who is here and where their pointers are.

import { keepSocket } from "./keep.js";
import { dye, me, makeName } from "./me.js";
import { editName, sharePointer, showPeople, showPointer } from "./people.js";
import { notify } from "./tabs.js";

const log = document.getElementById("chat"), form = document.getElementById("say");
const rows = new Map(); // what is said, by its key
const unsaid = new Map(); // what the server has not confirmed, in order: it is said again after each reconnection
let last = 0;

export function startChat() {
  const path = () => `/room/?window=${me.window}&name=${encodeURIComponent(me.name)}`;
  const send = keepSocket("room", path, {
    opened() {
      // Two that were said at once may have come the other way round, so begin a few earlier.
      send({ since: Math.max(last - 20, 0) });
      for (const [key, say] of unsaid) send({ say, key });
    },
    received(news) {
      news.messages?.forEach(show);
      if (news.people) showPeople(news.people);
      if (news.pointer) showPointer(news);
    },
  });
  form.onsubmit = (event) => {
    event.preventDefault();
    const say = form.elements.text.value.trim();
    if (!say) return;
    const key = makeName();
    unsaid.set(key, say);
    add({ key, name: me.name, text: say }).classList.add("pending");
    form.reset();
    send({ say, key });
  };
  sharePointer(send);
  editName((name) => send({ name }));
}

function show(message) {
  last = Math.max(last, message.id);
  const known = rows.get(message.key);
  if (known) {
    // It has its place when everybody has it.
    if (known.classList.contains("pending")) log.append(known);
    known.classList.remove("pending");
  } else {
    add(message);
    notify("room");
  }
  rows.get(message.key).querySelector("time").textContent = new Date(message.at).toTimeString().slice(0, 5);
  unsaid.delete(message.key);
  // What waits for its confirmation stays below.
  log.append(...log.querySelectorAll(".pending"));
  log.scrollTop = log.scrollHeight;
}

function add({ key, name, text }) {
  const row = document.createElement("p");
  row.classList.toggle("mine", name === me.name);
  const by = dye(document.createElement("b"), name);
  by.textContent = name;
  row.append(by, Object.assign(document.createElement("span"), { textContent: text }), document.createElement("time"));
  rows.set(key, row);
  log.append(row);
  log.scrollTop = log.scrollHeight;
  return row;
}
