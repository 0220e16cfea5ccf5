// The two questions a decision can ask: why not, and until when.
import { askReason } from "../dialog.js";
import { h } from "../dom.js";
import { day, plusDays } from "../format.js";

// `begun` is {draft, keep}: what was written of it before a session ended, and how to go on keeping it.
export const askReject = (lead, reasons, begun) => askReason("Reject", `${lead}. The line leaves the queue; the reason is kept with it.`, reasons, { yes: "Reject", ...begun });

const CHOICES = [["Tomorrow", 1], ["In 2 days", 2], ["In 3 days", 3], ["In a week", 7]];

/** Days are business days of the location, counted from the last one that closed. */
export function askSnooze(lead, reasons, today, begun) {
  const from = today ?? new Date().toISOString().slice(0, 10);
  const first = plusDays(from, 1);
  const { draft } = begun;
  const field = h("input", { type: "date", id: "snooze-until", min: first, value: draft?.snooze_until > first ? draft.snooze_until : first, required: true, autofocus: true });
  const quick = h("div.chips", {}, ...CHOICES.map(([words, days]) => h("button.chip", { type: "button", onclick: () => { field.value = plusDays(from, days); field.dispatchEvent(new Event("input", { bubbles: true })); } }, words, " ", h("b", {}, day(plusDays(from, days), { weekday: false })))));
  quick.classList.add("flush");
  const extra = [h("div.field", {}, h("label", { for: "snooze-until" }, "Until"), quick, field)];
  const wakes = h("select", { id: "snooze-wakes" }, h("option", { value: "" }, "Only on that day"), h("option", { value: "any_change" }, "Earlier, when its numbers change"), h("option", { value: "sooner_stockout" }, "Earlier, when it runs out sooner"));
  wakes.value = draft?.wakes_on ?? "";
  extra.push(h("div.field", {}, h("label", { for: "snooze-wakes" }, "Comes back"), wakes));
  return askReason("Snooze", `${lead}. It comes back on that day and says what changed.`, reasons, { yes: "Snooze", extra, collect: () => ({ snooze_until: field.value, ...(wakes.value && { wakes_on: wakes.value }) }), reasonRequired: reasons.length > 0, ...begun });
}
