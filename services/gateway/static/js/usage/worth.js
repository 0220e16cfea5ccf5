// What amending and refusing was worth, in money: by person, reason and month, down to the lines behind a number.
import { get, withQuery } from "../api.js";
import { h } from "../dom.js";
import { count, day, money, number, quantity, UNKNOWN, words } from "../format.js";
import { plainTable } from "../forecasts/measures.js";
import { failed } from "../states.js";

const HEAD = [["By", false], ["Lines", true], ["Worth", true], ["Lies between", true], ["Out of stock", true], ["Open, so far", true], ["No value", true]];
const CUTS = [["by_person", "Who", "decided_by", (name) => name], ["by_reason", "Reason", "reason_code", words], ["by_month", "Month of the order day", "month", (name) => (name === "unknown" ? "Unknown" : name)]];
const BECAUSE = { not_ours: "not planned here", not_an_order: "not an order to a supplier", evidence_incomplete: "evidence incomplete" };

const tone = (value) => (Number(value) > 0 ? ".g" : Number(value) < 0 ? ".b" : "");
const worth = (value, currency) => h(`span.tag${tone(value)}`, { title: Number(value) < 0 ? "the proposal was better" : Number(value) > 0 ? "better than the proposal" : "as good as the proposal" }, `${Number(value) > 0 ? "+" : ""}${money(value, currency)}`);
const range = (one) => `${money(one.low, one.currency)} to ${money(one.high, one.currency)}`;
const some = (amount) => (amount ? number(amount, 0) : UNKNOWN);

const cells = (one) => [number(one.lines, 0), one.settled ? worth(one.value, one.currency) : UNKNOWN, one.censored ? range(one) : UNKNOWN, some(one.censored), one.open ? `${number(one.open, 0)} · ${money(one.so_far, one.currency)}` : UNKNOWN, some(one.unvalued)];

const partsOf = (line) => (line.value === null ? null : h("small", {}, `holding ${money(line.holding, line.currency)}, margin ${money(line.lost_margin, line.currency)}, ordering ${money(line.ordering, line.currency)}`));

function worthOf(line) {
  if (line.status === "unvalued") return h("span.muted", {}, BECAUSE[line.unvalued_because] ?? words(line.unvalued_because));
  if (line.status === "censored") return [range(line), h("small", {}, `${count(line.days_out, "day")} out of stock`)];
  return [worth(line.value, line.currency), line.status === "open" ? h("small", {}, `so far, after ${count(line.days_known, "day")}`) : h("small", {}, `settled ${day(line.met_on, { weekday: false })}`), partsOf(line)];
}

const lineRow = (line) => [
  [h("a", { href: `/items/${encodeURIComponent(line.sku)}/${encodeURIComponent(line.location)}` }, line.name ?? line.sku), h("small", {}, `${line.sku} at ${line.location}`)],
  [words(line.verdict), h("small", {}, words(line.reason_code))], line.decided_by, `${quantity(line.proposed)} → ${quantity(line.decided)}`, day(line.order_on, { weekday: false }), worthOf(line),
  [h("code", {}, line.recommendation_id), line.evidence_sha256 ? h("small", { title: `SHA-256 ${line.evidence_sha256}` }, `evidence ${line.evidence_sha256.slice(0, 12)}…`) : null],
];

/** The card; `days` is the page's period. */
export function worthCard(days) {
  const place = h("section.card", { "aria-label": "What changed lines were worth", "aria-busy": "true" });
  const lines = h("div", { "aria-live": "polite" });
  const head = h("header", {}, h("h2", {}, "What changed lines were worth"));

  async function drill(field, name, label) {
    try {
      const found = await get(withQuery("/v1/decision-values", { days, [field]: name }));
      lines.replaceChildren(h("h3.quiet", {}, `${label}: ${count(found.lines.length, "line")}${found.lines_left_out ? `, ${number(found.lines_left_out, 0)} more not shown` : ""}`),
        plainTable(`Lines of ${label}`, [["Item", false], ["Decision", false], ["Who", false], ["Proposed → decided", true], ["Order day", true], ["Worth", true], ["Evidence", false]], found.lines.map(lineRow)));
    } catch (problem) {
      lines.replaceChildren(failed("The lines could not be read", problem, () => drill(field, name, label)));
    }
  }

  async function load() {
    place.setAttribute("aria-busy", "true");
    try {
      const found = await get(withQuery("/v1/decision-values", { days }));
      const rows = found.totals.map((one) => [[h("b", {}, "All lines"), h("small", {}, one.currency)], ...cells(one)]);
      for (const [cut, title, field, label] of CUTS) rows.push(...found[cut].map((one) => [[h("button.link", { type: "button", disabled: one.name === "unknown", onclick: () => drill(field, one.name, label(one.name)) }, label(one.name)), h("small", {}, title)], ...cells(one)]));
      place.replaceChildren(head, h("p.quiet", {}, "Money saved (+) or lost (−) against the quantity that was proposed, on what was really sold since: holding, margin lost and ordering. Out of stock: nobody knows what more was asked for, so there are bounds and no number. Open: not over yet."),
        ...(found.totals.length ? [plainTable("Worth by person, reason and month", HEAD, rows), lines] : [h("p.quiet", {}, "Nobody amended or refused a line in this time.")]),
        found.decisions_left_out ? h("p.quiet", {}, `${count(found.decisions_left_out, "older decision")} left out: choose a shorter time.`) : "");
    } catch (problem) {
      place.replaceChildren(head, failed("It could not be reckoned", problem, load));
    }
    place.setAttribute("aria-busy", "false");
  }
  load();
  return place;
}
