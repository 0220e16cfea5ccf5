// Events beside an item's own numbers: what was told of promotions, closed doors or late trucks, in words and on the pictures.
import { h, s } from "../dom.js";
import { day, number, percent, words } from "../format.js";

const SHOWN_MAX = 6;
const TOLD_HERE = "closing-"; // how a closing that a person told on a page is named; other systems take back their own
export const isToldHere = (signal) => signal.signal_id.startsWith(TOLD_HERE);
export const kindWord = (signal) => (signal.is_closing || isToldHere(signal) ? "Closed doors" : words(signal.kind));

/** What a signal says, in one sentence; demand signals multiply demand, a disruption lengthens the lead time. */
export function saying(signal) {
  if (signal.is_closing) return "Doors shut: no demand at all";
  if (isToldHere(signal)) return "Taken back: open as usual";
  const what = signal.kind === "supply_disruption" ? "Lead time" : "Demand";
  return `${what} × ${number(signal.strength, 2)}, probability ${percent(signal.probability)}`;
}

/** Signals that touch the days between `first` and `last`, oldest first, each with the number it has on the pictures. */
export function marked(signals, first, last) {
  const touching = (signals ?? []).filter((one) => one.first_on <= last && one.last_on >= first);
  return touching.sort((a, b) => (a.first_on < b.first_on ? -1 : 1)).slice(-SHOWN_MAX).map((signal, index) => ({ signal, label: String(index + 1) }));
}

/** Their days as a shade with a number above it. `x(index)`: the middle of a day. */
export function drawMarks(svg, marks, days, { x, step, top, bottom }) {
  const drawn = marks.flatMap(({ signal, label }) => {
    const from = days.findIndex((date) => date >= signal.first_on);
    const to = days.findLastIndex((date) => date <= signal.last_on);
    if (from < 0 || to < from) return [];
    const at = x(from) - step / 2;
    return [s(`rect.event${signal.advisory ? ".advisory" : ""}`, { x: at, width: x(to) - x(from) + step, y: top, height: bottom - top }), s("circle.event-dot", { cx: at + 6, cy: top + 1, r: 6 }), s("text.event-word", { x: at + 6, y: top + 4.5, "text-anchor": "middle" }, label)];
  });
  svg.prepend(...drawn.filter((one) => one.matches("rect")));
  svg.append(...drawn.filter((one) => !one.matches("rect")));
}

/** What is told of one day, for the line that follows the pointer and for the table. */
export const toldOf = (marks, date) => marks.filter(({ signal }) => signal.first_on <= date && signal.last_on >= date).map(({ signal }) => kindWord(signal).toLowerCase()).join(", ");

/** The same in words, under the pictures. */
export const eventList = (marks) => (marks.length ? h("ol.events", { "aria-label": "Events on these days" }, ...marks.map(({ signal, label }) => h("li", {}, h("b", { "aria-hidden": "true" }, label), h("span", {}, `${kindWord(signal)}, ${signal.first_on === signal.last_on ? day(signal.first_on) : `${day(signal.first_on, { weekday: false })} to ${day(signal.last_on, { weekday: false })}`}: ${saying(signal)}${signal.advisory ? "; advisory, moves no plan" : ""}`)))) : null);
