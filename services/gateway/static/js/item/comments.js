// Comments on a line: who said what and when; kept for good, in the audit log, and told to every open page and to whom they name.
import { announce } from "../announce.js";
import { get, intentKey, post } from "../api.js";
import { h } from "../dom.js";
import { draftOf, keepDraft } from "../drafts.js";
import { when } from "../when.js";

const NAMES_MAX = 5;
const NAMING = /(?:^|[\s(])@([\w.+@-]*)$/; // the name that is being written before the cursor
let people = null;
/** Who can be named; asked once a page, when the first @ is written. */
const colleagues = () => (people ??= get("/v1/colleagues").then((answer) => answer.items).catch(() => { people = null; return []; }));

const said = (line) => (one) => h("li", {}, h("span", {}, one.text), h("b", {}, one.by, h("small.block.faint", {}, when(one.at, line?.location))));

/** Names that fit what stands behind the @, as buttons: Tab goes there, Enter takes one. */
function naming(text, onTaken) {
  const box = h("div.names", { role: "group", "aria-label": "People you can name", hidden: true });
  const clear = () => { box.hidden = true; box.replaceChildren(); };
  const take = (username) => {
    const before = text.value.slice(0, text.selectionStart).replace(/@[\w.+@-]*$/, `@${username} `);
    text.value = before + text.value.slice(text.selectionStart);
    text.setSelectionRange(before.length, before.length);
    clear();
    text.focus();
    onTaken();
  };
  const offer = async () => {
    const begun = NAMING.exec(text.value.slice(0, text.selectionStart))?.[1].toLowerCase();
    if (begun === undefined) { clear(); return; }
    const fitting = (await colleagues()).filter((one) => one.username !== document.body.dataset.subject && (one.username.startsWith(begun) || one.name.toLowerCase().includes(begun))).slice(0, NAMES_MAX);
    box.replaceChildren(...fitting.map((one) => h("button.chip", { type: "button", onclick: () => take(one.username) }, `@${one.username}`, one.name.toLowerCase() === one.username ? null : h("span.faint", {}, one.name))));
    box.hidden = !fitting.length;
    if (fitting.length) announce(`${fitting.length === 1 ? "One name fits" : `${fitting.length} names fit`}: Tab goes to them.`);
  };
  return { box, offer, clear };
}

/** The list and a field to add to it. `onSaid` runs once it is recorded. */
export function comments(list, line, onSaid) {
  const lines = h("ul.past", { hidden: !list?.length }, ...(list ?? []).map(said(line)));
  // The panel draws itself anew when a line changes: what a person has begun to write stays.
  const keep = () => keepDraft("comment", line.line_id, text.value || null);
  const text = h("textarea", { rows: 2, maxlength: 1000, required: true, "aria-label": "Comment on this line", placeholder: "Something the next person should know; @name asks for somebody", value: draftOf("comment", line?.line_id) ?? "", oninput: () => { keep(); names.offer(); } });
  const names = naming(text, keep);
  const trouble = h("p.err", { role: "alert" });
  const told = h("p.told");
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
        lines.append(said(line)({ text: words, by: answer.by, at: new Date().toISOString() }));
        lines.hidden = false;
        text.value = "";
        keepDraft("comment", line.line_id, null);
        names.clear();
        trouble.textContent = "";
        told.textContent = answer.mentions?.length ? `${answer.mentions.join(" and ")} will see it on Today.` : "";
        announce(`Your comment is recorded. ${told.textContent}`);
        onSaid?.();
      } catch (problem) {
        trouble.textContent = problem.detail;
      }
    },
  }, text, names.box, h("button.btn.small", { type: "submit" }, "Comment"), told, trouble);
  return h("section.part", { id: "comments" }, h("h3", {}, "Comments"), lines, line ? form : null);
}
