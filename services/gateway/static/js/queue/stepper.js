// The amend field: arrows step by the pack, a quantity the supplier cannot deliver is explained and the nearest offered.
import { post } from "../api.js";
import { h } from "../dom.js";
import { draftOf, keepDraft } from "../drafts.js";
import { count, money, number, percent, unitWord } from "../format.js";

const WHATIF_WAIT_MS = 250;

/** Decimal arithmetic on quantities: ten-thousandths as integers. */
const scaled = (value) => Math.round(Number(value) * 10_000);

/** The constraint a quantity breaks, in words, with the nearest legal quantities; null when it is legal. */
export function illegal(value, { pack, moq, unit }) {
  const wanted = scaled(value);
  if (!Number.isFinite(wanted) || wanted <= 0) return { says: "Enter a quantity above zero; to order nothing, reject the line.", nearest: [] };
  const size = scaled(pack || 0);
  const least = scaled(moq || 0);
  const up = (amount) => (size ? Math.ceil(amount / size) * size : amount);
  if (least && wanted < least) return { says: `The supplier's minimum is ${number(moq)} ${unitWord(unit, moq)}.`, nearest: [up(least) / 10_000] };
  if (size && wanted % size) {
    const below = Math.floor(wanted / size) * size;
    return { says: `The supplier delivers in packs of ${number(pack)}.`, nearest: [below, up(wanted)].filter((amount) => amount > 0 && amount >= least).map((amount) => amount / 10_000) };
  }
  return null;
}

export class Stepper {
  /** `line` as the API gives it, `moq` from the item; `submit(quantity, reason)`; `reasons()` resolves the coded list. */
  constructor({ line, moq, submit, reasons }) {
    Object.assign(this, { line, moq, submit, reasons, serial: 0 });
    this.input = h("input", { type: "text", inputmode: "decimal", id: "amend-quantity", autocomplete: "off", value: line.quantity, "aria-describedby": "amend-effect amend-error", oninput: () => this.#changed(), onkeydown: (event) => this.#key(event) });
    this.effect = h("span.effect", { id: "amend-effect" }, this.#packs(line.quantity));
    this.reason = h("select", { "aria-label": "Reason for the amendment", hidden: true, onchange: () => this.#keep(), onkeydown: (event) => this.#key(event) });
    this.error = h("div.err", { id: "amend-error", role: "alert" });
    this.kept = h("div.kept", { hidden: true }, "You had begun this amendment. Enter sends it, Esc puts it back.");
    this.element = h("div.stepper", {}, h("label", { for: "amend-quantity" }, "Amend to"), this.input, this.effect, this.reason, this.kept, this.error);
    this.#restore(draftOf("amendment", line.line_id));
  }

  /** Go on with what was begun before the page was left, the session ended, or fresher numbers came. */
  async #restore(draft) {
    if (!draft) return;
    this.input.value = draft.quantity;
    if (!this.isChanged) return;
    this.kept.hidden = false;
    this.effect.textContent = this.#packs(this.value);
    await this.#showReasons();
    if (draft.reason) this.reason.value = draft.reason;
  }

  #keep() {
    keepDraft("amendment", this.line.line_id, this.isChanged ? { quantity: this.input.value, reason: this.reason.value } : null);
  }

  get value() {
    return this.input.value.trim().replaceAll(/[\s,](?=\d{3}\b)/g, "").replace(",", ".");
  }

  get isChanged() {
    return Number(this.value) !== Number(this.line.quantity);
  }

  #packs(value) {
    const size = Number(this.line.pack);
    const packs = size > 1 && Number(value) % size === 0 ? ` · ${count(Number(value) / size, "pack")}` : "";
    return `${unitWord(this.line.unit, value)}${packs}${this.line.unit_cost ? ` · ${money(Number(value) * Number(this.line.unit_cost), this.line.currency)}` : ""}`;
  }

  async focus() {
    this.input.focus();
    this.input.select();
    await this.#showReasons();
  }

  async #showReasons() {
    if (!this.reason.hidden) return;
    const list = await this.reasons();
    if (!list || !this.reason.hidden) return; // asked for twice while they were read: what is chosen meanwhile stays
    this.reason.replaceChildren(h("option", { value: "" }, "Reason …"), ...list.map((reason) => h("option", { value: reason.code }, reason.label)));
    this.reason.hidden = false;
  }

  #changed() {
    this.error.replaceChildren();
    this.input.setAttribute("aria-invalid", "false");
    this.kept.hidden = true;
    this.#keep();
    this.effect.textContent = this.#packs(this.value);
    this.#showReasons();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#whatIf(), WHATIF_WAIT_MS);
  }

  /** Ask the policy service what this quantity would mean; without an answer the arithmetic above stands. */
  async #whatIf() {
    const mine = (this.serial += 1);
    const value = this.value;
    if (illegal(value, { pack: this.line.pack, moq: this.moq, unit: this.line.unit })) return;
    try {
      const answer = await post("/v1/whatif", { sku: this.line.sku, location: this.line.location, quantity: value });
      if (mine !== this.serial) return;
      const cover = answer.days_of_cover === null || answer.days_of_cover === undefined ? "" : ` · ${number(answer.days_of_cover, 1)} days`;
      const risk = answer.stock_out_probability === null || answer.stock_out_probability === undefined ? "" : ` · stock-out ${percent(answer.stock_out_probability)}`;
      this.effect.textContent = this.#packs(value) + cover + risk;
    } catch { /* the local arithmetic stays on screen */ }
  }

  #key(event) {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (step && event.target === this.input) {
      event.preventDefault();
      const size = Number(this.line.pack) || 1;
      const now = Number(this.value) || 0;
      const next = step > 0 ? Math.floor(now / size + 1) * size : Math.ceil(now / size - 1) * size;
      this.input.value = String(Math.max(size, Number(this.moq) || 0, Math.round(next * 10_000) / 10_000));
      this.#changed();
    }
    if (event.key === "Enter") { event.preventDefault(); this.send(); }
    if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); this.input.value = this.line.quantity; this.#changed(); this.onLeave?.(); }
  }

  complain(says, nearest = []) {
    this.input.setAttribute("aria-invalid", "true");
    this.error.replaceChildren(says, nearest.length ? h("span.nearest", {}, ...nearest.map((value) => h("button.btn.small", { type: "button", onclick: () => { this.input.value = String(value); this.#changed(); this.input.focus(); } }, `Use ${number(value)}`))) : "");
  }

  /** Check, then hand over. The quantity is checked here for the answer's speed; the approvals service checks it again. */
  async send() {
    if (!this.isChanged) { this.complain("This is the quantity as it stands. Change it, or approve the line."); this.input.focus(); return; }
    const broken = illegal(this.value, { pack: this.line.pack, moq: this.moq, unit: this.line.unit });
    if (broken) { this.complain(broken.says, broken.nearest); this.input.focus(); return; }
    await this.#showReasons();
    if (!this.reason.value) { this.complain("An amendment needs a reason: choose one, then press Enter."); this.reason.focus(); return; }
    this.submit(this.value, this.reason.value);
  }
}
