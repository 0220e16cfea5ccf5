// The effect of a change beside how things are: two plans by the policy service's own code, in one small table.
import { h } from "../dom.js";
import { count, money, number, quantity } from "../format.js";
import { table } from "./governing.js";

const EXAMPLES = 8;
const side = (one) => (Number(one.quantity) > 0 ? `${quantity(one.quantity)}${one.goes_to_person ? "" : ", by rule"}` : "no order");

/** One sentence: what moves, or that nothing does. */
export function effectSentence({ before, after, more, less, added, dropped, rerouted, items, known_items: known, currency }) {
  const seen = known > items ? `Of ${count(items, "item")} looked at (${number(known, 0)} are known),` : `Of ${count(items, "item")},`;
  const moves = [[more, "would order more"], [less, "would order less"], [added, "would be ordered that are not now"], [dropped, "would not be ordered any more"], [rerouted, "would change who decides"]].filter(([amount]) => amount);
  if (!items) return "No item has been planned yet, so there is nothing to compare.";
  if (!moves.length) return `${seen} none would change.`;
  return `${seen} ${moves.map(([amount, what]) => `${number(amount, 0)} ${what}`).join(", ")}. Order value ${money(before.value, currency)} → ${money(after.value, currency)}.`;
}

/** Totals on both sides, then the lines of most money; `link` leads to the item. */
export function effectBox(effect) {
  const { before, after, currency, changed, signatures } = effect;
  const totals = [["Orders", number(before.orders, 0), number(after.orders, 0)], ["Value", money(before.value, currency), money(after.value, currency)], ["For a person", number(before.to_persons, 0), number(after.to_persons, 0)]];
  const lines = (changed ?? []).slice(0, EXAMPLES).map((one) => [h("a", { href: `/items/${encodeURIComponent(one.sku)}/${encodeURIComponent(one.location)}` }, `${one.name ?? one.sku} · ${one.location}`), side(one.before), side(one.after)]);
  return h("div.effect-box", {}, h("p.sentence", {}, effectSentence(effect)),
    signatures ? h("p.sentence", {}, `Of ${count(signatures.waiting, "waiting line")} ${number(signatures.more, 0)} would need more consent and ${number(signatures.less, 0)} less.`) : null,
    effect.items ? table("Effect", ["What", "As it is", "As it would be"], totals) : null,
    lines.length ? table("Lines that would change", ["Line", "As it is", "As it would be"], lines) : null,
    changed?.length > EXAMPLES ? h("p.muted", {}, `and ${count(changed.length - EXAMPLES, "more line")} of less money`) : null);
}
