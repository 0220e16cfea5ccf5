// The dialogs of data problems: look at the bytes, say what a code means, correct an event, drop with a reason.
import { get, post, withQuery } from "../api.js";
import { open } from "../dialog.js";
import { h } from "../dom.js";
import { instant, words } from "../format.js";

const pretty = (body) => { try { return JSON.stringify(JSON.parse(body), null, 2); } catch { return body; } };
const fact = (name, value) => [h("dt", {}, name), h("dd", {}, value ?? h("span.faint", {}, "not readable"))];
const bytes = (body) => h("pre.json", { tabindex: 0, role: "region", "aria-label": "Original content" }, pretty(body) || "(nothing)");
const field = (id, label, control, hint) => h("div.field", {}, h("label", { for: id }, label), control, hint ? h("span.hint", {}, hint) : null);
const buttons = (finish, yes) => h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, "Cancel"), h("button.btn.p", { type: "submit" }, yes));

/** Send what a form says; a refusal stays in the dialog beside what was typed. */
function form(finish, send, ...children) {
  const trouble = h("p.trouble", { role: "alert", hidden: true });
  const element = h("form", {
    method: "dialog",
    onsubmit: async (event) => {
      event.preventDefault();
      const submit = element.querySelector("[type=submit]");
      submit.disabled = true;
      try {
        finish(await send(new FormData(element)));
      } catch (problem) {
        trouble.textContent = [problem.detail ?? problem.message, ...(problem.errors ?? []).map((one) => `${one.field}: ${one.reason}`)].join(" ");
        trouble.hidden = false;
      } finally {
        submit.disabled = false;
      }
    },
  }, ...children, trouble);
  return element;
}

/** Everything about one dead letter. */
export const look = (letter) => open("Dead letter", (finish, id) => [
  h("div.body", {}, h("h2", { id }, words(letter.code)), h("p.lead", {}, letter.detail),
    h("dl.kv.flat", {}, ...fact("Held by", letter.service), ...fact("Where", `${letter.topic}, partition ${letter.partition}, offset ${letter.offset}`), ...fact("Event", letter.event_id), ...fact("From", letter.source), ...fact("Type", letter.type), ...fact("Tries", String(letter.attempts)),
      ...(letter.settled_by ? fact("Settled", `${letter.state} by ${letter.settled_by}, ${instant(letter.settled_at)}: ${letter.settled_reason}`) : [])),
    h("h3", {}, "Content as it came"), bytes(letter.body)),
  h("div.buttons", {}, h("button.btn.p", { type: "button", autofocus: true, onclick: () => finish(null) }, "Close")),
], { wide: true });

/** The events that wait under a key, in their order. */
export async function lookAtKey(key) {
  const { items } = await get(withQuery("/v1/parked/events", { record_key: key.record_key, limit: 50 }));
  await open("Waiting events", (finish, id) => [
    h("div.body", {}, h("h2", { id }, "Waiting events"), h("p.lead", {}, `${key.waiting} wait under ${key.record_key}, in this order${items.length < key.waiting ? `; the first ${items.length} are shown` : ""}.`),
      ...items.map((event) => h("section.part", {}, h("h3", {}, `${event.type} from ${event.source}`), h("p.muted", {}, `${words(event.reason)}, since ${instant(event.parked_at)}`), bytes(event.body)))),
    h("div.buttons", {}, h("button.btn.p", { type: "button", autofocus: true, onclick: () => finish(null) }, "Close")),
  ], { wide: true });
}

const SCHEMES = [["gtin", "GTIN (barcode)"], ["supplier_code", "supplier's code"], ["legacy_code", "code of another or older system"], ["own_code", "own code, merged"]];
const SUBJECTS = { item: "an item", location: "a location", channel: "a channel", purchase_order: "a purchase order", commitment: "a customer commitment" };
const HINTS = { item: "Our own code; type part of its name.", purchase_order: "The order as it was released here; those of the location are offered.", commitment: "The commitment as its reservation or backorder named it; type its beginning." };
const REFERENCES = ["purchase_order", "commitment"]; // what events make; a barcode never names one

/** The codes of the first waiting event, by what they are of; and which of them nobody knows (else the first). */
async function codesOf(key) {
  const { sku, location, channel, order_id: order, commitment_id: commitment, business_date: day } = JSON.parse(key.body);
  // A movement that names an order is booked: only an answer waits for the order itself, and for nothing else.
  const sent = key.reason === "unknown_order" ? { purchase_order: order } : { item: sku, location, channel, commitment };
  const codes = Object.fromEntries(Object.entries(sent).filter(([, code]) => code));
  const known = await Promise.all(Object.entries(codes).map(([subject, code]) => get(withQuery(`/v1/names/${subject}/${encodeURIComponent(code)}`, { on: day })).then(({ target }) => [subject, target], () => [subject, code])));
  return { codes, location, day, unknown: known.find(([, target]) => !target)?.[0] ?? Object.keys(codes)[0] };
}

/** What a code may stand for, as far as there is a list of it: [own code, in words]. */
async function meantBy(subject, text, { location, day }) {
  if (subject === "item" && text.length >= 2) return (await get(withQuery("/v1/items", { q: text, limit: 8 }))).items.map((item) => [item.sku, item.item_name]);
  if (subject === "purchase_order") return (await get(withQuery("/v1/orders", { location, limit: 50 }))).items.map((order) => [order.order_id, `${order.supplier_name ?? order.supplier ?? order.kind}, ${words(order.status)}, to arrive ${order.arrive_on}`]);
  if (subject === "commitment" && text) return (await get(withQuery(`/v1/names/commitment/${encodeURIComponent(text)}`, { on: day }))).alike.map((code) => [code, ""]);
  return [];
}

/** Say what an unknown code stands for; resolves with the alias that was kept. */
export async function nameIt(key) {
  const event = await codesOf(key);
  const { codes, unknown } = event;
  return open("Say what a code means", (finish, id) => {
    const supplier = field(`${id}-supplier`, "Supplier", h("input", { id: `${id}-supplier`, name: "supplier", maxlength: 64 }));
    supplier.hidden = true;
    const code = h("input", { id: `${id}-code`, name: "code", value: codes[unknown], required: true, maxlength: 64 });
    const subject = h("select", { id: `${id}-subject`, name: "subject", onchange: () => { code.value = codes[subject.value]; offer(); } }, ...Object.keys(codes).map((one) => h("option", { value: one, selected: one === unknown }, SUBJECTS[one])));
    const scheme = h("select", { id: `${id}-scheme`, name: "scheme", onchange: () => { supplier.hidden = scheme.value !== "supplier_code"; } });
    const found = h("datalist", { id: `${id}-found` });
    const suggest = async (text) => {
      const offered = await meantBy(subject.value, text, event).catch(() => []);
      found.replaceChildren(...[...new Map(offered).entries()].map(([value, name]) => h("option", { value }, name)));
    };
    const offer = () => {
      const isBarcode = /^\d{8,14}$/.test(code.value) && subject.value === "item";
      scheme.replaceChildren(...SCHEMES.filter(([value]) => value !== "gtin" || !REFERENCES.includes(subject.value)).map(([value, label]) => h("option", { value, selected: value === (isBarcode ? "gtin" : "legacy_code") }, label)));
      hint.textContent = HINTS[subject.value] ?? "Our own code.";
      supplier.hidden = true;
      suggest("");
    };
    const hint = h("span");
    offer();
    let timer = 0;
    const target = h("input", { id: `${id}-target`, name: "target", list: `${id}-found`, required: true, maxlength: 64, autofocus: true, autocomplete: "off", oninput: (event) => { clearTimeout(timer); timer = setTimeout(() => suggest(event.target.value.trim()), 200); } });
    return [form(finish, (said) => {
      const alias = { subject: said.get("subject"), scheme: said.get("scheme"), code: said.get("code").trim(), target: said.get("target").trim() };
      if (alias.scheme === "supplier_code") alias.supplier = said.get("supplier").trim();
      if (said.get("valid_from")) alias.valid_from = said.get("valid_from");
      return post("/v1/aliases", alias);
    },
      h("div.body", {}, h("h2", { id }, "Say what a code means"), h("p.lead", {}, `${key.waiting} ${key.waiting === 1 ? "event waits" : "events wait"} under this key. Once the code has a meaning, what waits is booked in its order. It is kept under your name.`),
        field(`${id}-subject`, "The code is that of", subject), field(`${id}-code`, "Code", code), field(`${id}-scheme`, "It is a", scheme), supplier,
        field(`${id}-target`, "It stands for", target, hint), found,
        field(`${id}-from`, "From business day", h("input", { id: `${id}-from`, name: "valid_from", type: "date" }), "Empty: always.")),
      buttons(finish, "Keep and let them flow"))];
  });
}

/** Why something is taken out; resolves with the reason or null. */
export const askWhy = (title, lead) => open(title, (finish, id) => [form(finish, async (said) => said.get("reason").trim(),
  h("div.body", {}, h("h2", { id }, title), h("p.lead", {}, lead), field(`${id}-reason`, "Reason", h("input", { id: `${id}-reason`, name: "reason", required: true, maxlength: 200, autofocus: true, autocomplete: "off" }), "It is kept in the audit log with your name.")),
  buttons(finish, "Drop for good"))]);

/** Correct an event and send it again; resolves with its new id. */
export const correct = (letter) => open("Correct and send again", (finish, id) => [form(finish, (said) => {
  let data;
  try { data = JSON.parse(said.get("data")); } catch (error) { throw new Error(`The content is not JSON: ${error.message}`); }
  return post(`/v1/dead-letters/${letter.service}/${letter.letter_id}/correction`, { type: said.get("type").trim(), time: said.get("time").trim(), data, reason: said.get("reason").trim() });
},
  h("div.body", {}, h("h2", { id }, "Correct and send again"), h("p.lead", {}, `${letter.detail}. The corrected event is counted once, however often it is sent; the letters of the original are settled.`),
    field(`${id}-type`, "Type", h("input", { id: `${id}-type`, name: "type", value: letter.type ?? "", required: true, maxlength: 100 })),
    field(`${id}-time`, "Time", h("input", { id: `${id}-time`, name: "time", value: letter.time ?? "", required: true, maxlength: 40 })),
    field(`${id}-data`, "Content", h("textarea.mono", { id: `${id}-data`, name: "data", rows: 12, spellcheck: "false", autofocus: true, value: pretty(letter.body) }), letter.field ? `The fault is at ${letter.field}.` : ""),
    field(`${id}-reason`, "What was wrong", h("input", { id: `${id}-reason`, name: "reason", required: true, maxlength: 120, autocomplete: "off" }), "It is kept in the audit log with your name.")),
  buttons(finish, "Send corrected"))], { wide: true });
