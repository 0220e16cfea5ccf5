// Models: which one speaks, what its back-test said, what became of every other, and the training in progress.
import { announce, toast } from "../announce.js";
import { get, post } from "../api.js";
import { open } from "../dialog.js";
import { h } from "../dom.js";
import { day, instant, number, utc, words } from "../format.js";
import { empty, failed, notice } from "../states.js";
import { plainTable, share, signed } from "./measures.js";

const STATES = { champion: ["g", "Speaks"], waiting: ["w", "Waits for a decision"], retired: ["", "Retired"], rejected: ["", "Turned down"] };
const VERDICTS = { promoted: ["g", "Promoted"], kept_champion: ["", "Champion kept"], waiting: ["w", "Laid before a person"], rejected: ["", "Rejected"] };
const tag = ([tone, label]) => h(`span.tag${tone ? `.${tone}` : ""}`, {}, label);
const metric = (model, name, write) => (model.metrics?.[name] === undefined ? "–" : write(model.metrics[name]));

async function decide(model, verdict, redraw) {
  const done = await open(`${verdict === "promote" ? "Promote" : "Reject"} this model?`, (finish, id) => {
    const reason = h("input", { type: "text", id: `${id}-reason`, required: true, minlength: 3, maxlength: 150, autofocus: true, autocomplete: "off" });
    const wrong = h("p.err", { role: "alert" });
    const form = h("form", { onsubmit: async (event) => {
      event.preventDefault();
      try {
        finish(await post(`/v1/training/models/${encodeURIComponent(model.model_id)}/decision`, { verdict, reason: reason.value.trim() }));
      } catch (problem) {
        wrong.textContent = problem.detail;
      }
    } }, h("div.body", {}, h("h2", { id }, `${verdict === "promote" ? "Promote" : "Reject"} this model?`), h("p.lead", {}, verdict === "promote" ? "Every item is forecast again by it at once. The champion of now retires and can be promoted again." : "The champion speaks on. The model stays on record and can be promoted later."),
      h("div.field", {}, h("label", { for: `${id}-reason` }, "Reason"), reason), wrong),
      h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, "Cancel"), h("button.btn.p", { type: "submit" }, verdict === "promote" ? "Promote" : "Reject")));
    return [form];
  });
  if (!done) return;
  announce(verdict === "promote" ? "The model speaks now" : "The model was turned down");
  redraw();
}

function jobLine(job) {
  if (!job) return null;
  if (job.state === "failed") return notice("warn", "The last training failed.", job.error ?? "");
  if (job.state === "done") return null;
  return h("div.notice.info", {}, h("div", {}, h("b", {}, "Training."), ` ${words(job.stage)} · asked for by ${job.requested_by}`, h("progress", { max: 1, value: job.share, "aria-label": "Share of the training that is done" })));
}

export async function modelsPanel({ session, redraw }) {
  const place = h("div.stack", {});
  try {
    const [{ models, state }, { items: history }] = await Promise.all([get("/v1/training"), get("/v1/training/promotions")]);
    const mayDecide = session.can?.includes("change_policy");
    const job = state.last_job;
    const running = ["queued", "running"].includes(job?.state);
    const train = async () => {
      try {
        await post("/v1/training", {});
        toast("A training is queued; the champion speaks until it is judged");
      } catch (problem) {
        toast(problem.detail, { tone: "bad" });
      }
      redraw();
    };
    const buttons = (model) => h("span.nowrap", {}, ["waiting", "retired", "rejected"].includes(model.state) ? h("button.btn.small", { type: "button", "aria-label": `Promote ${model.model_id}`, onclick: () => decide(model, "promote", redraw) }, model.state === "waiting" ? "Promote" : "Promote again") : null, model.state === "waiting" ? [" ", h("button.btn.small", { type: "button", "aria-label": `Reject ${model.model_id}`, onclick: () => decide(model, "reject", redraw) }, "Reject")] : null);
    const rows = models.map((model) => [[h("b.mono", {}, model.model_id), h("small", {}, `${words(model.strategy)} · days ${day(model.window_from, { weekday: false, year: true })} to ${day(model.window_to, { weekday: false, year: true })}`)], tag(STATES[model.state] ?? ["", words(model.state)]), metric(model, "total_error_28d", share), metric(model, "bias_28d", signed), metric(model, "wql_28d", (value) => number(value, 3)), metric(model, "coverage_28d_0.95", share), h("span.wrap", {}, model.reason), mayDecide ? buttons(model) : ""]);
    place.append(...[jobLine(job)].filter(Boolean),
      h("section.card", {}, h("header", {}, h("h2", {}, "Models"), session.can?.includes("plan") ? h("button.btn", { type: "button", disabled: running, onclick: train }, running ? "Training …" : "Train now") : null),
        rows.length ? plainTable("Models", [["Model", false], ["State", false], ["28-day error", true], ["Bias", true], ["Quantile loss", true], ["Within 95 %", true], ["Why", false], ["Action", false]], rows) : empty("No model is trained yet", "Items are forecast by the average of their last eight same weekdays until there are 120 closed days to train on.")),
      h("section.card", {}, h("header", {}, h("h2", {}, "History of promotions")), history.length ? plainTable("History of promotions", [["When", false], ["Model", false], ["What", false], ["By", false], ["Why", false]], history.map((line) => [h("span", { title: utc(line.decided_at) }, instant(line.decided_at)), h("span.mono", {}, line.model_id), tag(VERDICTS[line.verdict] ?? ["", words(line.verdict)]), line.decided_by === "rules" ? "stated rules" : line.decided_by, h("span.wrap", {}, line.reason)])) : h("p.quiet", {}, "Nothing has been promoted yet.")));
    if (running) setTimeout(redraw, 2000);
  } catch (problem) {
    place.append(h("div.card", {}, failed("The models could not be read", problem, redraw)));
  }
  return place;
}
