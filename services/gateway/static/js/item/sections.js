// The argument for a number, piece by piece: the ask, the facts, the pictures, the derivation, what came of it last time.
import { h } from "../dom.js";
import { count, day, instant, money, number, percent, quantity, shortId, unitWord, utc, words } from "../format.js";
import { term } from "../glossary.js";
import { daysShown, demandChart, stockChart } from "./charts.js";
import { movements } from "./movements.js";
import { eventList, marked } from "./signals.js";

const NARROW_CHART = 400;

export const part = (title, ...children) => h("section.part", {}, h("h3", {}, title), ...children);

/** Which reason tags look like harm, which like a limit. */
const HARM = new Set(["forecast_anomaly", "constrained_supply", "service_below_minimum", "customer_commitment_at_risk", "supplier_exception"]);
const PLAIN = new Set(["new_item", "scenario_active"]);
export const toneOf = (code) => (HARM.has(code) ? "b" : PLAIN.has(code) ? "" : "w");

export const reasonTag = (reason) => h(`span.tag${toneOf(reason.code) ? `.${toneOf(reason.code)}` : ""}`, { title: reason.label }, reason.label);

/** What each action asks for, from the line: the words before and after the quantity. A change of an order names the order. */
const ACTIONS = {
  buy: (line) => ["Order ", line.supplier_name ? ` from ${line.supplier_name}` : ""],
  transfer: (line) => ["Transfer ", ` from ${line.from_location}`],
  allocate: (line) => ["Allocate ", ` from ${line.from_location}`],
  expedite: (line) => [`Bring order ${shortId(line.changes_order)} forward: `, ""],
  defer: (line) => [`Put order ${shortId(line.changes_order)} off: `, ""],
  reduce: (line) => [`Reduce order ${shortId(line.changes_order)} to `, ""],
  substitute: (line) => ["Order ", `${line.supplier_name ? ` from ${line.supplier_name}` : ""} in place of ${line.stands_in_for ?? "a product that runs out"}`],
  cancel: (line) => ["Cancel ", ` of order ${shortId(line.changes_order)}`],
};
/** Lines beside an item's own order say what they gain, not what is at risk without them. */
export const isBeside = (line) => line.action !== "buy";

/** What a person is asked, in one paragraph. */
export function ask(line) {
  const packs = line.packs && Number(line.pack) > 1 ? ` (${count(line.packs, "pack")} of ${number(line.pack)})` : "";
  const likely = line.stock_out_probability;
  const [before, after] = (ACTIONS[line.action] ?? (() => [`${words(line.action)} `, ""]))(line);
  const gains = Number(line.margin_at_risk) > 0 ? `${money(line.margin_at_risk, line.currency)}` : null;
  const arrives = line.arrives_on && line.action !== "cancel" ? [", arriving ", h("b", {}, day(line.arrives_on)), day(line.arrives_on).endsWith(".") ? "" : "."] : ".";
  const without = isBeside(line) ? (gains ? [` It gains ${gains} after what it costs.`] : null) : [
    line.stock_out_on ? [" Without it the shelf is expected to be empty by ", h("b", {}, day(line.stock_out_on)), likely !== null && likely !== undefined ? [" (probability ", h("b", {}, percent(likely)), ")"] : null] : null,
    gains ? `${line.stock_out_on ? "; " : " "}${gains} of margin is at risk.` : line.stock_out_on ? "." : null];
  return h("div.ask", {},
    h("p", {}, before, h("b", {}, quantity(line.quantity, line.unit), packs), line.value ? [isBeside(line) ? " worth " : " for ", h("b", {}, money(line.value, line.currency))] : null, after, arrives, without),
    line.recommended_quantity && line.recommended_quantity !== line.quantity ? h("p.muted", {}, `The plan proposed ${quantity(line.recommended_quantity, line.unit)}.`) : null,
    line.reasons?.length ? h("div.why", {}, h("span.muted", {}, term("Why you"), ":"), ...line.reasons.map(reasonTag)) : null);
}

const fact = (title, value, note) => h("div", {}, h("dt", { title }, term(title)), h("dd", {}, value, note ? [" ", h("small", {}, note)] : null));

export function facts(item, line) {
  const position = item?.position ?? line ?? {};
  const levels = item?.levels ?? line ?? {};
  // The position is of this moment, the line of the day it was planned for; when they differ, both are said.
  const moved = line && position.on_hand !== null && position.on_hand !== undefined && Number(position.on_hand) !== Number(line.on_hand);
  const reserved = moved ? `planned at ${number(line.on_hand)}` : Number(position.reserved ?? 0) > 0 ? `${number(position.reserved)} reserved` : null;
  return h("dl.facts", {}, fact("On hand", number(position.on_hand), reserved), fact("On order", number(position.on_order)), fact("Reorder point", number(levels.reorder_point, 1)), fact("Order up to", number(levels.order_up_to, 1)));
}

const missingPart = (detail, name, fallback) => {
  const gone = detail.unavailable?.find((entry) => entry.part === name);
  return h("p.muted", {}, gone ? `Not available now: ${gone.reason}.` : fallback);
};

/** From whom a young item's forecast was borrowed. */
function borrowed(likeness) {
  if (!likeness) return null;
  const { category, price_third: third, items, per_day: perDay, share, known_days: known, examples } = likeness;
  const kind = `${category ? `in ${category}` : "without a category"}${third ? `, ${third} third by price` : ""}`;
  const own = known ? `${count(known, "day")} of its own ${known === 1 ? "says" : "say"} the rest` : "nothing is known of itself yet";
  return h("p.sentence", {}, `${percent(share)} of this forecast is borrowed from ${count(items, "like item")} (${kind}), which sell ${number(perDay, 2)} a day each; ${own}.`,
    examples.length ? [" Those that weigh most: ", ...examples.flatMap((one, index) => [index ? ", " : "", h("a", { href: `/items/${encodeURIComponent(one.sku)}/${encodeURIComponent(one.location)}` }, `${one.sku} at ${one.location}`), ` (${number(one.per_day, 2)})`]), "."] : null);
}

export function pictures(detail, line, width = NARROW_CHART) {
  const unit = detail.item?.unit ?? line?.unit;
  const hasDemand = detail.history?.length || detail.fan?.days?.length;
  const days = [...daysShown({ ...detail, width }).all, ...(detail.projection?.days ?? []).map((entry) => entry.date)].sort();
  const events = marked(detail.signals, days[0], days.at(-1));
  return part("Demand and projected stock",
    detail.sentence ? h("p.sentence", {}, detail.sentence) : null,
    detail.fan?.flags?.length ? h("ul.flags", { "aria-label": "About this forecast" }, ...detail.fan.flags_in_words.map((says, index) => h("li", {}, says, detail.fan.flags[index] === "calendar_gap" ? [" ", h("a", { href: "/scenarios#closing" }, "Tell that it was shut")] : null))) : null,
    borrowed(detail.likeness),
    hasDemand ? demandChart({ history: detail.history, fan: detail.fan, unit, width, events }) : missingPart(detail, "history", "No sales and no forecast are known for this item yet."),
    detail.projection?.days?.length
      ? stockChart({ projection: detail.projection, reorderPoint: detail.levels?.reorder_point ?? line?.reorder_point, onHand: line?.on_hand ?? detail.position?.on_hand, quantity: line?.quantity, unit, width, events })
      : missingPart(detail, "projection", "There is no projection, because no recommendation has been computed."),
    eventList(events));
}

/** The derivation in words. The step that bound the quantity is marked in colour and in words. */
export function steps(list, position) {
  if (!list?.length) return null;
  return part("How the number came about", h("ol.steps", {}, ...list.map((step) => {
    const isBinding = Boolean(step.binding ?? step.is_binding);
    const value = step.value ?? step.result;
    const shown = value !== null && value !== "" && !Number.isNaN(Number(value)) ? [number(value, 2), step.unit ? [" ", h("small", {}, step.unit === "each" ? unitWord(step.unit, value) : step.unit)] : null] : words(value ?? "");
    return h(`li${isBinding ? ".bind" : ""}`, {}, h("span", {}, isBinding ? h("em", {}, "This bound the quantity") : null, step.sentence ?? step.says), h("b", {}, shown));
  })), movements(position));
}

const VERDICTS = { approved: "approved", approved_by_rule: "approved by rule", first_signature: "signed once", awaiting_second: "signed once", by_rule: "approved by rule", released: "sent", withheld: "withdrawn by the plan", amended: "amended", rejected: "rejected", snoozed: "snoozed", returned: "came back", undone: "taken back", escalated: "escalated", expired: "expired", superseded: "replaced by a fresher plan", recalled: "recalled" };
export const verdictWord = (code) => VERDICTS[code] ?? words(code).toLowerCase();

/** What came of a decision, in words: its order, then the shelf in the days after it. */
export function resultWords(result, unit) {
  if (!result) return "";
  const late = result.days_late > 0 ? `, ${count(result.days_late, "day")} late` : result.days_late === null ? "" : ", in time";
  const order = !result.order_id ? null : result.received_on ? `${quantity(result.received, unit)} came ${day(result.received_on, { weekday: false })}${late}` : `order ${words(result.order_status).toLowerCase()}`;
  const shelf = !result.days ? null : `${number(result.sold)} sold in ${count(result.days, "day")} after, ${result.empty_days ? `empty on ${number(result.empty_days, 0)}` : "never empty"}`;
  return [order, shelf].filter(Boolean).join("; ") || "nothing is known yet of what came of it";
}

export function pastDecisions(list, unit, zone) {
  if (!list?.length) return null;
  return part("Last decisions, and what came of them", h("ul.past", {}, ...list.slice(0, 5).map((entry) => {
    const changed = entry.verdict === "amended" && entry.recommended_quantity;
    return h("li", {}, h("span", { title: utc(entry.decided_at) }, `${entry.business_date ? day(entry.business_date) : instant(entry.decided_at, zone)} · ${verdictWord(entry.verdict)} ${changed ? `${number(entry.recommended_quantity)} → ` : ""}${quantity(entry.quantity, unit)}${entry.reason ? ` (${words(entry.reason).toLowerCase()})` : ""}`, h("small.block.faint", {}, resultWords(entry.result, unit))), h("b", {}, entry.decided_by ?? ""));
  })));
}

export function evidence(facts_, line) {
  const source = facts_ ?? {};
  const rows = [
    ["Recommendation", source.recommendation_id ?? line?.recommendation_id, true],
    ["Forecast", source.forecast_id, true],
    ["Policy", source.policy_version ? `version ${source.policy_version}` : null],
    ["Business day", source.business_date ? day(source.business_date, { year: true }) : null],
    ["Stock events up to", source.movements_up_to ? (/^\d{4}-\d\d-\d\dT/.test(source.movements_up_to) ? utc(source.movements_up_to) : String(source.movements_up_to)) : null],
    ["Planning run", source.run_id, true],
    ["Evidence hash", source.evidence_sha256, true],
  ].filter(([, value]) => value);
  const seq = source.audit_seq;
  const subject = source.recommendation_id ?? line?.recommendation_id;
  const link = seq !== null && seq !== undefined ? h("a", { href: `/audit?seq=${seq}` }, `entry ${number(seq, 0)}`) : subject ? h("a", { href: `/audit?subject=${encodeURIComponent(subject)}` }, "find in the log") : null;
  return part("Evidence", h("dl.proof", {}, ...rows.flatMap(([name, value, isId]) => [h("dt", {}, name), h("dd", { title: value }, isId ? shortId(value) : value)]), link ? [h("dt", {}, "Audit log"), h("dd", {}, link)] : null));
}

export function openExceptions(list) {
  if (!list?.length) return null;
  return part("Open exceptions", h("ul.past", {}, ...list.map((entry) => h("li", {}, h("span", {}, h("span.tag.w", {}, entry.kind_label ?? words(entry.kind)), " ", entry.message), Number(entry.money_at_stake) > 0 ? h("b", {}, money(entry.money_at_stake, entry.currency)) : null))));
}
