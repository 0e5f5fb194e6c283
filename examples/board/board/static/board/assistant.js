// The assistant: words that come to this window alone.

import { keepSocket } from "./keep.js";
import { notify } from "./tabs.js";

const log = document.getElementById("assistant"), form = document.getElementById("ask");
const chips = document.getElementById("chips");
const open = new Map(); // questions whose answer is not complete: { question, row }
let next = 1;

export function startAssistant() {
  const send = keepSocket("assistant", () => "/assistant/", {
    opened() {
      // The words of an answer went to the old connection: ask again.
      for (const [key, { question, row }] of open) {
        row.replaceChildren();
        send({ ask: question, key });
      }
    },
    received({ key, word, done }) {
      const answer = open.get(key);
      if (!answer) return;
      if (word) answer.row.append((answer.row.hasChildNodes() ? " " : "") + word);
      if (done) {
        answer.row.classList.remove("pending");
        open.delete(key);
        notify("assistant");
      }
      log.scrollTop = log.scrollHeight;
    },
  });
  const ask = (question) => {
    if (!question) return;
    const key = next++;
    add(question, "question");
    open.set(key, { question, row: add("", "answer", "pending") });
    send({ ask: question, key });
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    ask(form.elements.text.value.trim());
    form.reset();
  };
  chips.onclick = ({ target }) => { if (target !== chips) ask(target.textContent); };
}

function add(text, ...classes) {
  const row = Object.assign(document.createElement("p"), { textContent: text });
  row.classList.add(...classes);
  log.insertBefore(row, chips);
  log.scrollTop = log.scrollHeight;
  return row;
}
