// Comments on a line: who said what and when; kept for good, in the audit log, and told to every open page.
import { announce } from "../announce.js";
import { intentKey, post } from "../api.js";
import { h } from "../dom.js";
import { instant, utc } from "../format.js";

const drafts = new Map(); // the panel draws itself anew when a line changes: what a person has begun to write stays
const said = (one) => h("li", {}, h("span", {}, one.text), h("b", { title: utc(one.at) }, one.by, h("small.block.faint", {}, instant(one.at))));

/** The list and a field to add to it. `onSaid` runs once it is recorded. */
export function comments(list, line, onSaid) {
  const lines = h("ul.past", { hidden: !list?.length }, ...(list ?? []).map(said));
  const text = h("textarea", { rows: 2, maxlength: 1000, required: true, "aria-label": "Comment on this line", placeholder: "Something the next person should know", value: drafts.get(line?.line_id) ?? "", oninput: () => drafts.set(line.line_id, text.value) });
  const trouble = h("p.err", { role: "alert" });
  let key = intentKey();
  const form = h("form.comment", {
    onkeydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); } },
    onsubmit: async (event) => {
      event.preventDefault();
      const words = text.value.trim();
      if (!words) return;
      try {
        const answer = await post(`/v1/recommendations/${encodeURIComponent(line.recommendation_id)}/comments`, { text: words }, { headers: { "Idempotency-Key": key } });
        key = intentKey();
        lines.append(said({ text: words, by: answer.by, at: new Date().toISOString() }));
        lines.hidden = false;
        text.value = "";
        drafts.delete(line.line_id);
        trouble.textContent = "";
        announce("Your comment is recorded.");
        onSaid?.();
      } catch (problem) {
        trouble.textContent = problem.detail;
      }
    },
  }, text, h("button.btn.small", { type: "submit" }, "Comment"), trouble);
  return h("section.part", {}, h("h3", {}, "Comments"), lines, line ? form : null);
}
