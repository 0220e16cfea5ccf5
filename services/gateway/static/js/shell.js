// The frame around every page: who, theme, live status, counters, keys, search.
import { announce, toast } from "./announce.js";
import { get, put, remove, whoAmI } from "./api.js";
import { open } from "./dialog.js";
import { byId, h } from "./dom.js";
import { forgetDrafts } from "./drafts.js";
import { count, day, number, utc } from "./format.js";
import { showGlossary } from "./glossary.js";
import { command, keyLabel, listed, nameOf, remap, singleKeysOn, switchSingleKeys } from "./keys.js";
import * as live from "./live.js";
import { places, showPalette } from "./palette.js";
import { spaced } from "./spaced.js";
import { learnPlaces } from "./when.js";

const YEAR_SECONDS = 31_536_000;
const CALM_MS = 600; // a burst of events is one question to the API
const SPACE_MS = 3000; // while events flow without end, counters three seconds old will do
const QUIET_MS = 12000; // while none flow: a service that went away says nothing of it
let status = null;

/** The theme is a cookie, so that the server draws the page in it and nothing flashes. */
export function setTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  document.cookie = `countersign_theme=${name}; path=/; max-age=${name ? YEAR_SECONDS : 0}; samesite=lax`;
  for (const button of document.querySelectorAll(".theme-choice button, #theme button")) button.setAttribute("aria-pressed", String(button.value === name));
}
export const theme = () => document.documentElement.dataset.theme ?? "";

export async function showKeys() {
  const groups = Map.groupBy ? Map.groupBy(listed(), (entry) => entry.group) : listed().reduce((map, entry) => map.set(entry.group, [...(map.get(entry.group) ?? []), entry]), new Map());
  await open("Keyboard shortcuts", (finish, id) => [
    h("div.body", {}, h("h2", { id }, "Keyboard shortcuts"), h("p.lead", {}, "Every key is also a button on the page. Press a key's button here, then the key you want instead."),
      ...[...groups].map(([name, entries]) => [h("h3", {}, name), h("dl.keys", {}, ...entries.map((entry) => h("div", {}, h("dt", {}, entry.words), keyCell(entry))))]),
      h("label.field", {}, h("span", {}, h("input", { type: "checkbox", checked: singleKeysOn(), onchange: (event) => switchSingleKeys(event.target.checked) }), " Single-key shortcuts are on"))),
    h("div.buttons", {}, h("button.btn", { type: "button", autofocus: true, onclick: () => finish(null) }, "Close")),
  ], { wide: true });
}

/** The key of a command as a button that takes another one. Sequences and chords stay as they are: nobody presses them by accident. */
function keyCell(entry) {
  const caps = () => entry.key.split(" ").flatMap((part, index) => [index ? " " : null, h("kbd", {}, keyLabel(part))]).filter(Boolean);
  if (entry.first.includes(" ") || entry.first.startsWith("ctrl+") || entry.first === "Escape") return h("dd", {}, ...caps());
  const said = h("small.err", { role: "alert" });
  const button = h("button.plain", { type: "button", "aria-label": `Key for ${entry.words}: ${keyLabel(entry.key)}. Change it.`, onclick: () => { button.replaceChildren(h("kbd", {}, "press …")); isWaiting = true; } });
  let isWaiting = false;
  const show = () => { isWaiting = false; button.replaceChildren(...caps()); button.setAttribute("aria-label", `Key for ${entry.words}: ${keyLabel(entry.key)}. Change it.`); };
  button.addEventListener("blur", show);
  button.addEventListener("keydown", (event) => {
    if (!isWaiting || ["Shift", "Control", "Meta", "Alt", "Tab"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") { show(); return; }
    said.textContent = (event.key === "Backspace" ? remap(entry, null) : remap(entry, nameOf(event))) ?? "";
    if (!said.textContent) announce(`${entry.words}: ${keyLabel(entry.key)}`);
    show();
  });
  show();
  return h("dd", {}, said, button);
}

const LIVE = {
  connecting: ["", "Connecting …"],
  live: ["ok", "Live"],
  paused: ["warn", "Paused · checking every 10 s"],
  offline: ["bad", "No connection"],
};

/** The event log is away: what is on screen is as of the last event. */
const isCutOff = () => status?.kafka_ready === false;

/** Why nothing can be decided at the moment, in a sentence; null while it can. What was read stays readable. */
export const readOnlyBecause = () => (isCutOff() ? "Kafka does not answer: what you see may be decided or replaced already. Nothing can be decided until it is back." : null);

function showLive(state) {
  const [tone, words] = LIVE[state];
  const behind = status?.read_model?.lag_records;
  const upTo = state === "live" && isCutOff() ? " · nothing new arrives" : state !== "live" || behind === null || behind === undefined ? "" : behind > 0 ? ` · ${count(behind, "event")} behind` : " · up to date";
  byId("live-dot").className = `dot ${tone}`;
  byId("live-words").textContent = words + upTo;
  byId("live").title = status?.now ? `As of ${utc(new Date(Date.now() + live.clockSkewMs).toISOString())}` : words;
}

function showBanner(state) {
  const down = (status?.services ?? []).filter((service) => !service.ready).map((service) => service.name);
  const banner = byId("banner");
  const say = (tone, title, sentence) => banner.replaceChildren(h(`div.notice.${tone}`, {}, h("div", {}, h("b", {}, title), " ", sentence)));
  if (state === "offline") say("bad", "The gateway does not answer.", "What you see is as of the last answer and cannot be decided on now. This page tries again every 10 seconds.");
  else if (isCutOff()) say("warn", "Kafka does not answer.", "You can read everything, as of the last event that arrived; nothing can be decided until it is back.");
  else if (down.length) say("warn", `${down.join(", ").replace(/^./, (letter) => letter.toUpperCase())} ${down.length > 1 ? "do" : "does"} not answer.`, down.includes("approvals") ? "You can read everything; decisions are refused until it is back." : "Parts of a line may be missing until it is back; decisions still work.");
  else banner.replaceChildren();
}

let state = "connecting";
function showStatus(next) {
  if (next) status = next;
  if (!status) return;
  live.learnClock(next?.now);
  learnPlaces(status.locations);
  for (const place of document.querySelectorAll("[data-counter]")) {
    const value = status.counts?.[place.dataset.counter];
    place.textContent = value ? number(value, 0) : "";
  }
  byId("place").textContent = status.business_date ? `Business day ${day(status.business_date, { year: true })}` : "";
  const run = status.last_run;
  byId("live-run").textContent = run ? `Plan for ${day(run.business_date)}: ${count(run.items ?? (run.proposed ?? 0) + (run.withheld ?? 0), "item")}` : "No plan has run yet";
  showLive(state);
  showBanner(state);
}

export async function refreshStatus() {
  try {
    showStatus(await get("/v1/status"));
  } catch (problem) {
    if (problem.isUnreachable) { state = "offline"; showLive(state); showBanner(state); }
  }
  return status;
}

/** Somebody asks for this person in a comment: said on whatever page they are. */
function tellMention(comment) {
  const me = document.body.dataset.subject;
  if (!comment.mentions?.includes(me) || comment.commented_by === me) return;
  const sentence = `${comment.commented_by} asks for you: ${comment.text.length > 90 ? `${comment.text.slice(0, 90)} …` : comment.text}`;
  announce(sentence);
  toast(sentence, { action: { label: "Open", run: () => location.assign(`/items/${encodeURIComponent(comment.sku)}/${encodeURIComponent(comment.location)}#comments`) }, seconds: 15 });
}

function wireMenu() {
  const rail = byId("rail");
  const menu = byId("menu");
  const toggle = (isOpen) => { rail.classList.toggle("open", isOpen); menu.setAttribute("aria-expanded", String(isOpen)); if (isOpen) rail.querySelector("a").focus(); };
  menu.addEventListener("click", () => toggle(!rail.classList.contains("open")));
  document.addEventListener("click", (event) => { if (!rail.contains(event.target) && !menu.contains(event.target)) toggle(false); });
  rail.addEventListener("keydown", (event) => { if (event.key === "Escape" && rail.classList.contains("open")) { toggle(false); menu.focus(); } });
}

function wireAccount() {
  const account = byId("account");
  document.addEventListener("click", (event) => { if (!account.contains(event.target)) account.open = false; });
  account.addEventListener("keydown", (event) => { if (event.key === "Escape" && account.open) { account.open = false; account.querySelector("summary").focus(); } });
  byId("theme").addEventListener("click", (event) => { if (event.target.matches("button")) setTheme(event.target.value); });
  byId("sign-out").addEventListener("click", async () => { forgetDrafts(); await remove("/v1/session", { keepSession: true }).catch(() => null); location.assign("/sign-in"); });
}

const SEATS = { planner: "Planner", approver: "Approver", auditor: "Auditor", admin: "Administrator", viewer: "Viewer" };

/** In which role a person looks: all of theirs, one of them, or as somebody who only reads. The page begins anew in it. */
function showSeats({ held, seat, kind }) {
  if (kind !== "user") return;
  const all = held.length > 1 ? `All my roles (${held.map((role) => SEATS[role]).join(", ")})` : SEATS[held[0]];
  const one = (value, words) => h("option", { value, selected: (seat ?? "") === value }, words);
  const take = (value) => put("/v1/session/seat", { seat: value || null }).then(() => location.reload(), (problem) => toast(problem.detail, { seconds: 8 }));
  const choice = h("select", { id: "seat", onchange: (event) => take(event.target.value) }, one("", all), ...(held.length > 1 ? held.map((role) => one(role, SEATS[role])) : []), one("viewer", "Viewer: look, decide nothing"));
  byId("theme").before(h("div.field", {}, h("label", { for: "seat" }, "Look as"), choice));
  if (seat) byId("keys").before(h("button.btn.small.seat", { type: "button", title: "Back to all your roles", onclick: () => take("") }, `As ${SEATS[seat].toLowerCase()}`, h("span", { "aria-hidden": "true" }, " ×"), h("span.sr", {}, ": back to all your roles")));
}

/** Start the frame; a page module calls it once, then draws itself. Resolves with the session. */
export async function start() {
  setTheme(theme());
  wireMenu();
  wireAccount();
  byId("find").addEventListener("click", showPalette);
  byId("keys").addEventListener("click", showKeys);
  command("ctrl+k", "Search and commands", showPalette);
  command("?", "Show these keys", showKeys);
  command("F1", "Explain the terms", () => showGlossary());
  for (const [name, path, key] of places) command(key, name, () => location.assign(path), { group: "Go to" });
  live.on("state", (change) => { state = change.state; showLive(state); showBanner(state); if (change.before !== "connecting") announce(change.state === "live" ? "Live again." : "Live updates are paused."); if (change.state === "live" && change.before !== "connecting") refreshStatus(); });
  live.on("polled", showStatus);
  const soonStatus = spaced(refreshStatus, CALM_MS, SPACE_MS);
  for (const kind of ["recommendation", "decision", "order", "exception", "changed", "reset"]) live.on(kind, soonStatus);
  live.on("comment", tellMention);
  live.start();
  setInterval(() => { if (!document.hidden) get("/v1/status").then(showStatus, () => null); }, QUIET_MS); // silence of the gateway is the stream's to tell
  const [session] = await Promise.all([whoAmI(), refreshStatus()]);
  showSeats(session);
  return session;
}

export { status };
