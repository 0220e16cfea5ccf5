// The words of the field, explained where they stand: a term is a button, its meaning a box beside it; all of them in one list.
import { announce } from "./announce.js";
import { open } from "./dialog.js";
import { h } from "./dom.js";

/** What a word means here, by the word as these pages write it. */
export const TERMS = {
  "ABC class": "How much an item counts by its share of the sales value: A is the few that make most of it, C the many that make little.",
  "At risk": "Margin that is expected to be lost if the line is not ordered. The queue ranks by it, the sooner the loss the higher.",
  Backorders: "What customers have been promised and not been given yet. Taken off the inventory position.",
  Bias: "By how much more (+) or less (−) was expected than sold, as a share of what was sold.",
  Confidence: "How far the forecast of an item deserves trust, from 0 to 1: little history or poor past accuracy make it low.",
  Countersign: "To put your name under what the plan proposes, so that the order may leave. Above a limit it takes two names.",
  "Days of cover": "How many days the inventory position lasts at the demand that is expected.",
  "Demand met": "The fill rate: the share of demand, in units, that was served from the shelf.",
  "Error of totals": "The sum of all misses over the sum of all sales (WAPE), for totals over the days that count. 0 is perfect.",
  GMROI: "Gross margin return on inventory investment: a year's margin over the money that lies in stock for it.",
  "In full": "The share of order lines of which everything came that was ordered.",
  "Inventory position": "On hand + on order − reserved − backorders. What the plan compares with the reorder point.",
  "Lead time": "Days from the order until the goods are there.",
  "Minimum order": "What the supplier takes at least: of one item (MOQ, minimum order quantity), or of one order in money.",
  "On hand": "What lies on the shelf and in the back room now, reserved or not.",
  "On order": "What was ordered and has not come yet, as the supplier confirmed it.",
  "On time": "The share of order lines that came not later than their day.",
  "On time, in full": "OTIF: the share of order lines of which everything came, and not later than their day.",
  "Order day": "A day on which the supplier takes orders. What is released later goes out on the next one.",
  "Order up to": "The level that an order fills the inventory position to.",
  "Over last week repeated": "Forecast value added: the share of the error avoided, compared with simply expecting last week again.",
  Pack: "The smallest number of units the supplier sells; an order is whole packs.",
  "Quantile loss": "How good the whole distribution was, not only its middle. Smaller is better.",
  "Reorder point": "When the inventory position falls to this level it is time to order: demand over the lead time, with safety stock for what varies.",
  Reserved: "On hand, but promised to somebody already.",
  "Safety stock": "What is kept above the expected demand, so that the service goal is met in spite of what varies.",
  "Service goal": "How certain it has to be that there is stock, or which share of demand is to be met; by class, set in the policy.",
  "Stock-out": "The shelf is empty. The day shown is the one expected without this order, with its probability.",
  "Undo window": "The time a decision is held before its order leaves. Afterwards an order is taken back by a cancellation.",
  "Units filled": "The share of the units ordered that the supplier delivered.",
  "Within 95 % level": "How often demand stayed below the forecast's 95 % level. 95 % is right; more is too careful, less too bold.",
  "Why you": "The rule that asks for a person: the plan may approve everything else by itself.",
};

let serial = 0;
let current = null;
function close() {
  current?.button.setAttribute("aria-expanded", "false");
  current?.box.remove();
  current = null;
}
// Escape and a click elsewhere put the explanation away (WCAG 1.4.13); the keyboard stays where it is.
addEventListener("keydown", (event) => { if (current && event.key === "Escape") { event.preventDefault(); event.stopPropagation(); const { button } = current; close(); button.focus(); } }, { capture: true });
addEventListener("pointerdown", (event) => { if (current && !current.box.contains(event.target) && !current.button.contains(event.target)) close(); }, { capture: true });
for (const moved of ["resize", "scroll"]) addEventListener(moved, () => current && place(), { capture: true, passive: true });

/** Fixed, beside the word, inside the window: no column and no panel that scrolls may cut it. */
function place() {
  const { button, box } = current;
  const at = button.getBoundingClientRect();
  if (!button.isConnected || at.bottom < 0 || at.top > innerHeight) { close(); return; }
  const size = box.getBoundingClientRect();
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
  box.style.top = `${at.bottom + size.height + 12 > innerHeight ? Math.max(8, at.top - size.height - 6) : at.bottom + 6}px`;
}

function explain(button, name) {
  const isOpen = current?.button === button;
  close();
  if (isOpen) return;
  const box = h("div.meaning", { id: button.getAttribute("aria-controls") }, h("b", {}, name), " ", TERMS[name], " ", h("button.link", { type: "button", onclick: () => { close(); showGlossary(name); } }, "All terms"));
  button.after(box);
  button.setAttribute("aria-expanded", "true");
  current = { button, box };
  place();
  announce(`${name}: ${TERMS[name]}`);
}

/** A word that says what it means when it is pressed; a word the glossary does not know stays text. `shown`: as it is written
 * here, when that differs. */
export function term(name, shown = name) {
  if (!TERMS[name]) return shown;
  serial += 1;
  const button = h("button.term", { type: "button", "aria-expanded": "false", "aria-controls": `meaning-${serial}`, onclick: (event) => { event.stopPropagation(); explain(button, name); } }, shown);
  return button;
}

/** Every term, by the alphabet; one of them may be where the reading begins. */
export function showGlossary(first = null) {
  const names = Object.keys(TERMS).sort((one, other) => one.localeCompare(other, "en"));
  const shown = open("Terms", (finish, id) => [
    h("div.body", { tabindex: 0, role: "region", "aria-labelledby": id }, h("h2", { id }, "Terms"), h("p.lead", {}, "What the words on these pages mean. A dotted word says it on the spot."),
      h("dl.glossary", {}, ...names.map((name) => h("div", { "data-term": name }, h("dt", {}, name), h("dd", {}, TERMS[name]))))),
    h("div.buttons", {}, h("button.btn.p", { type: "button", autofocus: true, onclick: () => finish(null) }, "Close")),
  ], { wide: true });
  const wanted = first && document.querySelector(`dialog [data-term="${CSS.escape(first)}"]`);
  wanted?.classList.add("wanted");
  wanted?.scrollIntoView({ block: "center" });
  return shown;
}
