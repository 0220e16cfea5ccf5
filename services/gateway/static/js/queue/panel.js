// The panel beside the queue: it follows the active line, remembers what it has read, and holds the four decisions.
import { get, withQuery } from "../api.js";
import { h, icon } from "../dom.js";
import { number, words } from "../format.js";
import { ask, evidence, facts, openExceptions, pastDecisions, pictures, steps, verdictWord } from "../item/sections.js";
import { comments } from "../item/comments.js";
import { draftOf } from "../drafts.js";
import { whatIf } from "../item/whatif.js";
import { failed, notice } from "../states.js";
import { when } from "../when.js";
import { keyFor } from "../keys.js";
import { isOpen, isSignedByMe } from "./lines.js";
import { Stepper } from "./stepper.js";

const FOLLOW_WAIT_MS = 90; // while j is held down, rows fly by: only the one that stays is read
const KEPT_MAX = 60;
const rulesOf = (line) => line.asked_by.map((code) => words(code).toLowerCase()).join(", ");

export class Panel {
  /** `actions`: {approve, amend(quantity, reason), reject, snooze, undo, reasons(), canDecide()}. */
  constructor(host, actions) {
    Object.assign(this, { host, actions, kept: new Map(), line: null, stepper: null });
    this.scroll = h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Why this quantity" });
    this.decide = h("div.decide");
    this.scroll.addEventListener("scroll", () => { this.isScrolled = true; }, { passive: true });
    // How wide it is, as last told: asked for in the middle of a change of the list, it made the browser lay out the page twice.
    new ResizeObserver(() => { this.width = this.scroll.clientWidth; }).observe(this.scroll);
  }

  get isOverlay() {
    return matchMedia("(max-width: 1180px)").matches;
  }

  open() {
    if (!this.isOverlay) return;
    this.returnTo = document.activeElement;
    this.host.classList.add("open");
    this.scroll.focus();
  }

  close() {
    if (!this.host.classList.contains("open")) return false;
    this.host.classList.remove("open");
    this.returnTo?.focus?.();
    return true;
  }

  /** Whether another quantity stands in the field than the line's: then an approval would order what nobody looks at. */
  holdsAmendment(line) {
    if (this.line?.line_id !== line.line_id || !this.stepper?.isChanged) return false;
    this.stepper.complain(`You wrote ${this.stepper.input.value} here. Amend sends it; Esc puts ${number(line.quantity)} back, to approve that.`);
    if (this.isOverlay) this.open();
    this.stepper.focus();
    return true;
  }

  /** Draw only the decisions again. */
  showButtons() {
    if (this.line) this.#buttons(this.line, this.kept.get(this.line.recommendation_id)?.item);
  }

  forget(id) {
    this.kept.delete(id);
  }

  /** Show a line. Its own numbers are there at once; history, fan and derivation follow when they are read. */
  show(line, { again = false } = {}) {
    const isSame = this.line && line && this.line.recommendation_id === line.recommendation_id;
    if (isSame && !again && this.line === line) return;
    this.line = line;
    if (!line) return this.#nothing();
    const detail = this.kept.get(line.recommendation_id);
    if (!isSame && this.isScrolled) { this.scroll.scrollTop = 0; this.isScrolled = false; }
    this.#draw(line, detail);
    if (detail) return undefined;
    clearTimeout(this.timer);
    this.abort?.abort();
    this.timer = setTimeout(() => this.#read(line), FOLLOW_WAIT_MS);
    return undefined;
  }

  async #read(line) {
    this.abort = new AbortController();
    const id = line.recommendation_id;
    try {
      const detail = await get(withQuery(`/v1/items/${encodeURIComponent(line.sku)}/${encodeURIComponent(line.location)}`, { recommendation_id: id }), { signal: this.abort.signal });
      this.kept.set(id, detail);
      if (this.kept.size > KEPT_MAX) this.kept.delete(this.kept.keys().next().value);
      if (this.line?.recommendation_id === id) this.#draw(this.line, detail);
    } catch (problem) {
      if (problem.name === "AbortError" || this.line?.recommendation_id !== id) return;
      this.body?.replaceChildren(failed("The reasoning could not be read", problem, () => this.#read(line)));
    }
  }

  #nothing() {
    this.stepper = null;
    this.scroll.replaceChildren(h("div.state", {}, icon("check", 30), h("h2", {}, "No line chosen"), h("p", {}, "Choose a line on the left, and the whole argument for its quantity appears here.")));
    this.host.replaceChildren(this.scroll);
  }

  #draw(line, detail) {
    const item = detail?.item;
    const place = [`SKU ${line.sku}`, line.location_name ?? line.location, line.supplier_name].filter(Boolean).join(" · ");
    const title = h("h2", {}, h("button.plain.close", { type: "button", "aria-label": "Close", onclick: () => this.close() }, icon("close", 16)), line.item_name ?? line.sku);
    // A line that changes must not take the keyboard out of a sentence: its next letters would be commands.
    const active = this.scroll.contains(document.activeElement) ? document.activeElement : null;
    const cursor = active?.matches("textarea") ? [active.selectionStart, active.selectionEnd] : null;
    this.body = h("div", {}, ...(detail ? this.#argument(line, detail) : [h("p.muted", {}, "Reading the history and the derivation …"), this.#isTalkedOn(line) ? this.talk.element : null]));
    this.scroll.replaceChildren(title, h("p.meta", {}, place, " · ", h("a", { href: `/items/${encodeURIComponent(line.sku)}/${encodeURIComponent(line.location)}` }, "item page")), ...this.#notices(line, detail), ask(line), facts(detail, line), this.body);
    if (active?.isConnected && document.activeElement !== active) {
      active.focus({ preventScroll: true });
      if (cursor) active.setSelectionRange(...cursor);
    }
    this.#buttons(line, item);
    if (this.scroll.parentElement !== this.host) this.host.replaceChildren(this.scroll, this.decide);
    else if (this.decide.parentElement !== this.host) this.host.append(this.decide);
  }

  #argument(line, detail) {
    const zone = detail.item?.time_zone;
    const width = Math.max(320, (this.width || this.scroll.clientWidth) - 38);
    return [pictures(detail, line, width), steps(detail.steps, detail.position), whatIf(detail, line), pastDecisions(detail.past_decisions, line.unit, zone), openExceptions(detail.exceptions), this.#talk(detail, line), evidence(detail.evidence, line)];
  }

  /** Somebody writes about this line just now: what they write in stays as it is. */
  #isTalkedOn(line) {
    return this.talk?.lineId === line.line_id && this.talk.element.contains(document.activeElement);
  }

  #talk(detail, line) {
    if (!this.#isTalkedOn(line)) this.talk = { lineId: line.line_id, element: comments(detail.comments, line, () => this.forget(line.recommendation_id)) };
    return this.talk.element;
  }

  #notices(line, detail) {
    const boxes = [];
    if (isOpen(line) && detail?.back_from_snooze) boxes.push(notice("info", "Back from its snooze:", `${detail.back_from_snooze}.`));
    if (line.problem) boxes.push(notice("bad", line.problem.status === 412 ? "Someone was faster." : "Not recorded.", line.problem.detail));
    if (isOpen(line) && line.due_at) boxes.push(line.escalated ? notice("warn", "Escalated.", ["Nobody decided by ", when(line.due_at, line.location), `; ${line.owner} answers for it now.`]) : notice("", `${line.owner === "planner" ? "The planners answer" : `${line.owner} answers`} for this line`, ["until ", when(line.due_at, line.location), "."]));
    if (line.signatures === "approver" && isOpen(line)) boxes.push(notice("info", "An approver has to agree.", `Asked for by the rule ${rulesOf(line)}.`));
    for (const [verb, command] of [["reject", "Reject with a reason"], ["snooze", "Snooze"]]) if (isOpen(line) && !line.busy && draftOf(verb, line.line_id)) boxes.push(notice("info", `You had begun to ${verb} this line.`, `${keyFor(command)} goes on with it.`));
    if (line.isFresh && isOpen(line)) boxes.push(notice("info", "Updated.", "The plan was computed again while you were here; these are the new numbers."));
    if (line.status === "awaiting_second") boxes.push(notice("info", isSignedByMe(line) ? "You signed." : `${line.decided_by} signed.`, `${line.asked_by?.length ? `Two have to sign (${rulesOf(line)})` : "The value is above the limit of one signature"}: ${isSignedByMe(line) ? "somebody else" : "a second person"} has to sign before the order is sent.`));
    if (!isOpen(line) && !line.busy) boxes.push(notice(line.status === "rejected" ? "" : "good", [`${words(verdictWord(line.status))}${line.decided_by ? ` by ${line.decided_by}` : ""}`, line.decided_at ? [", ", when(line.decided_at, line.location)] : null, "."], line.decision_reason ? `Reason: ${words(line.decision_reason).toLowerCase()}.` : ""));
    return boxes.map((box) => { box.classList.add("spaced"); return box; });
  }

  #buttons(line, item) {
    const can = this.actions.canDecide();
    const key = (letter) => h("kbd", { "aria-hidden": "true" }, letter);
    if (!isOpen(line) || isSignedByMe(line)) {
      this.stepper = null;
      const undo = line.undo_until && Date.parse(line.undo_until) > Date.now() - 2000;
      this.decide.replaceChildren(h("div.acts", {}, undo ? h("button.btn", { type: "button", onclick: () => this.actions.undo() }, "Undo", key(keyFor("Undo"))) : h("span.muted", {}, isSignedByMe(line) ? "Waits for the second signature." : "This line is decided.")));
      return;
    }
    // A new stepper goes on with a half-typed amendment: the person's work is not ours to drop.
    if (!this.stepper || this.couldDecide !== can || this.stepper.line.recommendation_id !== line.recommendation_id || this.stepper.line.version !== line.version) {
      const hadFocus = this.stepper?.element.contains(document.activeElement) && this.stepper.line.line_id === line.line_id;
      this.couldDecide = can;
      this.stepper = new Stepper({ line, moq: item?.moq, submit: this.actions.amend, reasons: () => this.actions.reasons("amend") });
      this.stepper.onLeave = this.actions.leave;
      const acts = h("div.acts", {},
        h("button.btn.p", { type: "button", disabled: !can, onclick: () => this.actions.approve() }, "Countersign", key(keyFor("Approve line or selection"))),
        // A change of an order is taken or left: another one would be another plan.
        line.changes_order ? null : h("button.btn", { type: "button", disabled: !can, onclick: () => (this.stepper.isChanged ? this.stepper.send() : this.stepper.focus()) }, "Amend", key(keyFor("Amend quantity"))),
        h("button.btn", { type: "button", disabled: !can, onclick: () => this.actions.reject() }, "Reject", key(keyFor("Reject with a reason"))),
        h("button.btn", { type: "button", disabled: !can, onclick: () => this.actions.snooze() }, "Snooze", key(keyFor("Snooze"))));
      this.decide.replaceChildren(...(can ? (line.changes_order ? [acts] : [this.stepper.element, acts]) : [h("p.muted", {}, "Your role reads this line and cannot decide it. A planner or an approver can."), acts]));
      if (hadFocus) this.stepper.focus();
    }
    this.stepper.moq = item?.moq; // known a moment later than the line
  }
}
