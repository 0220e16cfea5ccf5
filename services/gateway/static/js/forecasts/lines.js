// Lines over days, drawn by hand in SVG: accuracy over time, and history with what strategies said laid over it.
import { h, s } from "../dom.js";
import { day, number } from "../format.js";
import { ticks } from "../item/charts.js";

const PAD = { left: 44, right: 8 };
const path = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
export const TONES = ["l1", "l2", "l3", "l4", "l5", "l6"];

/** Runs of known values as separate pieces: a gap in the data stays a gap in the line. */
function pieces(values, x, y) {
  const runs = [];
  values.forEach((value, index) => {
    if (value === null || value === undefined) return;
    if (!runs.length || runs.at(-1).next !== index) runs.push({ points: [] });
    runs.at(-1).points.push([x(index), y(value)]);
    runs.at(-1).next = index + 1;
  });
  return runs.map((run) => run.points);
}

const key = (tone, words) => h("span", {}, s("svg.chart.swatch", { width: 14, height: 10, viewBox: "0 0 14 10", "aria-hidden": "true" }, tone === "sold" ? s("rect.sold", { width: 14, height: 9, rx: 2 }) : s(`line.${tone}`, { x1: 0, x2: 14, y1: 5, y2: 5 })), words);

/**
 * `dates`; `lines`: [{name, tone, values, bars?}] each as long as dates, null where unknown; `write(value)`. The table
 * below holds the same numbers.
 */
export function lineChart({ title, label, dates, lines, write = (value) => number(value, 1), width, height = 190 }) {
  const known = lines.flatMap((line) => line.values.filter((value) => value !== null && value !== undefined));
  const least = Math.min(0, ...known);
  const most = Math.max(1e-9, ...known);
  const size = ticks(most - least)[1];
  const lowest = Math.floor(least / size - 1e-9 * Math.sign(least)) * size;
  const marks = Array.from({ length: Math.ceil((most - lowest) / size - 1e-9) + 1 }, (_, index) => lowest + index * size);
  const [ceiling, floor] = [22, height - 22];
  const step = (width - PAD.left - PAD.right) / Math.max(1, dates.length);
  const x = (index) => PAD.left + (index + 0.5) * step;
  const y = (value) => floor - ((value - lowest) / (marks.at(-1) - lowest)) * (floor - ceiling);
  const svg = s("svg.chart", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  svg.append(s("text.title", { x: 0, y: 10 }, title));
  for (const mark of marks) svg.append(s("line.axis", { x1: PAD.left, x2: width - PAD.right, y1: y(mark), y2: y(mark) }), s("text", { x: PAD.left - 6, y: y(mark) + 4, "text-anchor": "end" }, write(mark)));
  const every = Math.max(1, Math.ceil(dates.length / Math.max(3, Math.floor(width / 92))));
  dates.forEach((date, index) => { if (index % every === 0 && x(index) < width - 34) svg.append(s("text", { x: x(index), y: height - 6, "text-anchor": index ? "middle" : "start" }, day(date, { weekday: false }))); });
  for (const line of lines) {
    if (line.bars) line.values.forEach((value, index) => { if (value > 0) svg.append(s("rect.sold", { x: x(index) - step * 0.34, width: step * 0.68, y: y(value), height: Math.max(0, floor - y(value)) })); });
    else for (const points of pieces(line.values, x, y)) svg.append(points.length > 1 ? s(`path.${line.tone}`, { d: path(points) }) : s(`circle.${line.tone}`, { cx: points[0][0], cy: points[0][1], r: 2 }));
  }
  const rows = dates.map((date, index) => h("tr", {}, h("th", { scope: "row" }, day(date)), ...lines.map((line) => h("td.n", {}, line.values[index] === null || line.values[index] === undefined ? "–" : write(line.values[index])))));
  const table = h("details.data", {}, h("summary", {}, "Show as a table"), h("div.table-scroll", { tabindex: 0, role: "region", "aria-label": `${title}, as a table` }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Day"), ...lines.map((line) => h("th.n", { scope: "col" }, line.name)))), h("tbody", {}, ...rows))));
  const named = new Map(lines.map((line) => [line.legend ?? line.name, line]));
  return h("figure", {}, svg, h("div.legend", {}, ...[...named].map(([name, line]) => key(line.bars ? "sold" : line.tone, name))), table);
}
