// Single-key commands. They can be switched off (WCAG 2.1.4), never fire while typing or in a dialog, and are listed by "?".

const STORE = "countersign.single-keys";
const commands = [];

export const singleKeysOn = () => localStorage.getItem(STORE) !== "off";
export function switchSingleKeys(on) {
  localStorage.setItem(STORE, on ? "on" : "off");
}

/** Register `key` (as in KeyboardEvent.key, lower case; "shift+a"; "ctrl+k"; "g q" for a sequence). Returns nothing. */
export function command(key, words, run, { group = "Everywhere", hidden = false } = {}) {
  commands.push({ key, words, run, group, hidden });
}
export const listed = () => commands.filter((entry) => !entry.hidden);

const typing = (element) => element.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");

function nameOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) return `ctrl+${key}`;
  return event.shiftKey && /^[a-z]$/.test(key) ? `shift+${key}` : key;
}

let prefix = "";
let forget = 0;
function onKeyDown(event) {
  if (event.defaultPrevented || event.isComposing || event.altKey || ["Shift", "Control", "Meta", "Alt"].includes(event.key)) return;
  const key = nameOf(event);
  const chord = key.startsWith("ctrl+");
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
