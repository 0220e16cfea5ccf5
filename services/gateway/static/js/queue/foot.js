// The foot of the queue: the keys, or what the selection adds up to and what can be done with it.
import { h } from "../dom.js";
import { count, money, number, total } from "../format.js";
import { keyFor } from "../keys.js";

const cap = (words) => h("kbd", { "aria-hidden": "true" }, words);

function keys(place, lines, active) {
  const hint = (words, short) => h("span.hint", {}, ...words.flatMap((each) => [h("kbd", {}, keyFor(each)), " "]), short);
  const at = active ? lines.order.indexOf(active.line_id) + 1 : 0;
  place.replaceChildren(hint(["Next line", "Line before"], "move"), hint(["Select line"], "select"), hint(["Approve line or selection"], "approve"), hint(["Amend quantity"], "amend"), hint(["Reject with a reason"], "reject"), hint(["Snooze"], "snooze"), hint(["Undo"], "undo"), h("span.end", {}, `${number(at, 0)} of ${number(lines.total, 0)}`));
}

/** `acts`: {approve, reject, snooze, clear, again}; `failed`: what a decision made for all of them did not reach, {verdict, ids}. */
export function drawFootOf(place, { lines, active, can, acts, failed }) {
  const chosen = lines.selectedLines();
  place.classList.toggle("bulk", chosen.length > 0);
  if (!chosen.length) { keys(place, lines, active); return; }
  const suppliers = new Set(chosen.map((line) => line.supplier)).size;
  const refused = chosen.filter((line) => line.problem).length;
  const act = (words, run, key, kind = "") => h(`button.btn${kind}.small`, { type: "button", disabled: !can, onclick: run }, words, key ? cap(key) : null);
  const verb = { approve: "Approve", reject: "Reject", snooze: "Snooze" }[failed?.verdict];
  place.replaceChildren(
    h("span", {}, h("b", {}, `${count(chosen.length, "line")} · ${money(total(chosen.map((line) => line.value)), chosen[0].currency)}`), ` · ${count(suppliers, "supplier")}${refused ? ` · ${number(refused, 0)} not recorded` : ""}`),
    h("span.acts.end", {},
      verb ? act(`${verb} ${number(failed.ids.length, 0)} again`, acts.again, null, ".p") : null,
      act("Approve", acts.approve, keyFor("Approve line or selection"), verb ? "" : ".p"), act("Reject", acts.reject, keyFor("Reject with a reason")), act("Snooze", acts.snooze, keyFor("Snooze")),
      h("button.btn.small", { type: "button", onclick: acts.clear }, "Clear", cap("Esc"))));
}
