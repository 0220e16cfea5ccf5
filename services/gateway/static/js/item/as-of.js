// The item as it was: stock, orders, recommendation and decision of a past moment beside today's, each with the ids it follows from.
import { get, withQuery } from "../api.js";
import { h } from "../dom.js";
import { count, day, instant, number, quantity, shortId, utc, words } from "../format.js";
import { part, verdictWord } from "./sections.js";

const ROWS = [["On hand", "on_hand"], ["Reserved", "reserved"], ["Backordered", "backorders"]];
const figure = (stock, name) => number(stock?.[name]?.quantity);

/** Where a figure comes from, on hover: its count and how many events since. */
function source(stock, name) {
  const one = stock?.[name];
  if (!one) return null;
  const begins = one.counted ? `counted ${number(one.counted.quantity)} at ${utc(one.counted.occurred_at)} (${shortId(one.counted.event_hash)}), ` : "";
  return `${begins}${count(one.movements, "event")}${one.event_hashes.length ? `, newest ${shortId(one.event_hashes[0])}` : ""}`;
}

function numbers(then, today) {
  const rows = ROWS.map(([title, name]) => h("tr", {}, h("th", { scope: "row" }, title), h("td.n", { title: source(then.position, name) }, figure(then.position, name)), h("td.n", { title: source(then.position_as_known, name) }, figure(then.position_as_known, name)), h("td.n", {}, number(today?.[name]))));
  const alone = [["On order", then.on_order, today?.on_order], ["Inventory position", then.inventory_position, today?.inventory_position]];
  return h("div.table-scroll", { tabindex: 0, role: "region", "aria-label": "Then and now" }, h("table", { "aria-label": "Then and now" },
    h("thead", {}, h("tr", {}, ...["Units", "Then", "Known then", "Today"].map((title, index) => h(index ? "th.n" : "th", { scope: "col" }, title)))),
    h("tbody", {}, ...rows, ...alone.map(([title, was, is]) => h("tr", {}, h("th", { scope: "row" }, title), h("td.n", {}, number(was)), h("td.n", {}), h("td.n", {}, number(is)))))));
}

function lateWords(then, zone) {
  if (!then.late_total) return null;
  const told = then.late.slice(0, 5).map((one) => `${words(one.kind).toLowerCase()} ${number(one.quantity)} of ${instant(one.occurred_at, zone)}`);
  return h("p", {}, `${count(then.late_total, "event")} had happened and came later: ${told.join("; ")}${then.late_total > told.length ? "; …" : "."}`);
}

function decided(decision, unit, zone) {
  if (!decision) return "none yet";
  return `${verdictWord(decision.verdict)} ${quantity(decision.quantity, unit)} by ${decision.decided_by}, ${instant(decision.decided_at, zone)} (${shortId(decision.decision_id)})`;
}

function argument(then, unit, zone) {
  const { recommendation: asked, planned, forecast, policy } = then;
  const orders = then.open_orders.map((one) => `${one.order_id}: ${quantity(one.open, unit)}${one.leaves ? " to leave" : ""}, ${day(one.expected_on)}, ${verdictWord(one.status)}`);
  const awaiting = then.awaiting_release.map((one) => `approved, not sent yet: ${quantity(one.decision.quantity, unit)} (${shortId(one.decision.decision_id)})`);
  const rows = [
    ["Recommendation", asked ? `${words(asked.action)} ${quantity(asked.quantity, unit)}, ${verdictWord(asked.status)} (${shortId(asked.recommendation_id)})` : "none"],
    ["Decision", asked ? decided(asked.decision, unit, zone) : null],
    ["Computed from", planned ? `${number(planned.on_hand)} on hand, ${number(planned.on_order)} on order (evidence ${shortId(planned.evidence_sha256)})` : null],
    ["Orders open", [...orders, ...awaiting].join("; ") || "none"],
    ["Forecast", forecast ? `${shortId(forecast.forecast_id)}${forecast.known_as === "used" ? ", the one the recommendation used" : ""}` : "not kept"],
    ["Policy", policy ? `version ${policy.version}` : "none published"],
  ].filter(([, value]) => value);
  return h("dl.proof", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** The field and its answer; `shown` gives the item panel as last read. The field is on the reader's own clock, as browsers have it. */
export function asOf(shown) {
  const { sku, location, unit, time_zone: zone } = shown().item;
  const answer = h("div.as-of", { role: "status" });
  const form = h("form.what-if", {
    onsubmit: async (event) => {
      event.preventDefault();
      const moment = new Date(new FormData(form).get("at"));
      if (Number.isNaN(moment.getTime())) { answer.replaceChildren(h("p", {}, "Choose a day and a time.")); return; }
      answer.replaceChildren(h("p.muted", {}, "Reading …"));
      try {
        const then = await get(withQuery(`/v1/items/${encodeURIComponent(sku)}/${encodeURIComponent(location)}/as-of`, { at: moment.toISOString() }));
        answer.replaceChildren(h("p", {}, `As of ${instant(then.at, zone)}, ${utc(then.at)}. “Then”: by all that is known now; “known then”: by what had reached us.`), numbers(then, shown().position), ...[lateWords(then, zone)].filter(Boolean), argument(then, unit, zone), ...then.not_kept.map((one) => h("p.muted", {}, one.says)));
      } catch (problem) {
        answer.replaceChildren(h("p", {}, problem.detail));
      }
    },
  }, h("label", {}, h("span", {}, "As of, your time"), h("input.moment", { name: "at", type: "datetime-local", step: 1, required: true })), h("button.btn.small", { type: "submit" }, "Show"));
  return part("As it was", form, answer);
}
