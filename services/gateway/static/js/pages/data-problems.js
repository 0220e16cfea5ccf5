// Data problems: events that wait for a name and events nobody could read, each with what can be done about it.
import { announce } from "../announce.js";
import { post, whoAmI } from "../api.js";
import { askWhy, correct, look, lookAtKey, nameIt } from "../data-problems/mend.js";
import { byId, h } from "../dom.js";
import { count, instant, utc, words } from "../format.js";
import { start } from "../shell.js";
import { empty, notice } from "../states.js";
import { pagedTable, urlFilters } from "../table.js";

const session = await whoAmI();
const canMend = session.can?.includes("mend");
const told = h("div");
const say = (title, sentence, tone = "") => { told.replaceChildren(notice(tone, title, sentence)); announce(`${title} ${sentence}`); };
const chosen = new Map();
const since = (at) => h("span", { title: utc(at) }, instant(at));
const button = (label, run, title = "") => h("button.btn", { type: "button", title, onclick: run }, label);
const isLetters = () => filters.read().view === "letters";
const reload = () => (isLetters() ? letters : keys).reload();

/** Do something, then show the list as it is afterwards; a refusal is said, not swallowed. */
async function act(work) {
  try {
    const sentence = await work();
    if (sentence === null) return;
    say("Done.", sentence);
    chosen.clear();
    await reload();
  } catch (problem) {
    say("That did not work.", problem.detail ?? problem.message, "warn");
  }
  draw();
}

const OUTCOMES = { replayed: "handled now", died_again: "failed again", dropped: "dropped", settled_before: "settled before", unknown: "not there any more" };
const tally = (items) => Object.entries(Object.groupBy(items, (one) => one.outcome)).map(([outcome, ones]) => `${ones.length} ${OUTCOMES[outcome]}`).join(", ");
const named = (letter) => ({ service: letter.service, letter_id: letter.letter_id });
const replay = (some) => act(async () => `${tally((await post("/v1/dead-letters:replay", { letters: some.map(named) })).items)}.`);
const drop = (some) => act(async () => {
  const reason = await askWhy("Drop dead letters", `${count(some.length, "dead letter")} will be taken out for good. Their bytes stay where they are.`);
  return reason && `${tally((await post("/v1/dead-letters:drop", { letters: some.map(named), reason })).items)}.`;
});
const mend = (letter) => act(async () => { const done = await correct(letter); return done && `The corrected event is ${done.event_id}.`; });

const name = (key) => act(async () => { const done = await nameIt(key); return done && `${done.code} stands for ${done.target}; what waited for it is booked within moments.`; });
const again = (key) => act(async () => {
  const { handled, waiting } = await post("/v1/parked:release", { record_key: key.record_key });
  return `${handled.policy ?? 0} handled, ${waiting.policy ?? 0} still wait.`;
});
const dropKey = (key) => act(async () => {
  const reason = await askWhy("Drop waiting events", `All ${key.waiting} events that wait under ${key.record_key} will be taken out for good, at every service.`);
  return reason && `${Object.values((await post("/v1/parked:drop", { record_key: key.record_key, reason })).dropped)[0]} dropped.`;
});

const REASONS = { unknown_identity: "code unknown", ambiguous_identity: "code has several meanings", behind_an_earlier_event: "behind an earlier event", unknown_order: "order unknown", unknown_commitment: "customer commitment unknown" };
const filters = urlFilters(["view", "state"], () => { chosen.clear(); draw(); reload(); });

/** What waits, as sent: an item at a location (by its record key), or an answer by its order. */
function asSent({ record_key: key, reason }) {
  const [, sku, location] = key.split("/");
  if (reason === "unknown_order") return [h("b", {}, key), h("small", {}, "an order never released here")];
  return [h("b", {}, sku || location), h("small", {}, sku ? `at ${location}` : "the whole location")];
}

const keys = pagedTable({
  label: "Waiting for a name", noun: "key", path: "/v1/parked", filters: () => ({}), isFiltered: () => false, clear: filters.clear,
  emptyState: () => empty("No event waits for a name", "Every code of every sale and movement is known.", h("a.btn", { href: "/data-problems?view=letters" }, "Look at unreadable events")),
  onCount: (sentence) => { byId("problems-count").textContent = sentence; },
  columns: [
    { title: "As sent", cell: asSent },
    { title: "Why", cell: (key) => h("span.tag.w", {}, REASONS[key.reason] ?? words(key.reason)) },
    { title: "Waiting", numeric: true, cell: (key) => String(key.waiting) },
    { title: "First from", cell: (key) => [key.source, h("small", {}, key.type)] },
    { title: "Since", numeric: true, cell: (key) => since(key.parked_at) },
    { title: "Do", cell: (key) => h("div.actions", {}, button("Look", () => act(async () => { await lookAtKey(key); return null; })), canMend ? [button("Say what it means", () => name(key)), button("Try again", () => again(key)), button("Drop", () => dropKey(key))] : null) },
  ],
});

const idOf = (letter) => `${letter.service}/${letter.letter_id}`;
const letters = pagedTable({
  label: "Could not be handled", noun: "dead letter", path: "/v1/dead-letters", filters: () => ({ state: filters.read().state || "waiting" }), isFiltered: () => Boolean(filters.read().state), clear: () => filters.write({ state: "" }),
  emptyState: () => empty("No event was unreadable", "What POS, WMS and ERP sent could be handled by every service."),
  onCount: (sentence) => { byId("problems-count").textContent = sentence; },
  columns: [
    { title: "What is wrong", cell: (letter) => h("div.pick", {}, canMend && letter.state === "waiting" ? h("input", { type: "checkbox", "aria-label": `Choose ${letter.code} at ${letter.service}`, onchange: (event) => { if (event.target.checked) chosen.set(idOf(letter), letter); else chosen.delete(idOf(letter)); draw(); } }) : null, h("div", {}, h("b", {}, words(letter.code)), h("small", {}, letter.detail))) },
    { title: "Event", cell: (letter) => [letter.type ?? h("span.faint", {}, "unknown"), h("small", {}, [letter.source, letter.event_id].filter(Boolean).join(" · "))] },
    { title: "Where", cell: (letter) => [letter.service, h("small.mono", {}, `${letter.topic}/${letter.partition}/${letter.offset}`)] },
    { title: "Since", numeric: true, cell: (letter) => since(letter.died_at) },
    { title: "Do", cell: (letter) => h("div.actions", {}, button("Look", () => look(letter)), canMend && letter.state === "waiting" ? [button("Correct", () => mend(letter)), button("Replay", () => replay([letter])), button("Drop", () => drop([letter]))] : null) },
  ],
});

const bar = h("div.filters", { role: "group", "aria-label": "Filters" });
const place = h("div");
function draw() {
  const { view, state } = filters.read();
  const chip = (label, values, isOn) => h("button.chip", { type: "button", "aria-pressed": String(isOn), onclick: () => filters.write(values) }, label);
  const some = [...chosen.values()];
  bar.replaceChildren(
    chip("Waiting for a name", { view: "", state: "" }, view !== "letters"), chip("Could not be handled", { view: "letters" }, view === "letters"),
    ...(view === "letters" ? [["", "Open"], ["replayed", "Replayed"], ["dropped", "Dropped"]].map(([value, label]) => chip(label, { state: value }, state === value)) : []),
    ...(some.length ? [button(`Replay ${some.length}`, () => replay(some)), button(`Drop ${some.length}`, () => drop(some))] : []),
    h("span.end", { id: "problems-count" }));
  place.replaceChildren(view === "letters" ? letters.frame : keys.frame);
}

byId("page").replaceChildren(h("div.head", {}, h("div", {}, h("h1", {}, "Data problems"), h("p.sub", {}, "Events that could not be booked. Nothing is guessed: they change no number until somebody says what they mean."))), told, bar, place);
draw();
await Promise.all([start(), reload()]);
