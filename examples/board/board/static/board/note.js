// One sticky note on the screen: how it looks, is moved and is written on. It knows nothing of the server.

import { dye } from "./me.js";

const BY = 1600; // milliseconds for which a note shows who has just changed it
const SMALLEST = 4; // of the sizes in page.css
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export const surface = document.getElementById("board");
const elements = new Map(); // by the note's id

// change(id, fields) is called for what is done to it here. by: who has just changed it, elsewhere.
export function drawNote(note, { change, by = "" }) {
  const element = elements.get(note.id) ?? make(note.id, change);
  const moves = element.classList.contains("dragged"), writes = element.classList.contains("written");
  element.note = moves ? { ...note, x: element.note.x, y: element.note.y } : note;
  element.dataset.color = note.color;
  element.style.setProperty("--x", element.note.x);
  element.style.setProperty("--y", element.note.y);
  element.style.zIndex = note.version || 1e6;
  element.querySelector(".text").textContent = note.text;
  fitText(element);
  if (!writes) element.querySelector("textarea").value = note.text;
  element.setAttribute("aria-label", `Note: ${note.text || "nothing yet"}`);
  if (by) tellBy(element, by);
}

export function eraseNote(id) {
  const element = elements.get(id);
  if (!element) return;
  if (element.contains(document.activeElement)) surface.focus();
  element.remove();
  elements.delete(id);
}

export function writeOn(id) {
  const element = elements.get(id), area = element.querySelector("textarea");
  element.classList.add("written");
  area.focus();
  area.setSelectionRange(area.value.length, area.value.length);
}

// Write smaller until it fits.
function fitText(element) {
  const text = element.querySelector(".text");
  const shown = element.classList.contains("written") ? element.querySelector("textarea") : text;
  for (let size = 0; size <= SMALLEST; size++) {
    element.dataset.size = size;
    if (shown.scrollHeight <= shown.clientHeight) break;
  }
}

new ResizeObserver(() => elements.forEach(fitText)).observe(surface);

function make(id, change) {
  const element = document.createElement("article");
  element.className = "note";
  element.tabIndex = 0;
  element.setAttribute("aria-roledescription", "sticky note");
  element.setAttribute("aria-describedby", "note-help");
  // Each lies a little askew, and the same in every window.
  element.style.setProperty("--tilt", (parseInt(id.slice(-4), 36) % 50) / 10 - 2.5 + "deg");
  const area = document.createElement("textarea");
  Object.assign(area, { maxLength: 120, tabIndex: -1, ariaLabel: "Text of the note" });
  element.append(part("p", "text"), area, part("span", "by"),
    button("dye", "Another colour", "", () => change(id, { color: "next" })),
    button("remove", "Take away", "×", () => change(id, { gone: true })));
  area.oninput = () => change(id, { text: area.value });
  area.onblur = () => element.classList.remove("written");
  element.onkeydown = (event) => (event.target === area ? onKeyInText : onKey)(event, element, change);
  letDrag(element, (place) => change(id, place), () => writeOn(id));
  surface.append(element);
  elements.set(id, element);
  return element;
}

function onKeyInText(event, element) {
  if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey && !event.isComposing)) {
    event.preventDefault();
    element.focus();
  }
}

function onKey(event, element, change) {
  const { id, x, y } = element.note, step = STEPS[event.key], far = event.shiftKey ? 0.1 : 0.02;
  if (event.ctrlKey || event.metaKey || event.altKey || event.target !== element) return;
  if (step) change(id, { x: fit(x + step[0] * far), y: fit(y + step[1] * far) });
  else if (event.key === "Enter") writeOn(id);
  else if (event.key === "Delete" || event.key === "Backspace") change(id, { gone: true });
  else if (event.key === "c") change(id, { color: "next" });
  else return;
  event.preventDefault();
}

function letDrag(element, moveTo, tapped) {
  let from = null;
  element.onpointerdown = (event) => {
    if (event.button || event.target.closest("button") || element.classList.contains("written")) return;
    from = { pointer: event.pointerId, left: event.clientX, top: event.clientY, ...element.note };
    element.setPointerCapture(event.pointerId);
  };
  element.onpointermove = (event) => {
    if (event.pointerId !== from?.pointer) return;
    const right = event.clientX - from.left, down = event.clientY - from.top;
    // A hand that taps is never quite still.
    if (!element.classList.contains("dragged") && Math.hypot(right, down) < 5) return;
    element.classList.add("dragged");
    const place = {
      x: fit(from.x + right / (surface.clientWidth - element.offsetWidth)),
      y: fit(from.y + down / (surface.clientHeight - element.offsetHeight)),
    };
    Object.assign(element.note, place);
    moveTo(place);
  };
  element.onpointerup = element.onpointercancel = (event) => {
    if (event.pointerId !== from?.pointer) return;
    from = null;
    if (!element.classList.contains("dragged") && event.type === "pointerup") tapped();
    element.classList.remove("dragged");
  };
}

function tellBy(element, name) {
  const by = dye(element.querySelector(".by"), name);
  by.textContent = name;
  element.classList.add("touched");
  clearTimeout(element.timer);
  element.timer = setTimeout(() => element.classList.remove("touched"), BY);
}

export const fit = (share) => Number(Math.min(Math.max(share, 0), 1).toFixed(4));

function part(tag, className) {
  return Object.assign(document.createElement(tag), { className });
}

// For the mouse and the finger; with the keyboard there are keys for it.
function button(className, ariaLabel, textContent, onclick) {
  return Object.assign(part("button", className), { type: "button", tabIndex: -1, ariaLabel, textContent, onclick });
}
