// This window: its name, and the colour of anybody's name.

const animals = ["Otter", "Heron", "Lynx", "Wren", "Hare", "Tapir", "Newt", "Ibis", "Mole", "Seal", "Finch", "Okapi"];
const animal = animals[Math.floor(Math.random() * animals.length)] + " " + Math.floor(10 + Math.random() * 90);

export const me = { window: makeName(), name: sessionStorage.getItem("name") || animal };

// Ten letters and digits: a name for a window, a note or a message.
export function makeName() {
  return [...crypto.getRandomValues(new Uint8Array(10))].map((byte) => (byte % 36).toString(36)).join("");
}

// Each name has a colour, the same in every window.
export function dye(element, name) {
  let hash = 7;
  for (const char of name) hash = (hash * 31 + char.codePointAt(0)) % 997;
  element.style.setProperty("--hue", (hash * 137) % 360);
  return element;
}
