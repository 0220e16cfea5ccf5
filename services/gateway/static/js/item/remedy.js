// The remedy where the exception is seen: the line that would settle it, to be signed on the spot, or the place that can.
import { announce, toast } from "../announce.js";
import { get, intentKey, post, whoAmI } from "../api.js";
import { open } from "../dialog.js";
import { h } from "../dom.js";
import { failed } from "../states.js";
import { ask, facts } from "./sections.js";
import { whatIf } from "./whatif.js";

const isWaiting = (line) => line && ["pending", "awaiting_second"].includes(line.status);

/** What to do about an exception that no line settles, and where. */
function elsewhere(entry) {
  if (entry.kind === "unresolved_identity") return h("a.btn", { href: "/data-problems" }, "Name the code");
  if (entry.kind === "anomaly") return h("a.btn", { href: "/forecasts?tab=overrides" }, "Say what you know of the demand");
  if (entry.kind === "model_drift") return h("a.btn", { href: "/forecasts?tab=models" }, "Look at the models");
  if (entry.supplier) return h("a.btn", { href: `/queue?supplier=${encodeURIComponent(entry.supplier)}` }, "Lines of this supplier");
  return null;
}

async function item(entry, finish) {
  const detail = await get(`/v1/items/${encodeURIComponent(entry.sku)}/${encodeURIComponent(entry.location)}`);
  const line = isWaiting(detail.line) ? detail.line : null;
  const may = (await whoAmI()).can?.includes("decide");
  const key = intentKey();
  const sign = async (event) => {
    event.target.disabled = true;
    try {
      await post(`/v1/recommendations/${encodeURIComponent(line.recommendation_id)}/decisions`, { verdict: "approve" }, { headers: { "If-Match": line.etag, "Idempotency-Key": key } });
      finish("signed");
    } catch (problem) {
      event.target.disabled = false;
      toast(`Not recorded. ${problem.detail}`, { seconds: 12 });
      announce(problem.detail);
    }
  };
  return [line ? ask(line) : h("p.muted", {}, detail.withheld_says ?? "No order waits for this item."), facts(detail, line), whatIf(detail, line),
    h("p.acts", {}, line && may ? h("button.btn.p", { type: "button", onclick: sign }, "Countersign") : null, line ? h("a.btn", { href: `/queue?line=${encodeURIComponent(line.recommendation_id)}` }, "Amend in the queue") : null, h("a.btn", { href: `/items/${encodeURIComponent(entry.sku)}/${encodeURIComponent(entry.location)}` }, "Whole item"))];
}

/** Open the remedy of an exception. Resolves true when a line was signed. */
export async function openRemedy(entry) {
  const title = entry.item_name ?? entry.subject;
  const box = h("div", {}, h("p.muted", {}, "Reading what can be done …"));
  let close;
  const shown = open(title, (finish, id) => {
    close = finish;
    const way = elsewhere(entry);
    return [h("div.body", {}, h("h2", { id }, title), h("p.lead", {}, entry.message), h("p", {}, h("b", {}, entry.remedy)), box, way ? h("p.acts", {}, way) : null), h("div.buttons", {}, h("button.btn", { type: "button", autofocus: true, onclick: () => finish(null) }, "Close"))];
  }, { wide: true });
  if (entry.sku && entry.location) {
    try {
      box.replaceChildren(...(await item(entry, close)));
    } catch (problem) {
      box.replaceChildren(failed("The item could not be read", problem));
    }
  } else box.replaceChildren();
  return (await shown) === "signed";
}
