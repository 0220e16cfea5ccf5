// Back-tests: what each strategy would have said on past days. One is chosen by the address, so that it can be sent on.
import { alarm, announce, toast } from "../announce.js";
import { get, intentKey, post } from "../api.js";
import { byId, h } from "../dom.js";
import { count, instant, percent, utc, words } from "../format.js";
import { resultOf } from "../forecasts/result.js";
import { start } from "../shell.js";
import { empty, failed, notice } from "../states.js";
import { urlFilters } from "../table.js";

const STATES = { queued: ["", "Waits"], running: ["a", "Running"], done: ["g", "Done"], failed: ["b", "Failed"], cancelled: ["", "Cancelled"] };
const POLL_MS = 1000;
const page = byId("page");
const list = h("div", {});
const shown = h("div", { id: "backtest" });
const filters = urlFilters(["run"], () => show());
let session = {};
let strategies = [];
let timer = 0;
let turn = 0;

const tag = (state) => h(`span.tag${STATES[state][0] ? `.${STATES[state][0]}` : ""}`, {}, STATES[state][1]);
const isOpen = (run) => ["queued", "running"].includes(run.state);
function scopeOf({ request }) {
  const parts = [request.skus?.length ? (request.skus.length === 1 ? request.skus[0] : count(request.skus.length, "product")) : null, request.location && `location ${request.location}`, request.category, request.abc_class && `class ${request.abc_class}`].filter(Boolean);
  return parts.join(", ") || "All items";
}

function form() {
  const field = (id, label, input, hint) => {
    input.id = id;
    if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
    return h("div.field", {}, h("label", { for: id }, label), input, hint ? h("span.hint", { id: `${id}-hint` }, hint) : null);
  };
  const text = (name) => h("input", { type: "text", name, autocomplete: "off" });
  const wrong = h("p.err", { role: "alert" });
  let key = intentKey();
  const made = h("form.run-form", { onsubmit: async (event) => {
    event.preventDefault();
    const told = new FormData(made);
    const body = { strategies: told.getAll("strategies"), origins: Number(told.get("origins")), step_days: Number(told.get("step_days")), skus: told.get("skus").split(/[\s,;]+/).filter(Boolean) };
    for (const name of ["location", "category", "abc_class"]) if (told.get(name).trim()) body[name] = told.get(name).trim();
    wrong.textContent = body.strategies.length ? "" : "Choose at least one strategy.";
    if (!body.strategies.length) return;
    try {
      const run = await post("/v1/backtests", body, { headers: { "Idempotency-Key": key } });
      key = intentKey();
      announce("The back-test is queued");
      filters.write({ run: run.backtest_id });
      await refresh();
    } catch (problem) {
      wrong.textContent = [problem.detail, ...(problem.errors ?? []).map((error) => error.reason)].join(" ");
    }
  } },
    h("fieldset", {}, h("legend", {}, "Strategies"), ...strategies.map((name) => h("label", {}, h("input", { type: "checkbox", name: "strategies", value: name, checked: ["lightgbm", "seasonal_naive", "seasonal_mean"].includes(name) }), words(name)))),
    field("bt-skus", "Products (SKU)", text("skus"), "Several with commas. Left empty: all."),
    field("bt-location", "Location", text("location")), field("bt-category", "Category", text("category")),
    field("bt-class", "ABC class", h("select", { name: "abc_class" }, h("option", { value: "" }, "Any class"), ...["A", "B", "C"].map((name) => h("option", {}, name)))),
    field("bt-origins", "Origins", h("select", { name: "origins" }, ...[1, 2, 3, 4, 6, 8, 12].map((value) => h("option", { value, selected: value === 3 }, String(value)))), "Past days from which is forecast."),
    field("bt-step", "Apart", h("select", { name: "step_days" }, ...[[7, "a week"], [14, "two weeks"], [28, "four weeks"]].map(([value, label]) => h("option", { value, selected: value === 28 }, label)))),
    wrong, h("button.btn.p", { type: "submit" }, "Run back-test"));
  return h("section.card", {}, h("header", {}, h("h2", {}, "New back-test")), made);
}

function entries(items) {
  const now = filters.read().run;
  return h("section.card", {}, h("header", {}, h("h2", {}, "Back-tests")), items.length ? h("ul.list.thin", {}, ...items.map((run) => h("li", {}, h("a", { href: `?run=${encodeURIComponent(run.backtest_id)}`, "aria-current": run.backtest_id === now ? "true" : null, onclick: (event) => { event.preventDefault(); filters.write({ run: run.backtest_id }); } }, h("span", {}, h("b", {}, scopeOf(run)), h("small", { title: utc(run.created_at) }, `${instant(run.created_at)} by ${run.requested_by}`)), tag(run.state))))) : h("p.quiet", {}, "None yet."));
}

async function refresh() {
  try {
    const { items } = await get("/v1/backtests");
    list.replaceChildren(entries(items));
  } catch (problem) {
    list.replaceChildren(h("div.card", {}, failed("The back-tests could not be read", problem, refresh)));
  }
}

async function cancel(run) {
  try {
    await post(`/v1/backtests/${encodeURIComponent(run.backtest_id)}/cancel`, {});
    announce("Cancelled");
  } catch (problem) {
    alarm(problem.detail);
    toast(problem.detail, { tone: "bad" });
  }
  await show();
  await refresh();
}

function progress(run) {
  const button = session.can?.includes("plan") ? h("div.actions", {}, h("button.btn.small", { type: "button", onclick: () => cancel(run) }, "Cancel")) : null;
  return h("div.notice.info", {}, h("div", {}, h("b", {}, run.state === "queued" ? "Waits for its turn." : `${percent(run.share)} done.`), ` ${run.state === "queued" ? "One back-test runs at a time." : words(run.stage)}`, h("progress", { max: 1, value: run.share, "aria-label": "Share that is done" })), button);
}

async function show() {
  clearTimeout(timer);
  const mine = (turn += 1);
  const { run: id } = filters.read();
  if (!id) {
    shown.replaceChildren(h("div.card", {}, empty("Choose a back-test, or run one", "A back-test goes back to past days, lets each strategy forecast with what was known then, and compares it with what was sold.")));
    shown.setAttribute("aria-busy", "false");
    return;
  }
  try {
    const run = await get(`/v1/backtests/${encodeURIComponent(id)}`);
    if (mine !== turn) return;
    const head = h("div.head", {}, h("div", {}, h("h2", {}, scopeOf(run)), h("p.sub", {}, `${run.request.strategies.map(words).join(", ")} · asked for by ${run.requested_by}, ${instant(run.created_at)}`)), tag(run.state));
    const body = isOpen(run) ? progress(run) : run.state === "failed" ? notice("bad", "It failed.", run.error ?? "") : run.state === "cancelled" ? notice("", "Cancelled.", "Nothing of it was kept.") : resultOf(run.result);
    const wasWaiting = shown.dataset.open === "yes";
    shown.dataset.open = isOpen(run) ? "yes" : "";
    const focused = shown.contains(document.activeElement) && document.activeElement.matches("button");
    shown.replaceChildren(h("div.stack", {}, head, body));
    if (focused && isOpen(run)) shown.querySelector("button")?.focus();
    if (isOpen(run)) timer = setTimeout(show, POLL_MS);
    else if (wasWaiting) { announce(`The back-test is ${run.state}`); await refresh(); }
  } catch (problem) {
    if (mine !== turn) return;
    shown.replaceChildren(h("div.card", {}, failed("This back-test could not be read", problem, show)));
  }
  shown.setAttribute("aria-busy", "false");
}

const left = h("div.stack", {});
page.replaceChildren(h("div.head", {}, h("div", {}, h("h1", {}, "Back-tests"), h("p.sub", {}, "What each way of forecasting would have said, with nothing known of the days that followed."))), h("div.run", {}, left, shown));
shown.setAttribute("aria-busy", "true");
session = await start();
strategies = (await get("/v1/strategies").catch(() => ({ items: [] }))).items;
left.replaceChildren(...[session.can?.includes("plan") && strategies.length ? form() : null, list].filter(Boolean));
await Promise.all([refresh(), show()]);
