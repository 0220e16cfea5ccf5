// Two pictures of one item, drawn by hand in SVG: what sold and what is forecast; stock with and without the order.
// Each has the same numbers in a table, and a line of text that follows the pointer.
import { h, s } from "../dom.js";
import { day, number, unitWord } from "../format.js";
import { drawMarks, toldOf } from "./signals.js";

const HISTORY_DAYS_MAX = 42;
const HISTORY_DAYS_WIDE = 84; // twice as many where the picture has the room
const WIDE_PX = 560;
const AHEAD_DAYS_MAX = 28;
const PAD = { left: 36, right: 6 };

/** Round numbers for an axis: at most `most` steps of 1, 2, 2.5 or 5 times a power of ten. */
export function ticks(top, most = 3) {
  if (!(top > 0)) return [0, 1];
  const raw = top / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
  return Array.from({ length: Math.ceil(top / step - 1e-9) + 1 }, (_, index) => index * step);
}

const path = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
const area = (upper, lower) => `${path([...upper, ...lower.reverse()])}Z`;

function axis(marks, y, width) {
  const written = marks.at(-1) < 10000 ? number : (value) => (value ? `${number(value / 1000, 1)}k` : "0"); // the margin fits five characters
  return marks.flatMap((value) => [s("line.axis", { x1: PAD.left, x2: width - PAD.right, y1: y(value), y2: y(value) }), s("text", { x: PAD.left - 6, y: y(value) + 4, "text-anchor": "end" }, written(value))]);
}

function dates(days, x, bottom, width) {
  const every = Math.max(1, Math.ceil(days.length / Math.max(3, Math.floor(width / 92))));
  return days.flatMap((date, index) => (index % every === 0 && x(index) < width - 34 ? [s("text", { x: x(index), y: bottom, "text-anchor": index ? "middle" : "start" }, day(date, { weekday: false }))] : []));
}

/** A reading line under the chart: what is at the pointer. */
function probe(svg, days, x, top, bottom, sentence, rest) {
  const line = s("line.probe", { y1: top, y2: bottom, visibility: "hidden" });
  const readout = h("p.readout", { "aria-hidden": "true" }, rest);
  svg.append(line);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    let nearest = 0;
    for (let index = 1; index < days.length; index += 1) if (Math.abs(x(index) - at) < Math.abs(x(nearest) - at)) nearest = index;
    line.setAttribute("x1", x(nearest));
    line.setAttribute("x2", x(nearest));
    line.setAttribute("visibility", "visible");
    readout.textContent = sentence(nearest);
  });
  svg.addEventListener("pointerleave", () => { line.setAttribute("visibility", "hidden"); readout.textContent = rest; });
  return readout;
}

function swatch(kind) {
  const box = kind === "sold" || kind.startsWith("band") || kind === "empty";
  return s("svg.chart", { width: 14, height: 10, viewBox: "0 0 14 10", "aria-hidden": "true" }, box ? s(`rect.${kind}`, { width: 14, height: 9, rx: 2 }) : s(`line.${kind}`, { x1: 0, x2: 14, y1: 5, y2: 5 }));
}
const legend = (entries) => h("div.legend", {}, ...entries.map(([kind, words]) => h("span", {}, fixed(swatch(kind)), words)));
const fixed = (svg) => { svg.style.width = "14px"; svg.style.flex = "none"; return svg; };

function tableOf(summary, head, rows) {
  return h("details.data", {}, h("summary", {}, summary), h("div.table-scroll", { tabindex: 0, role: "region", "aria-label": summary }, h("table", {}, h("thead", {}, h("tr", {}, ...head.map((title, index) => h(index ? "th.n" : "th", { scope: "col" }, title)))), h("tbody", {}, ...rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((value) => h("td.n", {}, value))))))));
}

/** Consecutive days on which the shelf was empty, as [from, to] indices. */
function runsOf(history) {
  const runs = [];
  history.forEach((entry, index) => {
    if (!entry.censored) return;
    if (runs.length && runs.at(-1)[1] === index - 1) runs.at(-1)[1] = index;
    else runs.push([index, index]);
  });
  return runs;
}

/** The days a demand chart of this width shows, of what sold and of what is forecast. */
export function daysShown({ history, fan, width }) {
  const past = (history ?? []).slice(width > WIDE_PX ? -HISTORY_DAYS_WIDE : -HISTORY_DAYS_MAX);
  const ahead = (fan?.days ?? []).slice(0, AHEAD_DAYS_MAX);
  return { past, ahead, all: [...past, ...ahead].map((entry) => entry.date) };
}

/** Sales as bars, days with an empty shelf shaded, then the forecast as a fan. Either part may be unknown. */
export function demandChart({ history, fan, unit, width, events = [], height = 152 }) {
  const { past, ahead, all } = daysShown({ history, fan, width });
  const levels = fan?.levels ?? [];
  const at = (wanted) => levels.findIndex((level) => Math.abs(level - wanted) < 1e-9);
  const [low, middle, high] = [at(0.1), at(0.5), at(0.9)];
  const last = levels.length - 1;
  const median = (entry) => (middle >= 0 ? entry.quantiles[middle] : entry.mean);
  const top = Math.max(1, ...past.map((entry) => entry.sold), ...ahead.map((entry) => Math.max(entry.mean, entry.quantiles[last] ?? 0)));
  const marks = ticks(top);
  const [ceiling, floor] = [22, height - 22];
  const step = (width - PAD.left - PAD.right) / all.length;
  const x = (index) => PAD.left + (index + 0.5) * step;
  const y = (value) => floor - (value / marks.at(-1)) * (floor - ceiling);
  const words = unitWord(unit);
  const svg = s("svg.chart", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Units sold on ${past.length} days and forecast for ${ahead.length} days. The table below holds the same numbers.` });
  svg.append(s("text.title", { x: 0, y: 10 }, `Demand, ${words} a day`), ...axis(marks, y, width));
  for (const [from, to] of runsOf(past)) {
    svg.append(s("rect.empty", { x: x(from) - step / 2, width: (to - from + 1) * step, y: ceiling - 6, height: floor - ceiling + 6 }));
    svg.append(s("text.empty-word", { x: (x(from) + x(to)) / 2, y: ceiling + 4, "text-anchor": "middle" }, "empty"));
  }
  past.forEach((entry, index) => { if (entry.sold > 0) svg.append(s("rect.sold", { x: x(index) - step * 0.34, width: step * 0.68, y: y(entry.sold), height: Math.max(0, floor - y(entry.sold)), rx: Math.min(1.5, step / 5) })); });
  if (ahead.length) {
    const curve = (value) => ahead.map((entry, index) => [x(past.length + index), y(value(entry))]);
    if (low >= 0 && last > low) svg.append(s("path.band", { d: area(curve((entry) => entry.quantiles[last]), curve((entry) => entry.quantiles[low])) }));
    if (low >= 0 && high > low) svg.append(s("path.band2", { d: area(curve((entry) => entry.quantiles[high]), curve((entry) => entry.quantiles[low])) }));
    svg.append(s("path.median", { d: path(curve(median)) }));
  }
  if (past.length && ahead.length) svg.append(s("line.today", { x1: x(past.length) - step / 2, x2: x(past.length) - step / 2, y1: ceiling - 8, y2: floor + 4 }));
  svg.append(...dates(all, x, height - 6, width));
  drawMarks(svg, events, all, { x, step, top: ceiling, bottom: floor });
  const told = (date) => [toldOf(events, date)].filter(Boolean).map((words_) => `; ${words_}`).join("");
  const likely = (entry) => (low >= 0 && high > low ? `, ${number(entry.quantiles[low], 1)} to ${number(entry.quantiles[high], 1)} likely` : "");
  const sentence = (index) => {
    if (index < past.length) return `${day(past[index].date)}: ${number(past[index].sold)} ${words} sold${past[index].censored ? ", the shelf was empty" : ""}${told(past[index].date)}`;
    const entry = ahead[index - past.length];
    return `${day(entry.date)}: ${number(entry.mean, 1)} ${words} expected${likely(entry)}${told(entry.date)}`;
  };
  const readout = probe(svg, all, x, ceiling, floor, sentence, "");
  const beside = (date) => (events.length ? [toldOf(events, date)] : []);
  const rows = [...past.map((entry) => [day(entry.date), `${number(entry.sold)}${entry.censored ? " (shelf empty)" : ""}`, "", ...beside(entry.date)]), ...ahead.map((entry) => [day(entry.date), "", `${number(entry.mean, 1)}${likely(entry)}`, ...beside(entry.date)])];
  const kinds = [past.length && ["sold", "sold"], past.some((entry) => entry.censored) && ["empty", "empty"], ahead.length && ["median", "forecast"], high > low && low >= 0 && ["band2", "80 %"], last > high && low >= 0 && ["band", `to ${number(levels[last] * 100, 1)} %`]].filter(Boolean);
  return h("figure", {}, svg, legend(kinds), readout, tableOf("Show demand as a table", ["Day", `Sold, ${words}`, `Expected, ${words}`, ...(events.length ? ["Events"] : [])], rows));
}

/** Expected stock at the end of each day, with the order and without it, against the reorder point. */
export function stockChart({ projection, reorderPoint, onHand, quantity, unit, width, events = [], height = 148 }) {
  const days = projection.days.slice(0, AHEAD_DAYS_MAX);
  const level = reorderPoint === null || reorderPoint === undefined ? null : Number(reorderPoint);
  const top = Math.max(1, level ?? 0, ...days.map((entry) => Math.max(entry.with_order ?? 0, entry.without_order ?? 0)));
  const marks = ticks(top * 1.08);
  const [ceiling, floor] = [24, height - 22];
  const step = (width - PAD.left - PAD.right) / days.length;
  const x = (index) => PAD.left + (index + 0.5) * step;
  const y = (value) => floor - (Math.max(0, value) / marks.at(-1)) * (floor - ceiling);
  const words = unitWord(unit);
  const svg = s("svg.chart", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Expected stock for ${days.length} days with and without the order. The table below holds the same numbers.` });
  svg.append(s("text.title", { x: 0, y: 10 }, `Projected stock at the end of the day, ${words}`), ...axis(marks, y, width));
  const start = onHand === null || onHand === undefined ? [] : [[PAD.left, y(Number(onHand))]];
  const curve = (name) => [...start, ...days.flatMap((entry, index) => (entry[name] === null || entry[name] === undefined ? [] : [[x(index), y(entry[name])]]))];
  if (level !== null) svg.append(s("line.rop", { x1: PAD.left, x2: width - PAD.right, y1: y(level), y2: y(level) }), s("text.rop-word", { x: width - PAD.right, y: y(level) - 4, "text-anchor": "end" }, `reorder point ${number(level)}`));
  svg.append(s("path.without", { d: path(curve("without_order")) }), s("path.with", { d: path(curve("with_order")) }));
  const arrival = days.findIndex((entry) => (entry.with_order ?? 0) - (entry.without_order ?? 0) > 0.5);
  const above = arrival >= 0 ? Math.max(ceiling - 4, y(days[arrival].with_order) - 7) : 0;
  const label = level !== null && Math.abs(above - 4 - y(level)) < 9 ? y(days[arrival]?.with_order ?? 0) + 15 : above; // clear of the dotted line
  if (arrival >= 0 && quantity) svg.append(s("circle.arrive", { cx: x(arrival), cy: y(days[arrival].with_order), r: 3 }), s("text.arrive-word", label > above ? { x: Math.min(x(arrival) + 8, width - 90), y: label } : { x: Math.min(Math.max(x(arrival), PAD.left + 44), width - 48), y: label, "text-anchor": "middle" }, `+${number(quantity)} on ${day(days[arrival].date, { weekday: false })}`));
  svg.append(...dates(days.map((entry) => entry.date), x, height - 6, width));
  drawMarks(svg, events, days.map((entry) => entry.date), { x, step, top: ceiling, bottom: floor });
  const sentence = (index) => `${day(days[index].date)}: ${number(days[index].with_order, 0)} ${words} with the order, ${number(days[index].without_order, 0)} without${days[index].arrivals ? `; ${number(days[index].arrivals)} arrive` : ""}`;
  const readout = probe(svg, days, x, ceiling, floor, sentence, "");
  const rows = days.map((entry) => [day(entry.date), number(entry.with_order, 1), number(entry.without_order, 1), entry.arrivals ? number(entry.arrivals) : "–"]);
  return h("figure", {}, svg, legend([["with", "with the order"], ["without", "without"], ...(level === null ? [] : [["rop", "reorder point"]])]), readout, tableOf("Show projected stock as a table", ["Day", "With the order", "Without", "Arrivals"], rows));
}
