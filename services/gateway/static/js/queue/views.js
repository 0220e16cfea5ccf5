// Views: the address of the queue under a name. They belong to the person; a link to one shows anybody the same lines.
import { announce } from "../announce.js";
import { get, put } from "../api.js";
import { h } from "../dom.js";
import { open } from "../dialog.js";

const VIEWS_MAX = 30;
let views = null;

async function save(changed) {
  views = changed;
  try {
    await put("/v1/preferences", { ...(await get("/v1/preferences")), views });
    announce("Views saved");
  } catch (problem) {
    announce(`The views could not be saved: ${problem.detail}`);
  }
}

const askName = (query) => open("Save this view", (finish, id) => {
  const name = h("input", { id: `${id}-name`, maxlength: 60, required: true, autofocus: true });
  return [h("form", { method: "dialog", onsubmit: (event) => { event.preventDefault(); finish(name.value.trim() || null); } },
    h("div.body", {}, h("h2", { id }, "Save this view"), h("p.lead", {}, query ? "The filters, order and grouping you see now." : "The whole queue, without filters."), h("div.field", {}, h("label", { for: `${id}-name` }, "Name"), name)),
    h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, "Cancel"), h("button.btn.p", { type: "submit" }, "Save")))];
});

function current() {
  const query = new URLSearchParams(location.search);
  query.delete("line"); // where one stands is not part of a view
  return query.toString();
}

/** The choice of views and the button that saves one; read once a page, drawn again when they come. */
export function viewControls(filters) {
  if (views === null) {
    views = [];
    get("/v1/preferences").then((kept) => { views = kept.views ?? []; if (views.length) filters.draw(); }).catch(() => null);
  }
  const now = current();
  const chosen = views.find((view) => view.query === now);
  const go = (query) => { history.pushState(null, "", query ? `${location.pathname}?${query}` : location.pathname); filters.read(); filters.onChange(); };
  const select = views.length ? h(`select${chosen ? ".on" : ""}`, { "aria-label": "Saved views", onchange: (event) => go(event.target.value) }, h("option", { value: "", selected: !chosen }, "Views"), ...views.map((view) => h("option", { value: view.query, selected: view === chosen }, view.name))) : null;
  const keep = async () => {
    const name = await askName(now);
    if (!name) return;
    await save([...views.filter((view) => view.name !== name), { name, query: now }].slice(-VIEWS_MAX));
    filters.draw();
  };
  const forget = async () => { await save(views.filter((view) => view !== chosen)); filters.draw(); };
  return [select, chosen ? h("button.chip", { type: "button", onclick: forget }, `Forget “${chosen.name}”`) : h("button.chip", { type: "button", onclick: keep }, "Save view")];
}
