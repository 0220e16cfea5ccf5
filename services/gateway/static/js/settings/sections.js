// Sections of the settings that list what there is, add to it and end it, each drawn anew after a change.
import { announce, toast } from "../announce.js";
import { get } from "../api.js";
import { open } from "../dialog.js";
import { h } from "../dom.js";
import { failed } from "../states.js";

const table = (label, head, rows) => h("div.table-scroll", { tabindex: 0, role: "region", "aria-label": label }, h("table.stackable", { "aria-label": label }, h("thead", {}, h("tr", {}, ...head.map((title) => h("th", { scope: "col" }, title)))), h("tbody", {}, ...rows)));
const row = (head, first, ...cells) => h("tr", {}, h("th", { scope: "row" }, first), ...cells.map((cell, index) => h("td", { "data-label": head[index + 1] }, cell)));

async function section(title, lead, path, head, draw, none) {
  const card = h("section.card", {}, h("header", {}, h("h2", {}, title)), h("p.quiet", {}, lead));
  try {
    const { items } = await get(path);
    card.append(items.length ? table(title, head, items.map((item) => row(head, ...draw(item)))) : h("p.quiet", {}, none));
  } catch (problem) {
    card.append(failed(`${title} could not be read`, problem));
  }
  return card;
}

/** Check boxes by code and label; `on` are checked from the start. */
export const boxes = (name, choices, { legend = "What", on = [] } = {}) => h("fieldset.choices", {}, h("legend", {}, legend), ...Object.entries(choices).map(([code, label]) => h("label", {}, h("input", { type: "checkbox", name, value: code, checked: on.includes(code) }), label)));

export const showSecret = (title, secret) => open(title, (finish, id) => [
  h("div.body", {}, h("h2", { id }, title), h("p.lead", {}, "This is shown now and never again. Copy it to where it is used."), h("pre.json", { tabindex: 0 }, secret)),
  h("div.buttons", {}, h("button.btn.p", { type: "button", autofocus: true, onclick: () => finish(null) }, "I have it")),
]);

/** Do something that may be refused, say why if it was, and draw again. */
export async function doing(work, redraw) {
  try { await work(); } catch (problem) {
    const why = [problem.detail, ...(problem.errors ?? []).map((error) => error.reason)].join(" ");
    toast(why, { seconds: 12 });
    announce(why);
  }
  await redraw();
}

/** A section that can add and end what it lists, and draws itself again afterwards. */
export async function managed(title, lead, path, head, drawRow, none, add) {
  const box = h("div");
  const redraw = async () => {
    const card = await section(title, lead, path, head, (item) => drawRow(item, redraw), none);
    card.querySelector("header").append(h("span.acts", {}, h("button.btn.small", { type: "button", onclick: () => add(redraw) }, "Add")));
    box.replaceChildren(card);
  };
  await redraw();
  return box;
}
