// Forecasts: how they turned out, what they say now, what people changed about them, and which model speaks.
import { get } from "../api.js";
import { byId, h } from "../dom.js";
import { number, words } from "../format.js";
import { accuracyPanel } from "../forecasts/accuracy.js";
import { modelsPanel } from "../forecasts/models.js";
import { overridesPanel } from "../forecasts/overrides.js";
import { strategiesPanel } from "../forecasts/strategies.js";
import { command } from "../keys.js";
import { start } from "../shell.js";
import { empty } from "../states.js";
import { pagedTable, searchField, urlFilters } from "../table.js";

const TABS = [["", "Accuracy"], ["items", "Items"], ["overrides", "Overrides"], ["strategies", "Strategies"], ["models", "Models"]];
const page = byId("page");
const tabs = h("nav.tabs", { "aria-label": "Forecasts" });
const place = h("div", { id: "forecast-panel" });
const filters = urlFilters(["tab", "group", "horizon", "q"], () => draw());
let session = {};
let today = null;
let items = null;
let setOverride = null;
let turn = 0;

function itemsPanel() {
  items ??= pagedTable({
    label: "Forecasts", noun: "forecast", path: "/v1/forecasts", filters: () => ({ q: filters.read().q }), clear: filters.clear, isFiltered: () => Boolean(filters.read().q),
    emptyState: () => empty("Nothing is forecast yet", "An item gets its first forecast when its first business day closes."), onCount: (sentence) => { byId("forecasts-count").textContent = sentence; },
    columns: [
      { title: "Item, location", cell: (item) => h("a", { href: `/items/${encodeURIComponent(item.sku)}/${encodeURIComponent(item.location)}` }, h("b", {}, item.item_name ?? item.sku), h("small", {}, `${item.location_name ?? item.location} · ${item.sku}`)) },
      { title: "Next 7 days", numeric: true, cell: (item) => number(item.mean_next_7, 1) },
      { title: "Next 28 days", numeric: true, cell: (item) => number(item.mean_next_28, 1) },
      { title: "Likely (80 %)", numeric: true, cell: (item) => (item.p10_next_28 === null ? "–" : `${number(item.p10_next_28, 0)} to ${number(item.p90_next_28, 0)}`) },
      { title: "Strategy", cell: (item) => [words(item.strategy), item.flags_in_words?.length ? h("small", {}, item.flags_in_words.join("; ")) : null] },
      { title: "Confidence", numeric: true, cell: (item) => number(item.confidence, 2) },
    ],
  });
  items.reload();
  return h("div.stack", {}, h("div.filters", { role: "group", "aria-label": "Filters" }, searchField("Name, SKU or location", filters.read().q, (q) => { history.replaceState(null, "", q ? `?tab=items&q=${encodeURIComponent(q)}` : "?tab=items"); items.reload(); }), h("span.end", { id: "forecasts-count" })), items.frame);
}

async function draw() {
  const mine = (turn += 1);
  const { tab } = filters.read();
  tabs.replaceChildren(...TABS.map(([value, label]) => h("a", { href: value ? `?tab=${value}` : "/forecasts", "aria-current": value === tab ? "page" : null, onclick: (event) => { event.preventDefault(); filters.write({ tab: value }); } }, label)));
  tabs.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }); // on a phone the last ones stand outside
  place.setAttribute("aria-busy", "true");
  if (!place.firstChild) place.replaceChildren(h("p.muted", {}, "Reading …"));
  let shown;
  setOverride = null;
  if (tab === "items") shown = itemsPanel();
  else if (tab === "models") shown = await modelsPanel({ session, redraw: draw });
  else if (tab === "strategies") shown = await strategiesPanel({ may: session.can?.includes("decide"), redraw: draw });
  else if (tab === "overrides") {
    const panel = await overridesPanel({ today, may: session.can?.includes("decide"), redraw: draw });
    shown = panel.place;
    setOverride = session.can?.includes("decide") && today ? panel.set : null;
  } else shown = await accuracyPanel(filters);
  if (mine !== turn) return;
  place.replaceChildren(shown);
  place.setAttribute("aria-busy", "false");
}

page.replaceChildren(h("div.head", {}, h("div", {}, h("h1", {}, "Forecasts"), h("p.sub", {}, "Every forecast is scored when the last day it speaks of closes."))), tabs, place);
place.setAttribute("aria-busy", "true");
command("c", "Override a forecast", () => setOverride?.(), { group: "Forecasts" });
session = await start();
today = (await get("/v1/training").catch(() => null))?.state?.newest_close ?? null; // the last closed day: an override speaks of days after it
await draw();
