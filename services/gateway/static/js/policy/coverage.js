// Who covers what, and whether coverage limits what is read, too: parts of the matrix, changed by a proposal like its rules.
import { get } from "../api.js";
import { open } from "../dialog.js";
import { h } from "../dom.js";
import { field, table } from "./governing.js";

const NAMES_SHOWN_MAX = 12;
const list = (text) => text.split(",").map((each) => each.trim()).filter(Boolean);

/** A scope in words, part by part; empty when it is everything. */
export const names = (scope) => [["supplier", scope?.suppliers], ["category", scope?.categories], ["location", scope?.locations]].filter(([, each]) => each?.length).map(([what, each]) => `${what} ${each.join(", ")}`);

/** Ask with a form of these fields and a reason; `collect` reads them. Resolves {reason, …} or null. */
function askWith(title, lead, rows, collect, extra = []) {
  return open(title, (finish, id) => {
    const reason = h("input", { id: `${id}-why`, required: true, maxlength: 200 });
    return [h("form", { method: "dialog", onsubmit: (event) => { event.preventDefault(); finish({ ...collect(), reason: reason.value.trim() }); } },
      h("div.body", {}, h("h2", { id }, title), h("p.lead", {}, lead), ...extra, ...rows.map(([label, input, hint], index) => { input.id = `${id}-${index}`; return field(input.id, label, input, hint); }), field(reason.id, "Why this change", reason)),
      h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, "Cancel"), h("button.btn.p", { type: "submit" }, "Propose")))];
  });
}

function askEntry() {
  const [subject, suppliers, categories, locations] = [h("input", { required: true, maxlength: 64, autofocus: true }), h("input"), h("input"), h("input")];
  return askWith("Add to who covers what", "What is left empty is not limited. Several names are divided by commas. Once anybody has an entry, who has none decides nothing.",
    [["Account or key", subject, "An API key as key: and its id"], ["Suppliers", suppliers], ["Categories", categories], ["Locations", locations]],
    () => ({ entry: { subject: subject.value.trim(), scope: { suppliers: list(suppliers.value), categories: list(categories.value), locations: list(locations.value) } } }));
}

/** Whoever would read nothing is named before it is proposed; roles are known to the gateway alone. */
async function askLimit(matrix) {
  const covered = new Set(matrix.coverage.map((one) => one.subject));
  const { items } = await get("/v1/colleagues");
  const without = items.map((one) => one.username).filter((name) => !covered.has(name));
  const shown = `${without.slice(0, NAMES_SHOWN_MAX).join(", ")}${without.length > NAMES_SHOWN_MAX ? ` and ${without.length - NAMES_SHOWN_MAX} more` : ""}`;
  const warning = without.length ? h("div.notice.warn.spaced", {}, h("div", {}, h("b", {}, `No entry: ${shown}.`), " Whoever of them is no auditor or administrator will read nothing.")) : null;
  return askWith("Limit reading to coverage", "Planners, approvers and API keys then read only the lines, items and orders they cover. Auditors, administrators and whoever has an entry without limits read everything. A key that reads needs an entry, too. The rules are then changed by those who read everything: at least two of them are needed to take this back.", [], () => ({}), [warning].filter(Boolean));
}

const askOpen = () => askWith("Let everybody read everything", "Coverage then says who decides, and no longer who reads.", [], () => ({}));

/** The section. `propose(changes, reason)` proposes the matrix with these parts changed. */
export function coverageSection(matrix, { may, propose }) {
  const put = async (ask, changes) => { const answer = await ask; if (answer) await propose(changes(answer), answer.reason); };
  const without = (one) => put(askWith(`Remove the entry of ${one.subject}`, "What they cover is then what their other entries say.", [], () => ({})), () => ({ coverage: matrix.coverage.filter((each) => each !== one) }));
  const rows = matrix.coverage.map((one) => [h("b", {}, one.subject), names(one.scope).join("; ") || "everything", may ? h("button.btn.small", { type: "button", "aria-label": `Remove the entry of ${one.subject}`, onclick: () => without(one) }, "Remove") : ""]);
  const limits = matrix.limits_reading;
  const reading = !matrix.coverage.length ? "Nobody has an entry: everybody who may decide decides about everything, and everybody reads everything."
    : limits ? "Coverage limits what is decided and what is read. Auditors and administrators read everything." : "Coverage limits what is decided. Everybody who is signed in reads everything.";
  const acts = may ? h("span.acts", {}, h("button.btn.small", { type: "button", onclick: () => put(askEntry(), ({ entry }) => ({ coverage: [...matrix.coverage, entry] })) }, "Add an entry"),
    limits ? h("button.btn.small", { type: "button", onclick: () => put(askOpen(), () => ({ limits_reading: false })) }, "Let everybody read")
      : matrix.coverage.length ? h("button.btn.small", { type: "button", onclick: () => put(askLimit(matrix), () => ({ limits_reading: true })) }, "Limit reading") : null) : null;
  return h("section.card", {}, h("header", {}, h("h2", {}, "Who covers what"), limits ? h("span.tag.a", {}, "Reading is limited") : null, acts), h("p.quiet", {}, reading), rows.length ? table("Coverage", ["Person", "Covers", "Change"], rows) : null);
}
