// Exceptions: what a person has to look at, most money first, each with the place where it can be remedied.
import { byId, h } from "../dom.js";
import { day, money, words } from "../format.js";
import * as live from "../live.js";
import { start } from "../shell.js";
import { empty } from "../states.js";
import { pagedTable, urlFilters } from "../table.js";

const TONES = { stockout_risk: "b", supplier_late: "w", supplier_short: "w", unresolved_identity: "w", missing_master_data: "w", anomaly: "a" };

/** What to do, and where on screen it can be done. */
function remedy(entry) {
  if (entry.status === "resolved") return h("span.muted", {}, `Resolved ${day(entry.resolved_on)}`, entry.resolved_message ? h("small", {}, entry.resolved_message) : null);
  const place = entry.sku && entry.location ? h("a", { href: `/items/${encodeURIComponent(entry.sku)}/${encodeURIComponent(entry.location)}` }, "Open item") : entry.supplier ? h("a", { href: `/queue?supplier=${encodeURIComponent(entry.supplier)}` }, "Lines of supplier") : null;
  return [entry.remedy ? h("span.block", {}, entry.remedy) : null, place];
}

const filters = urlFilters(["status", "kind"], () => { draw(); table.reload(); });
const table = pagedTable({
  label: "Exceptions", noun: "exception", path: "/v1/exceptions",
  filters: () => ({ ...filters.read(), status: filters.read().status || "open" }), clear: filters.clear,
  isFiltered: () => Object.values(filters.read()).some(Boolean),
  emptyState: () => empty("Nothing out of the ordinary", "No stock-out risk, anomaly, late supplier or missing master data waits for a person.", h("a.btn", { href: "/queue" }, "Open the queue")),
  onCount: (sentence) => { byId("exceptions-count").textContent = sentence; },
  columns: [
    { title: "What happened", cell: (entry) => [h("b", {}, entry.item_name ?? entry.subject ?? entry.sku ?? ""), h("small", {}, entry.message)] },
    { title: "Kind", cell: (entry) => h(`span.tag${TONES[entry.kind] ? `.${TONES[entry.kind]}` : ""}`, {}, entry.kind_label ?? words(entry.kind)) },
    { title: "At stake", numeric: true, cell: (entry) => (Number(entry.money_at_stake) > 0 ? money(entry.money_at_stake, entry.currency) : "–") },
    { title: "Owner", cell: (entry) => entry.owner ?? h("span.faint", {}, "nobody yet") },
    { title: "Since", numeric: true, cell: (entry) => day(entry.raised_on) },
    { title: "Remedy", cell: remedy },
  ],
});

const KINDS = ["stockout_risk", "overstock", "anomaly", "unresolved_identity", "supplier_late", "supplier_short", "missing_master_data"];
const bar = h("div.filters", { role: "group", "aria-label": "Filters" });
function draw() {
  const now = filters.read();
  bar.replaceChildren(
    ...[["", "Open"], ["resolved", "Resolved"], ["all", "All"]].map(([status, label]) => h("button.chip", { type: "button", "aria-pressed": String(now.status === status), onclick: () => filters.write({ status }) }, label)),
    h("select", { "aria-label": "Kind", onchange: (event) => filters.write({ kind: event.target.value }) }, h("option", { value: "" }, "Any kind"), ...KINDS.map((kind) => h("option", { value: kind, selected: now.kind === kind }, words(kind)))),
    h("span.end", { id: "exceptions-count" }));
}

byId("page").replaceChildren(h("div.head", {}, h("div", {}, h("h1", {}, "Exceptions"), h("p.sub", {}, "What the plan could not settle by itself. One subject and kind is one line, however often it is seen."))), bar, table.frame);
draw();
live.on("exception", () => { if (!table.frame.contains(document.activeElement)) table.reload(); });
await Promise.all([start(), table.reload()]);
