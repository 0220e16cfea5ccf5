// The accuracy ledger: how published forecasts turned out, by group and horizon, over time, and what drifts.
import { get, withQuery } from "../api.js";
import { h } from "../dom.js";
import { count, day, number, words } from "../format.js";
import { empty, failed, notice } from "../states.js";
import { lineChart } from "./lines.js";
import { added, ahead, atLevel, covered, HORIZONS, plainTable, share, signed } from "./measures.js";

const GROUPS = [["location", "Location"], ["category", "Category"], ["class", "ABC class"], ["item", "Item"], ["model", "Model"], ["strategy", "Strategy"], ["horizon", "Days ahead"], ["month", "Month"]];
const HEAD = [["", false], ["Error of totals", true], ["Bias", true], ["Quantile loss", true], ["Over last week repeated", true], ["By people", true], ["Within 95 % level", true], ["Windows", true]];

function measuresOf(row) {
  return [share(row.total_error), signed(row.bias), number(row.quantile_loss, 3), added(row.value_added), row.people_added ? added(row.people_added) : h("span.faint", {}, "none"), covered(atLevel(row, 0.95)), [number(row.windows, 0), row.hidden ? h("small", {}, `${number(row.hidden, 0)} hidden by stock-outs`) : null]];
}

const nameOf = (group, name) => (group === "horizon" ? ahead(name) : group === "item" ? h("a", { href: `/items/${name.split("@").map(encodeURIComponent).join("/")}` }, h("b", {}, name.replace("@", " at "))) : h("b", {}, group === "strategy" && name ? words(name) : name || "not set"));

function tiles(recent, champion) {
  const tile = (label, figure, note) => h("div", {}, h("span.label", {}, label), h("span.figure", {}, figure), h("span.note", {}, note));
  const cover = atLevel(recent, 0.95);
  return h("div.tiles", {},
    tile("Error of 7-day totals", share(recent.total_error), "of demand, the last 28 closed days"),
    tile("Bias", signed(recent.bias), recent.bias === null ? "nothing scored yet" : recent.bias > 0 ? "more was expected than sold" : "less was expected than sold"),
    tile("Better than last week repeated", signed(recent.value_added, 0), "share of its error that was avoided"),
    tile("Within the 95 % level", cover ? share(cover.share) : "–", cover ? `${share(cover.low)} to ${share(cover.high)} is chance` : "nothing scored yet"),
    tile("Speaks now", champion ? "Model" : "Baseline", champion ?? "no trained model yet"));
}

async function overTime(place, horizon) {
  const answer = await get(withQuery("/v1/accuracy/days", { horizon_days: horizon || 7, days: 90 }));
  if (answer.days.length < 2) return place.replaceChildren(h("p.quiet", {}, "A line over time needs two scored days."));
  const lines = [["Error of totals", "l1", "total_error"], ["Bias", "l2", "bias"]].map(([name, tone, field]) => ({ name, tone, values: answer.days.map((entry) => entry[field]) }));
  place.replaceChildren(lineChart({ title: `By day the totals of ${ahead(answer.horizon_days)} were complete, share of demand`, label: "Error and bias by day. The table below holds the same numbers.", dates: answer.days.map((entry) => entry.date), lines, write: (value) => share(value, 0), width: Math.max(320, place.clientWidth - 28 || 700) }));
}

export async function accuracyPanel(filters) {
  const now = filters.read();
  const group = now.group || "location";
  const place = h("div.stack", {});
  try {
    const [drift, table] = await Promise.all([get("/v1/accuracy/drift"), get(withQuery("/v1/accuracy", { group_by: group, horizon_days: now.horizon, limit: 100 }))]);
    const open = drift.flags.filter((flag) => flag.is_open);
    const closed = drift.flags.filter((flag) => !flag.is_open).slice(0, 5);
    const line = h("div.chart-card", {});
    const choose = h("div.filters", { role: "group", "aria-label": "What to compare" },
      h("label.inline", {}, "By ", h("select", { "aria-label": "Compare by", onchange: (event) => filters.write({ group: event.target.value }) }, ...GROUPS.map(([value, words]) => h("option", { value, selected: value === group }, words)))),
      group === "horizon" ? null : h("label.inline", {}, "Totals over ", h("select", { "aria-label": "Totals over", onchange: (event) => filters.write({ horizon: event.target.value }) }, h("option", { value: "", selected: !now.horizon }, "each item's lead time"), ...HORIZONS.map((days) => h("option", { value: days, selected: String(days) === now.horizon }, ahead(days))))));
    place.append(...[tiles(drift.recent, drift.champion),
      ...open.map((flag) => notice("warn", `Drift since ${day(flag.raised_on)}.`, flag.says, h("a.btn.small", { href: "/exceptions?kind=model_drift" }, "Open exceptions"))),
      h("section.card", {}, h("header", {}, h("h2", {}, "How forecasts turned out"), h("span.muted", {}, "most error first")), h("div.card-bar", {}, choose),
        table.rows.length ? plainTable("How forecasts turned out", [[GROUPS.find(([value]) => value === group)[1], false], ...HEAD.slice(1)], table.rows.map((row) => [nameOf(group, row.name), ...measuresOf(row)])) : empty(now.horizon ? "Nothing is scored at this horizon yet" : "Nothing is scored at lead times yet", now.horizon ? "A forecast is scored when the last day it speaks of closes; the first figures come that many days after the first forecast." : "Scores at the lead time need supplier terms with a lead time, and that many closed days. Choose a fixed number of days to see what is there.", now.horizon ? null : h("button.btn", { type: "button", onclick: () => filters.write({ horizon: "1" }) }, "Show one day ahead"))),
      h("section.card", {}, h("header", {}, h("h2", {}, "Over time")), line),
      closed.length ? h("section.card", {}, h("header", {}, h("h2", {}, "Drift that went away")), plainTable("Drift that went away", [["What", false], ["Raised", true], ["Resolved", true]], closed.map((flag) => [flag.says, day(flag.raised_on), day(flag.resolved_on)]))) : null].filter(Boolean));
    queueMicrotask(() => overTime(line, now.horizon).catch((problem) => line.replaceChildren(failed("The line over time could not be read", problem))));
  } catch (problem) {
    place.append(h("div.card", {}, failed("The accuracy ledger could not be read", problem, () => filters.write({}))));
  }
  return place;
}

export const windowsOf = (value) => (value ? `${count(value.windows, "scored window")}` : "not scored yet");
