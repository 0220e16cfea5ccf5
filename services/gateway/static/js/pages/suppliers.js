// Suppliers: what each kept of its promises, counted from orders and what came back.
import { get, withQuery } from "../api.js";
import { byId, h } from "../dom.js";
import { money, number, percent } from "../format.js";
import { start } from "../shell.js";
import { empty } from "../states.js";
import { pagedTable, urlFilters } from "../table.js";

const PERIODS = [["30", "30 days"], ["", "90 days"], ["365", "A year"]];
const LOW = 0.9; // below this share a supplier is worth a word

const share = (value) => (value === null ? h("span.faint", {}, "nothing received yet") : h(`span.tag${value < LOW ? ".w" : ".g"}`, {}, percent(value)));
const days = (value, digits = 1) => (value === null ? "–" : `${number(value, digits)} d`);
const drift = (one) => (one.lead_time === null ? days(one.promised_lead_time) : [h("b", {}, days(one.lead_time)), h("small", {}, `promised ${days(one.promised_lead_time)}${one.lead_time_deviation === null ? "" : `, ± ${number(one.lead_time_deviation, 1)}`}`)]);
const answers = (one) => [["short", one.confirmed_short], ["late", one.confirmed_late], ["dearer", one.dearer], ["cancelled", one.cancelled]].filter(([, lines]) => lines).map(([name, lines]) => `${number(lines, 0)} ${name}`).join(", ") || "as ordered";

const filters = urlFilters(["days"], () => { draw(); table.reload(); });
const table = pagedTable({
  label: "Suppliers", noun: "supplier", read: () => get(withQuery("/v1/suppliers", filters.read())), filters: filters.read, clear: filters.clear,
  isFiltered: () => false,
  emptyState: () => empty("No order went to a supplier yet", "A supplier appears here with its first released order; its marks begin with the first receipt.", h("a.btn.p", { href: "/queue" }, "Open the queue")),
  onCount: (sentence) => { byId("suppliers-count").textContent = sentence; },
  columns: [
    { title: "Supplier", cell: (one) => [h("a", { href: `/orders?q=${encodeURIComponent(one.supplier)}` }, h("b", {}, one.name ?? one.supplier)), h("small", {}, one.supplier)] },
    { title: "On time, in full", numeric: true, cell: (one) => share(one.otif) },
    { title: "On time", numeric: true, cell: (one) => percent(one.in_time) },
    { title: "In full", numeric: true, cell: (one) => percent(one.in_full) },
    { title: "Units filled", numeric: true, cell: (one) => percent(one.fill_rate, 1) },
    { title: "Lead time", numeric: true, cell: drift },
    { title: "Its answers", cell: answers },
    { title: "Lines", numeric: true, cell: (one) => [number(one.lines, 0), h("small", {}, `${number(one.received, 0)} received`)] },
    { title: "Ordered", numeric: true, cell: (one) => money(one.value) },
  ],
});

const bar = h("div.filters", { role: "group", "aria-label": "Period" });
function draw() {
  const now = filters.read().days;
  bar.replaceChildren(...PERIODS.map(([value, label]) => h("button.chip", { type: "button", "aria-pressed": String(now === value), onclick: () => filters.write({ days: value }) }, label)), h("span.end", { id: "suppliers-count" }));
}

byId("page").replaceChildren(h("div.head", {}, h("div", {}, h("h1", {}, "Suppliers"), h("p.sub", {}, "What each kept of its promises: dates and quantities as ordered against what came."))), bar, table.frame);
draw();
await Promise.all([start(), table.reload()]);
