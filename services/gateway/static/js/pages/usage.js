// Usage: what people do with what is recommended, and the units this tenant's log holds.
import { get, withQuery } from "../api.js";
import { byId, h } from "../dom.js";
import { day, money, number, percent, words } from "../format.js";
import { start } from "../shell.js";
import { empty, failed } from "../states.js";
import { urlFilters } from "../table.js";
import { worthCard } from "../usage/worth.js";

const PERIODS = [["7", "7 days"], ["", "30 days"], ["365", "A year"]];
const METERED = { items_planned: "Items planned", items_forecast: "Items forecast", lines: "Lines proposed", decisions: "Decisions", orders: "Orders" };

const box = h("div.stack", { "aria-live": "polite" });
const filters = urlFilters(["days"], () => { draw(); load(); });
const bar = h("div.filters", { role: "group", "aria-label": "Period" });
function draw() {
  const now = filters.read().days;
  bar.replaceChildren(...PERIODS.map(([value, label]) => h("button.chip", { type: "button", "aria-pressed": String(now === value), onclick: () => filters.write({ days: value }) }, label)));
}

const tile = (label, figure, note) => h("div", {}, h("span.label", {}, label), h("b.figure", {}, figure), h("span.note", {}, note));

function card(title, heads, rows, none) {
  const table = h("table.stackable", { "aria-label": title }, h("thead", {}, h("tr", {}, ...heads.map((head, index) => h(index ? "th.n" : "th", { scope: "col" }, head)))), h("tbody", {}, ...rows.map(([first, ...cells]) => h("tr", {}, h("th", { scope: "row" }, first), ...cells.map((cell, index) => h("td.n", { "data-label": heads[index + 1] }, cell))))));
  return h("section.card", {}, h("header", {}, h("h2", {}, title)), rows.length ? h("div.table-scroll", { tabindex: 0, role: "region", "aria-label": title }, table) : h("p.quiet", {}, none));
}

const change = (value) => (value === null ? "–" : `${value > 0 ? "+" : ""}${percent(value)}`);

async function load() {
  let usage;
  try {
    usage = await get(withQuery("/v1/usage", filters.read()));
  } catch (problem) {
    box.replaceChildren(failed("The usage could not be read", problem, load));
    return;
  }
  const metered = h("dl.kv", {}, ...Object.entries(METERED).flatMap(([name, label]) => [h("dt", {}, label), h("dd", {}, number(usage.metered[name] ?? 0, 0))]));
  const parts = usage.by_day.length ? [
    h("div.tiles", {}, tile("Nobody had to look", percent(usage.by_rule), "of decided lines passed by rule"), tile("People changed or refused", percent(usage.touched), "of the lines they decided"), tile("People who decided", number(usage.people.length, 0), "in this time")),
    card("By day", ["Day", "What", "Lines", "Value"], usage.by_day.map((one) => [day(one.day), words(one.verdict), number(one.lines, 0), money(one.value, one.currency)]), ""),
    card("People", ["Who", "Approved", "Amended", "Rejected", "Snoozed", "Undone", "Line had waited (median)"], usage.people.map((one) => [one.decided_by, number(one.approved, 0), number(one.amended, 0), number(one.rejected, 0), number(one.snoozed, 0), number(one.undone, 0), one.median_hours === null ? "–" : `${number(one.median_hours, 1)} h`]), "Nobody decided anything in this time."),
    card("Why people decided otherwise", ["Reason", "What", "Lines", "Quantity changed (median)"], usage.reasons.map((one) => [words(one.reason_code), words(one.verdict), number(one.lines, 0), change(one.median_change)]), "Nobody decided otherwise."),
    worthCard(filters.read().days || "30"),
  ] : [empty("Nothing was decided in this time", "This page begins with the first decision, by rule or by a person.", h("a.btn.p", { href: "/queue" }, "Open the queue"))];
  box.replaceChildren(...parts, h("section.card", {}, h("header", {}, h("h2", {}, "Metered")), h("p.quiet", {}, "Units counted in this tenant's own log."), metered), card("By month", ["Month (UTC)", "Decisions", "Orders", "Order lines", "Answers"], usage.metered_by_month.map((one) => [one.month, ...[one.decisions, one.orders, one.order_lines, one.answers].map((units) => number(units, 0))]), "Nothing was decided or ordered yet."));
}

byId("page").replaceChildren(h("div.head", {}, h("div", {}, h("h1", {}, "Usage"), h("p.sub", {}, "What people do with what is recommended."))), bar, box);
draw();
await Promise.all([start(), load()]);
