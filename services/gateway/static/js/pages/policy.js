// Policy: who has to say yes to what, and the parameters the plan runs on, with version, author and date.
import { get } from "../api.js";
import { byId, h } from "../dom.js";
import { day, instant, number, utc, words } from "../format.js";
import { approvalRules } from "../policy/matrix.js";
import { start } from "../shell.js";
import { empty, failed, notice } from "../states.js";

const page = byId("page");
const head = h("div.head", {}, h("div", {}, h("h1", {}, "Policy"), h("p.sub", {}, "Who has to say yes to what, and the parameters every recommendation is computed with. Each carries the version it used.")));
const matrix = h("div");

function shown(value) {
  if (value === null || value === undefined) return h("span.faint", {}, "not set");
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.length ? value.map((each) => (typeof each === "object" ? JSON.stringify(each) : String(each))).join(", ") : h("span.faint", {}, "none");
  if (typeof value === "object") return h("dl.kv.flat", {}, ...Object.entries(value).flatMap(([name, each]) => [h("dt", {}, words(name)), h("dd", {}, shown(each))]));
  return typeof value === "number" || /^-?\d+(\.\d+)?$/.test(value) ? number(value, 4) : String(value);
}

function card(policy) {
  const rows = Object.entries(policy.parameters ?? {}).map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, h("b", {}, words(name)), h("small.mono", {}, name)), h("td.n", { "data-label": "Value" }, shown(value))));
  return h("section.card", {}, h("header", {}, h("h2", {}, ["*", "default", "all"].includes(policy.scope) ? "All items" : `Scope ${policy.scope}`), h("span.muted", {}, `version ${policy.version}${policy.current === false ? ", replaced" : ""}`)),
    h("dl.kv", {}, h("dt", {}, "Published"), h("dd", { title: utc(policy.published_at) }, policy.published_at ? `${instant(policy.published_at)}${policy.published_by ? ` by ${policy.published_by}` : ""}` : "–"), policy.effective_from ? [h("dt", {}, "Effective from"), h("dd", {}, day(policy.effective_from, { year: true }))] : null, policy.reason ? [h("dt", {}, "Reason"), h("dd", {}, policy.reason)] : null),
    h("div.table-scroll", { tabindex: 0, role: "region", "aria-label": `Parameters of ${policy.scope}` }, h("table", { "aria-label": `Parameters of ${policy.scope}` }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Parameter"), h("th.n", { scope: "col" }, "Value"))), h("tbody", {}, ...rows))));
}

async function draw() {
  try {
    const { items } = await get("/v1/policy");
    page.replaceChildren(head, matrix, notice("", "Parameters are read only here.", "They change by publishing a new version; editing them here, with the effect on the plan shown first, is not built yet."),
      items.length ? h("div.stack", {}, ...items.map(card)) : h("div.card", {}, empty("No policy has been published", "The plan runs on its built-in defaults until a policy version is published. Every recommendation still names what it was computed with.")));
  } catch (problem) {
    page.replaceChildren(head, failed("The policy could not be read", problem, draw));
  }
  page.setAttribute("aria-busy", "false");
}

page.setAttribute("aria-busy", "true");
page.replaceChildren(head, h("p.muted", {}, "Reading the policy …"));
const started = start();
await draw();
matrix.replaceChildren(await approvalRules(await started));
