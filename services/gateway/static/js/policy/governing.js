// What both halves of the policy page share: a command that happens once, a table, and a proposal another person decides.
import { announce, toast } from "../announce.js";
import { intentKey, post } from "../api.js";
import { h } from "../dom.js";
import { instant, utc, words } from "../format.js";

const STATES = { open: "a", published: "g", declined: "b", withdrawn: "" };

export const table = (label, heads, rows) => h("div.table-scroll", { tabindex: 0, role: "region", "aria-label": label }, h("table.stackable", { "aria-label": label }, h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, ...rows.map(([first, ...cells]) => h("tr", {}, h("th", { scope: "row" }, first), ...cells.map((cell, index) => h("td", { "data-label": heads[index + 1] }, cell)))))));
export const field = (id, label, control, hint) => h("div.field", {}, h("label", { for: id }, label), control, hint ? h("span.hint", {}, hint) : null);

export const refusalWords = (problem) => problem.inFull;

/** Send a command once, say what became of it, draw again. Resolves the answer, or null when it was refused. */
export async function command(path, body, said, redraw) {
  try {
    const answer = await post(path, body ?? {}, { headers: { "Idempotency-Key": intentKey() } });
    toast(typeof said === "function" ? said(answer) : said, { seconds: 10 });
    await redraw();
    return answer;
  } catch (problem) {
    toast(refusalWords(problem), { seconds: 14 });
    announce(refusalWords(problem));
    return null;
  }
}

/** The cells of a proposal: what, by whom, its state, and what this person can do about it. */
export function proposalCells(proposal, { session, what, path, redraw }) {
  const mine = proposal.proposed_by === session.subject;
  const act = (verb) => `${path}/${encodeURIComponent(proposal.proposal_id)}/${verb}`;
  const acts = proposal.state === "open" && session.can?.includes("change_policy") ? h("span.acts", {},
    mine ? null : h("button.btn.p.small", { type: "button", onclick: () => command(act("approve"), {}, (answer) => `Version ${answer.version} is in force.`, redraw) }, "Put in force"),
    h("button.btn.small", { type: "button", onclick: () => command(act("end"), {}, mine ? "Withdrawn." : "Declined.", redraw) }, mine ? "Withdraw" : "Decline")) : null;
  return [[h("b", {}, what), h("small", {}, proposal.reason)], h("span", { title: utc(proposal.proposed_at) }, `${proposal.proposed_by}, ${instant(proposal.proposed_at)}`), [h(`span.tag${STATES[proposal.state] ? `.${STATES[proposal.state]}` : ""}`, {}, words(proposal.state)), proposal.decided_by ? h("small", {}, `by ${proposal.decided_by}`) : null], acts ?? ""];
}
