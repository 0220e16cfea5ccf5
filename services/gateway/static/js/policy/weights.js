// What other weights of service, cost and risk would lead to: the Pareto report, beside the parameters in force.
import { get } from "../api.js";
import { h } from "../dom.js";
import { count, percent, wholeMoney } from "../format.js";
import { failed } from "../states.js";
import { table } from "./governing.js";

const IN_FORCE = "in force";
const HEADS = ["Service : cost : risk", "Margin lost a year", "Holding a year", "Risk a year", "Demand met", "Stock at these levels"];

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
    const groups = [answer.all, ...answer.by_class];
    const result = h("div");
    const show = (name) => result.replaceChildren(table("Weights", HEADS, rowsOf(groups.find((one) => one.name === name), answer.currency)));
    const choice = h("select", { id: "weights-class", onchange: (event) => show(event.target.value) }, ...groups.map((one) => h("option", { value: one.name }, one.name === "all" ? "All items" : one.name === "none" ? "Without a class" : `Class ${one.name}`)));
    box.replaceChildren(h("p.quiet", {}, h("label", { for: choice.id }, "Items "), choice), result, h("p.quiet", {}, seen(answer)));
    show("all");
  };
  const reckon = async () => {
    button.disabled = true;
    box.replaceChildren(h("p.muted", {}, "Weighing every item in other ways …"));
    try { draw(await get("/v1/policy/weights")); } catch (problem) { box.replaceChildren(failed("The weights could not be compared", problem, reckon)); }
    button.disabled = false;
  };
  return h("section.card", {}, h("header", {}, h("h2", {}, "Weights of service, cost and risk"), button),
    h("p.quiet", {}, "What other weights would lead to on the newest forecasts: only settings that no other one beats in margin lost, holding and risk together. Risk is the mean of the worst tenth of outcomes, added up as if all items had theirs at once. To plan by weights, change the service kind to weighed and the weights of each class."),
    box);
}
