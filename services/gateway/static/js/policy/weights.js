// What other weights of service, cost and risk would lead to: the Pareto report, beside the parameters in force.
import { get } from "../api.js";
import { h } from "../dom.js";
import { count, day, percent, wholeMoney } from "../format.js";
import { failed } from "../states.js";
import { table } from "./governing.js";

const IN_FORCE = "in force";
const HEADS = ["Service : cost : risk", "Margin lost a year", "Holding a year", "Risk a year", "Demand met", "Stock at these levels"];

const EXPECTED = "Expected over all that demand may be.";
const HAPPENED = "The levels that the newest forecasts ask for, walked through these days: reviewed, ordered and delivered as agreed, and what was not there was lost.";

/** The setting, with what makes it worth a look. */
function named(one, better) {
  if (one.setting === IN_FORCE) return [h("b", {}, "As in force"), one.is_efficient ? h("small", {}, "no setting beats it in all three") : null];
  const alike = (one.like ?? []).filter((name) => name !== one.setting);
  return [h("b", {}, one.setting.split(":").join(" : ")), better.includes(one.setting) ? h("span.tag.g", {}, "better in all three") : null,
    alike.length ? h("small", {}, `as are ${alike.length > 3 ? count(alike.length, "other setting") : alike.map((name) => name.split(":").join(" : ")).join(", ")}`) : null];
}

function rowsOf(judged, currency) {
  const cells = (one) => [named(one, judged.better_than_in_force), wholeMoney(one.margin_lost_a_year, currency), wholeMoney(one.holding_a_year, currency), wholeMoney(one.risk_a_year, currency), one.fill_rate === null ? "" : percent(one.fill_rate, 1), wholeMoney(one.stock_value_at_level, currency)];
  const byLost = [...judged.efficient].sort((a, b) => Number(a.margin_lost_a_year) - Number(b.margin_lost_a_year));
  return [cells(judged.in_force), ...byLost.map(cells)];
}

const seen = (answer) => `${count(answer.items, "item")} looked at${answer.known_items > answer.items ? ` of ${count(answer.known_items, "known item")}` : ""}${answer.items_left_out ? `; ${count(answer.items_left_out, "item")} could not be planned` : ""}.`;

/** The section: asked for, since it plans every item once for each setting. */
export function weighings() {
  const box = h("div", { role: "status", "aria-live": "polite" });
  const button = h("button.btn", { type: "button", onclick: () => reckon() }, "Compare weights");
  const draw = (answer) => {
    if (!answer.items) { box.replaceChildren(h("p.quiet", {}, "No item has been planned yet, so there is nothing to weigh.")); return; }
    const bases = [answer, answer.history].filter((one) => one?.items);
    const result = h("div");
    const basis = h("select", { id: "weights-basis", onchange: () => show() }, ...bases.map((one, index) => h("option", { value: index }, one === answer ? "the newest forecasts" : `what was asked for, ${day(one.first_day)} to ${day(one.last_day)}`)));
    const choice = h("select", { id: "weights-class", onchange: () => show() }, ...[answer.all, ...answer.by_class].map((one) => h("option", { value: one.name }, one.name === "all" ? "All items" : one.name === "none" ? "Without a class" : `Class ${one.name}`)));
    const show = () => {
      const chosen = bases[Number(basis.value)];
      const judged = [chosen.all, ...chosen.by_class].find((one) => one.name === choice.value);
      const about = chosen === answer ? EXPECTED : HAPPENED;
      result.replaceChildren(judged ? table("Weights", HEADS, rowsOf(judged, answer.currency)) : h("p.quiet", {}, "Nothing is known of these items' past."), h("p.quiet", {}, `${about} ${seen({ ...chosen, known_items: answer.known_items })}`));
    };
    box.replaceChildren(h("p.quiet", {}, h("label", { for: choice.id }, "Items "), choice, " ", h("label", { for: basis.id }, "judged by "), basis), result,
      ...(answer.history ? [] : [h("p.quiet", {}, "Once four weeks of sales are known, the weights can be judged by them, too.")]));
    show();
  };
  const reckon = async () => {
    button.disabled = true;
    box.replaceChildren(h("p.muted", {}, "Weighing every item in other ways …"));
    try { draw(await get("/v1/policy/weights")); } catch (problem) { box.replaceChildren(failed("The weights could not be compared", problem, reckon)); }
    button.disabled = false;
  };
  return h("section.card", {}, h("header", {}, h("h2", {}, "Weights of service, cost and risk"), button),
    h("p.quiet", {}, "What other weights would lead to: only settings that no other one beats in margin lost, holding and risk together. Risk is the mean of the worst tenth of outcomes, added up as if all items had theirs at once. To plan by weights, change the service kind to weighed and the weights of each class."),
    box);
}
