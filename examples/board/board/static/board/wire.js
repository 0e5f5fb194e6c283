// The side panel: what goes over the wire, line by line.

const MOST_ROWS = 250, MOST_TEXT = 300;

const list = document.getElementById("wire");
let held = false;

// line: "board", "room", "document" or "assistant". way: "↑" sent, "↓" received, "!" a connection was lost.
export function wire(line, way, what, text = "") {
  if (held) return;
  const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const row = list.lastElementChild;
  if (row && row.dataset.kind === [line, way, what].join()) repeat(row, text);
  else append(line, way, what, text);
  while (list.childElementCount > MOST_ROWS) list.firstElementChild.remove();
  if (follows) list.scrollTop = list.scrollHeight;
}

function append(line, way, what, text) {
  const row = document.createElement("li");
  row.dataset.line = line;
  row.dataset.way = way;
  row.dataset.kind = [line, way, what].join();
  row.append(part("time", new Date().toTimeString().slice(0, 8)), part("i", way), part("b", what), part("u", ""),
    part("code", ""));
  list.append(row);
  fill(row, text);
}

// The same again, such as a pointer that moves: one row, with the last of them.
function repeat(row, text) {
  row.dataset.times = Number(row.dataset.times ?? 1) + 1;
  row.querySelector("u").textContent = "×" + row.dataset.times;
  fill(row, text);
}

function fill(row, text) {
  row.querySelector("code").textContent = text.length > MOST_TEXT ? text.slice(0, MOST_TEXT) + " …" : text;
}

function part(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text });
}

document.getElementById("lanes").onclick = ({ target }) => {
  if (target.dataset.only === undefined) return;
  list.dataset.only = target.dataset.only;
  for (const button of target.parentElement.children) button.setAttribute("aria-pressed", button === target);
  list.scrollTop = list.scrollHeight;
};
document.getElementById("clear").onclick = () => list.replaceChildren();
document.getElementById("hold").onclick = ({ target }) => {
  held = !held;
  target.setAttribute("aria-pressed", held);
  target.textContent = held ? "Go on" : "Pause";
};
