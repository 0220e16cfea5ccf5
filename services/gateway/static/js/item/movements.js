// The events behind a stock number: every movement of the ledger, newest first, each with what it left on the shelf.
import { get, withQuery } from "../api.js";
import { h } from "../dom.js";
import { number, shortId, words } from "../format.js";
import { when } from "../when.js";

const row = (location) => (one) => h("tr", {}, h("th.nowrap", { scope: "row" }, when(one.occurred_at, location)), h("td", {}, words(one.kind), one.order_id ? h("small", {}, ` order ${one.order_id}`) : null), h("td.n", {}, number(one.quantity)), h("td.n", {}, number(one.on_hand)), h("td.mono.nowrap", { title: one.event_hash }, shortId(one.event_hash)));

/** Closed until asked for; more are read page by page from the policy service's own ledger. */
export function movements(position) {
  const list = position?.movements ?? [];
  if (!list.length) return null;
  const body = h("tbody", {}, ...list.map(row(position.location)));
  const more = h("div.more", {});
  const offer = (before) => more.replaceChildren(...(before ? [h("button.btn.small", { type: "button", onclick: () => read(before) }, "Earlier events")] : []));
  async function read(before) {
    try {
      const answer = await get(withQuery(`/v1/items/${encodeURIComponent(position.sku)}/${encodeURIComponent(position.location)}/movements`, { before }));
      body.append(...answer.movements.map(row(position.location)));
      offer(answer.next_before);
    } catch (problem) {
      more.replaceChildren(h("span.muted", {}, problem.detail));
    }
  }
  offer(position.next_before);
  return h("details.data", {}, h("summary", {}, `Newest stock events behind “on hand” (${number(list.length, 0)})`), h("div.table-scroll", { tabindex: 0, role: "region", "aria-label": "Stock events" }, h("table", { "aria-label": "Stock events" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "When"), h("th", { scope: "col" }, "What"), h("th.n", { scope: "col" }, "Units"), h("th.n", { scope: "col" }, "On hand"), h("th", { scope: "col" }, "Event"))), body), more), h("a", { href: `/audit?subject=${encodeURIComponent(`${position.sku}/${position.location}`)}` }, "All events of this item in the audit log"));
}
