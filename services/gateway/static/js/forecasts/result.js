// What a back-test came to: measures by horizon, coverage against its band, groups, and forecasts laid over what sold.
import { h } from "../dom.js";
import { count, day, number, plusDays, words } from "../format.js";
import { lineChart, TONES } from "./lines.js";
import { added, ahead, covered, plainTable, share, signed } from "./measures.js";

const card = (title, note, ...children) => h("section.card", {}, h("header", {}, h("h2", {}, title), note ? h("span.muted", {}, note) : null), ...children);
const nameOf = (strategy) => h("b", {}, words(strategy));
const horizonsOf = (result) => Object.keys(result.strategies[0]?.horizons ?? {});

/** The best of a column in bold words, so that colour is not needed to find it. */
function best(result, horizon, field) {
  const values = result.strategies.map((one) => one.horizons[horizon]?.[field]).filter((value) => value !== null && value !== undefined);
  return values.length > 1 ? Math.min(...values) : null;
}

function sentence(result) {
  const horizon = horizonsOf(result).includes("28") ? "28" : horizonsOf(result).at(-1);
  const ranked = result.strategies.filter((one) => one.horizons[horizon]?.quantile_loss !== null).sort((a, b) => a.horizons[horizon].quantile_loss - b.horizons[horizon].quantile_loss);
  if (!ranked.length) return "Nothing was sold in the days that were tested, so nothing can be compared.";
  const [first, second] = ranked;
  const told = first.horizons[horizon];
  const gap = second ? ` ${words(second.strategy)} is next, ${share(second.horizons[horizon].quantile_loss / told.quantile_loss - 1)} behind.` : "";
  return `Over ${ahead(horizon)}, ${words(first.strategy)} has the lowest quantile loss (${number(told.quantile_loss, 3)}), an error of totals of ${share(told.total_error)} and a bias of ${signed(told.bias)}.${gap}`;
}

function byHorizon(result) {
  const rows = horizonsOf(result).flatMap((horizon) => result.strategies.map((one) => {
    const told = one.horizons[horizon];
    const mark = (field, text) => (told[field] !== null && told[field] === best(result, horizon, field) ? h("b", {}, text, h("small", {}, "best")) : text);
    return [[nameOf(one.strategy), h("small", {}, ahead(horizon))], mark("quantile_loss", number(told.quantile_loss, 3)), mark("total_error", share(told.total_error)), signed(told.bias), added(told.value_added), [number(told.windows, 0), told.hidden ? h("small", {}, `${number(told.hidden, 0)} hidden`) : null]];
  }));
  return plainTable("Measures by horizon", [["Strategy, days ahead", false], ["Quantile loss", true], ["Error of totals", true], ["Bias", true], ["Over last week repeated", true], ["Windows", true]], rows);
}

function coverage(result) {
  const levels = result.strategies[0]?.horizons[horizonsOf(result)[0]]?.coverage.map((entry) => entry.level) ?? [];
  const rows = horizonsOf(result).flatMap((horizon) => result.strategies.map((one) => [[nameOf(one.strategy), h("small", {}, ahead(horizon))], ...levels.map((level) => covered(one.horizons[horizon].coverage.find((entry) => entry.level === level)))]));
  return plainTable("Coverage by nominal level", [["Strategy, days ahead", false], ...levels.map((level) => [`Level ${share(level, 0)}`, true])], rows);
}

function groups(result) {
  const horizon = horizonsOf(result).includes("7") ? "7" : horizonsOf(result)[0];
  const names = result.strategies.map((one) => one.strategy);
  const rows = result.groups.map((group) => [[h("b", {}, group.name || "not set"), h("small", {}, words(group.kind))], ...group.strategies.map((one) => [share(one.horizons[horizon]?.total_error), h("small", {}, `bias ${signed(one.horizons[horizon]?.bias)}`)])]);
  return rows.length ? card("By location and category", `error of ${ahead(horizon)} totals`, plainTable("By location and category", [["Group", false], ...names.map((name) => [words(name), true])], rows)) : null;
}

function overlay(result) {
  const place = h("div.chart-card", {});
  const draw = (index) => {
    const one = result.overlay[index];
    const length = one.actual.length;
    const dates = Array.from({ length }, (_, offset) => plusDays(one.first_day, offset));
    const strategies = [...new Set(one.said.map((said) => said.strategy))];
    const lines = [{ name: "Sold", legend: "sold", bars: true, values: one.actual }, ...one.said.map((said) => {
      const values = Array(length).fill(null);
      said.mean.forEach((value, offset) => { const at = dates.indexOf(plusDays(said.origin, offset + 1)); if (at >= 0) values[at] = value; });
      return { name: `${words(said.strategy)} from ${day(said.origin, { weekday: false })}`, legend: words(said.strategy), tone: TONES[strategies.indexOf(said.strategy) % TONES.length], values };
    })];
    const chart = lineChart({ title: "Units a day", label: `What ${one.item} sold by day and what each strategy expected. The table below holds the same numbers.`, dates, lines, width: Math.max(320, place.clientWidth - 28 || 720), height: 220 });
    const totals = plainTable("Totals of 28 days", [["Strategy, origin", false], ["Expected, 28 days", true], ["Likely (80 %)", true], ["Sold", true]], one.said.map((said) => {
      const from = dates.indexOf(plusDays(said.origin, 1));
      const window = one.actual.slice(from, from + 28);
      const isWhole = window.length === 28 && window.every((value) => value !== null);
      return [[nameOf(said.strategy), h("small", {}, `from ${day(said.origin)}`)], number(said.mean.reduce((sum, value) => sum + value, 0), 1), `${number(said.likely_28d[0], 0)} to ${number(said.likely_28d[1], 0)}`, isWhole ? number(window.reduce((sum, value) => sum + value, 0), 1) : "–"];
    }));
    place.replaceChildren(h("label.inline", {}, "Item ", h("select", { onchange: (event) => draw(Number(event.target.value)) }, ...result.overlay.map((entry, number_) => h("option", { value: number_, selected: number_ === index }, entry.item.replace("/", " at "))))), chart, totals);
  };
  queueMicrotask(() => draw(0));
  return card("Forecasts over history", "the items that sold most", place);
}

function people(result) {
  const told = result.people;
  if (!told?.windows) return null;
  return h("p.quiet", {}, told.people_added ? ["People's overrides of published forecasts of these items: ", added(told.people_added), " of the model's error avoided, over 7-day totals in the ledger."] : "No override has changed the published forecasts of these items so far.");
}

export function resultOf(result) {
  return h("div.stack", {},
    card("What came out", `${count(result.items, "item")} · ${count(result.origins.length, "origin")}: ${result.origins.map((origin) => day(origin, { weekday: false })).join(", ")}`, h("p.quiet", {}, sentence(result)), byHorizon(result), people(result)),
    card("Coverage", "share of totals at or below the level; the band is what chance alone explains", coverage(result)),
    groups(result), result.overlay.length ? overlay(result) : null);
}
