// What goes over the wire, line by line, beneath each transport's tickets.

const MOST_ROWS = 200, MOST_TEXT = 1000;

// line: "socket", "events", "poll" or "json". way: "↑" sent, "↓" received, "!" a connection was lost.
export function wire(line, way, what, text = "") {
  const list = document.querySelector(`[data-wire="${line}"]`);
  const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const row = document.createElement("li");
  row.dataset.way = way;
  row.append(part("time", new Date().toTimeString().slice(0, 8)), part("i", way), part("b", what),
    part("code", text.length > MOST_TEXT ? text.slice(0, MOST_TEXT) + " …" : text));
  list.append(row);
  while (list.childElementCount > MOST_ROWS) list.firstElementChild.remove();
  if (follows) list.scrollTop = list.scrollHeight;
}

function part(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text });
}
