// The panel of a live URL in the browsable API: it subscribes by one of the transports, shows what comes, and sends
// actions by WebSocket. Whatever comes is put on the page as text, never as HTML.
(function () {
  "use strict";

  const MOST_ROWS = 100, FIRST_PAUSE = 500, LONGEST_PAUSE = 8000; // the pauses in milliseconds
  // Closed with one of these, a WebSocket would be refused again: not logged in, not allowed, not there.
  const FINAL = [4400, 4401, 4403, 4404];
  const LABELS = {
    created: "success", updated: "primary", deleted: "danger", invalidate: "warning", reset: "warning", error: "danger",
    response: "info", closed: "danger",
  };

  const panel = document.getElementById("grip-live");
  // Above the answer, which may be long. A project's own template need not have it.
  const answer = document.querySelector(".content-main .request-info");
  if (answer) answer.before(panel);

  const state = panel.querySelector(".grip-live-state"), body = panel.querySelector(".panel-body");
  if (!state) return; // Past the proxy: there is nothing to subscribe to.
  const form = panel.querySelector("form"), rows = panel.querySelector("ol"), answered = panel.querySelector(".grip-live-answer");
  const { detail, wait } = panel.dataset;
  // Whatever the path begins with, it is one of this site.
  const url = location.origin + panel.dataset.url;
  const examples = JSON.parse(document.getElementById("grip-live-examples").textContent);

  // -- what is shown ---------------------------------------------------------------------------------------------------

  function make(tag, text, className = "") {
    return Object.assign(document.createElement(tag), { textContent: text, className });
  }

  function show(name, text) {
    state.dataset.state = name;
    state.textContent = text;
  }

  let count = 0;

  function note(name, about, data) {
    const row = document.createElement("li");
    const label = make("span", name, "label label-" + (LABELS[name] || "default"));
    row.append(make("time", new Date().toTimeString().slice(0, 8)), label, make("span", about, "grip-live-of"));
    if (data !== undefined) row.append(make("pre", JSON.stringify(data, null, 2)));
    rows.prepend(row);
    while (rows.childElementCount > MOST_ROWS) rows.lastElementChild.remove();
    count += 1;
    tell();
  }

  function tell() {
    const many = count === 1 ? "1 message." : `${count} messages, the newest first.`;
    panel.querySelector("[data-count]").textContent = count ? many : "Nothing has come yet.";
  }

  // An event, as it comes on every transport.
  function hear({ action, pk, data, actions }) {
    if (actions) offer(actions);
    note(action, pk === undefined ? "" : "pk " + pk, data === undefined ? actions : data);
  }

  panel.querySelector("[data-clear]").onclick = () => {
    rows.replaceChildren();
    count = 0;
    tell();
  };

  // -- the transports: each returns what ends it -----------------------------------------------------------------------

  // Connects again after each end, with pauses that grow, until what it returns is called. connect(opened) returns
  // { ended, stop }: a Promise of why it has ended, { text, final }, and what ends it.
  function keep(connect) {
    let over = false, pause = FIRST_PAUSE, end = () => {};
    (async () => {
      while (!over) {
        show("connecting", "connecting");
        const opened = () => { if (!over) show("live", "subscribed"); pause = FIRST_PAUSE; };
        const { ended, stop } = connect(opened);
        end = stop;
        const reason = await ended.catch((error) => ({ text: error.message }));
        if (over) return;
        note("closed", reason.text);
        if (reason.final) return finish(reason.text);
        const seconds = pause * (0.75 + Math.random() / 2);
        pause = Math.min(pause * 2, LONGEST_PAUSE);
        show("lost", `lost; again in ${Math.ceil(seconds / 1000)} s`);
        await new Promise((done) => { setTimeout(done, seconds); end = done; });
      }
    })();
    return () => { over = true; end(); };
  }

  function byEvents(opened) {
    const source = new EventSource(url);
    let isGone = false;
    const ended = new Promise((done) => {
      source.onopen = opened;
      source.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        isGone = detail === "true" && event.action === "deleted";
        hear(event);
      };
      source.onerror = () => {
        source.close();
        done({ text: "the stream has ended", final: isGone });
      };
    });
    return { ended, stop: () => source.close() };
  }

  let socket = null;

  function bySocket(opened) {
    socket = new WebSocket(url.replace(/^http/, "ws"));
    const mine = socket;
    const ended = new Promise((done) => {
      mine.onopen = opened;
      mine.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type) take(message);
        else hear(message);
      };
      mine.onclose = ({ code, reason }) => {
        form.hidden = true;
        done({ text: `${code} ${reason}`.trim(), final: FINAL.includes(code) });
      };
    });
    return { ended, stop: () => mine.close() };
  }

  function byPoll(opened) {
    const stop = new AbortController();
    const ended = (async () => {
      for (let etag = "";;) {
        const headers = { Accept: "application/json" };
        if (etag) Object.assign(headers, { "If-None-Match": etag, Prefer: "wait=" + wait });
        const asked = Date.now();
        const response = await fetch(url, { headers, cache: "no-store", signal: stop.signal });
        const after = `${response.status} after ${((Date.now() - asked) / 1000).toFixed(1)} s`;
        if (response.status !== 304 && !response.ok) {
          return { text: after, final: response.status >= 400 && response.status < 500 };
        }
        note("answer", after, response.status === 304 ? undefined : await response.json());
        // Nobody waits where there is no ETag, or no proxy: do not ask again and again.
        etag = response.headers.get("ETag") || etag;
        if (!etag || (response.status === 304 && Date.now() - asked < 1000)) return { text: "nobody waits here", final: true };
        opened();
      }
    })();
    return { ended, stop: () => stop.abort() };
  }

  // -- the buttons -----------------------------------------------------------------------------------------------------

  const transports = { events: byEvents, socket: bySocket, poll: byPoll };
  const buttons = [...panel.querySelectorAll("[data-by]")];
  let stop = () => {};

  function press(chosen) {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button === chosen));
    form.hidden = true;
  }

  // It has ended, and will not come back by itself.
  function finish(text) {
    press(null);
    show("lost", "ended: " + text);
  }

  for (const button of buttons) {
    button.onclick = () => {
      const isOn = button.getAttribute("aria-pressed") === "true";
      stop();
      stop = () => {};
      press(isOn ? null : button);
      show("off", "not subscribed");
      if (isOn) return;
      body.hidden = false;
      stop = keep(transports[button.dataset.by]);
    };
  }

  // -- actions by WebSocket --------------------------------------------------------------------------------------------

  const { action, pk, data } = form.elements;
  const WITHOUT_PK = ["list", "create", "subscribe"], WITHOUT_DATA = ["list", "retrieve", "subscribe", "destroy"];
  let ref = 0;

  // The actions that the `subscribed` event names.
  function offer(actions) {
    const before = action.value;
    action.replaceChildren(...actions.map((name) => make("option", name)));
    if (actions.includes(before)) action.value = before;
    form.hidden = false;
    choose();
  }

  function choose() {
    pk.parentElement.hidden = detail === "true" || WITHOUT_PK.includes(action.value);
    data.parentElement.hidden = WITHOUT_DATA.includes(action.value);
    data.value = examples[action.value] || "";
  }

  action.onchange = choose;

  form.onsubmit = (event) => {
    event.preventDefault();
    ref += 1;
    const message = { action: action.value, ref };
    if (!pk.parentElement.hidden && pk.value) message.pk = pk.value;
    if (!data.parentElement.hidden && data.value.trim()) {
      try {
        message.data = JSON.parse(data.value);
      } catch (error) {
        return say("danger", "not JSON", error.message);
      }
    }
    say("default", "ref " + ref, "…");
    socket.send(JSON.stringify(message));
  };

  function say(kind, label, text, said) {
    answered.replaceChildren(make("span", label, "label label-" + kind), make("span", text, "grip-live-of"));
    if (said !== undefined && said !== null) answered.append(make("pre", JSON.stringify(said, null, 2)));
    answered.hidden = false;
  }

  // An answer: {type: "response" | "error", ref, status, data | errors}.
  function take({ type, ref: which, status, data: said, errors, retry_after: retry }) {
    const about = `ref ${which} · status ${status}` + (retry === undefined ? "" : ` · again after ${retry} s`);
    note(type, about, type === "error" ? errors : said);
    if (which === ref) say(LABELS[type], type, about, type === "error" ? errors : said);
  }
})();
