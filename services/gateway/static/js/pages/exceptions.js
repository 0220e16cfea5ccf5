// Exceptions: what a person has to look at, most money first, each with the place where it can be remedied.
import { toast } from "../announce.js";
import { get, withQuery } from "../api.js";
import { byId, h } from "../dom.js";
import { count, day, money, number, words } from "../format.js";
import { openRemedy } from "../item/remedy.js";
import * as live from "../live.js";
import { start } from "../shell.js";
import { empty } from "../states.js";
import { pagedTable, urlFilters } from "../table.js";

const TONES = { stockout_risk: "b", supplier_late: "w", supplier_short: "w", unresolved_identity: "w", missing_master_data: "w", anomaly: "a" };

function remedy(entry) {
  if (entry.status === "resolved") return h("span.muted", {}, `Resolved ${day(entry.resolved_on)}`, entry.resolved_message ? h("small", {}, entry.resolved_message) : null);
  const act = async () => { if (await openRemedy(entry)) { toast("Countersigned. The exception closes once the plan has seen it.", { seconds: 8 }); table.reload(); } };
  return [entry.remedy ? h("span.block", {}, entry.remedy) : null, h("button.btn.small", { type: "button", "aria-label": `Remedy for ${entry.item_name ?? entry.subject}`, onclick: act }, "Remedy")];
}

/** Until when it is to be settled: in words where it is too late, never by colour alone. */
const due = (entry) => (entry.status === "resolved" ? "" : entry.overdue ? h("span.tag.b", {}, `Overdue since ${day(entry.due_on, { weekday: false })}`) : `by ${day(entry.due_on)}`);

/** As many as a person can settle in a day, unless all of them are asked for. */
async function read(asked) {
  const { rest, ...query } = asked;
  const isDay = !rest && query.status === "open";
  const answer = await get(withQuery("/v1/exceptions", { ...query, day: isDay ? "true" : "", cursor: isDay ? "" : query.cursor }));
  const left = isDay ? answer.total - answer.items.length : 0;
  more.replaceChildren(...(left > 0 ? [`A day's work: the ${number(answer.items.length, 0)} worth most of ${count(answer.total, "open exception")}. `, h("button.link", { type: "button", onclick: () => filters.write({ rest: "1" }) }, `Show the other ${number(left, 0)} too`)] : rest ? [h("button.link", { type: "button", onclick: () => filters.write({ rest: "" }) }, `Back to a day's work (${number(answer.cap, 0)})`)] : []));
  more.hidden = !more.childNodes.length;
  return answer;
}

const more = h("p.muted", { role: "status", hidden: true });
const filters = urlFilters(["status", "kind", "owner", "rest"], () => { draw(); table.reload(); });
const table = pagedTable({
  label: "Exceptions", noun: "exception", read,
  filters: () => ({ ...filters.read(), status: filters.read().status || "open" }), clear: filters.clear,
  isFiltered: () => Object.values(filters.read()).some(Boolean),
  emptyState: () => empty("Nothing out of the ordinary", "No stock-out risk, anomaly, late supplier or missing master data waits for a person.", h("a.btn", { href: "/queue" }, "Open the queue")),
  onCount: (sentence) => { byId("exceptions-count").textContent = sentence; },
  columns: [
    { title: "What happened", cell: (entry) => [h("b", {}, entry.item_name ?? entry.subject ?? entry.sku ?? ""), h("small", {}, entry.message)] },
    { title: "Kind", cell: (entry) => h(`span.tag${TONES[entry.kind] ? `.${TONES[entry.kind]}` : ""}`, {}, entry.kind_label ?? words(entry.kind)) },
    { title: "At stake", numeric: true, cell: (entry) => (Number(entry.money_at_stake) > 0 ? money(entry.money_at_stake, entry.currency) : "–") },
    { title: "Owner", cell: (entry) => entry.owner ?? h("span.faint", {}, "nobody yet") },
    { title: "To be settled", cell: due },
    { title: "Since", numeric: true, cell: (entry) => day(entry.raised_on) },
    { title: "Remedy", cell: remedy },
  ],
});

const KINDS = ["stockout_risk", "overstock", "anomaly", "unresolved_identity", "supplier_late", "supplier_short", "supplier_price", "missing_master_data", "model_drift", "audit_conflict"];
const bar = h("div.filters", { role: "group", "aria-label": "Filters" });
function draw() {
  const now = filters.read();
  bar.replaceChildren(
    ...[["", "Open"], ["resolved", "Resolved"], ["all", "All"]].map(([status, label]) => h("button.chip", { type: "button", "aria-pressed": String(now.status === status), onclick: () => filters.write({ status }) }, label)),
    h("button.chip", { type: "button", "aria-pressed": String(now.owner === document.body.dataset.subject), onclick: () => filters.write({ owner: now.owner ? "" : document.body.dataset.subject }) }, "Mine"),
    h("select", { "aria-label": "Kind", onchange: (event) => filters.write({ kind: event.target.value }) }, h("option", { value: "" }, "Any kind"), ...KINDS.map((kind) => h("option", { value: kind, selected: now.kind === kind }, words(kind)))),
    h("span.end", { id: "exceptions-count" }));
}

byId("page").replaceChildren(h("div.head", {}, h("div", {}, h("h1", {}, "Exceptions"), h("p.sub", {}, "What the plan could not settle by itself. One subject and kind is one line, however often it is seen."))), bar, more, table.frame);
draw();
live.on("exception", () => { if (!table.frame.contains(document.activeElement)) table.reload(); });
await Promise.all([start(), table.reload()]);
