// A virtual grid after the APG "grid" pattern: one tab stop, arrows move between cells, only rows in sight are in the page.
import { h } from "../dom.js";
import { TERMS } from "../glossary.js";

const OVERSCAN = 6;

export class Grid {
  /**
   * `columns`: [{key, title, numeric, sort}]; `source`: {count(), draw(index, face) -> {kind, cells, selected, classes, face}},
   * where `face` is what the row showed before, for a source that can show another line with the same elements;
   * `on`: {activate(index), open(index), toggle(index, on), sort(name), explain(term)}. A column's `term` is what it means.
   */
  constructor({ label, columns, source, on, rowHeight }) {
    Object.assign(this, { columns, source, on, rowHeight });
    // Where the list stands and how high its window is, as last told: to ask the browser in the middle of a change would make it
    // lay out the whole page each time.
    this.top = 0;
    this.height = 0;
    this.active = 0;
    this.column = 1;
    this.anchor = null;
    this.rows = new Map();
    this.faces = new WeakMap(); // of a row's element, what shows itself in it
    this.headRow = this.#head();
    this.canvas = h("div.canvas", { role: "rowgroup" });
    this.viewport = h("div.viewport", { role: "presentation" }, this.canvas);
    this.element = h("div.grid", { role: "grid", "aria-label": label, "aria-multiselectable": "true", "aria-colcount": columns.length }, h("div", { role: "rowgroup" }, this.headRow), this.viewport);
    this.viewport.addEventListener("scroll", () => { this.top = this.viewport.scrollTop; this.#soon(); });
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.canvas.addEventListener("click", (event) => this.#click(event));
    this.canvas.addEventListener("focusin", (event) => this.#focused(event));
    new ResizeObserver(() => { this.measure(); this.#soon(); }).observe(this.viewport);
  }

  #head() {
    const cells = this.columns.map((column, index) => {
      const inner = column.sort ? h("button", { type: "button", tabindex: -1, onclick: () => this.on.sort(column.sort) }, column.title) : column.hidden ? h("span.sr", {}, column.title) : column.title;
      return h(`div.cell.c-${column.key}${column.numeric ? ".n" : ""}`, { role: "columnheader", "aria-colindex": index + 1, tabindex: -1, title: column.term && `${TERMS[column.term]} (F1: all terms)` }, inner);
    });
    return h("div.row.headrow", { role: "row", "aria-rowindex": 1 }, ...cells);
  }

  /** Say by what the rows are sorted: in words for a screen reader, with an arrow for the eye. */
  sortedBy(name, directions) {
    this.columns.forEach((column, index) => {
      if (!column.sort) return;
      const cell = this.headRow.children[index];
      const isSorted = column.sort === name;
      if (isSorted) cell.setAttribute("aria-sort", directions[name]);
      else cell.removeAttribute("aria-sort");
      cell.firstChild.textContent = column.title + (isSorted ? (directions[name] === "ascending" ? " ↑" : " ↓") : "");
    });
  }

  /** Ask the browser where the list stands; only where the page is whole anyway. */
  measure() {
    this.height = this.viewport.clientHeight;
    this.top = this.viewport.scrollTop;
  }

  /** Draw again what is in sight, keeping focus and place. */
  refresh() {
    const count = this.source.count();
    this.element.setAttribute("aria-rowcount", count + 1);
    this.canvas.style.height = `${count * this.rowHeight}px`;
    if (!this.height) this.measure(); // before the first frame nobody has told
    this.top = Math.min(this.top, Math.max(0, count * this.rowHeight - this.height)); // as the browser will, for a shorter list
    if (this.active >= count) this.active = Math.max(0, count - 1);
    this.#draw(true);
  }

  refreshRow(index) {
    if (this.rows.has(index)) this.#fill(index);
  }

  #soon() {
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.#draw(false); });
  }

  #draw(all) {
    const count = this.source.count();
    const first = Math.max(0, Math.floor(this.top / this.rowHeight) - OVERSCAN);
    const last = Math.min(count, Math.ceil((this.top + this.height) / this.rowHeight) + OVERSCAN);
    const isWanted = (index) => (index >= first && index < last) || (index === this.active && index < count);
    const wanted = new Set(Array.from({ length: Math.max(0, last - first) }, (_, offset) => first + offset));
    if (count) wanted.add(this.active);
    const spare = [];
    for (const [index, element] of this.rows) {
      if (isWanted(index)) continue;
      this.rows.delete(index);
      // A row that holds the keyboard is not given to another line.
      if (element.contains(document.activeElement)) element.remove();
      else spare.push(element);
    }
    const added = [];
    for (const index of wanted) {
      if (this.rows.has(index)) { if (all) this.#fill(index); continue; }
      const element = spare.shift() ?? this.canvas.appendChild(h("div.row", { role: "row" }));
      element.style.transform = `translateY(${index * this.rowHeight}px)`;
      this.rows.set(index, element);
      this.#fill(index);
      added.push(element);
    }
    for (const element of spare) { this.faces.delete(element); element.remove(); }
    this.#inOrder(added);
  }

  /** Rows stand in the page in their order, so that a screen reader that walks the page meets them in order. Only what was
   * added moves, and only if it stands wrong: a move is as dear as a new row, and would take the keyboard away. */
  #inOrder(added) {
    const place = (element) => Number(element.dataset.index);
    const put = (element) => {
      const [before, after] = [element.previousElementSibling, element.nextElementSibling];
      if ((before === null || place(before) < place(element)) && (after === null || place(after) > place(element))) return;
      this.canvas.insertBefore(element, [...this.canvas.children].find((other) => other !== element && place(other) > place(element)) ?? null);
    };
    const sorted = added.sort((one, other) => place(one) - place(other));
    sorted.toReversed().forEach(put);
    sorted.forEach(put);
  }

  #fill(index) {
    const element = this.rows.get(index);
    const before = this.faces.get(element);
    const row = this.source.draw(index, before);
    if (row.face) this.faces.set(element, row.face);
    else this.faces.delete(element);
    element.className = ["row", row.kind, ...(row.classes ?? []), index === this.active ? "active" : ""].join(" ").trim();
    element.dataset.index = index;
    element.setAttribute("aria-rowindex", index + 2);
    if (row.selectable) element.setAttribute("aria-selected", String(row.selected));
    else element.removeAttribute("aria-selected");
    if (!row.face || row.face !== before) this.#cells(element, row.cells);
    const here = index === this.active ? this.#columnIn(row.cells.length) : -1;
    row.cells.forEach((cell, position) => {
      const box = element.children[position];
      if (cell.title) box.title = cell.title;
      else box.removeAttribute("title");
      box.tabIndex = position === here ? 0 : -1;
      const content = cell.content.filter(Boolean);
      if (content.length !== box.childNodes.length || content.some((child, at) => child !== box.childNodes[at])) box.replaceChildren(...content);
    });
  }

  /** Give a row the cells of what it shows now. */
  #cells(element, cells) {
    while (element.children.length > cells.length) element.lastChild.remove();
    cells.forEach((cell, position) => {
      const box = element.children[position] ?? element.appendChild(h("div", { role: "gridcell" }));
      box.className = `cell ${cell.className}`;
      box.setAttribute("aria-colindex", cell.index + 1);
      if (cell.span) box.setAttribute("aria-colspan", cell.span);
      else box.removeAttribute("aria-colspan");
    });
  }

  #columnIn(length) {
    return Math.min(this.column, length - 1);
  }

  /** Only say whether a row is the active one. Its cells stay as they are: between the press and the release of a mouse
   * button a redrawn cell would take the click away with it. */
  #mark(index) {
    const row = this.rows.get(index);
    if (!row) return;
    row.classList.toggle("active", index === this.active);
    const here = index === this.active ? this.#columnIn(row.children.length) : -1;
    [...row.children].forEach((cell, position) => { cell.tabIndex = position === here ? 0 : -1; });
  }

  /** Make a row the active one. `focus` moves the keyboard there too. */
  activate(index, { focus = false, tell = true } = {}) {
    const count = this.source.count();
    if (!count) return;
    const before = this.active;
    this.active = Math.max(0, Math.min(count - 1, index));
    this.#reveal(this.active);
    this.#draw(false);
    if (before !== this.active) this.#mark(before);
    this.#mark(this.active);
    if (focus) this.focus();
    if (tell && before !== this.active) this.on.activate(this.active);
  }

  focus() {
    const row = this.rows.get(this.active);
    row?.children[this.#columnIn(row.children.length)]?.focus({ preventScroll: true });
  }

  get hasFocus() {
    return this.element.contains(document.activeElement);
  }

  #reveal(index) {
    const top = index * this.rowHeight;
    const bottom = top + this.rowHeight;
    if (top >= this.top && bottom <= this.top + this.height) return;
    this.viewport.scrollTop = top < this.top ? top : bottom - this.height;
    this.top = this.viewport.scrollTop;
  }

  #focused(event) {
    const cell = event.target.closest("[role=gridcell]");
    const row = cell?.parentElement;
    if (!row) return;
    const index = Number(row.dataset.index);
    this.column = [...row.children].indexOf(cell);
    if (index !== this.active) this.activate(index);
    else this.#mark(index);
  }

  #click(event) {
    const cell = event.target.closest("[role=gridcell]");
    if (!cell) return;
    const index = Number(cell.parentElement.dataset.index);
    this.column = [...cell.parentElement.children].indexOf(cell);
    const from = this.anchor ?? this.active;
    this.activate(index, { focus: true });
    if (cell.classList.contains("pick") && event.shiftKey) for (let each = Math.min(from, index); each <= Math.max(from, index); each += 1) this.on.toggle(each, true);
    else if (cell.classList.contains("pick")) this.on.toggle(index);
    else this.on.open(index, { byMouse: true });
    this.anchor = index;
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (!event.altKey && event.key === "Home") return this.#take(event, () => this.activate(0, { focus: true }));
      if (!event.altKey && event.key === "End") return this.#take(event, () => this.activate(this.source.count() - 1, { focus: true }));
      return undefined;
    }
    if (event.target.closest(".headrow")) return this.#headKey(event);
    const page = Math.max(1, Math.floor(this.viewport.clientHeight / this.rowHeight) - 1);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }[event.key];
    if (step) {
      return this.#take(event, () => {
        if (step === -1 && this.active === 0 && !event.shiftKey) return this.headRow.children[this.column]?.focus();
        if (event.shiftKey) this.on.toggle(this.active, true);
        this.activate(this.active + step, { focus: true });
        if (event.shiftKey) this.on.toggle(this.active, true);
        return undefined;
      });
    }
    const sideways = { ArrowLeft: -1, ArrowRight: 1, Home: -99, End: 99 }[event.key];
    if (sideways) return this.#take(event, () => this.#moveColumn(sideways));
    if (event.key === " ") return this.#take(event, () => this.on.toggle(this.active));
    if (event.key === "F1" && this.columns[this.column]?.term) return this.#take(event, () => this.on.explain(this.columns[this.column].term));
    if (event.key === "Enter") return this.#take(event, () => this.on.open(this.active, {}));
    return undefined;
  }

  #moveColumn(by) {
    const row = this.rows.get(this.active);
    let next = this.#columnIn(row.children.length);
    const towards = Math.sign(by);
    for (let left = Math.abs(by); left > 0; left -= 1) {
      let step = next + towards;
      while (row.children[step] && row.children[step].offsetParent === null) step += towards; // hidden at this width
      if (!row.children[step]) break;
      next = step;
    }
    this.column = next;
    this.#mark(this.active);
    this.focus();
  }

  #headKey(event) {
    const cells = [...this.headRow.children].filter((cell) => cell.offsetParent !== null);
    const at = cells.indexOf(event.target.closest(".cell"));
    const sideways = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (sideways) return this.#take(event, () => { cells[at + sideways]?.focus(); });
    if (event.key === "ArrowDown") return this.#take(event, () => { this.column = [...this.headRow.children].indexOf(cells[at]); this.#mark(this.active); this.focus(); });
    const { sort, term } = this.columns[[...this.headRow.children].indexOf(cells[at])] ?? {};
    if (event.key === "F1" && term) return this.#take(event, () => this.on.explain(term));
    if ((event.key === "Enter" || event.key === " ") && sort) return this.#take(event, () => this.on.sort(sort));
    return undefined;
  }

  #take(event, run) {
    event.preventDefault();
    event.stopPropagation();
    run();
  }
}
