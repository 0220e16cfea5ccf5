// One product in one place: the same argument as in the queue's panel, with room to breathe.
import { get } from "../api.js";
import { byId, h } from "../dom.js";
import { count, money, quantity, words } from "../format.js";
import { ask, evidence, facts, openExceptions, pastDecisions, pictures, steps } from "../item/sections.js";
import { asOf } from "../item/as-of.js";
import { comments } from "../item/comments.js";
import { whatIf } from "../item/whatif.js";
import { term } from "../glossary.js";
import * as live from "../live.js";
import { start } from "../shell.js";
import { failed } from "../states.js";

const page = byId("page");
const { sku, location: place } = page.dataset;

function terms(item) {
  const rows = [["Supplier", item.supplier_name ?? item.supplier], ["Lead time", item.lead_time_days === null || item.lead_time_days === undefined ? null : count(item.lead_time_days, "day")], ["Pack", item.pack ? quantity(item.pack, item.unit) : null], ["Minimum order", item.moq ? quantity(item.moq, item.unit) : null], ["Unit cost", item.unit_cost ? money(item.unit_cost, item.currency) : null], ["Price", item.price ? money(item.price, item.currency) : null], ["Shelf life", item.shelf_life_days ? count(item.shelf_life_days, "day") : null], ["Category", [item.department, item.category].filter(Boolean).join(" · ")], ["Class", item.item_class ?? item.abc_class], ["Time zone", item.time_zone]].filter(([, value]) => value);
  return h("section.card", {}, h("div.part", {}, h("h3", {}, "Terms"), h("dl.kv.flat", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, term(name)), h("dd", {}, value)]))));
}

function orders(position, unit) {
  const list = position?.open_orders ?? [];
  if (!list.length) return null;
  return h("div.part", {}, h("h3", {}, "On order"), h("ul.past", {}, ...list.map((order) => h("li", {}, h("span", {}, order.order_id), h("b", {}, `${quantity(order.quantity, unit)}, ${order.expected_on ?? "no date"}`)))));
}

let shown; // the item as last read
let past; // made once: an answer somebody reads stays while the page is drawn anew

async function draw() {
  try {
    const detail = await get(`/v1/items/${encodeURIComponent(sku)}/${encodeURIComponent(place)}`);
    shown = detail;
    const { item, line } = detail;
    const isProposed = line && line.status !== "withheld";
    document.title = `${item.item_name ?? sku} · Countersign`;
    const isWaiting = line && ["pending", "awaiting_second", "snoozed"].includes(line.status);
    const action = isProposed && !detail.withheld_reason ? ask(line) : h("div.ask", {}, h("p", {}, detail.withheld_reason ? ["No order is proposed: ", h("b", {}, detail.withheld_reason.label ?? words(detail.withheld_reason.code)), ". ", detail.withheld_says] : "No order is proposed for this item."));
    page.replaceChildren(
      h("div.head", {}, h("div", {}, h("h1", {}, item.item_name ?? sku), h("p.sub", {}, `SKU ${sku} · ${item.location_name ?? place}${item.brand ? ` · ${item.brand}` : ""}`)), h("div.stats", {}, isWaiting ? h("a.btn.p", { href: `/queue?line=${encodeURIComponent(line.recommendation_id)}` }, "Decide in the queue") : null)),
      action,
      h("div.item-grid", {},
        h("div.stack", {}, h("h2.sr", {}, "Stock, demand and reasoning"), facts(detail, line), h("section.card", { id: "pictures" })),
        h("div.stack", {}, ...[steps(detail.steps, detail.position), whatIf(detail, line), openExceptions(detail.exceptions), orders(detail.position, item.unit), pastDecisions(detail.past_decisions, item.unit, item.time_zone), past ??= asOf(() => shown), comments(detail.comments, line), evidence(detail.evidence, line)].filter(Boolean).map((part) => h("section.card", {}, part)), terms(item))));
    const frame = byId("pictures");
    const paint = () => frame.replaceChildren(pictures(detail, line, Math.max(300, frame.clientWidth - 32)));
    paint();
    let width = frame.clientWidth;
    new ResizeObserver(() => { if (Math.abs(frame.clientWidth - width) > 24) { width = frame.clientWidth; paint(); } }).observe(frame);
  } catch (problem) {
    const title = problem.status === 404 ? "This item is not known here" : "The item could not be read";
    page.replaceChildren(h("h1", {}, `SKU ${sku}, ${place}`), failed(title, problem, problem.status === 404 ? null : draw), h("p.muted", {}, h("a", { href: `/items?q=${encodeURIComponent(sku)}` }, `Search for ${sku} in all locations`)));
  }
  page.setAttribute("aria-busy", "false");
}

page.setAttribute("aria-busy", "true");
page.replaceChildren(h("h1", {}, `SKU ${sku}`), h("p.muted", {}, "Reading the item …"));
for (const kind of ["recommendation", "decision"]) live.on(kind, (event) => { if (event.sku === sku && event.location === place && !page.contains(document.activeElement)) draw(); });
await Promise.all([start(), draw()]);
if (location.hash === "#comments") byId("comments")?.scrollIntoView();
