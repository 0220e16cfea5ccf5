// Overrides: what people changed about the forecast, and what that was worth.
import { alarm, announce, toast } from "../announce.js";
import { get, intentKey, post } from "../api.js";
import { confirm, open } from "../dialog.js";
import { h } from "../dom.js";
import { day, number, plusDays, words } from "../format.js";
import { empty, failed } from "../states.js";
import { windowsOf } from "./accuracy.js";
import { added, plainTable, share } from "./measures.js";

const STATES = { active: ["a", "In force"], over: ["", "Period over"], expired: ["", "Expired"], withdrawn: ["", "Taken back"] };
const scopeOf = (item) => [item.sku, item.location && `at ${item.location}`, item.category && `all of ${item.category}`].filter(Boolean).join(" ") || "everything";
const changeOf = (item) => (item.kind === "replace" ? `${number(item.units)} units in all` : `${Number(item.units) > 0 ? "+" : ""}${number(item.units)} units`);

function field(id, label, input, hint) {
  input.id = id;
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  return h("div.field", {}, h("label", { for: id }, label), input, hint ? h("span.hint", { id: `${id}-hint` }, hint) : null);
}

/** The form; resolves with what was set, or null. Its key stays the same however often it is sent. */
async function ask(today, reasons, prefill) {
  const key = intentKey();
  return open("Override a forecast", (finish, id) => {
    const input = (name, attributes = {}) => h("input", { type: "text", name, autocomplete: "off", ...attributes });
    const wrong = h("p.err", { role: "alert" });
    const from = plusDays(today, 1);
    const form = h("form", { onsubmit: async (event) => {
      event.preventDefault();
      const told = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
      try {
        finish(await post("/v1/overrides", told, { headers: { "Idempotency-Key": key } }));
      } catch (problem) {
        wrong.textContent = [problem.detail, ...(problem.errors ?? []).map((error) => error.reason)].join(" ");
      }
    } },
      h("div.body", {}, h("h2", { id }, "Override a forecast"), h("p.lead", {}, "For what you know and the history does not show. It is kept through every new forecast, and measured afterwards."),
        h("div.two", {}, field(`${id}-sku`, "Product (SKU)", input("sku", { value: prefill.sku ?? "", autofocus: true })), field(`${id}-place`, "Location", input("location", { value: prefill.location ?? "" }))),
        field(`${id}-category`, "Category", input("category"), "At least one of the three. A group's units are split by what each item sells; discontinued items get none."),
        h("div.two", {}, field(`${id}-from`, "First day", input("from_on", { type: "date", required: true, value: from })), field(`${id}-to`, "Last day", input("to_on", { type: "date", required: true, value: plusDays(from, 6) }))),
        h("div.two", {}, field(`${id}-kind`, "Change", h("select", { name: "kind" }, h("option", { value: "add" }, "Add to the forecast"), h("option", { value: "replace" }, "Replace the forecast"))), field(`${id}-units`, "Units, whole period", input("units", { inputmode: "decimal", required: true, pattern: "-?[0-9]+([.][0-9]{1,4})?", title: "a number such as 120 or -40" }))),
        field(`${id}-reason`, "Reason", h("select", { name: "reason" }, ...reasons.map((reason) => h("option", { value: reason.code }, reason.label)))),
        field(`${id}-note`, "Note", h("textarea", { name: "note", maxlength: 200, rows: 2 })),
        field(`${id}-expires`, "Expires", input("expires_on", { type: "date" }), "Left empty: the day after the last day."), wrong),
      h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, "Cancel"), h("button.btn.p", { type: "submit" }, "Set override")));
    return [form];
  });
}

/** The panel; `redraw` shows it afresh after a change. */
export async function overridesPanel({ today, may, redraw, prefill = {} }) {
  const place = h("div.stack", {});
  const set = async () => {
    const { items: reasons } = await get("/v1/override-reasons");
    const made = await ask(today, reasons, prefill);
    if (!made) return;
    toast(`Override of ${scopeOf(made)} is set; its items are forecast again`);
    announce("Override set");
    redraw();
  };
  const back = async (item) => {
    if (!(await confirm("Take this override back?", `The next forecasts of ${scopeOf(item)} are the model's own again. The override stays on record.`, { yes: "Take back", no: "Keep it" }))) return;
    try {
      await post(`/v1/overrides/${encodeURIComponent(item.override_id)}/withdrawal`, {});
      announce("Override taken back");
      redraw();
    } catch (problem) {
      alarm(problem.detail);
      toast(problem.detail, { tone: "bad" });
    }
  };
  const button = may ? h("button.btn.p", { type: "button", id: "set-override", disabled: !today, onclick: set }, "Override a forecast ", h("kbd", { "aria-hidden": "true" }, "C")) : null;
  try {
    const { items, value } = await get("/v1/overrides");
    place.append(h("section.card", {}, h("header", {}, h("h2", {}, "Overrides"), button), may && !today ? h("p.quiet", {}, "It speaks of days after the last closed one: it can be set once a business day has closed.") : null,
      items.length ? plainTable("Overrides", [["What", false], ["Period", true], ["Change", true], ["Reason", false], ["Worth so far", true], ["State", false], ["Action", false]], items.map((item) => [
        [h("b", {}, scopeOf(item)), h("small", {}, `by ${item.created_by}`)], [`${day(item.from_on, { weekday: false })} to ${day(item.to_on, { weekday: false })}`, item.expires_on ? h("small", {}, `expires ${day(item.expires_on, { weekday: false })}`) : null], changeOf(item),
        [words(item.reason), item.note ? h("small", {}, item.note) : null], [item.value ? added(item.value.added) : null, h("small", {}, windowsOf(item.value))],
        h(`span.tag${STATES[item.state][0] ? `.${STATES[item.state][0]}` : ""}`, {}, STATES[item.state][1]),
        may && item.state === "active" ? h("button.btn.small", { type: "button", "aria-label": `Take back the override of ${scopeOf(item)}`, onclick: () => back(item) }, "Take back") : "",
      ])) : empty("Nobody has overridden a forecast", "Where a person knows of an order, an event or a competitor that the history cannot show, an override says so, with its reason and its end.")));
    if (value.length) place.append(h("section.card", {}, h("header", {}, h("h2", {}, "What people's changes were worth"), h("span.muted", {}, "error avoided against the model alone")),
      plainTable("What people's changes were worth", [["Who", false], ["Reason", false], ["Overrides", true], ["Error with", true], ["Error without", true], ["Worth", true]], value.map((row) => [h("b", {}, row.created_by), words(row.reason), number(row.overrides, 0), [number(row.error_with), h("small", {}, `${share(Number(row.error_with) / Number(row.actual))} of demand`)], number(row.error_without), added(row.added)]))));
  } catch (problem) {
    place.append(h("div.card", {}, failed("The overrides could not be read", problem, redraw)));
  }
  return { place, set };
}
