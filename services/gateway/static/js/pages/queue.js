// The queue: the list, the panel beside it, the keys, and what arrives live.
import { alarm, announce, toast } from "../announce.js";
import { get, standsAt, withQuery } from "../api.js";
import { confirm } from "../dialog.js";
import { byId, h } from "../dom.js";
import { begun, draftOf, keepDraft } from "../drafts.js";
import { count, day, money, number, total, wholeMoney } from "../format.js";
import { showGlossary, term } from "../glossary.js";
import { command } from "../keys.js";
import * as live from "../live.js";
import { COLUMNS, DIRECTIONS, drawGroup, drawWaiting, LineRow } from "../queue/columns.js";
import { Decider } from "../queue/decide.js";
import { Elsewhere } from "../queue/elsewhere.js";
import { askReject, askSnooze } from "../queue/questions.js";
import { Filters } from "../queue/filters.js";
import { drawFootOf } from "../queue/foot.js";
import { Grid } from "../queue/grid.js";
import { decided, isOpen, isSignedByMe, isWaiting, Lines } from "../queue/lines.js";
import { Panel } from "../queue/panel.js";
import { csvLink, editsFromCsv } from "../queue/sheet.js";
import { Stale } from "../queue/stale.js";
import { viewControls } from "../queue/views.js";
import { readOnlyBecause, start, status } from "../shell.js";
import { spaced } from "../spaced.js";
import { empty, failed, noResults } from "../states.js";

const ROW_HEIGHT = 52;
const CALM_MS = 400; // several events at once become one question to the API
const SPACE_MS = 3000; // while events flow without end, totals three seconds old will do
const soonSummary = spaced(() => loadSummary(), CALM_MS, SPACE_MS);

const lines = new Lines(draftOf("selection", "queue") ?? "");
addEventListener("pagehide", () => keepDraft("selection", "queue", lines.keeps || null)); // also when a session ended
const frame = byId("grid-frame");
let session = null;
let summary = null;
let sought = null; // the line of the address, while it is not among those that are loaded
const fresh = new Set(); // recommendations that arrived since the list was loaded
const can = () => Boolean(session?.can?.includes("decide"));

const filters = new Filters(byId("chips"), () => narrow());
const grid = new Grid({
  label: "Recommendations", columns: COLUMNS, rowHeight: ROW_HEIGHT,
  source: { count: () => lines.entries.length, draw },
  on: { explain: showGlossary, activate: moved, open: openLine, toggle, sort: (name) => filters.set({ sort: name === filters.values.sort || name === "risk" ? "" : name }) },
});
const decider = new Decider(lines, { changed: redraw, settled: soonSummary, show: goTo });
const stale = new Stale(lines, redraw);
const elsewhere = new Elsewhere();
const panel = new Panel(byId("panel"), {
  approve, reject, snooze, undo: () => decider.undo(), canDecide: can, reasons: (verdict) => decider.reasonsFor(verdict),
  amend: (quantity, reason) => decideOne("amend", { quantity, reason }), leave: () => grid.focus(),
});

function draw(index, face) {
  const entry = lines.entries[index];
  if (!entry || entry.kind === "waiting") return drawWaiting();
  if (entry.kind === "group") {
    const members = entry.ids.map((id) => lines.byId.get(id));
    const terms = summary?.by_supplier?.find((each) => each.supplier === entry.supplier);
    const [minimum, truck] = [Number(terms?.minimum_order_value ?? 0), Number(terms?.truck_volume_m3 ?? 0)];
    const open = members.filter(isOpen);
    return drawGroup(entry, members, { isSelected: open.length > 0 && open.every((line) => lines.selected.has(line.line_id)), minimum, truck });
  }
  stale.see(entry.id);
  return (face ?? new LineRow()).show(lines.byId.get(entry.id), { isSelected: lines.selected.has(entry.id), today: status?.business_date });
}

function goTo(id) {
  const index = lines.indexOf(id);
  if (index >= 0) grid.activate(index, { focus: true });
}

const activeLine = () => lines.at(grid.active);

function follow() {
  const line = activeLine();
  panel.show(line);
  filters.point(sought ?? line?.line_id); // the line's own name: by tomorrow it may have a fresher recommendation
  drawFoot();
}

/** The person went somewhere: a line that was still looked for is not jumped to any more. */
function moved() {
  sought = null;
  follow();
}

function redraw(id) {
  const index = lines.indexOf(id);
  if (index >= 0) grid.refreshRow(index);
  if (lines.grouped) grid.refresh();
  if (activeLine()?.line_id === id) panel.show(lines.byId.get(id), { again: true });
  drawFoot();
}

function openLine(index, { byMouse = false } = {}) {
  const entry = lines.entries[index];
  if (entry?.kind === "group") { toggle(index); return; }
  panel.show(activeLine());
  if (byMouse && !panel.isOverlay) return;
  if (panel.isOverlay) panel.open();
  else panel.scroll.focus();
}

function toggle(index, on) {
  const entry = lines.entries[index];
  if (!entry || entry.kind === "waiting") return;
  if (entry.kind === "group") {
    const open = entry.ids.filter((id) => isOpen(lines.byId.get(id)));
    const all = on ?? !open.every((id) => lines.selected.has(id));
    for (const id of open) lines.toggle(id, all);
    grid.refresh();
  } else {
    lines.toggle(entry.id, on);
    grid.refreshRow(index);
    if (lines.grouped) grid.refresh();
  }
  announce(`${count(lines.selected.size, "line")} selected`);
  drawFoot();
}

/* Loading ------------------------------------------------------------------------------------------------------- */

function showState(box) {
  frame.replaceChildren(box);
  panel.show(null);
  byId("foot").hidden = true;
}

function layOut() {
  lines.grouped = filters.values.group === "supplier";
  grid.sortedBy(filters.values.sort || "risk", DIRECTIONS);
}

/** Show the first lines there are, and stand on the one that is wanted, else on the first. */
function showLines(keep) {
  frame.setAttribute("aria-busy", "false");
  if (!lines.order.length) { showState(nothing()); return; }
  if (!grid.element.isConnected) { frame.replaceChildren(grid.element); grid.measure(); }
  byId("foot").hidden = false;
  const wanted = keep ?? new URLSearchParams(location.search).get("line");
  const at = wanted ? lines.indexOf(lines.keyOf(wanted) ?? wanted) : -1;
  sought = at < 0 && !lines.isComplete ? wanted : null;
  grid.active = Math.max(0, at >= 0 ? at : firstLine());
  grid.refresh();
  grid.activate(grid.active, { tell: false });
  follow();
  announce(`${count(lines.total, "line")}${lines.isComplete && lines.selected.size ? `. ${count(lines.selected.size, "line")} ${lines.selected.size === 1 ? "is" : "are"} still selected.` : ""}`);
}

/** Other filters: out of the lines that are here, when they hold all that fit; the totals come from the API. */
function narrow() {
  layOut();
  if (!lines.narrow(filters.query())) { load(); return; }
  showLines();
  filters.draw();
  loadSummary();
}

async function load({ keep = null } = {}) {
  fresh.clear();
  layOut();
  frame.setAttribute("aria-busy", "true");
  if (!lines.entries.length) { lines.entries = Array.from({ length: 12 }, () => ({ kind: "waiting" })); }
  if (!grid.element.isConnected) { frame.replaceChildren(grid.element); grid.measure(); }
  grid.refresh();
  loadSummary();
  try {
    await lines.load(filters.query(), (isFirst) => {
      if (isFirst) { showLines(keep); return; }
      grid.refresh();
      drawFoot();
      const at = sought ? lines.indexOf(lines.keyOf(sought) ?? sought) : -1;
      if (at >= 0) { sought = null; grid.activate(at); }
    });
    if (sought) moved(); // it is in no list any more
  } catch (problem) {
    frame.setAttribute("aria-busy", "false");
    if (!lines.order.length) { lines.entries = []; showState(failed("The queue could not be read", problem, () => load())); }
  }
}

const firstLine = () => lines.entries.findIndex((entry) => entry.kind === "line");

function nothing() {
  if (filters.isNarrowed) return noResults("No line fits these filters. Others may be waiting.", () => filters.clear());
  if (filters.values.status) return empty("No such lines", "Nothing has this status now.", h("button.btn", { type: "button", onclick: () => filters.set({ status: "" }) }, "Show what is waiting"));
  const run = status?.last_run;
  return empty("All clear", run ? `Nothing waits for a signature. The last plan, for ${day(run.business_date)}, looked at ${count(run.items ?? 0, "item")}; the next one runs when the next business day closes.` : "Nothing waits for a signature. No plan has run yet: the first one runs when a location closes its business day.", h("a.btn", { href: "/orders" }, "See the orders"), h("a.btn", { href: "/items" }, "See why items were not ordered"));
}

let summed = ""; // the question that the summary answers
async function loadSummary() {
  const asked = withQuery("/v1/recommendations/summary", filters.query());
  try {
    const answer = await get(asked);
    if (asked !== withQuery("/v1/recommendations/summary", filters.query())) return; // other filters were set meanwhile
    [summary, summed] = [answer, asked];
  } catch { return; } // the list itself says what is wrong; the figures keep their last value
  const shown = !filters.values.status;
  byId("stats").replaceChildren(
    h("div.stat", {}, h("b", {}, wholeMoney(summary.proposed_value, summary.currency)), h("span", {}, "proposed")),
    h("div.stat", {}, h("b", {}, wholeMoney(summary.margin_at_risk, summary.currency)), h("span", {}, term("At risk", "margin at risk"))));
  byId("queue-sub").textContent = `${shown ? `${count(summary.waiting, "line")} ranked by money at risk and urgency.` : "Lines with the chosen status."}${summary.by_rule_today ? ` ${number(summary.by_rule_today, 0)} more were approved by rule today.` : ""}`;
  drawNews();
  if (lines.grouped) grid.refresh();
}

/** Lines that wait and are not in this list: told one by one by the stream, or seen as a difference after a whole plan. */
function drawNews() {
  const isOfThese = summed === withQuery("/v1/recommendations/summary", filters.query());
  const waiting = lines.isComplete && !filters.values.status && isOfThese ? summary.waiting - lines.order.filter((id) => isWaiting(lines.byId.get(id))).length : 0;
  const news = Math.max(fresh.size, waiting);
  filters.draw(summary, news, () => load({ keep: activeLine()?.recommendation_id }));
}

/* Deciding ------------------------------------------------------------------------------------------------------ */

function ready() {
  // While it is not known yet who reads, the rows may stand already: a key pressed then is for the approvals service to judge.
  if (session && !can()) { announce("Your role reads this list and cannot decide."); return false; }
  const why = readOnlyBecause();
  if (why) { alarm(why); toast(why, { seconds: 8 }); return false; }
  return true;
}

function nextOpen() {
  for (let index = grid.active + 1; index < lines.entries.length; index += 1) {
    const line = lines.at(index);
    if (line && isOpen(line) && !isSignedByMe(line) && !line.busy) return index;
  }
  return grid.active;
}

const BEGUN = ["amendment", "reject", "snooze"];

/** Decide the active line and stand on the next one: the answer comes back while the person already reads on. */
function decideOne(verdict, fields) {
  const line = activeLine();
  if (!line || !ready()) return;
  if (isSignedByMe(line)) { announce("You have signed this line; somebody else has to sign too."); return; }
  if (!isOpen(line) || line.busy) { announce("This line is decided already."); return; }
  if (verdict === "approve" && panel.holdsAmendment(line)) return;
  const sent = decider.one(line.line_id, verdict, fields);
  if (panel.isOverlay) panel.close();
  grid.activate(nextOpen(), { focus: true });
  sent.then((ok) => { if (ok) for (const kind of BEGUN) keepDraft(kind, line.line_id, null); else panel.forget(line.recommendation_id); });
}

const lead = (line) => `${number(line.quantity)} × ${line.item_name ?? line.sku}, ${line.location_name ?? line.location}${line.value ? `, ${money(line.value, line.currency)}` : ""}`;
const selectionLead = (chosen) => `${count(chosen.length, "line")}, ${money(total(chosen.map((line) => line.value)), chosen[0].currency)} in all`;

async function decide(verdict, askFor) {
  if (!ready()) return;
  const chosen = lines.selectedLines();
  const line = activeLine();
  if (!chosen.length && (!line || !isOpen(line) || line.busy)) { announce(line ? "This line is decided already." : "Choose a line first."); return; }
  const started = begun(verdict, chosen.length ? "selection" : line.line_id);
  const fields = askFor ? await askFor(chosen.length ? selectionLead(chosen) : lead(line), started) : {};
  if (!fields) {
    started.keep(null);
    panel.show(activeLine(), { again: true });
    return;
  }
  if (chosen.length) decideMany(chosen.map((each) => each.line_id), verdict, fields);
  else decideOne(verdict, fields);
}

let unreached = null; // of the last decision made for many: {verdict, fields, ids} it was not recorded for
async function decideMany(ids, verdict, fields) {
  unreached = null;
  const { failed: refused } = await decider.many(ids, verdict, fields);
  unreached = { verdict, fields, ids: refused };
  if (!refused.length) keepDraft(verdict, "selection", null); // else the same words are there to try again with
  grid.refresh();
  drawFoot();
}

/** What can be tried again as it was: a line that somebody else changed meanwhile has to be looked at first. */
function again() {
  const ids = unreached?.ids.filter((id) => lines.selected.has(id) && lines.byId.get(id)?.problem && lines.byId.get(id).problem.status !== 412) ?? [];
  return ids.length ? { ...unreached, ids } : null;
}

function tryAgain() {
  const rest = again();
  if (rest && ready()) decideMany(rest.ids, rest.verdict, rest.fields);
}

function approve() {
  const chosen = lines.selectedLines();
  decide("approve", chosen.length ? (words) => confirmMany(chosen, words) : null);
}
async function reject() {
  if (!ready()) return;
  const reasons = await decider.reasonsFor("reject");
  if (reasons) decide("reject", (words, started) => askReject(words, reasons, started));
}
async function snooze() {
  if (!ready()) return;
  const reasons = await decider.reasonsFor("snooze");
  if (reasons) decide("snooze", (words, started) => askSnooze(words, reasons, status?.business_date, started));
}

async function confirmMany(chosen, words) {
  const bySupplier = new Map();
  for (const line of chosen) bySupplier.set(line.supplier_name ?? line.supplier ?? "No supplier", [...(bySupplier.get(line.supplier_name ?? line.supplier ?? "No supplier") ?? []), line]);
  const rows = [...bySupplier].slice(0, 8).map(([name, each]) => h("li", {}, h("span", {}, `${name} · ${count(each.length, "line")}`), h("b", {}, money(total(each.map((line) => line.value)), each[0].currency))));
  const rest = bySupplier.size > 8 ? h("li", {}, h("span", {}, `and ${count(bySupplier.size - 8, "more supplier")}`)) : null;
  const yes = await confirm(`Approve ${count(chosen.length, "line")}?`, `${words}. Each line is checked on its own; you can take all of it back while the orders are held.`, { yes: `Approve ${count(chosen.length, "line")}`, details: [h("ul.past", {}, ...rows, rest)] });
  return yes ? {} : null;
}

/* Foot: keys, or what the selection adds up to -------------------------------------------------------------------- */

function drawFoot() {
  drawFootOf(byId("foot"), { lines, active: activeLine(), can: can(), failed: again(), acts: { approve, reject, snooze, clear: clearSelection, again: tryAgain } });
}

function clearSelection() {
  if (!lines.selected.size) return false;
  lines.selectNothing();
  grid.refresh();
  drawFoot();
  announce("Selection cleared");
  return true;
}

/* Live ---------------------------------------------------------------------------------------------------------- */

live.on("recommendation", (event) => {
  const id = lines.byId.has(event.line_id) ? event.line_id : lines.keyOf(event.recommendation_id);
  if (id) {
    stale.mark(id, { isFresh: event.change === "changed", problem: null });
  } else if (event.status === "pending" && !filters.values.status) {
    fresh.add(event.line_id);
    drawNews();
  }
  soonSummary();
});
live.on("decision", (event) => {
  const id = lines.byId.has(event.line_id) ? event.line_id : lines.keyOf(event.recommendation_id);
  const known = lines.byId.get(id);
  if (fresh.delete(event.line_id)) drawNews();
  if (known && !known.busy && event.version > known.version) {
    panel.forget(known.recommendation_id);
    const news = decided(event, known);
    if (news) { lines.merge(id, news); redraw(id); } else stale.mark(id);
    if (event.decided_by !== session?.subject) elsewhere.note(event, known);
  }
  soonSummary();
});
live.on("changed", soonSummary); // a whole plan came in: too many to name one by one
live.on("reset", soonSummary);
let waitingBefore = null;
live.on("polled", (next) => {
  const waiting = next.counts?.waiting ?? 0;
  if (waitingBefore !== null && waiting > waitingBefore && !fresh.size) loadSummary();
  waitingBefore = waiting;
});

/* Keys ---------------------------------------------------------------------------------------------------------- */

const QUEUE = { group: "Queue" };
const move = (by) => () => grid.activate(grid.active + by, { focus: true });
command("j", "Next line", move(1), QUEUE);
command("k", "Line before", move(-1), QUEUE);
command("ArrowDown", "Next line", move(1), { ...QUEUE, hidden: true });
command("ArrowUp", "Line before", move(-1), { ...QUEUE, hidden: true });
command("x", "Select line", () => toggle(grid.active), QUEUE);
command("Enter", "Open the reasoning", () => openLine(grid.active), { ...QUEUE, hidden: true });
command("o", "Open the reasoning", () => openLine(grid.active), QUEUE);
command("a", "Approve line or selection", approve, QUEUE);
command("e", "Amend quantity", () => { if (ready()) { if (panel.isOverlay) panel.open(); panel.stepper?.focus(); } }, QUEUE);
command("r", "Reject with a reason", reject, QUEUE);
command("s", "Snooze", snooze, QUEUE);
command("u", "Undo", () => decider.undo(), QUEUE);
command("ctrl+z", "Undo", () => decider.undo(), { ...QUEUE, hidden: true });
command("/", "Filter the queue", () => filters.focusSearch(), QUEUE);
command("n", "Show new lines", () => { if (filters.news) load({ keep: activeLine()?.recommendation_id }); }, QUEUE);
command("shift+g", "Group by supplier", () => filters.set({ group: filters.values.group ? "" : "supplier" }), QUEUE);
command("Escape", "Close, then clear the selection", () => { if (!panel.close() && !clearSelection()) grid.focus(); }, QUEUE);
filters.onLeave = () => grid.focus();
standsAt(() => filters.address());
filters.isAnsweredHere = () => lines.held !== null;
filters.more = () => [...viewControls(filters), csvLink(filters.query()), can() ? editsFromCsv({ lines, decider, done: () => { grid.refresh(); drawFoot(); } }) : null];
panel.host.addEventListener("keydown", (event) => { if (event.key === "Escape" && !event.defaultPrevented && panel.close()) event.preventDefault(); });

filters.draw();
const loading = load();
session = await start();
filters.me = session.subject;
filters.draw();
await loading;
follow();
panel.showButtons(); // now it is known what this person may do
grid.refresh();
