// Classes: what each group of items is to reach, beside what it has reached.
import { get } from "../api.js";
import { byId, h } from "../dom.js";
import { day, number, percent, wholeMoney } from "../format.js";
import { start } from "../shell.js";
import { empty } from "../states.js";
import { pagedTable } from "../table.js";

const VALUE = { A: "most of the value", B: "the middle", C: "many, little value" };
const STEADY = { X: "steady", Y: "varying", Z: "erratic" };
const SOURCE = { catalogue: "the catalogue's, where it gives one, else from sales", computed: "from sales" };
const KIND = { cycle_service: "probability of no stock-out until the next receipt but one", fill_rate: "share of demand met from stock" };

let kind = "";
const note = h("p.sub", { id: "classes-note" });
const how = h("p.quiet");

// A probability of no stock-out is no share of demand: more demand met than that proves nothing, less is a word of warning.
const reached = (one) => {
  if (one.fill_rate === null) return h("span.faint", {}, "nothing was asked for");
  const tone = Number(one.fill_rate) < Number(one.goal) ? ".w" : kind === "fill_rate" ? ".g" : "";
  return h(`span.tag${tone}`, {}, percent(one.fill_rate, 1));
};

function tell(answer) {
  kind = answer.service_kind;
  how.replaceChildren(`Achieved: ${answer.how} Goal: ${KIND[answer.service_kind]}. The value class is ${SOURCE[answer.class_source]}.`);
  note.replaceChildren(answer.items.length ? `From ${day(answer.first_day, { year: true, weekday: false })} to ${day(answer.last_day, { year: true, weekday: false })}; A, B and C by value sold, X, Y and Z by how much demand varies from day to day.` : `Classes begin with the ${answer.days_needed}th day of movements.`);
}

const table = pagedTable({
  label: "Classes", noun: "class", plural: "classes", filters: () => ({}), clear: () => {}, isFiltered: () => false,
  read: async () => { const answer = await get("/v1/classes"); tell(answer); return answer; },
  emptyState: () => empty("No item has a class yet", "An item's class stands on four weeks of its movements; until then its goal is that of class B, or of the class the catalogue gives.", h("a.btn", { href: "/policy" }, "See the goals")),
  columns: [
    { title: "Class", cell: (one) => [h("b", {}, one.name), h("small", {}, `${VALUE[one.name[0]]}, ${STEADY[one.name[1]]}`)] },
    { title: "Goal", numeric: true, cell: (one) => percent(one.goal, 1) },
    { title: "Demand met", numeric: true, cell: reached },
    { title: "Days without stock", numeric: true, cell: (one) => percent(one.days_out_share, 1) },
    { title: "Units asked for", numeric: true, cell: (one) => [number(one.asked_units, 0), h("small", {}, `${number(one.served_units, 0)} sold`)] },
    { title: "Items", numeric: true, cell: (one) => [number(one.items, 0), h("small", {}, `${number(one.items_short, 0)} lost sales`)] },
    { title: "Otherwise in the catalogue", numeric: true, cell: (one) => number(one.items_otherwise, 0) },
    { title: "Value sold", numeric: true, cell: (one) => [wholeMoney(one.value), one.value_share === null ? null : h("small", {}, percent(one.value_share))] },
  ],
});

byId("page").replaceChildren(h("div.head", {}, h("div", {}, h("h1", {}, "Classes"), note)), table.frame, how);
await Promise.all([start(), table.reload()]);
