// What a screen reader hears and what the toast shows.
import { byId, h } from "./dom.js";

let turn = 0;
/** Say it politely. A repeated sentence gets a trailing space, or it would not be read twice. */
export function announce(sentence) {
  turn += 1;
  byId("announce").textContent = sentence + (turn % 2 ? "\u00a0" : "");
}

/** Say it now: something was refused or went wrong. */
export function alarm(sentence) {
  turn += 1;
  byId("alarm").textContent = sentence + (turn % 2 ? "\u00a0" : "");
}

let current = null;
export function dismissToast() {
  current?.remove();
  clearInterval(current?.timer);
  current = null;
}

/**
 * One toast at a time. With `until` (ms, this machine's clock) it counts down and stays for that long; `clock(seconds)`
 * writes what is left. `action` is {label, key, run}. It never holds the only way to do something: the row keeps it too.
 */
export function toast(sentence, { action, until, clock, seconds = 6, tone = "" } = {}) {
  dismissToast();
  const ends = until ?? Date.now() + seconds * 1000;
  const time = h("span.clock", { "aria-hidden": "true" });
  const button = action && h("button", { type: "button", onclick: () => action.run() }, action.label, action.key ? [" ", h("kbd", {}, action.key)] : null);
  const box = h(`div.toast${tone ? `.${tone}` : ""}`, {}, h("span", {}, sentence), clock ? time : null, button, h("button", { type: "button", "aria-label": "Dismiss", onclick: dismissToast }, "×"));
  const tick = () => {
    const left = Math.max(0, Math.ceil((ends - Date.now()) / 1000));
    if (clock) time.textContent = clock(left);
    if (Date.now() >= ends && !box.matches(":hover, :focus-within")) dismissToast();
  };
  byId("toasts").append(box);
  current = Object.assign(box, { timer: setInterval(tick, 250) });
  tick();
}
