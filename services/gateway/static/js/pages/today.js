// Today: the numbers that matter and the work that waits, most money first.
import { announce } from "../announce.js";
import { get, post, withQuery } from "../api.js";
import { byId, h } from "../dom.js";
import { count, day, instant, money, number, percent, quantity, utc, wholeMoney } from "../format.js";
import { reasonTag } from "../item/sections.js";
import * as live from "../live.js";
import { start } from "../shell.js";
import { spaced } from "../spaced.js";
import { empty, failed } from "../states.js";
import { firstTour } from "../tour.js";
import { when } from "../when.js";

const LINES = 10;
const ASKED = 5; // comments shown; the count beside the title is of all that were not seen
const tour = firstTour();
const page = byId("page");

const tile = (href, label, figure, note) => h(href ? "a" : "div", href ? { href } : {}, h("span.label", {}, label), h("span.figure", {}, figure), h("span.note", {}, note));

function figures(status, summary) {
  const currency = summary.currency;
  return h("div.tiles", {},
    tile("/queue", "Waiting for a signature", number(summary.waiting, 0), `${wholeMoney(summary.proposed_value, currency)} proposed`),
    tile("/queue", "Margin at risk", wholeMoney(summary.margin_at_risk, currency), "if none of it is ordered"),
    tile("/queue?status=by_rule", "Approved by rule", number(summary.by_rule_today ?? null, 0), "today, inside your limits"),
    tile("/exceptions", "Open exceptions", number(status.counts?.exceptions ?? null, 0), "need a person"),
    tile("/orders", "Orders on their way", number(status.counts?.orders_open ?? null, 0), "not yet received"));
}

function lineRow(line) {
  return h("li", {}, h("a", { href: `/queue?line=${encodeURIComponent(line.recommendation_id)}` },
    h("span", {}, h("b", {}, line.item_name ?? line.sku), h("small", {}, `${line.location_name ?? line.location} · ${quantity(line.quantity, line.unit)} · ${money(line.value, line.currency)}`)),
    h("span.n", {}, h("b", {}, Number(line.margin_at_risk) > 0 ? `${money(line.margin_at_risk, line.currency)} at risk` : ""), line.stock_out_on ? h("small", {}, `empty ${day(line.stock_out_on)}${line.stock_out_probability !== null ? `, ${percent(line.stock_out_probability)} likely` : ""}`) : line.reasons?.[0] ? reasonTag(line.reasons[0]) : null)));
}

function work(lines, summary) {
  if (!lines.items.length) return h("section.card", {}, h("header", {}, h("h2", {}, "Waiting for you")), empty("All clear", "Nothing waits for a signature. The next lines come when the next business day closes."));
  return h("section.card", {}, h("header", {}, h("h2", {}, "Most money at risk"), h("a", { href: "/queue" }, `Open all ${number(summary.waiting, 0)}`)), h("ul.list", {}, ...lines.items.map(lineRow)));
}

const small = (title, rows, none) => h("section.card", {}, h("header", {}, h("h2", {}, title)), rows.length ? h("ul.list.thin", {}, ...rows) : h("p.quiet", {}, none));
const thin = (href, words, figure) => h("li", {}, h("a", { href }, h("span", {}, words), h("span.n", {}, figure)));

/** Comments that name this person: they lead to the item, where the line, its argument and the whole talk are. */
function asked(mentions) {
  if (!mentions.items.length) return null;
  const seen = (one) => post(`/v1/mentions/${encodeURIComponent(one.comment_id)}/seen`, undefined, { keepalive: true });
  const row = (one) => h("li.named", {}, h("a", { onclick: () => { seen(one).catch(() => null); }, href: `/items/${encodeURIComponent(one.sku)}/${encodeURIComponent(one.location)}#comments` }, h("span", {}, h("b", {}, one.by), h("span.block", {}, one.text), h("small", {}, `${one.item_name ?? one.sku} · ${one.location_name ?? one.location}`)), h("span.n", {}, h("small", {}, when(one.at, one.location)))), h("button.btn.small", { type: "button", "aria-label": `Seen: ${one.by}, ${one.item_name ?? one.sku}`, onclick: () => seen(one).then(drawPage, (problem) => announce(problem.detail)) }, "Seen"));
  const more = mentions.items.length > ASKED ? h("p.quiet", {}, `and ${count(mentions.items.length - ASKED, "more comment")}`) : null;
  return h("section.card", {}, h("header", {}, h("h2", {}, "You are asked for"), h("span.tag.a", {}, number(mentions.items.length, 0))), h("ul.list.thin", {}, ...mentions.items.slice(0, ASKED).map(row)), more);
}

function sides(summary, exceptions, status, mentions) {
  const suppliers = (summary.by_supplier ?? []).filter((each) => each.count).sort((a, b) => Number(b.value) - Number(a.value)).slice(0, 6);
  const run = status.last_run;
  return h("div.stack", {}, asked(mentions),
    small("Why you are asked", (summary.by_reason ?? []).map((each) => thin(`/queue?reason=${encodeURIComponent(each.code)}`, each.label, number(each.count, 0))), "No line needs a person now."),
    small("By supplier", suppliers.map((each) => thin(`/queue?supplier=${encodeURIComponent(each.supplier ?? "")}`, `${each.supplier_name ?? each.supplier} · ${count(each.count, "line")}`, wholeMoney(each.value, summary.currency))), "No supplier has lines waiting."),
    small("Exceptions", exceptions.items.map((each) => thin("/exceptions", `${each.kind_label ?? each.kind}${each.item_name ? ` · ${each.item_name}` : ""}`, each.money_at_stake ? wholeMoney(each.money_at_stake, each.currency ?? summary.currency) : "")), "Nothing is out of the ordinary."),
    h("section.card", {}, h("header", {}, h("h2", {}, "How fresh this is")), h("dl.kv", {},
      h("dt", {}, "This view"), h("dd", {}, status.read_model?.lag_records ? `${count(status.read_model.lag_records, "event")} behind` : "up to date"),
      h("dt", {}, "Last plan"), h("dd", { title: utc(run?.finished_at) }, run ? `${day(run.business_date)} · ${count(run.items ?? 0, "item")}, ${number(run.proposed ?? null, 0)} proposed` : "none yet"),
      h("dt", {}, "Audit log"), h("dd", {}, status.checkpoint ? h("a", { href: "/audit", title: utc(status.checkpoint.signed_at) }, `${count(status.checkpoint.size, "entry", "entries")} signed, ${instant(status.checkpoint.signed_at, null, { date: false })}`) : "not signed yet"),
      h("dt", {}, "Business days"), h("dd", {}, (status.locations ?? []).length ? closes(status.locations) : "no location has closed a day yet"))));
}

/** Locations that stand on the same business day are one line. */
function closes(locations) {
  const byDay = new Map();
  for (const each of locations) byDay.set(each.business_date, [...(byDay.get(each.business_date) ?? []), each.location_name ?? each.location]);
  return [...byDay].sort(([a], [b]) => (a < b ? 1 : -1)).map(([date, names]) => h("div", {}, `${day(date, { year: true })}: ${names.length > 4 ? count(names.length, "location") : names.join(", ")}`));
}

async function drawPage() {
  try {
    const [status, summary, lines, exceptions, mentions] = await Promise.all([get("/v1/status"), get("/v1/recommendations/summary"), get(withQuery("/v1/recommendations", { limit: LINES })), get("/v1/exceptions?status=open&limit=5"), get("/v1/mentions?unseen=true&limit=100")]);
    const head = h("div.head", {}, h("div", {}, h("h1", {}, "Today"), h("p.sub", {}, status.business_date ? `Business day ${day(status.business_date, { year: true })} is closed and planned from.` : "No business day has closed yet, so nothing is planned.")), h("div.stats", {}, summary.waiting ? h("a.btn.p", { href: "/queue" }, "Start reviewing") : null));
    page.replaceChildren(head, tour, figures(status, summary), h("div.split", {}, work(lines, summary), sides(summary, exceptions, status, mentions)));
  } catch (problem) {
    page.replaceChildren(h("h1", {}, "Today"), failed("Today's numbers could not be read", problem, drawPage));
  }
  page.setAttribute("aria-busy", "false");
}

const soon = spaced(() => { if (!page.contains(document.activeElement)) drawPage(); }, 1500, 5000);
for (const kind of ["recommendation", "decision", "comment", "order", "exception", "changed", "reset", "polled"]) live.on(kind, soon);

page.setAttribute("aria-busy", "true");
page.replaceChildren(h("h1", {}, "Today"), h("div.tiles", {}, ...Array.from({ length: 5 }, () => h("div", {}, h("span.skeleton"), h("span.figure", {}, h("span.skeleton"))))));
await Promise.all([start(), drawPage()]);
