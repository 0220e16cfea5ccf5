// Scenarios: the signals that count, within which bounds, which lines they moved and by how much, and the plan without one.
import { announce, toast } from "../announce.js";
import { get, post, whoAmI } from "../api.js";
import { open } from "../dialog.js";
import { byId, h } from "../dom.js";
import { count, day, money, number, plusDays, quantity, utc, words } from "../format.js";
import { isToldHere, kindWord, saying } from "../item/signals.js";
import * as live from "../live.js";
import { effectBox } from "../policy/effect.js";
import { field, refusalWords, table } from "../policy/governing.js";
import { start } from "../shell.js";
import { empty, failed } from "../states.js";

const page = byId("page");
const closing = h("button.btn", { type: "button", id: "closing", hidden: true, onclick: () => askClosing() }, "Tell of closed doors");
const head = h("div.head", {}, h("div", {}, h("h1", {}, "Scenarios"), h("p.sub", {}, "What is told about the days ahead, how far it may move the plan, and what it did to it.")), h("div.stats", {}, closing));
let mayTell = false;
const STATES = { active: ["g", "Under way"], coming: ["a", "Coming"], over: ["", "Over"] };
const path = (signal, what) => `/v1/scenarios/${encodeURIComponent(signal.signal_id)}/${what}`;
const scopeWords = (scope) => Object.entries(scope).map(([name, value]) => `${name === "sku" ? "SKU" : words(name).toLowerCase()} ${value}`).join(", ") || "everything";
const signed = (value, write) => (Number(value) > 0 ? `+${write(value)}` : write(value));

function did(signal) {
  if (signal.advisory) return h("span.faint", {}, "advisory: moves no plan");
  if (!signal.lines) return h("span.faint", {}, "touches no open line");
  const money_ = Number(signal.value_added) === 0 ? "" : `, ${signed(signal.value_added, (value) => money(value, signal.currency))}`;
  return [h("b", {}, `${number(signal.lines_changed, 0)} of ${count(signal.lines, "line")} changed`), h("small", {}, `${signed(signal.units_added, (value) => number(value))} units${money_}`)];
}

async function ask(title, read, draw) {
  const box = h("div", { "aria-live": "polite" }, h("p.muted", {}, "Asking the policy service …"));
  const shown = open(title, (finish, id) => [h("div.body", {}, h("h2", { id }, title), box), h("div.buttons", {}, h("button.btn", { type: "button", autofocus: true, onclick: () => finish(null) }, "Close"))], { wide: true });
  try {
    box.replaceChildren(...draw(await read()));
  } catch (problem) {
    box.replaceChildren(h("p.err", {}, refusalWords(problem)));
  }
  return shown;
}

/** Draw until the policy service knows what was told: it reads it from the log, a moment later. */
async function shown({ signal_id, active }, looks = 8) {
  const signals = await draw();
  if (signals?.some((one) => one.signal_id === signal_id && one.is_closing === active) || looks === 0) return;
  await new Promise((again) => { setTimeout(again, 700); });
  await shown({ signal_id, active }, looks - 1);
}

async function tellClosing(body) {
  try {
    const told = await post("/v1/closings", body);
    toast(told.active ? `Told. Forecasts of ${body.location} are made anew with these days shut.` : "Taken back. Its forecasts are made anew.", { seconds: 10 });
    await shown(told);
  } catch (problem) {
    toast(refusalWords(problem), { seconds: 14 });
    announce(refusalWords(problem));
  }
}

/** A closed day nobody can read from the history: fitting out, a strike, a local holiday; past ones are kept out of training. */
async function askClosing() {
  const { locations = [], business_date: today } = await get("/v1/status");
  const told = await open("Tell of closed doors", (finish, id) => {
    const next = today ? plusDays(today, 1) : new Date().toISOString().slice(0, 10);
    const place = h("select", { id: `${id}-place`, required: true, autofocus: true }, ...locations.map((one) => h("option", { value: one.location }, one.location_name ?? one.location)));
    const [first, last, note] = [h("input", { id: `${id}-first`, type: "date", required: true, value: next, oninput: () => { if (last.value < first.value) last.value = first.value; } }), h("input", { id: `${id}-last`, type: "date", required: true, value: next }), h("input", { id: `${id}-note`, maxlength: 200 })];
    return [h("form", { method: "dialog", onsubmit: (event) => { event.preventDefault(); finish({ location: place.value, first_on: first.value, last_on: last.value, ...(note.value.trim() && { note: note.value.trim() }) }); } },
      h("div.body", {}, h("h2", { id }, "Tell of closed doors"), h("p.lead", {}, "For days on which a location sells nothing because it is shut: fitting out, a strike, a local holiday. They are forecast as zero; past ones are kept out of what models learn."),
        field(place.id, "Location", place), h("div.two", {}, field(first.id, "First day", first), field(last.id, "Last day", last)), field(note.id, "Note", note)),
      h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, "Cancel"), h("button.btn.p", { type: "submit", disabled: !locations.length }, "Tell")))];
  });
  if (told) await tellClosing(told);
}

function movedLines({ items, total }) {
  if (!items.length) return [h("p.muted", {}, "No open line has this signal in its evidence.")];
  const rows = items.map((one) => [h("a", { href: `/queue?line=${encodeURIComponent(one.recommendation_id)}` }, `${one.name ?? one.sku} · ${one.location}`), quantity(one.quantity_without), h("b", {}, quantity(one.quantity)), `${number(one.reorder_point_without, 1)} → ${number(one.reorder_point, 1)}`]);
  return [h("p.lead", {}, `From the evidence of ${count(total, "open line")}, those it moved most first.`), table("Lines this signal moved", ["Line", "Without it", "With it", "Reorder point"], rows)];
}

function acts(signal) {
  if (signal.advisory) return "";
  const name = `${kindWord(signal)} ${signal.signal_id}`;
  return h("span.acts", {},
    h("button.btn.small", { type: "button", disabled: !signal.lines, "aria-label": `Lines of ${name}`, onclick: () => ask(`Lines moved by ${name}`, () => get(path(signal, "lines")), movedLines) }, "Lines"),
    mayTell && signal.is_closing && isToldHere(signal) ? h("button.btn.small", { type: "button", "aria-label": `Take back ${name}`, onclick: () => tellClosing({ location: signal.scope.location, first_on: signal.first_on, last_on: signal.last_on, active: false }) }, "Take back") : null,
    h("button.btn.small", { type: "button", disabled: signal.state === "over", "aria-label": `Plan without ${name}`, onclick: () => ask(`The plan without ${name}`, () => post(path(signal, "without")), (effect) => [h("p.lead", {}, "Planned twice by the policy service on the newest stock and forecasts. Nothing is kept or changed."), effectBox(effect)]) }, "Plan without it"));
}

const row = (signal) => [[h("b", {}, kindWord(signal)), h("small", {}, signal.signal_id)], scopeWords(signal.scope), [h("span", {}, saying(signal))], [h("span", { title: `${utc(signal.starts_at)} to ${utc(signal.ends_at)}` }, signal.first_on === signal.last_on ? day(signal.first_on, { year: true }) : `${day(signal.first_on, { weekday: false })} to ${day(signal.last_on, { weekday: false, year: true })}`), h("span.block", {}, h(`span.tag${STATES[signal.state][0] ? `.${STATES[signal.state][0]}` : ""}`, {}, STATES[signal.state][1]))], did(signal), acts(signal)];

function strategies(list) {
  const rows = list.map((one) => [h("b", {}, words(one.kind)), one.moves === "lead_time" ? "lead time" : "demand", Object.entries(one.bounds).map(([name, value]) => `${name.includes("target") ? "reorder point at most" : name.endsWith("_min") ? "at least" : "at most"} × ${number(value, 2)}`).join("; ")]);
  return h("section.card", {}, h("header", {}, h("h2", {}, "How far a signal may move the plan"), h("a", { href: "/policy" }, "Change in Policy")), h("p.quiet", {}, "Signals of other kinds (promotion, price change) are taken at their word. Every line with an active signal goes to a person."), table("Strategies", ["Signal", "Moves", "Bounds"], rows));
}

async function draw() {
  try {
    const { business_date: today, signals, strategies: bounds } = await get("/v1/scenarios");
    const moving = signals.filter((one) => !one.advisory);
    const sensed = signals.filter((one) => one.advisory);
    const heads = ["Signal", "About", "Says", "Days", "Did to open lines", "Look"];
    const none = today ? empty("No signal is told", `Nobody told of a promotion, disruption or event from ${day(plusDays(today, -28), { weekday: false })} on. Signals come in as events (signal.observed.v1), with a scope, a strength, a start and an end; here they show what they do.`) : empty("No business day is known yet", "Signals are judged by the business date; the first one comes with the first closed day or forecast.");
    page.replaceChildren(head, h("div.stack", {}, ...[
      h("section.card", {}, h("header", {}, h("h2", {}, "Signals"), today ? h("span.muted", {}, `business day ${day(today)}`) : null), moving.length ? table("Signals", heads, moving.map(row)) : none),
      sensed.length ? h("section.card", {}, h("header", {}, h("h2", {}, "What live sensing sees")), h("p.quiet", {}, "Advisory: it is shown and opens exceptions, and moves no plan by itself."), table("Sensed signals", heads.slice(0, 5), sensed.map((one) => row(one).slice(0, 5)))) : null,
      strategies(bounds),
    ].filter(Boolean)));
    return signals;
  } catch (problem) {
    page.replaceChildren(head, failed("The scenarios could not be read", problem, draw));
    return null;
  } finally {
    page.setAttribute("aria-busy", "false");
  }
}

page.setAttribute("aria-busy", "true");
page.replaceChildren(head, h("p.muted", {}, "Reading the signals …"));
live.on("changed", () => { if (!page.contains(document.activeElement)) draw(); });
mayTell = Boolean((await whoAmI()).can?.includes("decide"));
closing.hidden = !mayTell;
await Promise.all([start(), draw()]);
if (location.hash === "#closing" && mayTell) await askClosing();
