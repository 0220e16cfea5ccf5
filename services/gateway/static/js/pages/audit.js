// Audit: what was known, decided and sent, in the order it happened, with the proof that nothing was changed since.
import { announce } from "../announce.js";
import { get, post, withQuery } from "../api.js";
import { open } from "../dialog.js";
import { byId, h, icon } from "../dom.js";
import { count, instant, number, utc, words } from "../format.js";
import { inclusionHolds, leafOf } from "../merkle.js";
import { start } from "../shell.js";
import { empty, failed, notice } from "../states.js";
import { pagedTable, searchField, urlFilters } from "../table.js";

let checkpoint = null;
let mayVerify = false;
const verdict = h("section.card.verdict.idle", { "aria-live": "polite" });

function showVerdict(tone, picture, title, sentence, busy = false) {
  verdict.className = `card verdict ${tone}`;
  verdict.replaceChildren(...[icon(picture, 34), h("div", {}, h("h2", {}, title), h("p.muted", {}, sentence)), mayVerify ? h("button.btn.p", { type: "button", disabled: busy, onclick: verify }, busy ? "Verifying …" : "Verify the whole log") : null].filter(Boolean));
}

async function verify() {
  showVerdict("idle", "shield", "Verifying", `Hashing ${checkpoint ? count(checkpoint.size, "entry", "entries") : "every entry"} again and comparing with the signed checkpoint.`, true);
  try {
    const result = await post("/v1/audit/verification");
    const seconds = result.seconds === null || result.seconds === undefined ? "" : result.seconds < 1 ? " in under a second" : ` in ${number(result.seconds, 1)} s`;
    const but = (result.warnings ?? []).map((warning) => ` Note: ${warning}.`).join("");
    if (result.ok) showVerdict("good", "shieldCheck", "The log is whole", `${count(result.entries_verified, "entry", "entries")} verified${seconds}, up to the checkpoint of size ${number(result.checkpoint_size, 0)}. Nothing was edited, removed or put in between.${but}`);
    else showVerdict("bad", "shieldCross", "The log does not verify", `${result.problem ?? "An entry does not match the signed checkpoint."} Keep the exported bundle, do not restart the audit service, and call whoever runs Countersign.`);
    announce(verdict.textContent);
  } catch (problem) {
    showVerdict("bad", "warning", "The verification did not run", `${problem.detail} This says nothing about the log itself.`);
  }
  verdict.querySelector("button")?.focus();
}

/** Who: a person by name, a service without the house name before it. */
const actorOf = (entry) => (entry.actor?.sub ?? entry.actor ?? "–").replace(/^countersign\//, "");

const hashText = (value) => value ?? "–";

/** What the last verification found, so that the page does not start from nothing. */
async function lastVerification() {
  const idle = () => showVerdict("idle", "shield", "Not verified yet", "The check hashes every entry again and compares the result with the signed checkpoint.");
  try {
    const last = await get("/v1/audit/verification");
    if (last.ok) showVerdict("idle", "shieldCheck", `Whole when last verified, ${instant(last.checked_at)}`, `${count(last.entries_verified, "entry", "entries")} were verified then. Verify again to cover what came since.`);
    else showVerdict("bad", "shieldCross", `The log did not verify, ${instant(last.checked_at)}`, last.problem ?? "An entry did not match the signed checkpoint.");
  } catch {
    idle(); // never verified, or not to be had: the button says what can be done
  }
}

async function showCheckpoint() {
  const box = byId("checkpoint");
  try {
    checkpoint = await get("/v1/audit/checkpoint");
    box.replaceChildren(h("header", {}, h("h2", {}, "Signed checkpoint"), mayVerify ? h("a", { href: "/v1/audit/export", download: "" }, "Export for offline proof") : null),
      h("dl.kv", {}, h("dt", {}, "Entries"), h("dd", {}, number(checkpoint.size, 0)), h("dt", {}, "Root hash"), h("dd.mono", {}, hashText(checkpoint.root_hash ?? checkpoint.root)), h("dt", {}, "Log"), h("dd", {}, checkpoint.origin ?? "–"), h("dt", {}, "Signed"), h("dd", { title: utc(checkpoint.signed_at) }, instant(checkpoint.signed_at, null, { seconds: true }))));
    await lastVerification();
  } catch (problem) {
    box.replaceChildren(problem.status === 404 ? empty("No checkpoint yet", "The log signs its first checkpoint soon after the first entry.") : failed("The checkpoint could not be read", problem, showCheckpoint));
    showVerdict("idle", "shield", "Nothing to verify yet", "There is no signed checkpoint to verify against.");
  }
}

/** Fetch the proof of one entry, and check it here: the page does not have to believe the server. */
async function proofOf(entry, box) {
  box.replaceChildren(h("p.muted", {}, "Asking for the proof …"));
  try {
    const proof = await get(withQuery("/v1/audit/proof/inclusion", { seq: entry.seq, size: checkpoint?.size }));
    const path = proof.proof ?? [];
    const holds = await inclusionHolds({ index: proof.seq, size: proof.size, leafHash: await leafOf(entry.entry), path, root: checkpoint?.size === proof.size ? checkpoint.root_hash : null });
    const said = holds === null ? notice("", "The proof is below.", "This page could not check it: the log was signed again meanwhile, or the page is not on a secure address. Open the entry again.") : holds ? notice("good", "Proven.", `Your browser hashed this entry and ${count(path.length, "neighbour")} on its path, and arrived at the signed root.`) : notice("bad", "The proof does not hold.", "What the entry says does not lead to the signed root. Export the bundle, verify it offline, and call whoever runs Countersign.");
    box.replaceChildren(...[said, path.length ? h("details.data", {}, h("summary", {}, "Show the path"), h("ol.hashes", {}, ...path.map((hash) => h("li", {}, hash)))) : null].filter(Boolean));
  } catch (problem) {
    box.replaceChildren(notice("warn", "No proof now.", problem.detail));
  }
}

async function show(seq) {
  let entry;
  let trouble = null;
  try { entry = await get(`/v1/audit/entries/${encodeURIComponent(seq)}`); } catch (problem) { trouble = problem; entry = { seq }; }
  const proof = h("div", {});
  const { payload, ...rest } = entry;
  const done = open("Entry", (finish, id) => [
    h("div.body", {}, h("h2", { id }, `Entry ${number(entry.seq, 0)}`), h("p.lead", {}, trouble ? trouble.detail : [entry.type, entry.occurred_at ? instant(entry.occurred_at, null, { seconds: true }) : null, actorOf(entry)].filter(Boolean).join(" · ")),
      ...(trouble ? [] : [h("section.part", {}, h("h3", {}, "Is it in the signed log?"), proof), h("section.part", {}, h("h3", {}, "Entry as logged"), h("pre.json", { tabindex: 0, role: "region", "aria-label": "Entry as logged" }, JSON.stringify(rest.entry ?? rest, null, 2))), payload ? h("section.part", {}, h("h3", {}, "Event"), h("pre.json", { tabindex: 0, role: "region", "aria-label": "Event" }, typeof payload === "string" ? payload : JSON.stringify(payload, null, 2))) : null])),
    h("div.buttons", {}, h("button.btn.p", { type: "button", autofocus: true, onclick: () => finish(null) }, "Close")),
  ], { wide: true });
  if (!trouble) proofOf(entry, proof);
  await done;
}

/** One page, newest first. An id of a recommendation or order finds its whole thread, `sku/location` an item's. */
async function page({ limit, cursor, subject, type }) {
  const isItem = subject?.split("/").length === 2;
  return get(withQuery("/v1/audit/entries", { [isItem ? "item" : subject?.includes("/") ? "subject" : "thread"]: subject, type, order: "newest", limit, after_seq: cursor }));
}

const filters = urlFilters(["subject", "type", "seq"], () => { draw(); if (!filters.read().seq) table.reload(); });
const table = pagedTable({
  label: "Log entries", noun: "entry", plural: "entries", clear: filters.clear, read: page,
  filters: () => ({ subject: filters.read().subject, type: filters.read().type }),
  isFiltered: () => Boolean(filters.read().subject || filters.read().type),
  emptyState: () => empty("The log is empty", "Entries appear as soon as the first forecast, recommendation or decision is made."),
  columns: [
    { title: "Entry", cell: (entry) => h("button.link", { type: "button", onclick: () => show(entry.seq) }, number(entry.seq, 0)) },
    { title: "What", cell: (entry) => h("b", {}, words((entry.type ?? "").replace(/\.v\d+$/, "").replaceAll(/[.-]/g, "_"))) },
    { title: "About", cell: (entry) => h("span.mono", {}, entry.subject ?? "–") },
    { title: "Who", cell: (entry) => [actorOf(entry), h("small", {}, words(entry.actor?.role ?? ""))] },
    { title: "When", numeric: true, cell: (entry) => h("span", { title: utc(entry.occurred_at) }, instant(entry.occurred_at, null, { seconds: true })) },
  ],
});

const bar = h("div.filters", { role: "group", "aria-label": "Filters" });
function draw() {
  const now = filters.read();
  const search = byId("page-search");
  bar.replaceChildren(search ?? searchField("An id, or sku/location", now.subject, (subject) => filters.write({ subject })), ...[["", "All"], ["decision.made.v1", "Decisions"], ["order.released.v1", "Orders"], ["recommendation.issued.v1", "Recommendations"], ["forecast.issued.v1", "Forecasts"], ["account.changed.v1", "Accounts"], ["api-key.changed.v1", "Keys"]].map(([type, label]) => h("button.chip", { type: "button", "aria-pressed": String(now.type === type), onclick: () => filters.write({ type }) }, label)));
}

byId("page").replaceChildren(h("div.head", {}, h("div", {}, h("h1", {}, "Audit"), h("p.sub", {}, "What was known, decided and sent. It can be checked here or offline, without trusting the database."))), verdict, h("section.card", { id: "checkpoint" }, h("p.quiet", {}, "Reading the checkpoint …")), bar, table.frame);
showVerdict("idle", "shield", "Not verified on this page yet", "Reading the signed checkpoint …", true);
draw();
const session = await start();
mayVerify = Boolean(session.can?.includes("audit"));
if (mayVerify) await Promise.all([showCheckpoint(), table.reload()]);
else closed();
const wanted = filters.read().seq;
if (wanted && mayVerify) show(wanted);

/** Without the role nothing is asked for: one calm sentence instead of three refusals. */
function closed() {
  byId("page").replaceChildren(byId("page").firstChild, h("div.card", {}, empty("The log is open to auditors", "Reading and verifying the log takes the role of auditor or administrator. What was decided on a line, by whom and on which evidence, is on its item page.", h("a.btn", { href: "/items" }, "Find an item"))));
}
