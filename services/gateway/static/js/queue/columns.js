// What a row says, cell by cell: enough that four lines of five need not be opened.
import { h, s } from "../dom.js";
import { count, day, money, number, percent, total, unitWord, words } from "../format.js";
import { reasonTag, verdictWord } from "../item/sections.js";
import { isOpen, isSignedByMe } from "./lines.js";

export const COLUMNS = [
  { key: "pick", title: "Selected", hidden: true },
  { key: "item", title: "Item, location", sort: "item" },
  { key: "hand", title: "On hand", numeric: true, term: "On hand" },
  { key: "cover", title: "Days of cover", numeric: true, sort: "cover", term: "Days of cover" },
  { key: "out", title: "Stock-out", numeric: true, sort: "stock_out", term: "Stock-out" },
  { key: "qty", title: "Order", numeric: true, term: "Pack" },
  { key: "value", title: "Value, at risk", numeric: true, sort: "value", term: "At risk" },
  { key: "why", title: "Why you", term: "Why you" },
];
export const DIRECTIONS = { risk: "descending", value: "descending", stock_out: "ascending", cover: "ascending", item: "ascending", issued: "descending" };
const SOON_DAYS = 3; // a stock-out within three days is past help by an ordinary order of most suppliers

const box = (index, content) => ({ index, className: `c-${COLUMNS[index].key}${COLUMNS[index].numeric ? " n" : ""}`, content: [content].flat() });

function pick(name, isSelected, isDisabled) {
  return { index: 0, className: "pick c-pick", content: [h("span.tick", {}, h("input", { type: "checkbox", tabindex: -1, "aria-label": `Select ${name}`, checked: isSelected, disabled: isDisabled }))] };
}

/** Inventory position as a part of the order-up-to level, with a mark at the reorder point. */
class CoverBar {
  constructor() {
    this.level = s("rect", { height: 6, rx: 3 });
    this.mark = s("rect.mark", { y: -3, width: 1.5, height: 12 });
    this.element = s("svg.track", { viewBox: "0 0 54 6", "aria-hidden": "true" }, s("rect.bed", { x: 0.5, y: 0.5, width: 53, height: 5, rx: 2.5 }), this.level, this.mark);
  }

  show(line) {
    const [position, reorder, upTo] = [line.inventory_position, line.reorder_point, line.order_up_to].map((value) => (value === null || value === undefined ? null : Number(value)));
    const isDrawn = position !== null && upTo > 0;
    this.element.toggleAttribute("hidden", !isDrawn);
    if (!isDrawn) return;
    const share = (value) => Math.max(0, Math.min(1, value / upTo)) * 54;
    this.level.setAttribute("class", reorder === null ? "g" : position < reorder / 2 ? "b" : position < reorder ? "w" : "g");
    this.level.setAttribute("width", Math.max(share(position), position > 0 ? 3 : 0));
    this.mark.toggleAttribute("hidden", reorder === null);
    if (reorder !== null) this.mark.setAttribute("x", Math.min(52.5, share(reorder)));
  }
}

const BUSY = { approve: "Approving …", amend: "Amending …", reject: "Rejecting …", snooze: "Snoozing …", undo: "Taking back …" };
const BACK = { changed_since_snooze: "Changed since snooze", snooze_over: "Back from snooze" };
const SETTLED = { approved: "g", by_rule: "g", released: "g", amended: "g", rejected: "", snoozed: "a", superseded: "w", expired: "", withheld: "" };

/** The last column: why a person is asked, or what became of the line. */
function why(line) {
  if (line.busy) return h("span.tag.a", {}, BUSY[line.busy]);
  if (line.problem) return h("span.tag.b", { title: line.problem.detail }, line.problem.status === 412 ? "Changed" : "Not recorded");
  if (line.status === "awaiting_second") return h(`span.tag.${isSignedByMe(line) ? "g" : "w"}`, { title: `Signed by ${line.decided_by}` }, isSignedByMe(line) ? "You signed" : "Second signature");
  if (line.status === "pending") {
    const [first, ...rest] = line.reasons ?? [];
    if (line.escalated) return h("div.tags", {}, h("span.tag.b", { title: `Nobody decided in time; ${line.owner} answers for it now` }, "Escalated"), first ? reasonTag(first) : null);
    const more = rest.length ? h("span.rest", { title: rest.map((reason) => reason.label).join(", ") }, `+${rest.length}`) : null;
    const back = BACK[line.decision_reason];
    return h("div.tags", {}, line.isFresh ? h("span.tag.a", {}, "Updated") : null, back ? h("span.tag.a", { title: "It was put aside; the panel says what changed" }, back) : null, first ? reasonTag(first) : null, more);
  }
  const by = line.decided_by ? ` by ${line.decided_by}` : "";
  const label = line.status === "snoozed" && line.snoozed_until ? `Snoozed to ${day(line.snoozed_until, { weekday: false })}` : words(verdictWord(line.status));
  const tone = SETTLED[line.status] ?? "";
  return h(`span.tag${tone ? `.${tone}` : ""}`, { title: `${label}${by}` }, label);
}

/** What a line beside an item's own order does, under its quantity, and in full. */
const DOES = { transfer: "moved", allocate: "share", expedite: "sooner", defer: "later", reduce: "left to come", cancel: "cancelled" };
const doing = (line) => [words(line.action), line.from_location ? `from ${line.from_location}` : "", line.changes_order ? `order ${line.changes_order}` : "", line.stands_in_for ? `for ${line.stands_in_for}` : ""].filter(Boolean).join(" ");

/** A text that is only touched when it changes: most of a row is the same when it is drawn again. */
function written(selector) {
  const element = h(selector);
  const text = document.createTextNode("");
  element.append(text);
  return { element, say: (words) => { if (text.data !== words) text.data = words; element.hidden = words === ""; } };
}

/** A row of the grid: its elements are made once and show one line after the other, while the list is scrolled. */
export class LineRow {
  constructor() {
    this.box = h("input", { type: "checkbox", tabindex: -1 });
    for (const [name, selector] of Object.entries({ name: "b", asked: "span.asked", place: "span", hand: "span.num", days: "span.num", out: "b", likely: "small", quantity: "b.qty", packs: "span", arrives: "span.arrives", value: "span.num", risk: "small" })) this[name] = written(selector);
    this.bar = new CoverBar();
    this.cells = [
      { index: 0, className: "pick c-pick", content: [h("span.tick", {}, this.box)] },
      box(1, [this.name.element, h("small", {}, this.asked.element, this.place.element)]),
      box(2, this.hand.element),
      box(3, h("div.cover", {}, this.days.element, this.bar.element)),
      box(4, h("div.out", {}, this.out.element, this.likely.element)),
      box(5, [this.quantity.element, h("small", {}, this.packs.element, this.arrives.element)]),
      box(6, [this.value.element, this.risk.element]),
      box(7, []),
    ];
  }

  #stockOut(line, today) {
    const soon = line.stock_out_on && today && (Date.parse(line.stock_out_on) - Date.parse(today)) / 86_400_000 <= SOON_DAYS;
    this.out.element.className = soon ? "" : "later";
    this.out.say(line.stock_out_on ? day(line.stock_out_on) : "");
    const likely = line.stock_out_probability;
    this.likely.say(!line.stock_out_on ? "none in sight" : likely === null || likely === undefined ? "" : `${percent(likely)} likely`);
  }

  /** What the grid is to show for a line. */
  show(line, { isSelected, today }) {
    const name = line.item_name ?? line.sku;
    const place = line.location_name ?? line.location;
    const packs = line.packs && Number(line.pack) > 1 ? count(line.packs, "pack") : unitWord(line.unit, line.quantity);
    const isBuy = line.action === "buy";
    this.box.checked = isSelected;
    this.box.disabled = !isOpen(line);
    this.box.setAttribute("aria-label", `Select ${name}, ${place}`);
    this.name.say(name);
    this.place.say(`${place} · ${line.sku}`);
    this.hand.say(number(line.on_hand));
    this.days.say(number(line.days_of_cover, 1));
    this.bar.show(line);
    this.#stockOut(line, today);
    this.quantity.say(number(line.quantity));
    this.packs.say(isBuy ? packs : DOES[line.action] ?? words(line.action));
    this.value.say(money(line.value, line.currency));
    this.risk.say(Number(line.margin_at_risk) > 0 ? `${money(line.margin_at_risk, line.currency)} ${isBuy ? "at risk" : "gain"}` : "");
    this.cells[1].title = `${name} · ${place} · SKU ${line.sku}${line.supplier_name ? ` · ${line.supplier_name}` : ""}`;
    this.cells[3].title = line.reorder_point === null ? "" : `Position ${number(line.inventory_position)}, reorder point ${number(line.reorder_point, 1)}, order up to ${number(line.order_up_to, 1)} ${unitWord(line.unit)}`;
    const arrival = line.arrives_on && line.action !== "cancel" ? line.arrives_on : null;
    this.arrives.say(arrival ? ` · ${day(arrival, { weekday: false })}` : "");
    this.cells[5].title = `${isBuy ? packs : doing(line)}${arrival ? `, arriving ${day(arrival)}` : ""}`;
    const tag = why(line);
    this.cells[7].content = [tag];
    // Where there is no room for that column, its first word stands before the place.
    this.asked.say((tag.matches(".tags") ? tag.firstElementChild : tag)?.textContent ?? "");
    return { kind: "line", selectable: true, selected: isSelected, classes: isOpen(line) && !isSignedByMe(line) && !line.busy ? [] : ["settled"], cells: this.cells, face: this };
  }
}

/** How full a share of something is, drawn; the words beside it say the same. */
const fillBar = (share) => s("svg.bar", { viewBox: "0 0 88 6", "aria-hidden": "true" }, s("rect.bed", { x: 0.5, y: 0.5, width: 87, height: 5, rx: 2.5 }), s(`rect.${share >= 1 ? "g" : "w"}`, { width: Math.max(3, share * 88), height: 6, rx: 3 }));

/** The lines' volume against the supplier's truck: the last truck is the one that can still be filled. */
function truckFill(open, truck) {
  if (!(truck > 0) || !open.length) return null;
  const known = open.filter((line) => line.unit_volume_m3);
  if (!known.length) return h("span", {}, "volume unknown");
  const trucks = known.reduce((sum, line) => sum + Number(line.quantity) * Number(line.unit_volume_m3), 0) / truck;
  const last = trucks % 1 || 1;
  const missing = open.length - known.length;
  return [fillBar(last), h("span", {}, `${trucks > 1 ? `truck ${number(Math.ceil(trucks), 0)} is ` : "truck "}${percent(last)} full${missing ? `, ${count(missing, "line")} of unknown volume` : ""}`)];
}

/** The heading of a supplier's lines, with what they add up to against the supplier's minimum and truck. */
export function drawGroup(group, lines, { isSelected, minimum, truck }) {
  const open = lines.filter(isOpen);
  const value = total(open.map((line) => line.value));
  const share = minimum > 0 ? Math.min(1, value / minimum) : null;
  const bar = share === null ? null : fillBar(share);
  const words_ = minimum > 0 ? (share >= 1 ? `minimum ${money(minimum, group.currency, 0)} met` : `${money(minimum - value, group.currency, 0)} below the minimum of ${money(minimum, group.currency, 0)}`) : "";
  return {
    kind: "group",
    selectable: true,
    selected: isSelected,
    cells: [
      pick(`all lines of ${group.name}`, isSelected, !open.length),
      { index: 1, span: 4, className: "group-name", content: [h("span", {}, h("b", {}, group.name), h("span.faint", {}, `  ${count(open.length, "line")}`))] },
      { index: 5, span: 3, className: "group-total", content: [h("div.totals", {}, truckFill(open, truck), bar, words_ ? h("span", {}, words_) : null, h("b", {}, money(value, group.currency)))] },
    ],
  };
}

export function drawWaiting() {
  return { kind: "waiting", selectable: false, cells: COLUMNS.map((_, index) => box(index, index ? h("span.skeleton") : "")) };
}
