// The approval matrix: who has to say yes to what. Shown as it is in force; changed by a proposal that another person signs.
import { get } from "../api.js";
import { open } from "../dialog.js";
import { h } from "../dom.js";
import { count, money, number, words } from "../format.js";
import { failed } from "../states.js";
import { coverageSection, names } from "./coverage.js";
import { command, field, proposalCells, table } from "./governing.js";

const SIGNATURES = { one: "one signature", approver: "an approver", two: "two persons, an approver last" };
let session = null;

const where = (rule) => [...names(rule.scope), ...(rule.actions?.length ? [rule.actions.map(words).join(", ")] : []), ...(rule.reasons?.length ? [rule.reasons.map((code) => words(code).toLowerCase()).join(" or ")] : []), ...(rule.value_above ? [`above ${number(rule.value_above)}`] : [])].join("; ") || "every line";
const list = (text) => text.split(",").map((each) => each.trim()).filter(Boolean);

function told({ effect }) {
  if (!effect.waiting) return "Proposed. Nothing waits at the moment; another approver or administrator puts it in force.";
  return `Proposed. Of ${count(effect.waiting, "waiting line")} ${number(effect.more, 0)} would need more consent and ${number(effect.less, 0)} less. Another approver or administrator puts it in force.`;
}

/** Ask for one rule, a new one or a changed one. */
function askRule(rule) {
  return open(rule ? `Change the rule ${words(rule.code)}` : "Add a rule", (finish, id) => {
    const input = (name, value, more = {}) => h("input", { id: `${id}-${name}`, name, value: value ?? "", ...more });
    const signatures = h("select", { id: `${id}-signatures` }, ...Object.entries(SIGNATURES).map(([code, label]) => h("option", { value: code, selected: (rule?.signatures ?? "one") === code }, label)));
    const fields = {
      code: input("code", rule?.code, { required: true, pattern: "[a-z][a-z0-9_]*", maxlength: 64, disabled: Boolean(rule) }), says: input("says", rule?.says, { required: true, maxlength: 200 }),
      suppliers: input("suppliers", rule?.scope?.suppliers?.join(", ")), categories: input("categories", rule?.scope?.categories?.join(", ")), locations: input("locations", rule?.scope?.locations?.join(", ")),
      reasons: input("reasons", rule?.reasons?.join(", ")), actions: input("actions", rule?.actions?.join(", ")), value_above: input("value_above", rule?.value_above, { inputmode: "decimal" }),
      sla_hours: input("sla_hours", rule?.sla_hours, { type: "number", min: 1, max: 1440 }), escalate_to: input("escalate_to", rule?.escalate_to, { maxlength: 64 }), reason: input("reason", "", { required: true, maxlength: 200 }),
    };
    const value = (name) => fields[name].value.trim();
    const collect = () => ({
      reason: value("reason"),
      rule: { code: value("code"), says: value("says"), scope: { suppliers: list(value("suppliers")), categories: list(value("categories")), locations: list(value("locations")) }, reasons: list(value("reasons")), actions: list(value("actions")), value_above: value("value_above") || null, signatures: signatures.value, sla_hours: value("sla_hours") ? Number(value("sla_hours")) : null, escalate_to: value("escalate_to") || null },
    });
    return [h("form", { method: "dialog", onsubmit: (event) => { event.preventDefault(); finish(collect()); } },
      h("div.body", {}, h("h2", { id }, rule ? `Change the rule ${words(rule.code)}` : "Add a rule"), h("p.lead", {}, "What is left empty applies to every line. Several names are divided by commas."),
        field(fields.code.id, "Code", fields.code, "Small letters, digits and underscores; it is written into each decision."), field(fields.says.id, "In words", fields.says),
        field(`${id}-signatures`, "Asks for", signatures), field(fields.value_above.id, "Only above this value", fields.value_above),
        field(fields.suppliers.id, "Suppliers", fields.suppliers), field(fields.categories.id, "Categories", fields.categories), field(fields.locations.id, "Locations", fields.locations),
        field(fields.reasons.id, "Reasons a person is asked", fields.reasons, "For example policy_exception, customer_commitment_at_risk"), field(fields.actions.id, "Actions", fields.actions, "For example buy, transfer, substitute"),
        field(fields.sla_hours.id, "To be decided within (hours)", fields.sla_hours), field(fields.escalate_to.id, "Then it goes to", fields.escalate_to, "An account or a role"), field(fields.reason.id, "Why this change", fields.reason)),
      h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, "Cancel"), h("button.btn.p", { type: "submit" }, "Propose")))];
  }, { wide: true });
}

function askDelegation() {
  return open("Give your seat to somebody", (finish, id) => {
    const today = new Date().toISOString().slice(0, 10);
    const delegate = h("input", { id: `${id}-to`, required: true, maxlength: 64, autofocus: true });
    const starts = h("input", { id: `${id}-from`, type: "date", value: today, required: true });
    const ends = h("input", { id: `${id}-until`, type: "date", value: today, min: today, required: true });
    const reason = h("input", { id: `${id}-why`, required: true, maxlength: 200 });
    return [h("form", { method: "dialog", onsubmit: (event) => { event.preventDefault(); finish({ delegate: delegate.value.trim(), starts: starts.value, ends: ends.value, reason: reason.value.trim() }); } },
      h("div.body", {}, h("h2", { id }, "Give your seat to somebody"), h("p.lead", {}, "They decide in your place on these days, both included. It is in force at once, ends by itself, and is in the log. They cannot be the second signature under yours."),
        field(delegate.id, "Account", delegate), field(starts.id, "From", starts), field(ends.id, "Until", ends), field(reason.id, "Why", reason)),
      h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, "Cancel"), h("button.btn.p", { type: "submit" }, "Give my seat")))];
  });
}

// All a version says: what is left out here would end with the next one.
const parts = ({ rules, coverage, delegations, rolling_value_above, limits_reading }) => ({ rules, coverage, delegations, rolling_value_above, limits_reading });

function proposalRow(proposal, matrix, redraw) {
  const now = new Map(matrix.rules.map((rule) => [rule.code, JSON.stringify(rule)]));
  const changed = proposal.document.rules.filter((rule) => now.get(rule.code) !== JSON.stringify(rule)).map((rule) => words(rule.code));
  const gone = matrix.rules.filter((rule) => !proposal.document.rules.some((other) => other.code === rule.code)).map((rule) => `without ${words(rule.code)}`);
  const before = new Set(matrix.coverage.map((one) => JSON.stringify(one)));
  const covering = new Set(proposal.document.coverage.map((one) => JSON.stringify(one)));
  const entries = [...proposal.document.coverage.filter((one) => !before.has(JSON.stringify(one))).map((one) => `${one.subject} covers ${names(one.scope).join("; ") || "everything"}`), ...matrix.coverage.filter((one) => !covering.has(JSON.stringify(one))).map((one) => `without an entry of ${one.subject}`)];
  const reading = Boolean(proposal.document.limits_reading) === Boolean(matrix.limits_reading) ? [] : [proposal.document.limits_reading ? "reading limited to coverage" : "everybody reads everything"];
  return proposalCells(proposal, { session, what: [...changed, ...gone, ...entries, ...reading].join(", ") || (proposal.state === "published" ? `Version ${proposal.base_version + 1}` : "Delegations or ceiling"), path: "/v1/approval-matrix/proposals", redraw });
}

/** The whole section; draws itself again after every change. */
export async function approvalRules(who) {
  session = who;
  const box = h("div.stack");
  const redraw = async () => {
    try {
      const { matrix, proposals } = await get("/v1/approval-matrix");
      const may = session.can?.includes("change_policy");
      const propose = (changes, reason) => command("/v1/approval-matrix/proposals", { matrix: { ...parts(matrix), ...changes }, reason }, told, redraw);
      const edit = async (rule) => {
        const answer = await askRule(rule);
        if (answer) await propose({ rules: rule ? matrix.rules.map((each) => (each === rule ? answer.rule : each)) : [...matrix.rules, answer.rule] }, answer.reason);
      };
      const rules = matrix.rules.map((rule) => [[h("b", {}, words(rule.code)), h("small", {}, rule.says)], where(rule), SIGNATURES[rule.signatures], rule.sla_hours ? `${number(rule.sla_hours, 0)} h, then ${rule.escalate_to ?? "approver"}` : "–", may ? h("button.btn.small", { type: "button", onclick: () => edit(rule) }, "Change") : ""]);
      const delegations = matrix.delegations.map((one) => [h("b", {}, `${one.delegate} for ${one.delegator}`), `${one.starts} to ${one.ends}`, one.reason]);
      box.replaceChildren(...[
        h("section.card", {}, h("header", {}, h("h2", {}, "Approval rules"), h("span.muted", {}, matrix.version ? `version ${matrix.version}` : "built in"), h("span.acts", {}, may ? h("button.btn.small", { type: "button", onclick: () => edit(null) }, "Add a rule") : null, session.can?.includes("decide") ? h("button.btn.small", { type: "button", onclick: async () => { const given = await askDelegation(); if (given) await command("/v1/delegations", given, `${given.delegate} decides in your place from ${given.starts} to ${given.ends}.`, redraw); } }, "Give my seat away") : null)),
          h("p.quiet", {}, `Beside the value limits of the policy. Of several rules the strictest holds. ${matrix.rolling_value_above ? `Approvals of one signature for one supplier and day together above ${money(matrix.rolling_value_above)} take two.` : "An order split into many small lines is seen at ten times the limit of two signatures."}`),
          table("Approval rules", ["Rule", "Applies to", "Asks for", "To be decided within", "Change"], rules)),
        coverageSection(matrix, { may, propose }),
        delegations.length ? h("section.card", {}, h("header", {}, h("h2", {}, "Who stands in for whom")), table("Delegations", ["Who", "Days", "Why"], delegations)) : null,
        proposals.length ? h("section.card", {}, h("header", {}, h("h2", {}, "Proposals")), table("Proposals", ["What", "Proposed", "State", "Decide"], proposals.slice(0, 10).map((each) => proposalRow(each, matrix, redraw)))) : null,
      ].filter(Boolean));
    } catch (problem) {
      box.replaceChildren(h("div.card", {}, failed("The approval rules could not be read", problem, redraw)));
    }
  };
  await redraw();
  return box;
}
