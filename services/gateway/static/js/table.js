// A native table of a paged list: filters in the URL, one hundred rows a page, more on request.
import { get, withQuery } from "./api.js";
import { h } from "./dom.js";
import { count } from "./format.js";
import { term } from "./glossary.js";
import { failed, noResults, skeletonRows } from "./states.js";

const PAGE = 100;

/**
 * `columns`: [{title, numeric, cell(row)}], the first is the row's header. `path`: API list. `filters()`: query values.
 * `emptyState()`: what to show when there is nothing at all; `isFiltered()` tells it from "nothing matches".
 */
export function pagedTable({ label, noun, plural = `${noun}s`, path, read, columns, filters, isFiltered, clear, emptyState, onCount, extra = () => ({}) }) {
  const body = h("tbody");
  const table = h("table.stackable", { "aria-label": label }, h("thead", {}, h("tr", {}, ...columns.map((column) => h(`th${column.numeric ? ".n" : ""}`, { scope: "col" }, term(column.title))))), body);
  const more = h("div.more", { hidden: true });
  const frame = h("div.table-card", { "aria-busy": "true" }, h("div.table-scroll", { tabindex: 0, role: "region", "aria-label": label }, table), more);
  let cursor = null;
  let serial = 0;

  const row = (item) => h("tr", {}, ...columns.map((column, index) => h(index ? `td${column.numeric ? ".n" : ""}` : "th", index ? { "data-label": column.title } : { scope: "row" }, column.cell(item))));

  async function load(fresh) {
    const mine = (serial += 1);
    if (fresh) { body.replaceChildren(...skeletonRows(6, columns.length)); cursor = null; }
    frame.setAttribute("aria-busy", "true");
    try {
      const asked = { ...filters(), ...extra(), limit: PAGE, cursor };
      const answer = read ? await read(asked) : await get(withQuery(path, asked));
      if (mine !== serial) return;
      if (fresh) body.replaceChildren();
      body.append(...answer.items.map(row));
      cursor = answer.next_cursor ?? null;
      more.hidden = !cursor;
      more.replaceChildren(h("button.btn", { type: "button", onclick: () => load(false) }, `Show ${PAGE} more`));
      frame.querySelector(".state")?.remove();
      const isNone = fresh && !answer.items.length;
      table.parentElement.hidden = isNone;
      if (isNone) frame.prepend(isFiltered() ? noResults(`No ${noun} fits these filters.`, clear) : emptyState());
      onCount?.(answer.total === null || answer.total === undefined ? `${count(body.rows.length, noun)}${cursor ? " shown, more below" : ""}` : count(answer.total, noun));
    } catch (problem) {
      if (mine !== serial || problem.name === "AbortError") return;
      frame.querySelector(".state")?.remove();
      if (fresh) { table.parentElement.hidden = true; frame.prepend(failed(`The ${plural} could not be read`, problem, () => load(true))); more.hidden = true; } else more.replaceChildren(h("span.muted", {}, problem.detail, " "), h("button.btn", { type: "button", onclick: () => load(false) }, "Try again"));
    } finally {
      if (mine === serial) frame.setAttribute("aria-busy", "false");
    }
  }
  return { frame, reload: () => load(true) };
}

/** Filters that live in the URL: read, write, and come back with the Back button. */
export function urlFilters(names, onChange) {
  const read = () => Object.fromEntries(names.map((name) => [name, new URLSearchParams(location.search).get(name) ?? ""]));
  const write = (values) => {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(values)) { if (value) query.set(name, value); else query.delete(name); }
    const text = query.toString();
    history.replaceState(null, "", text ? `${location.pathname}?${text}` : location.pathname);
    onChange();
  };
  addEventListener("popstate", onChange);
  return { read, write, clear: () => write(Object.fromEntries(names.map((name) => [name, ""]))) };
}

/** A search field that waits until the person stops typing. */
export function searchField(label, value, onInput) {
  let timer = 0;
  return h("input", { type: "search", "aria-label": label, placeholder: label, value, id: "page-search", oninput: (event) => { clearTimeout(timer); timer = setTimeout(() => onInput(event.target.value.trim()), 200); } });
}
