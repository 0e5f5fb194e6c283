// On a narrow screen one transport shows at a time; a dot tells where something has come in.

const tabs = document.getElementById("tabs");

tabs.onclick = ({ target }) => {
  if (!target.dataset.tab) return;
  document.body.dataset.tab = target.dataset.tab;
  for (const tab of tabs.children) tab.removeAttribute("aria-current");
  target.setAttribute("aria-current", "true");
  target.classList.remove("news");
  // What was hidden could not be scrolled.
  const wire = document.querySelector(`[data-wire="${target.dataset.tab}"]`);
  wire.scrollTop = wire.scrollHeight;
};

export function notify(name) {
  if (document.body.dataset.tab !== name) tabs.querySelector(`[data-tab="${name}"]`).classList.add("news");
}
