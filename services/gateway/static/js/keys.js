// Single-key commands. They can be switched off and given other keys (WCAG 2.1.4), never fire while typing or in a dialog,
// and are listed by "?".

const STORE = "countersign.single-keys";
const MAP = "countersign.keys"; // what a person changed: {"Queue/Undo": "z"}
const NAMES = { ArrowDown: "↓", ArrowUp: "↑", Enter: "↵", " ": "Space", Escape: "Esc" };
const commands = [];

function ownKeys() {
  try { return JSON.parse(localStorage.getItem(MAP) ?? "{}"); } catch { return {}; }
}
const nameIn = (entry) => `${entry.group}/${entry.words}`;

/** A key as a keycap shows it. */
export const keyLabel = (key) => (NAMES[key] ?? key).split("+").map((part) => (part.length === 1 ? part.toUpperCase() : part.replace(/^./, (letter) => letter.toUpperCase()))).join(" ");

/** The keycap of a command of this page, as the person has it. */
export const keyFor = (words) => keyLabel(commands.find((entry) => entry.words === words)?.key ?? "");

export const singleKeysOn = () => localStorage.getItem(STORE) !== "off";
export function switchSingleKeys(on) {
  localStorage.setItem(STORE, on ? "on" : "off");
}

/** Register `key` (as in KeyboardEvent.key, lower case; "shift+a"; "ctrl+k"; "g q" for a sequence). Returns nothing. */
export function command(key, words, run, { group = "Everywhere", hidden = false } = {}) {
  const entry = { key, words, run, group, hidden, first: key };
  if (!hidden) entry.key = ownKeys()[nameIn(entry)] ?? key;
  commands.push(entry);
}

/** Give a command another key. Returns why not, or null when it is done; `key` null gives the first one back. */
export function remap(entry, key) {
  const wanted = key ?? entry.first;
  const holder = commands.find((other) => other !== entry && (other.key === wanted || other.key.startsWith(`${wanted} `)));
  if (holder) return `${keyLabel(wanted)} is the key of “${holder.words}”. Choose another one.`;
  entry.key = wanted;
  const map = ownKeys();
  if (wanted === entry.first) delete map[nameIn(entry)];
  else map[nameIn(entry)] = wanted;
  localStorage.setItem(MAP, JSON.stringify(map));
  return null;
}
export const listed = () => commands.filter((entry) => !entry.hidden);

const typing = (element) => element.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");

export function nameOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) return `ctrl+${key}`;
  return event.shiftKey && /^[a-z]$/.test(key) ? `shift+${key}` : key;
}

/** Enter and Space press what has the keyboard, if it can be pressed; a command of the page must not take that away. */
const presses = (event) => (event.key === "Enter" || event.key === " ") && event.target.closest?.("button, a[href], summary, input");

let prefix = "";
let forget = 0;
function onKeyDown(event) {
  if (event.defaultPrevented || event.isComposing || event.altKey || ["Shift", "Control", "Meta", "Alt"].includes(event.key)) return;
  const key = nameOf(event);
  const chord = key.startsWith("ctrl+");
  if (!chord && presses(event)) return;
  const blocked = typing(event.target) || document.querySelector("dialog[open]");
  if (!chord && (blocked || !singleKeysOn())) return;
  if (chord && document.querySelector("dialog[open]")) return;
  const wanted = prefix ? `${prefix} ${key}` : key;
  const found = commands.find((entry) => entry.key === wanted);
  clearTimeout(forget);
  prefix = "";
  if (found) {
    event.preventDefault();
    found.run(event);
  } else if (commands.some((entry) => entry.key.startsWith(`${wanted} `))) {
    event.preventDefault();
    prefix = wanted;
    forget = setTimeout(() => { prefix = ""; }, 1500); // a forgotten "g" must not swallow a later key
  }
}
document.addEventListener("keydown", onKeyDown);
