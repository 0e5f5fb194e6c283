const $ = (id) => document.getElementById(id);

// A browser opens six connections to one host at the most (over HTTP/1.1), and this page keeps three: so the second
// window asks another host, and a window at which nobody looks keeps none.
const other = new URL(location);
other.hostname = { "127.0.0.1": "localhost", localhost: "127.0.0.1" }[other.hostname] ?? other.hostname;
other.search = "";
$("other").href = other;

function add(id, text, { by, note } = {}) {
  const line = document.createElement("p");
  if (note) line.className = "note";
  if (by) line.append(Object.assign(document.createElement("b"), { textContent: by }), " ");
  line.append(text);
  $(id).append(line);
  $(id).scrollTop = $(id).scrollHeight;
  return line;
}

function post(url, body) {
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1] ?? "";
  return fetch(url, { method: "POST", body: new URLSearchParams(body), headers: { "X-CSRFToken": token } });
}

// -- keeping a connection open, whatever comes -------------------------------------------------------------------

function show(name, text, open = false) {
  $(name + "-state").textContent = text;
  $(name + "-state").classList.toggle("open", open);
}

// connect(opened, left) calls opened() once there is a connection, and returns or throws when there is none any more.
// With lets = true it ends when `left`, an AbortSignal, says that nobody looks at this page.
async function keep(name, connect, { lets = false } = {}) {
  let pause = 500;
  for (;;) {
    if (lets && document.hidden) {
      show(name, "paused");
      await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
    }
    show(name, "connecting");
    const leaving = new AbortController();
    if (lets) document.addEventListener("visibilitychange", () => leaving.abort(), { once: true });
    try {
      await connect(() => { pause = 500; show(name, "open", true); }, leaving.signal);
    } catch { /* as good as an end */ }
    if (leaving.signal.aborted) continue;
    // Longer after each failure, and with chance in it, so that a restart does not meet everybody at once.
    pause = Math.min(pause * 2, 15000);
    await countdown(name, pause * (0.5 + Math.random() / 2));
  }
}

async function countdown(name, pause) {
  const end = Date.now() + pause;
  const online = new Promise((done) => addEventListener("online", done, { once: true }));
  for (let left; (left = end - Date.now()) > 0;) {
    show(name, `again in ${Math.ceil(left / 1000)} s`);
    const early = await Promise.race([online, new Promise((done) => setTimeout(done, Math.min(left, 1000)))]);
    if (early) return;
  }
}

function keepSocket(name, path, receive, lost = () => {}) {
  let socket;
  keep(name, (opened) => new Promise((closed) => {
    socket = new WebSocket(location.origin.replace("http", "ws") + path());
    socket.onopen = opened;
    socket.onmessage = (event) => receive(JSON.parse(event.data));
    socket.onclose = () => { lost(); closed(); };
  }));
  return (message) => {
    const open = socket?.readyState === WebSocket.OPEN;
    if (open) socket.send(JSON.stringify(message));
    return open;
  };
}

// -- chat room ---------------------------------------------------------------------------------------------------

const animals = ["Otter", "Heron", "Lynx", "Wren", "Hare", "Tapir", "Newt", "Ibis", "Mole", "Seal"];
let nick = new URLSearchParams(location.search).get("nick") || sessionStorage.getItem("nick")
  || animals[Math.floor(Math.random() * animals.length)] + " " + Math.floor(Math.random() * 100);
const room = $("room-form").elements;
room.nick.value = nick;

const toRoom = keepSocket("room", () => "/rooms/lobby/?nick=" + encodeURIComponent(nick), (news) => {
  if (news.people) $("people").textContent = "Here: " + news.people.join(", ");
  if (news.nick) add("room", news.text, { by: news.nick });
  else add("room", news.text, { note: true });
});
room.nick.onchange = () => {
  if (!room.nick.value.trim()) { room.nick.value = nick; return; }
  nick = room.nick.value = room.nick.value.trim();
  sessionStorage.setItem("nick", nick);
  toRoom({ nick });
};
$("room-form").onsubmit = (event) => {
  event.preventDefault();
  if (room.text.value.trim() && toRoom({ text: room.text.value })) room.text.value = "";
};

// -- assistant ---------------------------------------------------------------------------------------------------

const assistant = $("assistant-form").elements;
let answer = null;

function speaks(is) {
  $("stop").disabled = !is;
  if (!is) answer = null;
}

const toAssistant = keepSocket("assistant", () => "/assistant/", (news) => {
  if (news.word) {
    answer ??= add("assistant", "");
    answer.append(news.word + " ");
    $("assistant").scrollTop = $("assistant").scrollHeight;
  } else if (news.done) {
    if (news.stopped) add("assistant", "stopped", { note: true });
    speaks(false);
  }
}, () => speaks(false));
$("assistant-form").onsubmit = (event) => {
  event.preventDefault();
  if (!toAssistant({ ask: assistant.ask.value })) return;
  speaks(false);
  add("assistant", assistant.ask.value, { by: "You" });
  assistant.ask.value = "";
  speaks(true);
};
$("stop").onclick = () => toAssistant({ stop: true });

// -- ticker ------------------------------------------------------------------------------------------------------

let prices = [];

function draw() {
  const low = Math.min(...prices), range = Math.max(...prices) - low || 1;
  const points = prices.map((price, i) => `${(100 * i) / (prices.length - 1 || 1)},${38 - (36 * (price - low)) / range}`);
  $("curve").setAttribute("points", points.join(" "));
  $("price").textContent = prices.length ? prices.at(-1).toFixed(2) : "–";
}

keep("ticker", (opened, left) => new Promise((closed) => {
  const source = new EventSource("/ticker/");
  prices = [];
  source.onopen = opened;
  left.onabort = () => { source.close(); closed(); };
  source.onerror = () => {
    // A lost connection the browser opens again by itself, with the id of its last event; an error page is the end.
    show("ticker", "connecting");
    if (source.readyState === EventSource.CLOSED) closed();
  };
  source.addEventListener("price", (event) => {
    prices = [...prices, JSON.parse(event.data).price].slice(-60);
    draw();
  });
  source.addEventListener("reset", () => { prices = []; });
}), { lets: true });

// -- log ---------------------------------------------------------------------------------------------------------

keep("log", async (opened, left) => {
  const response = await fetch("/log/", { signal: left });
  $("past").hidden = response.status !== 501;
  if (!response.ok) throw new Error(response.status);
  opened();
  $("log").replaceChildren();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part; !(part = await reader.read()).done;) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) add("log", line);
  }
}, { lets: true });
$("log-form").onsubmit = async (event) => {
  event.preventDefault();
  const { line } = event.target.elements;
  const text = line.value;
  line.value = "";
  const answer = await post("/log/", { message: text }).catch(() => null);
  if (!answer?.ok) line.value = text;
};

// -- document ----------------------------------------------------------------------------------------------------

const page = $("document");
let typing = 0;

keep("document", async (opened, left) => {
  for (let etag = "";;) {
    const headers = etag ? { "If-None-Match": etag } : {};
    const response = await fetch("/documents/notes/", { cache: "no-store", headers, signal: left });
    if (!response.ok && response.status !== 304) throw new Error(response.status);
    if (response.ok) {
      etag = response.headers.get("ETag");
      const { text } = await response.json();
      // Who is typing is not disturbed: what they have is saved in a moment.
      if (!typing && page.value !== text) {
        const { selectionStart, selectionEnd } = page;
        page.value = text;
        page.setSelectionRange(selectionStart, selectionEnd);
      }
    }
    opened();
  }
}, { lets: true });
page.oninput = () => {
  clearTimeout(typing);
  typing = setTimeout(async function save() {
    const text = page.value;
    const answer = await post("/documents/notes/save/", { text }).catch(() => null);
    if (page.value !== text) return; // typed on meanwhile: another save is on its way
    typing = answer?.ok ? 0 : setTimeout(save, 2000);
  }, 300);
};
