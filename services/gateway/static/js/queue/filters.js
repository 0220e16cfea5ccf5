// Chips and fields above the queue. What is chosen is in the address, so a link shows a colleague the same lines.
import { h } from "../dom.js";
import { number, wholeMoney } from "../format.js";
import { clockSkewMs } from "../live.js";

const NAMES = ["status", "reason", "supplier", "location", "category", "abc_class", "q", "min_value", "age", "owner", "sort", "group"];
const NARROWING = ["owner", "reason", "supplier", "location", "category", "abc_class", "q", "min_value", "age"];
const REASON_CHIPS_MAX = 4;
const POINT_WAIT_MS = 120;
const STATUSES = [["", "Waiting"], ["awaiting_second", "Second signature"], ["snoozed", "Snoozed"], ["approved", "Approved"], ["amended", "Amended"], ["rejected", "Rejected"], ["by_rule", "Approved by rule"], ["released", "Sent"], ["all", "All lines"]];
const CLASSES = [["A", "Class A"], ["B", "Class B"], ["C", "Class C"]];
const VALUES = ["100", "500", "1000", "5000", "10000"];
const AGES = [["4", "Four hours or longer"], ["24", "A day or longer"], ["72", "Three days or longer"], ["168", "A week or longer"]]; // since a person is asked
const HOUR_MS = 3_600_000;
const QUARTER_MS = HOUR_MS / 4; // the same question for a while, so that its answer is too
const SORTS = [["", "Money at risk"], ["value", "Value"], ["stock_out", "Stock-out first"], ["cover", "Least cover"], ["item", "Item name"], ["issued", "Newest"], ["asked", "Waiting longest"], ["due", "Due first"]];

export class Filters {
  constructor(host, onChange) {
    Object.assign(this, { host, onChange, isOpen: false, news: 0, summary: null });
    this.find = h("input.find-lines", { type: "search", "aria-label": "Find in the queue", placeholder: "Name, SKU or location", oninput: () => this.#typed(), onkeydown: (event) => this.#leave(event) });
    this.chips = new Map(); // by their words: most of the bar stays as it is when it is drawn again
    this.read();
    addEventListener("popstate", () => { this.read(); this.onChange(); });
  }

  read() {
    const query = new URLSearchParams(location.search);
    this.values = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
    this.isOpen ||= ["supplier", "location", "category", "abc_class", "q", "min_value", "age", "status"].some((name) => this.values[name]);
  }

  /** What the API is asked: everything but the grouping, which is a matter of this page. */
  query() {
    const { group, age, ...asked } = this.values;
    if (Number(age) > 0) asked.asked_before = new Date(Math.floor((Date.now() + clockSkewMs) / QUARTER_MS) * QUARTER_MS - Number(age) * HOUR_MS).toISOString();
    return asked; // without a status the API gives what waits for a person
  }

  get isNarrowed() {
    return NARROWING.some((name) => this.values[name]);
  }

  set(values, { quiet = false } = {}) {
    Object.assign(this.values, values);
    const query = new URLSearchParams(location.search);
    for (const name of NAMES) { if (this.values[name]) query.set(name, this.values[name]); else query.delete(name); }
    const text = query.toString();
    history.replaceState(null, "", text ? `${location.pathname}?${text}` : location.pathname);
    if (!quiet) this.onChange();
  }

  clear() {
    this.set(Object.fromEntries(NARROWING.map((name) => [name, ""])));
  }

  /** Remember which line is open, without asking for the list again; once for a run of lines, since browsers count the changes. */
  point(id) {
    this.line = id ?? null;
    clearTimeout(this.pointing);
    this.pointing = setTimeout(() => history.replaceState(null, "", this.address()), POINT_WAIT_MS);
  }

  /** The address of what the person looks at, also while the browser's own still names the line before. */
  address() {
    const query = new URLSearchParams(location.search);
    if (this.line) query.set("line", this.line);
    else if (this.line === null) query.delete("line");
    return `${location.pathname}?${query}`;
  }

  focusSearch() {
    this.isOpen = true;
    this.draw();
    this.find.select();
  }

  #typed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.timer = null; this.set({ q: this.find.value.trim() }); }, this.isAnsweredHere?.() ? 20 : 200);
  }

  #leave(event) {
    if (event.key === "Enter" || event.key === "ArrowDown") { event.preventDefault(); this.onLeave?.(); }
    if (event.key === "Escape") { clearTimeout(this.timer); this.timer = null; this.set({ q: "" }); this.onLeave?.(); }
  }

  #chip(words, amount, isOn, run) {
    if (!this.chips.has(words)) {
      const [name, figure] = [document.createTextNode(words), h("b", { hidden: true })];
      this.chips.set(words, { button: h("button.chip", { type: "button", onclick: () => this.chips.get(words).run() }, name, figure), name, figure });
    }
    const chip = this.chips.get(words);
    chip.run = run;
    chip.button.setAttribute("aria-pressed", String(isOn));
    const shown = amount === null || amount === undefined ? "" : number(amount, 0);
    if (chip.figure.textContent !== shown) { chip.figure.textContent = shown; chip.name.data = shown ? `${words} ` : words; chip.figure.hidden = !shown; }
    return chip.button;
  }

  #opener() {
    this.opener ??= h("button.chip", { type: "button", onclick: () => { this.isOpen = !this.isOpen; this.draw(); } }, "Filters");
    this.opener.setAttribute("aria-expanded", String(this.isOpen));
    return this.opener;
  }

  #select(name, label, options, any) {
    const value = this.values[name];
    const known = options.some(([code]) => code === value) ? options : [...options, [value, value]];
    return h(`select${value ? ".on" : ""}`, { "aria-label": label, onchange: (event) => this.set({ [name]: event.target.value }) }, any ? h("option", { value: "", selected: !value }, any) : null, ...known.filter(([code]) => !any || code).map(([code, words]) => h("option", { value: code, selected: code === value }, words)));
  }

  /** `showNews` is called by the pill. */
  draw(summary = this.summary, news = this.news, showNews = this.showNews) {
    Object.assign(this, { summary, news, showNews });
    const before = document.activeElement;
    const focusedName = this.host.contains(document.activeElement) ? (document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent) : null;
    // One field for all drawings: news that redraw the bar must not take away what is being typed.
    if (!this.timer) this.find.value = this.values.q;
    const reasons = (summary?.by_reason ?? []).slice().sort((a, b) => b.count - a.count);
    const shown = reasons.slice(0, REASON_CHIPS_MAX);
    const chosen = reasons.find((reason) => reason.code === this.values.reason);
    if (chosen && !shown.includes(chosen)) shown.push(chosen);
    const all = !this.values.reason && summary && !this.isNarrowed ? summary.waiting : null;
    const chips = [
      this.#chip("All", all, !this.values.reason, () => this.set({ reason: "" })),
      ...shown.map((reason) => this.#chip(reason.label, reason.count, this.values.reason === reason.code, () => this.set({ reason: this.values.reason === reason.code ? "" : reason.code }))),
      this.me ? this.#chip("Mine", null, this.values.owner === this.me, () => this.set({ owner: this.values.owner === this.me ? "" : this.me })) : null,
      this.#chip("Group by supplier", null, this.values.group === "supplier", () => this.set({ group: this.values.group ? "" : "supplier" })),
      this.#opener(),
    ];
    const fields = this.isOpen ? [
      this.find,
      this.#select("status", "Status", STATUSES),
      this.#select("supplier", "Supplier", (summary?.by_supplier ?? []).filter((entry) => entry.supplier).map((entry) => [entry.supplier, `${entry.supplier_name ?? entry.supplier} (${entry.count})`]), "Any supplier"),
      this.#select("location", "Location", (summary?.by_location ?? []).map((entry) => [entry.location, `${entry.location_name ?? entry.location} (${entry.count})`]), "Any location"),
      this.#select("category", "Category", (summary?.by_category ?? []).filter((entry) => entry.category).map((entry) => [entry.category, `${entry.category} (${entry.count})`]), "Any category"),
      this.#select("abc_class", "Class", CLASSES, "Any class"),
      this.#select("min_value", "Value", VALUES.map((value) => [value, `${wholeMoney(value, summary?.currency)} or more`]), "Any value"),
      this.#select("age", "Waiting for", AGES, "Any age"),
      this.#select("sort", "Sort by", SORTS),
      this.isNarrowed ? h("button.chip", { type: "button", onclick: () => this.clear() }, "Clear") : null,
      ...(this.more?.() ?? []),
    ] : [];
    const pill = news ? h("div.end", {}, h("button.chip.pill", { type: "button", onclick: () => this.showNews() }, `${number(news, 0)} new`)) : null;
    const children = [...chips, pill, fields.length ? h("div.fields", {}, ...fields) : null].filter(Boolean);
    if (children.length === this.host.children.length && children.every((child, index) => child === this.host.children[index])) return;
    this.host.replaceChildren(...children);
    if (focusedName && document.activeElement !== before) (this.host.contains(before) ? before : [...this.host.querySelectorAll("button, input, select")].find((child) => (child.getAttribute("aria-label") ?? child.textContent) === focusedName))?.focus();
  }
}
