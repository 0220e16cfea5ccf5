// Ctrl K: go anywhere, find an item. An APG combobox whose list is always open.
import { get, withQuery } from "./api.js";
import { open } from "./dialog.js";
import { h } from "./dom.js";
import { keyLabel, listed } from "./keys.js";

const PLACES = [["Today", "/today", "g t"], ["Queue", "/queue", "g q"], ["Exceptions", "/exceptions", "g e"], ["Orders", "/orders", "g o"], ["Data problems", "/data-problems", "g d"], ["Items", "/items", "g i"], ["Forecasts", "/forecasts", "g f"], ["Back-tests", "/backtests", "g b"], ["Scenarios", "/scenarios", "g c"], ["Suppliers", "/suppliers", "g u"], ["Classes", "/classes", "g l"], ["Usage", "/usage", "g m"], ["Policy", "/policy", "g p"], ["Audit", "/audit", "g a"], ["Settings", "/settings", "g s"]];
export const places = PLACES;
const ITEMS_MAX = 8;

export async function showPalette() {
  const chosen = await open("Search and commands", (finish) => {
    const list = h("ul", { role: "listbox", id: "palette-list", "aria-label": "Results" });
    const none = h("p.none", { role: "status", hidden: true });
    let entries = [];
    let active = 0;
    let serial = 0;
    const commands = [
      ...PLACES.map(([name, path, key]) => ({ title: `Go to ${name}`, key, run: () => location.assign(path) })),
      ...listed().filter((entry) => entry.group !== "Go to").map((entry) => ({ title: entry.words, key: entry.key, run: () => entry.run() })),
    ];
    const show = (next) => {
      entries = next;
      active = Math.min(active, Math.max(0, entries.length - 1));
      list.replaceChildren(...entries.map((entry, index) => h("li", { role: "option", id: `palette-${index}`, "aria-selected": String(index === active), onclick: () => finish(entry) }, h("span", {}, entry.title), entry.note ? h("small", {}, entry.note) : null, entry.key ? h("kbd", { "aria-hidden": "true" }, entry.key.split(" ").map(keyLabel).join(" ")) : null)));
      list.hidden = !entries.length;
      input.setAttribute("aria-activedescendant", entries.length ? `palette-${active}` : "");
      list.children[active]?.scrollIntoView({ block: "nearest" });
    };
    const search = async () => {
      const text = input.value.trim().toLowerCase();
      const mine = (serial += 1);
      active = 0;
      const fitting = commands.filter((entry) => entry.title.toLowerCase().includes(text));
      none.hidden = true;
      show(fitting);
      if (text.length < 2) return;
      try {
        const found = await get(withQuery("/v1/items", { q: text, limit: ITEMS_MAX }));
        if (mine !== serial) return;
        const items = found.items.map((item) => ({ title: item.item_name ?? item.sku, note: `${item.location_name ?? item.location} · ${item.sku}`, run: () => location.assign(`/items/${encodeURIComponent(item.sku)}/${encodeURIComponent(item.location)}`) }));
        show([...items, ...fitting]);
        none.hidden = Boolean(items.length || fitting.length);
        none.textContent = `Nothing is called “${text}”. Try a part of the name, the SKU or the location.`;
      } catch (problem) {
        if (mine !== serial) return;
        none.hidden = false;
        none.textContent = `Items could not be searched: ${problem.detail}`;
      }
    };
    const input = h("input", {
      type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list", "aria-label": "Search item, page or command", placeholder: "Search item, page or command", autofocus: true, autocomplete: "off", spellcheck: "false",
      oninput: search,
      onkeydown: (event) => {
        const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (move) { event.preventDefault(); active = (active + move + entries.length) % Math.max(1, entries.length); show(entries); }
        if (event.key === "Enter" && entries[active]) { event.preventDefault(); finish(entries[active]); }
      },
    });
    queueMicrotask(search);
    return [input, list, none];
  }, { className: "palette", label: false });
  chosen?.run();
}
