// Items: every product in every place, what the plan did about it, and why not when it did nothing.
import { byId, h } from "../dom.js";
import { day, money, number, words } from "../format.js";
import { start } from "../shell.js";
import { empty } from "../states.js";
import { pagedTable, searchField, urlFilters } from "../table.js";

const STATUS = { pending: ["w", "Waiting"], awaiting_second: ["w", "Second signature"], snoozed: ["a", "Snoozed"], approved: ["g", "Approved"], by_rule: ["g", "Approved by rule"], amended: ["g", "Amended"], released: ["g", "Sent"], rejected: ["", "Rejected"] };

function plan(item) {
  if (item.withheld_reason) return h("span.muted", { title: item.withheld_says }, item.withheld_reason.label ?? words(item.withheld_reason.code));
  if (!item.status) return h("span.faint", {}, "not planned yet");
  const [tone, label] = STATUS[item.status] ?? ["", words(item.status)];
  return h("span.nowrap", {}, h(`span.tag${tone ? `.${tone}` : ""}`, {}, label), item.quantity ? ` ${number(item.quantity)}` : "");
}

const filters = urlFilters(["q", "location", "supplier", "category"], () => { draw(); table.reload(); });
const table = pagedTable({
  label: "Items", noun: "item", path: "/v1/items", filters: filters.read, clear: filters.clear,
  isFiltered: () => Object.values(filters.read()).some(Boolean),
  emptyState: () => empty("No item is known yet", "Items appear when the catalogue arrives: through the import command, the API, or the catalogue topic."),
  onCount: (sentence) => { byId("items-count").textContent = sentence; },
  columns: [
    { title: "Item, location", cell: (item) => h("a", { href: `/items/${encodeURIComponent(item.sku)}/${encodeURIComponent(item.location)}` }, h("b", {}, item.item_name ?? item.sku), h("small", {}, `${item.location_name ?? item.location} · ${item.sku}`)) },
    { title: "Category", cell: (item) => [item.category ?? "–", item.abc_class ? h("small", {}, `class ${item.abc_class}`) : null] },
    { title: "Supplier", cell: (item) => item.supplier_name ?? item.supplier ?? "–" },
    { title: "On hand", numeric: true, cell: (item) => number(item.on_hand) },
    { title: "Days of cover", numeric: true, cell: (item) => number(item.days_of_cover, 1) },
    { title: "Plan", cell: plan },
    { title: "Value", numeric: true, cell: (item) => (item.value ? money(item.value, item.currency) : "–") },
    { title: "As of", numeric: true, cell: (item) => day(item.business_date, { weekday: false }) },
  ],
});

const bar = h("div.filters", { role: "group", "aria-label": "Filters" });
function draw() {
  const now = filters.read();
  const search = byId("page-search");
  const narrowed = ["location", "supplier", "category"].filter((name) => now[name]);
  bar.replaceChildren(search ?? searchField("Name, SKU or location", now.q, (q) => filters.write({ q })), ...narrowed.map((name) => h("button.chip", { type: "button", "aria-pressed": "true", onclick: () => filters.write({ [name]: "" }) }, `${words(name)}: ${now[name]} ×`)), h("span.end", { id: "items-count" }));
  if (search && document.activeElement !== search) search.value = now.q;
}

byId("page").replaceChildren(h("div.head", {}, h("div", {}, h("h1", {}, "Items"), h("p.sub", {}, "Every product in every place. An item without an order says why."))), bar, table.frame);
draw();
await Promise.all([start(), table.reload()]);
