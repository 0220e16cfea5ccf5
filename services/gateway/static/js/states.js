// The four honest states of a list: nothing there, nothing found, not yet, failed. Each says what to do next.
import { h, icon } from "./dom.js";

function state(picture, title, sentence, actions, attributes = {}) {
  return h("div.state", attributes, icon(picture, 30), h("h2", {}, title), h("p", {}, sentence), actions.length ? h("div.actions", {}, ...actions) : null);
}

export const empty = (title, sentence, ...actions) => state("check", title, sentence, actions);
export const noResults = (sentence, clear) => state("search", "Nothing matches", sentence, clear ? [h("button.btn", { type: "button", onclick: clear }, "Clear filters")] : []);

/** What failed, why, what next, and the id that finds it in the log. What is closed to this person did not fail: nothing to try again. */
export function failed(what, problem, retry) {
  if (problem.status === 403) return state("shield", problem.title, problem.detail, []);
  const box = state(problem.isUnreachable ? "plug" : "warning", what, problem.inFull, retry ? [h("button.btn", { type: "button", onclick: retry }, "Try again")] : [], { role: "alert" });
  if (problem.instance) box.append(h("p.faint", {}, "Request ", h("span.mono", {}, problem.request)));
  return box;
}

export function notice(tone, title, sentence, ...actions) {
  return h(`div.notice${tone ? `.${tone}` : ""}`, {}, h("div", {}, h("b", {}, title), " ", sentence), actions.length ? h("div.actions", {}, ...actions) : null);
}

export function skeletonRows(rows, columns) {
  return Array.from({ length: rows }, () => h("tr", { "aria-hidden": "true" }, ...Array.from({ length: columns }, () => h("td", {}, h("span.skeleton")))));
}
