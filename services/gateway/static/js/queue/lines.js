// The lines of the queue as this page knows them: loaded in pages, changed in place, never reordered behind a person's back.
// A line keeps its `line_id` while fresher recommendations take each other's place, so that is its key here.
import { get, withQuery } from "../api.js";

const FIRST = 50; // one screen and a half: the first paint does not wait for a big answer
const NEXT = 200; // the API's largest page
const LINES_MAX = 5000;

export const isWaiting = (line) => line.status === "pending" || line.status === "awaiting_second";
/** Can be decided now: waits for a signature, or was put aside. */
export const isOpen = (line) => isWaiting(line) || line.status === "snoozed";
// After these steps a line is what the step says; the others change what is asked, or by whom, and the line is read again.
const TELLING = new Set(["approved_by_rule", "approved", "first_signature", "amended", "rejected", "snoozed", "undone", "recalled"]);

/** What a decision made elsewhere changes on a line, out of the event alone; null when the line has to be read again. */
export function decided(event, line) {
  if (event.recommendation_id !== line.recommendation_id || !TELLING.has(event.verdict)) return null;
  const { version, status, quantity, value, decided_by, decided_at, reason, snoozed_until } = event;
  return { version, etag: `"${version}"`, status, quantity, value, packs: Number(line.pack) ? Number(quantity) / Number(line.pack) : null, decided_by, decided_at, decision_reason: reason, snoozed_until, undo_until: null, problem: null };
}

/** Whether every line that fits `part` is among those that fit `whole`; who answers for a line changes without news. */
const isWithin = (part, whole) => !whole.status && ["status", "sort", "owner"].every((name) => part[name] === whole[name]) && ["reason", "supplier", "location", "category", "abc_class", "q", "min_value", "asked_before"].every((name) => !whole[name] || whole[name] === part[name]);

/** Whether a line fits what was asked, by the rules of the API. */
function fits(line, asked) {
  const text = asked.q?.trim().toLowerCase();
  return (isWaiting(line) || Boolean(line.busy))
    && (!asked.reason || line.reasons.some((reason) => reason.code === asked.reason))
    && ["supplier", "location", "category", "abc_class"].every((name) => !asked[name] || line[name] === asked[name])
    && (!asked.min_value || Number(line.value) >= Number(asked.min_value))
    && (!asked.asked_before || (line.asked_since && Date.parse(line.asked_since) < Date.parse(asked.asked_before)))
    && (!text || ["item_name", "sku", "location_name", "location", "supplier_name"].some((name) => line[name]?.toLowerCase().includes(text)));
}

/** The first of two signatures is this person's own; the second has to be somebody else's. */
export const isSignedByMe = (line) => line.status === "awaiting_second" && line.decided_by === document.body.dataset.subject;

export class Lines {
  /** `keeps`: what was chosen when the page was left, as `keeps` gave it. */
  constructor(keeps = "") {
    this.wanted = new Set(keeps.split(" ").filter(Boolean)); // chosen, and not loaded yet
    this.byId = new Map();
    this.order = [];
    this.entries = []; // what the grid shows: {kind: "line", id} | {kind: "group", …} | {kind: "waiting"}
    this.total = 0;
    this.selected = new Set();
    this.grouped = false;
    this.serial = 0;
    this.isComplete = false;
    this.held = null; // {query, order}: a question whose whole answer is here
  }

  /** Show the lines that fit `query` out of those that are here, in their order. Returns false when the API has to be asked. */
  narrow(query) {
    if (!this.held || !isWithin(query, this.held.query)) return false;
    this.order = this.held.order.filter((id) => fits(this.byId.get(id), query));
    this.total = this.order.length;
    const shown = new Set(this.order);
    for (const id of [...this.selected]) if (!shown.has(id)) this.selected.delete(id);
    this.arrange();
    return true;
  }

  /** Load from the start. `onPage` runs after each page; the promise ends when all are in or a newer load began. */
  async load(query, onPage) {
    const mine = (this.serial += 1);
    this.held = null;
    let cursor = null;
    let isFirst = true;
    do {
      const answer = await get(withQuery("/v1/recommendations", { ...query, limit: isFirst ? FIRST : NEXT, cursor }));
      if (mine !== this.serial) return;
      if (isFirst) {
        this.byId.clear();
        this.order = [];
        this.isComplete = false;
        for (const id of this.selected) this.wanted.add(id);
        this.selected.clear();
      }
      for (const line of answer.items) {
        if (!this.byId.has(line.line_id)) this.order.push(line.line_id);
        this.byId.set(line.line_id, line);
        if (this.wanted.delete(line.line_id)) this.toggle(line.line_id, true);
      }
      cursor = answer.next_cursor ?? null;
      this.total = Math.max(answer.total ?? 0, this.order.length);
      this.isComplete = !cursor || this.order.length >= LINES_MAX;
      if (!cursor) this.held = { query, order: this.order };
      if (this.isComplete) this.wanted.clear(); // they fit these filters no more, or wait no more
      this.arrange();
      onPage(isFirst);
      isFirst = false;
    } while (!this.isComplete);
  }

  /** Lay out what the grid shows; with groups, suppliers stand in the order of their most urgent line. */
  arrange() {
    const waiting = this.isComplete ? 0 : Math.max(0, Math.min(this.total, LINES_MAX) - this.order.length);
    if (!this.grouped) {
      this.entries = this.order.map((id) => ({ kind: "line", id }));
    } else {
      const groups = new Map();
      for (const id of this.order) {
        const line = this.byId.get(id);
        const key = line.supplier ?? "";
        if (!groups.has(key)) groups.set(key, { kind: "group", supplier: key, name: line.supplier_name ?? (key || "No supplier"), currency: line.currency, ids: [] });
        groups.get(key).ids.push(id);
      }
      this.entries = [...groups.values()].flatMap((group) => [group, ...group.ids.map((id) => ({ kind: "line", id }))]);
    }
    for (let index = 0; index < waiting; index += 1) this.entries.push({ kind: "waiting" });
  }

  at(index) {
    const entry = this.entries[index];
    return entry?.kind === "line" ? this.byId.get(entry.id) : null;
  }

  /** The key of the line that shows this recommendation, or undefined. */
  keyOf(recommendationId) {
    for (const [id, line] of this.byId) if (line.recommendation_id === recommendationId) return id;
    return undefined;
  }

  indexOf(id) {
    return this.entries.findIndex((entry) => entry.kind === "line" && entry.id === id);
  }

  /** Put news over what is known of a line. Returns whether the line is here. */
  merge(id, news) {
    const line = this.byId.get(id);
    if (!line) return false;
    this.byId.set(id, { ...line, ...news });
    return true;
  }

  toggle(id, on = !this.selected.has(id)) {
    if (on && isOpen(this.byId.get(id))) this.selected.add(id);
    else this.selected.delete(id);
  }

  selectNothing() {
    this.selected.clear();
    this.wanted.clear();
  }

  /** What is chosen, for the next page that shows these lines. */
  get keeps() {
    return [...this.selected, ...this.wanted].join(" ");
  }

  selectedLines() {
    return this.order.filter((id) => this.selected.has(id)).map((id) => this.byId.get(id));
  }
}
