// Who is here: the names at the top of the page, and the pointers of the others over the board.

import { dye, me } from "./me.js";
import { surface } from "./note.js";

const FORGET_POINTER = 4000, POINTER_PAUSE = 80; // milliseconds
const MOST_NAMES = 5;

const list = document.getElementById("people"), field = document.getElementById("name");
const pointers = new Map(); // by window
let people = [];

export function showPeople(all) {
  people = all;
  const others = all.filter(({ window }) => window !== me.window);
  list.replaceChildren(...others.slice(0, MOST_NAMES).map(({ name }) => {
    const item = dye(document.createElement("li"), name);
    item.textContent = name;
    return item;
  }));
  const left = others.length - MOST_NAMES;
  if (left > 0) list.append(Object.assign(document.createElement("li"), { textContent: `and ${left} more` }));
  for (const window of pointers.keys()) if (!all.some((one) => one.window === window)) drop(window);
}

export function sharePointer(send) {
  let last = 0;
  surface.addEventListener("pointermove", (event) => {
    // Who drags a note shows by that.
    if (event.pointerType !== "mouse" || event.buttons || people.length < 2 || Date.now() - last < POINTER_PAUSE) return;
    last = Date.now();
    const box = surface.getBoundingClientRect();
    send({ pointer: [event.clientX - box.left, event.clientY - box.top].map((value, i) =>
      Number((value / [box.width, box.height][i]).toFixed(3))) });
  });
}

export function showPointer({ window, pointer: [x, y] }) {
  const name = people.find((one) => one.window === window)?.name;
  if (!name) return;
  let pointer = pointers.get(window);
  if (!pointer) {
    pointer = document.createElement("div");
    pointer.className = "pointer";
    pointer.setAttribute("aria-hidden", "true");
    pointer.append(document.createElement("span"));
    pointers.set(window, pointer);
    surface.append(pointer);
  }
  dye(pointer, name).firstChild.textContent = name;
  pointer.style.setProperty("--x", x);
  pointer.style.setProperty("--y", y);
  clearTimeout(pointer.timer);
  pointer.timer = setTimeout(() => drop(window), FORGET_POINTER);
}

function drop(window) {
  pointers.get(window)?.remove();
  pointers.delete(window);
}

export function editName(tell) {
  const you = document.getElementById("you");
  field.value = me.name;
  dye(you, me.name);
  field.onchange = () => {
    me.name = field.value = field.value.trim().replace(/\s+/g, " ") || me.name;
    sessionStorage.setItem("name", me.name);
    dye(you, me.name);
    tell(me.name);
  };
  field.onkeydown = ({ key }) => { if (key === "Enter") field.blur(); };
}
