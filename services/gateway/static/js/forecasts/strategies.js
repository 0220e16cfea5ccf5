// Strategies: which one speaks for which class of demand, by what back-test, and what planners pinned instead.
import { announce, toast, alarm } from "../announce.js";
import { get, intentKey, post } from "../api.js";
import { confirm, open } from "../dialog.js";
import { h } from "../dom.js";
import { instant, number, utc, words } from "../format.js";
import { empty, failed } from "../states.js";
import { plainTable } from "./measures.js";

const CLASSES = { smooth: "sells nearly every day, in even sizes", erratic: "sells nearly every day, in uneven sizes", intermittent: "sells now and then, in even sizes", lumpy: "sells now and then, in uneven sizes", young: "fewer than 91 known days", dead: "has stopped selling" };
const REASONS = ["level_shift", "slow_seller", "season", "model_wrong", "comparison", "other"];
const scopeOf = (pin) => [pin.sku, pin.location && `at ${pin.location}`, pin.category && `all of ${pin.category}`, pin.abc_class && `class ${pin.abc_class}`].filter(Boolean).join(", ");

function field(id, label, input, hint) {
  input.id = id;
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  return h("div.field", {}, h("label", { for: id }, label), input, hint ? h("span.hint", { id: `${id}-hint` }, hint) : null);
}

/** The form; resolves with what was pinned, or null. Its key stays the same however often it is sent. */
async function ask(pinnable) {
  const key = intentKey();
  return open("Pin a strategy", (finish, id) => {
    const input = (name, attributes = {}) => h("input", { type: "text", name, autocomplete: "off", ...attributes });
    const wrong = h("p.err", { role: "alert" });
    const form = h("form", { onsubmit: async (event) => {
      event.preventDefault();
      const told = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
      try {
        finish(await post("/v1/strategy-pins", told, { headers: { "Idempotency-Key": key } }));
      } catch (problem) {
        wrong.textContent = [problem.detail, ...(problem.errors ?? []).map((error) => error.reason)].join(" ");
      }
    } },
      h("div.body", {}, h("h2", { id }, "Pin a strategy"), h("p.lead", {}, "It forecasts these items from now on, whatever the back-test chose, until the pin is taken back. Its own back-tested spread goes with it."),
        field(`${id}-strategy`, "Strategy", h("select", { name: "strategy", autofocus: true }, ...pinnable.map((name) => h("option", { value: name }, words(name))))),
        h("div.two", {}, field(`${id}-sku`, "Product (SKU)", input("sku")), field(`${id}-place`, "Location", input("location"))),
        h("div.two", {}, field(`${id}-category`, "Category", input("category")), field(`${id}-class`, "ABC class", input("abc_class", { maxlength: 8 }), "At least one of the four; a product beats a group.")),
        field(`${id}-reason`, "Reason", h("select", { name: "reason" }, ...REASONS.map((reason) => h("option", { value: reason }, words(reason))))),
        field(`${id}-note`, "Note", h("textarea", { name: "note", maxlength: 200, rows: 2 })), wrong),
      h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, "Cancel"), h("button.btn.p", { type: "submit" }, "Pin strategy")));
    return [form];
  });
}

/** What each strategy scored for a class, best first; the model's name is said as people know it. */
function scores(entry) {
  const ranked = Object.entries(entry.scores).sort(([, one], [, other]) => one - other);
  return h("span.wrap", {}, ranked.slice(0, 4).map(([name, score]) => `${words(name)} ${number(score, 3)}`).join(" · "));
}

/** The panel; `redraw` shows it afresh after a change. */
export async function strategiesPanel({ may, redraw }) {
  const place = h("div.stack", {});
  const back = async (pin) => {
    if (!(await confirm("Take this pin back?", `${scopeOf(pin)}: the choice by back-test speaks again. The pin stays on record.`, { yes: "Take back", no: "Keep it" }))) return;
    try {
      await post(`/v1/strategy-pins/${encodeURIComponent(pin.pin_id)}/withdrawal`, {});
      announce("Pin taken back");
      redraw();
    } catch (problem) {
      alarm(problem.detail);
      toast(problem.detail, { tone: "bad" });
    }
  };
  try {
    const { choice, items, pinnable, model_id: model } = await get("/v1/strategy-pins");
    const set = async () => {
      const made = await ask(pinnable);
      if (!made) return;
      toast(`${words(made.strategy)} is pinned to ${scopeOf(made)}; its items are forecast again`);
      announce("Strategy pinned");
      redraw();
    };
    place.append(
      h("section.card", {}, h("header", {}, h("h2", {}, "Pins"), may ? h("button.btn.p", { type: "button", id: "pin-strategy", onclick: set }, "Pin a strategy") : null),
        items.length ? plainTable("Pins", [["What", false], ["Strategy", false], ["Reason", false], ["Since", false], ["State", false], ["Action", false]], items.map((pin) => [
          [h("b", {}, scopeOf(pin)), h("small", {}, `by ${pin.set_by}`)], words(pin.strategy), [words(pin.reason), pin.note ? h("small", {}, pin.note) : null], h("span", { title: utc(pin.set_at) }, instant(pin.set_at)),
          pin.state === "active" ? h("span.tag.a", {}, "In force") : h("span.tag", {}, "Taken back"),
          may && pin.state === "active" ? h("button.btn.small", { type: "button", "aria-label": `Take back the pin of ${scopeOf(pin)}`, onclick: () => back(pin) }, "Take back") : "",
        ])) : empty("No strategy is pinned", "Every class of demand is forecast by what its back-test chose. A pin lets another strategy speak for an item, a category or an ABC class.")),
      h("section.card", {}, h("header", {}, h("h2", {}, "Chosen by back-test"), model ? h("span.muted.mono", {}, model) : null),
        choice.length ? plainTable("Chosen by back-test", [["Class of demand", false], ["Strategy", false], ["Scores, best first (lower is better)", false]], choice.map((entry) => [[h("b", {}, words(entry.class)), h("small", {}, CLASSES[entry.class] ?? "")], words(entry.strategy), scores(entry)]))
          : h("p.quiet", {}, model ? "There was too little history to compare strategies by class: the model speaks for all items." : "No model is trained yet.")));
  } catch (problem) {
    place.append(h("div.card", {}, failed("The strategies could not be read", problem, redraw)));
  }
  return place;
}
