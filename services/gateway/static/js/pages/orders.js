// Orders: what was released, how far it has come, and who allowed each line.
import { toast } from "../announce.js";
import { get, withQuery } from "../api.js";
import { open } from "../dialog.js";
import { byId, h } from "../dom.js";
import { count, day, money, number, quantity, shortId, words } from "../format.js";
import { start } from "../shell.js";
import { empty, notice } from "../states.js";
import { pagedTable, searchField, urlFilters } from "../table.js";
import { when } from "../when.js";

const STAGES = ["released", "acknowledged", "confirmed", "shipped", "received"];
const TONES = { received: "g", failed: "b", cancelled: "", confirmed: "g" };
const KINDS = { purchase: "Purchase", purchase_order: "Purchase", transfer: "Transfer", allocation: "Allocation", change: "Change", cancel: "Cancellation" };

function state(order) {
  const reached = STAGES.indexOf(order.status);
  const stopped = ["failed", "cancelled"].includes(order.status);
  return h("div.flow", {}, ...STAGES.map((_, index) => h(`i${stopped ? (order.status === "failed" ? ".bad" : "") : index <= reached ? ".on" : ""}`, { "aria-hidden": "true" })), h(`span.tag${TONES[order.status] ? `.${TONES[order.status]}` : ""}`, {}, words(order.status)));
}

const CHANGES = { change: "changed by", cancel: "cancelled by" };
const ENDINGS = { open: ["", "Open"], received: ["g", "Received"], short: ["w", "Short"], cancelled: ["", "Cancelled"], failed: ["b", "Failed"], agreed: ["g", "Agreed"] };

/** How a line ended, with the quantities where they differ from what was ordered. */
function ending(line) {
  const [tone, title] = ENDINGS[line.ending];
  const came = line.received_quantity === null ? "" : `${number(line.received_quantity)} came`;
  const agreed = line.expected_quantity === line.quantity ? "" : `${number(line.expected_quantity)} agreed`;
  return [h(`span.tag${tone ? `.${tone}` : ""}`, {}, title), h("small", {}, [agreed, came].filter(Boolean).join(", "))];
}

/** The order day its lines were proposed for, when that was over before they were released: it explains a later arrival. */
const missed = (order) => (order.missed_order_on ? `missed the order day ${day(order.missed_order_on)}` : "");

/** The order that this one changes, and those that change this one: each a way to the other. */
function related(order, finish) {
  const link = (id) => h("button.link", { type: "button", title: id, onclick: () => { finish(null); show({ order_id: id }); } }, shortId(id));
  const ties = (order.changed_by ?? []).map((change) => h("li", {}, h("span", {}, `${words(CHANGES[change.kind] ?? change.kind)} `, link(change.order_id)), h("b", {}, words(change.status))));
  if (order.changes_order) ties.unshift(h("li", {}, h("span", {}, order.kind === "cancel" ? "Cancels " : "Changes ", link(order.changes_order)), h("b", {}, "")));
  return ties.length ? h("section.part", {}, h("h3", {}, "Belongs to"), h("ul.past", {}, ...ties)) : null;
}

const SUPPLIER_KINDS = ["purchase_order", "change", "cancel"];

/** The order as a file for who reads no Kafka: the formats of suppliers only for what goes to one. */
function papers(order) {
  const formats = [...(SUPPLIER_KINDS.includes(order.kind) && order.supplier ? [["ubl", "UBL 2.1 (XML)"], ["x12", order.changes_order ? "X12 860" : "X12 850"]] : []), ["csv", "CSV"]];
  return h("section.part", {}, h("h3", {}, "Download"), h("div.filters", { role: "group", "aria-label": "Formats" }, ...formats.map(([format, title]) => h("a.chip", { href: withQuery(`/v1/orders/${encodeURIComponent(order.order_id)}/document`, { format }), download: "" }, title))));
}

async function show(summary) {
  let order = summary;
  let trouble = null;
  try { order = await get(`/v1/orders/${encodeURIComponent(summary.order_id)}`); } catch (problem) { trouble = problem; }
  if (!order.kind) { toast(`Order ${shortId(order.order_id)} could not be read. ${trouble.detail}`, { seconds: 8 }); return; }
  const lines = (order.lines ?? []).map((line) => h("tr", {}, h("th", { scope: "row" }, h("b", {}, line.item_name ?? line.sku), h("small", {}, line.sku)), h("td.n", {}, quantity(line.quantity, line.unit)), h("td.n", {}, money(line.unit_cost, order.currency)), h("td", {}, ...ending(line)), h("td", {}, h("a", { href: `/audit?subject=${encodeURIComponent(line.recommendation_id)}` }, "in the log"))));
  const updates = (order.updates ?? []).map((update) => h("li", {}, h("span", {}, when(update.at, order.location), ` · ${words(update.kind)}`), h("b", {}, update.note ?? "")));
  await open("Order", (finish, id) => [
    h("div.body", {}, h("h2", { id }, `${KINDS[order.kind] ?? words(order.kind)} ${order.order_id}`), h("p.lead", {}, `${order.supplier_name ?? order.supplier ?? order.from_location ?? "Internal"} to ${order.location_name ?? order.location}, ${money(order.value, order.currency)}, expected ${day(order.expected_on)}`), order.missed_order_on ? notice("warn", `It ${missed(order)}.`, `Its lines were released after that order day was over, so they went out as an order of ${day(order.order_on)}.`) : null, trouble ? notice("warn", "Not all of it could be read.", trouble.detail) : null, state(order), related(order, finish),
      h("section.part", {}, h("h3", {}, "Lines"), h("div.table-scroll", { tabindex: 0, role: "region", "aria-label": "Lines" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Item"), h("th.n", { scope: "col" }, "Quantity"), h("th.n", { scope: "col" }, "Unit cost"), h("th", { scope: "col" }, "How it ended"), h("th", { scope: "col" }, "Decision"))), h("tbody", {}, ...lines)))),
      h("section.part", {}, h("h3", {}, "What came back"), updates.length ? h("ul.past", {}, ...updates) : h("p.muted", {}, "The other side has not answered yet.")), papers(order)),
    h("div.buttons", {}, h("a.btn", { href: `/audit?subject=${encodeURIComponent(order.order_id)}` }, "In the audit log"), h("button.btn.p", { type: "button", autofocus: true, onclick: () => finish(null) }, "Close")),
  ], { wide: true });
}

const filters = urlFilters(["q", "status"], () => { draw(); table.reload(); });
const table = pagedTable({
  label: "Orders", noun: "order", path: "/v1/orders", filters: filters.read, clear: filters.clear,
  isFiltered: () => Object.values(filters.read()).some(Boolean),
  emptyState: () => empty("No order has been released", "An order appears here when its lines are approved and the undo window is over.", h("a.btn.p", { href: "/queue" }, "Open the queue")),
  onCount: (sentence) => { byId("orders-count").textContent = sentence; },
  columns: [
    { title: "Order", cell: (order) => [h("button.link", { type: "button", title: order.order_id, onclick: () => show(order) }, shortId(order.order_id)), h("small", {}, `${KINDS[order.kind] ?? words(order.kind)}${order.changes_order ? ` of ${shortId(order.changes_order)}` : ""}${order.changed_by?.length ? ` · ${order.changed_by.map((change) => `${CHANGES[change.kind] ?? change.kind} ${shortId(change.order_id)}`).join(", ")}` : ""}`)] },
    { title: "Supplier, destination", cell: (order) => [h("b", {}, order.supplier_name ?? order.supplier ?? order.from_location ?? "Internal"), h("small", {}, order.location_name ?? order.location)] },
    { title: "State", cell: state },
    { title: "Lines", numeric: true, cell: (order) => number(order.line_count, 0) },
    { title: "Value", numeric: true, cell: (order) => money(order.value, order.currency) },
    { title: "Expected", numeric: true, cell: (order) => [h("span", {}, day(order.expected_on)), order.missed_order_on ? h("small", {}, missed(order)) : null] },
    { title: "Released", numeric: true, cell: (order) => when(order.released_at, order.location) },
  ],
});

const STATUSES = ["", ...STAGES, "failed", "cancelled"];
const bar = h("div.filters", { role: "group", "aria-label": "Filters" });
function draw() {
  const now = filters.read();
  const search = byId("page-search");
  bar.replaceChildren(search ?? searchField("Order, item or supplier", now.q, (q) => filters.write({ q })), ...STATUSES.map((status) => h("button.chip", { type: "button", "aria-pressed": String(now.status === status), onclick: () => filters.write({ status }) }, status ? words(status) : "All")), h("a.chip", { href: withQuery("/v1/orders.csv", now), download: "orders.csv" }, "CSV"), h("span.end", { id: "orders-count" }));
}

byId("page").replaceChildren(h("div.head", {}, h("div", {}, h("h1", {}, "Orders"), h("p.sub", {}, `What was countersigned and sent, and how far it has come: ${STAGES.join(", ")}.`))), bar, table.frame);
draw();
await Promise.all([start(), table.reload()]);
