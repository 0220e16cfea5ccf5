// Settings: how the workbench looks and listens for this person, and for admins who and what may come in.
import { announce } from "../announce.js";
import { get, put } from "../api.js";
import { byId, h } from "../dom.js";
import { instant, utc } from "../format.js";
import { singleKeysOn, switchSingleKeys } from "../keys.js";
import { setTheme, showKeys, start, theme } from "../shell.js";
import { failed } from "../states.js";

const page = byId("page");

/** This person's choices follow them to another machine; without the API they stay on this one. */
async function remember(change) {
  try {
    await put("/v1/preferences", { ...(await get("/v1/preferences")), ...change });
    announce("Saved");
  } catch (problem) {
    announce(`Kept on this machine only: ${problem.detail}`);
  }
}

function own() {
  const themes = h("div.segmented.theme-choice", { role: "group", "aria-label": "Theme" }, ...[["", "System"], ["light", "Light"], ["dark", "Dark"]].map(([value, label]) => h("button", { type: "button", value, "aria-pressed": String(theme() === value), onclick: () => { setTheme(value); remember({ theme: value }); } }, label)));
  const keys = h("input", { type: "checkbox", id: "single-keys", checked: singleKeysOn(), onchange: (event) => { switchSingleKeys(event.target.checked); remember({ single_keys: event.target.checked }); } });
  return h("section.card", {}, h("header", {}, h("h2", {}, "For you")),
    h("div.switch", {}, h("div", {}, h("b", {}, "Theme"), h("small", {}, "System follows the setting of your machine."), themes)),
    h("div.switch", {}, keys, h("div", {}, h("label", { for: "single-keys" }, "Single-key shortcuts"), h("small", {}, "J, K, A, E and the others act at once. Switch them off if you use speech input or press keys by accident; every key is also a button."), h("button.link", { type: "button", onclick: showKeys }, "Show all keys"))));
}

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

const ACCOUNTS = ["Account", "Roles", "State", "Last sign-in"];
const accounts = () => section("Accounts", "Who can sign in, and as what. Accounts are made with the command line.", "/v1/accounts", ACCOUNTS, (account) => [h("b", {}, account.username, account.name && account.name !== account.username ? h("small", {}, account.name) : null), (account.roles ?? []).join(", "), account.active ? "active" : "switched off", account.last_sign_in_at ? h("span", { title: utc(account.last_sign_in_at) }, instant(account.last_sign_in_at)) : "never"], "No account exists.");
const KEYS = ["Key", "Scopes", "Expires", "Last used"];
const apiKeys = () => section("API keys", "What machines sign in with. A secret is shown once, when its key is made.", "/v1/api-keys", KEYS, (key) => [h("b", {}, key.name, h("small.mono", {}, key.prefix)), (key.scopes ?? []).join(", "), key.revoked_at ? "revoked" : key.expires_at ? instant(key.expires_at) : "never", key.last_used_at ? h("span", { title: utc(key.last_used_at) }, instant(key.last_used_at)) : "never"], "No API key exists.");

page.replaceChildren(h("div.head", {}, h("div", {}, h("h1", {}, "Settings"), h("p.sub", {}, "How the workbench looks and listens."))), own());
const session = await start();
if (session.can?.includes("administer")) page.append(await accounts(), await apiKeys());
