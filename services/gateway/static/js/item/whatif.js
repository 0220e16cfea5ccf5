// What if: another lead time, service goal or demand, or a signal left out, answered by the policy service's own code.
import { post } from "../api.js";
import { h } from "../dom.js";
import { money, number, percent, quantity } from "../format.js";

let serial = 0;

function answerWords(answer, line) {
  const now = line ? Number(line.recommended_quantity ?? line.quantity) : 0;
  const then = Number(answer.quantity);
  if (!then) return `Nothing would be ordered: ${answer.says}`;
  const change = !line ? "" : then === now ? ", as it is now" : ` instead of ${number(now)}`;
  return `${quantity(answer.quantity, line?.unit)}${change}, ${money(answer.value, line?.currency)}. Reorder point ${number(answer.reorder_point, 1)}, order up to ${number(answer.order_up_to, 1)}; with it ${number(answer.days_of_cover, 1)} days of cover and a stock-out probability of ${percent(answer.stock_out_probability, 1)}.`;
}

/** The form and its answer; `detail` is the item panel's, `line` the line it is about. */
export function whatIf(detail, line) {
  const { sku, location } = detail.item ?? line;
  const id = `what-if-${(serial += 1)}`;
  const field = (name, label, attributes) => h("label", {}, h("span", {}, label), h("input", { name, inputmode: "decimal", ...attributes }));
  const signals = (detail.signals ?? []).filter((one) => !one.advisory);
  const answer = h("p", { id, role: "status" });
  const form = h("form.what-if", {
    onsubmit: async (event) => {
      event.preventDefault();
      const given = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim().replace(",", ".")]).filter(([, value]) => value));
      if (given.service_level) given.service_level = String(Number(given.service_level) / 100);
      if (!Object.keys(given).length) { answer.textContent = "Change at least one of them."; return; }
      answer.textContent = "Planning …";
      try {
        answer.textContent = answerWords(await post("/v1/whatif", { sku, location, ...given }), line);
      } catch (problem) {
        answer.textContent = problem.errors?.length ? problem.errors.map((error) => `${error.field}: ${error.reason}`).join("; ") : problem.detail;
      }
    },
  },
    field("lead_time_days", "Lead time, days", { placeholder: detail.item?.lead_time_days ?? "" }),
    field("service_level", "Service goal, %", { placeholder: "as in Policy" }),
    field("demand_multiplier", "Demand ×", { placeholder: "1" }),
    signals.length ? h("label", {}, h("span", {}, "Without signal"), h("select", { name: "without_signal" }, h("option", { value: "" }, "none left out"), ...signals.map((one) => h("option", { value: one.signal_id }, one.signal_id)))) : null,
    h("button.btn.small", { type: "submit" }, "Plan with this"), answer);
  return h("details.data", {}, h("summary", {}, "What if …"), form);
}
