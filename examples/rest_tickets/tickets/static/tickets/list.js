// A list of tickets, as one transport knows them. All text is put on the page as text, never as HTML.

import { notify } from "./tabs.js";

export class TicketList {
  // edit(row, ticket): called for each row that is made, if there is a way to edit it.
  constructor(name, { edit } = {}) {
    this.name = name;
    this.element = document.getElementById(name);
    this.edit = edit;
    this.rows = new Map(); // pk -> { row, ticket }
    this.isFilled = false; // what comes before that is no news
  }

  // The whole list, as a GET answers it.
  replace(tickets) {
    const known = new Set(tickets.map(({ id }) => id));
    for (const pk of this.rows.keys()) if (!known.has(pk)) this.remove(pk);
    for (const ticket of tickets) this.put(ticket);
    this.isFilled = true;
  }

  put(ticket) {
    const before = this.rows.get(ticket.id);
    if (before && JSON.stringify(before.ticket) === JSON.stringify(ticket)) return;
    const row = before?.row ?? document.getElementById("ticket").content.firstElementChild.cloneNode(true);
    this.rows.set(ticket.id, { row, ticket });
    row.dataset.pk = ticket.id;
    row.dataset.status = ticket.status;
    row.dataset.priority = ticket.priority;
    row.querySelector(".number").textContent = "#" + ticket.id;
    row.querySelector(".title").textContent = ticket.title;
    row.querySelector(".status").textContent = ticket.status;
    row.querySelector(".meta").textContent =
      [ticket.priority !== "normal" && ticket.priority, ticket.assignee ?? "unassigned"].filter(Boolean).join(" · ");
    if (!before) {
      this.edit?.(row, () => this.rows.get(ticket.id)?.ticket);
      // The newest first.
      const next = [...this.element.children].find(({ dataset }) => Number(dataset.pk) < ticket.id);
      this.element.insertBefore(row, next ?? null);
    }
    if (this.isFilled) {
      flash(row);
      notify(this.name);
    }
  }

  remove(pk) {
    if (!this.rows.has(pk)) return;
    this.rows.get(pk).row.remove();
    this.rows.delete(pk);
    notify(this.name);
  }
}

function flash(row) {
  row.classList.add("changed");
  setTimeout(() => row.classList.remove("changed"), 300);
}
