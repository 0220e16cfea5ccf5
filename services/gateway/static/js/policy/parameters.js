// The policy parameters: read, and changed by a proposal whose effect is seen first and that another person puts in force.
import { get, post } from "../api.js";
import { open } from "../dialog.js";
import { h } from "../dom.js";
import { day, number, words } from "../format.js";
import { failed } from "../states.js";
import { effectBox, effectSentence } from "./effect.js";
import { command, field, proposalCells, refusalWords, table } from "./governing.js";

const written = (value) => (/^-?\d+(\.\d+)?$/.test(value) ? number(value, 4) : String(value));

/** Ask for another value and why; the effect is shown before it can be proposed. Resolves {parameters, reason} or null. */
function askChange(name, now) {
  return open(`Change ${words(name).toLowerCase()}`, (finish, id) => {
    const value = h("input", { id: `${id}-value`, required: true, maxlength: 40, value: now, autofocus: true, inputmode: /^[\d.]+$/.test(now) ? "decimal" : null, oninput: () => stale() });
    const reason = h("input", { id: `${id}-why`, required: true, maxlength: 200 });
    const effect = h("div", { role: "status", "aria-live": "polite" }, h("p.muted", {}, "Nothing is proposed before you have seen its effect."));
    const submit = h("button.btn.p", { type: "submit" }, "Show the effect");
    let seen = null;
    const change = () => ({ [name]: value.value.trim() });
    const stale = () => { if (seen !== null && seen !== value.value.trim()) { seen = null; submit.textContent = "Show the effect"; effect.replaceChildren(h("p.muted", {}, "The value changed: look at its effect again.")); } };
    const look = async () => {
      submit.disabled = true;
      const asked = value.value.trim();
      effect.replaceChildren(h("p.muted", {}, "Planning as it is and as it would be …"));
      try {
        const answer = await post("/v1/policy/preview", { parameters: change() });
        value.setAttribute("aria-invalid", "false");
        effect.replaceChildren(effectBox(answer));
        seen = asked;
        submit.textContent = "Propose";
      } catch (problem) {
        value.setAttribute("aria-invalid", "true");
        effect.replaceChildren(h("p.err", {}, refusalWords(problem)));
        value.focus();
      }
      submit.disabled = false;
    };
    return [h("form", { method: "dialog", onsubmit: (event) => { event.preventDefault(); if (seen === value.value.trim()) finish({ parameters: change(), reason: reason.value.trim() }); else look(); } },
      h("div.body", {}, h("h2", { id }, `Change ${words(name).toLowerCase()}`), h("p.lead", {}, `In force: ${written(now)}. Another approver or administrator has to agree.`), field(value.id, "New value", value), field(reason.id, "Why this change", reason), effect),
      h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, "Cancel"), submit))];
  }, { wide: true });
}

const published = (one) => [h("b", {}, `${one.scope === "default" ? "All items" : `Scope ${one.scope}`}, version ${one.version}`), one.published_by.split("+").join(" with "), day(one.valid_from, { year: true, weekday: false }), one.reason];

/** The whole section; draws itself again after every change. */
export async function policyParameters(session) {
  const box = h("div.stack");
  const redraw = async () => {
    try {
      const { version, parameters, defaults, items, versions } = await get("/v1/policy/proposals");
      const may = session.can?.includes("change_policy");
      const edit = async (name) => {
        const answer = await askChange(name, parameters[name]);
        if (answer) await command("/v1/policy/proposals", answer, ({ effect }) => `Proposed. ${effectSentence(effect)}`, redraw);
      };
      const rows = Object.keys(defaults).map((name) => [[h("b", {}, words(name)), h("small.mono", {}, name)], written(parameters[name]), String(parameters[name]) === String(defaults[name]) ? h("span.faint", {}, "default") : `default ${written(defaults[name])}`, may ? h("button.btn.small", { type: "button", "aria-label": `Change ${words(name).toLowerCase()}`, onclick: () => edit(name) }, "Change") : ""]);
      const proposals = items.slice(0, 10).map((each) => proposalCells(each, { session, what: Object.entries(each.parameters).map(([name, value]) => `${words(name)} ${written(value)}`).join(", "), path: "/v1/policy/proposals", redraw }));
      for (const [index, cells] of proposals.entries()) cells.splice(1, 0, h("span", {}, effectSentence(items[index].effect)));
      box.replaceChildren(...[
        proposals.length ? h("section.card", {}, h("header", {}, h("h2", {}, "Proposed parameters")), table("Proposed parameters", ["What", "Effect when it was proposed", "Proposed", "State", "Decide"], proposals)) : null,
        h("section.card", {}, h("header", {}, h("h2", {}, "Parameters"), h("span.muted", {}, version ? `version ${version}` : "built in")),
          h("p.quiet", {}, may ? "A change is proposed with its effect on the plan, and in force once another approver or administrator agrees; then everything is planned again." : "Approvers and administrators propose changes; a second one of them puts them in force."),
          table("Parameters", ["Parameter", "Value", "Built in", "Change"], rows)),
        h("section.card", {}, h("header", {}, h("h2", {}, "Published versions")), versions.length ? table("Published versions", ["Version", "By", "From", "Why"], versions.map(published)) : h("p.quiet", {}, "None yet: the plan runs on the built-in values, and every recommendation names them.")),
      ].filter(Boolean));
    } catch (problem) {
      box.replaceChildren(h("div.card", {}, failed("The parameters could not be read", problem, redraw)));
    }
  };
  await redraw();
  return box;
}
