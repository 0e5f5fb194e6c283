// Working on tickets: every change is an action of the WebSocket.

import { TicketList } from "./list.js";
import { request, startSocket } from "./socket.js";

const form = document.getElementById("create"), answerLine = document.getElementById("answer");

export function startDesk() {
  startSocket(new TicketList("socket", { edit: makeEditable }));
  form.onsubmit = async (event) => {
    event.preventDefault();
    const title = form.elements.title.value.trim();
    const { status } = await perform({ action: "create", data: { title, group: document.body.dataset.group } });
    if (status === 201) form.reset();
  };
}

async function perform(message) {
  answerLine.textContent = "…";
  const answer = await request(message);
  answerLine.dataset.ok = answer.status >= 200 && answer.status < 300;
  answerLine.textContent = `${message.action}: ${answer.status || "lost"} ` + explain(answer.errors);
  return answer;
}

// Errors as Django REST framework has them: {"detail": "…"}, or {"title": ["…"]}.
function explain(errors) {
  return Object.entries(errors ?? {}).map(([name, said]) => (name === "detail" ? said : `${name}: ${said}`)).join(" ");
}

// now(): the ticket as it is now.
function makeEditable(row, now) {
  const opener = document.createElement("button");
  opener.type = "button";
  opener.setAttribute("aria-expanded", "false");
  opener.append(...row.childNodes);
  row.append(opener);
  opener.onclick = () => {
    const open = row.querySelector(".editor");
    opener.setAttribute("aria-expanded", String(!open));
    if (open) return open.remove();
    const editor = makeEditor(now, () => opener.click());
    row.append(editor);
    editor.scrollIntoView({ block: "nearest" });
  };
}

function makeEditor(now, close) {
  const editor = document.getElementById("editor").content.firstElementChild.cloneNode(true);
  const names = ["title", "description", "status", "priority", "assignee"], first = now();
  for (const name of names) editor.elements[name].value = first[name] ?? "";
  const act = async (message) => {
    const { status } = await perform({ ...message, pk: first.id });
    if (status >= 200 && status < 300 && editor.isConnected) close();
  };
  editor.onsubmit = (event) => {
    event.preventDefault();
    // Only what was changed here: somebody else may be changing the rest.
    const changed = names.filter((name) => editor.elements[name].value !== (first[name] ?? ""));
    const data = Object.fromEntries(changed.map((name) => [name, editor.elements[name].value]));
    if (data.assignee === "") data.assignee = null;
    act({ action: "partial_update", data });
  };
  editor.onclick = ({ target }) => {
    if (target.dataset.do === "close") act({ action: "close" });
    if (target.dataset.do === "destroy") act({ action: "destroy" });
    if (target.dataset.do === "move") act({ action: "partial_update", data: { group: target.value, assignee: null } });
  };
  return editor;
}
