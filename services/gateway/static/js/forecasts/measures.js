// How measures of accuracy are written and judged: the same words on the Forecasts and the Back-tests page.
import { h } from "../dom.js";
import { number, percent, UNKNOWN } from "../format.js";
import { term } from "../glossary.js";

export const share = (value, digits = 1) => (value === null || value === undefined ? UNKNOWN : percent(value, digits));
/** With its sign, so that a reader need not remember which side is "too much". */
export const signed = (value, digits = 1) => (value === null || value === undefined ? UNKNOWN : `${value > 0 ? "+" : ""}${percent(value, digits).replace("-", "−")}`);
export const HORIZONS = [1, 7, 14, 28];
export const ahead = (days) => `${number(days, 0)} ${Number(days) === 1 ? "day" : "days"}`;

/** A share of error avoided: green helps, red hurts, and the word says so too. */
export function added(value) {
  if (value === null || value === undefined) return h("span.faint", {}, UNKNOWN);
  const tone = value > 0.005 ? ".g" : value < -0.005 ? ".b" : "";
  return h(`span.tag${tone}`, { title: value < 0 ? "worse" : "better" }, signed(value, 0));
}

/** A coverage against its level: inside the band chance alone explains, or beside it, and to which side. */
export function covered(entry) {
  if (!entry) return h("span.faint", {}, UNKNOWN);
  const side = entry.share < entry.low ? "low" : entry.share > entry.high ? "high" : "ok";
  const words = { low: "below", high: "above", ok: "within" }[side];
  const tone = { low: ".b", high: ".w", ok: ".g" }[side];
  return h("span.nowrap", { title: `${words} the band ${percent(entry.low, 1)} to ${percent(entry.high, 1)} that chance alone explains` }, percent(entry.share, 1), " ", h(`span.tag${tone}`, {}, words));
}
export const atLevel = (row, level) => row.coverage?.find((entry) => Math.abs(entry.level - level) < 1e-9);

/** Head and body of a plain table in a scroll region; on a phone each cell carries its column's name. */
export function plainTable(label, head, rows) {
  return h("div.table-scroll", { tabindex: 0, role: "region", "aria-label": label }, h("table.stackable", { "aria-label": label },
    h("thead", {}, h("tr", {}, ...head.map(([title, numeric]) => h(`th${numeric ? ".n" : ""}`, { scope: "col" }, term(title))))),
    h("tbody", {}, ...rows.map((cells) => h("tr", {}, ...cells.map((cell, index) => (index ? h(`td${head[index][1] ? ".n" : ""}`, { "data-label": head[index][0] }, cell) : h("th", { scope: "row" }, cell))))))));
}
