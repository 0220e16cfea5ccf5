// People of the settings: an administrator makes, changes and closes accounts; everybody sets a password of their own.
import { announce, toast } from "../announce.js";
import { post, put } from "../api.js";
import { open } from "../dialog.js";
import { h } from "../dom.js";
import { instant, utc } from "../format.js";
import { boxes, doing, managed, showSecret } from "./sections.js";

const ROLES = { planner: "Planner", approver: "Approver", auditor: "Auditor", admin: "Administrator" };
const HEAD = ["Account", "Roles", "State", "Last sign-in", "Change"];
const LEAD = "Who can sign in, and as what. A user name stays for ever, because decisions carry it: who leaves is closed, never deleted.";
const address = (account) => `/v1/accounts/${encodeURIComponent(account.username)}`;
const field = (id, label, input, hint) => h("div.field", {}, h("label", { for: id }, label), input, hint ? h("span.hint", {}, hint) : null);

/** Ask for what an account is; `account` is null for a new one. Resolves its fields or null. */
function ask(title, lead, account) {
  return open(title, (finish, id) => {
    const username = h("input", { id: `${id}-username`, type: "text", required: true, maxlength: 64, pattern: "[a-z0-9][a-z0-9._@+\\-]*", title: "small letters, digits and . _ @ + -", autocapitalize: "none", spellcheck: "false", autofocus: true });
    const name = h("input", { id: `${id}-name`, type: "text", required: true, maxlength: 120, value: account?.name ?? "", autofocus: Boolean(account) });
    const error = h("p.err", { role: "alert" });
    const form = h("form", { method: "dialog", onsubmit: (event) => {
      event.preventDefault();
      const roles = new FormData(form).getAll("role");
      if (!roles.length) { error.textContent = "Choose at least one role."; return; }
      finish({ ...(account ? { active: account.active } : { username: username.value.trim() }), name: name.value.trim(), roles });
    } },
      h("div.body", {}, h("h2", { id }, title), h("p.lead", {}, lead),
        account ? null : field(`${id}-username`, "User name", username, "Small letters and digits; it cannot be changed later."),
        field(`${id}-name`, "Name", name), boxes("role", ROLES, { legend: "Roles", on: account?.roles }), error),
      h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, "Cancel"), h("button.btn.p", { type: "submit" }, account ? "Save" : "Add")));
    return [form];
  });
}

async function add(redraw) {
  const asked = await ask("Add an account", "It gets a password that is shown once; whoever holds it sets another one here.", null);
  if (asked) await doing(async () => { const made = await post("/v1/accounts", asked); await showSecret(`Password of ${made.username}`, made.password); }, redraw);
}

async function change(account, redraw) {
  const asked = await ask(`Change ${account.username}`, "It holds at once, in open sessions too.", account);
  if (asked) await doing(() => put(address(account), asked), redraw);
}

/** What can be done with an account. One that the identity provider vouches for has its name and roles from there. */
function acts(account, redraw) {
  const act = (label, aria, work) => h("button.btn.small", { type: "button", "aria-label": aria, onclick: work }, label);
  const { name, roles, active, username } = account;
  return h("span.acts", {},
    account.signs_in_by === "password" && active ? [
      act("Change", `Change ${username}`, () => change(account, redraw)),
      act("New password", `New password for ${username}`, () => doing(async () => { const made = await post(`${address(account)}/password`, {}); await showSecret(`Password of ${username}`, made.password); }, redraw)),
    ] : null,
    act(active ? "Close" : "Reopen", `${active ? "Close" : "Reopen"} ${username}`, () => doing(() => put(address(account), { name, roles, active: !active }), redraw)));
}

/** Everybody who can sign in, for administrators. */
export const accounts = () => managed("Accounts", LEAD, "/v1/accounts", HEAD, (account, redraw) => [
  h("b", {}, account.username, account.name && account.name !== account.username ? h("small", {}, account.name) : null),
  account.roles.map((role) => ROLES[role] ?? role).join(", "),
  account.active ? (account.signs_in_by === "provider" ? "open, by single sign-on" : "open") : "closed",
  account.last_sign_in_at ? h("span", { title: utc(account.last_sign_in_at) }, instant(account.last_sign_in_at)) : "never",
  acts(account, redraw),
], "No account exists.", add);

/** The password of whoever is signed in. */
export function ownPassword() {
  const current = h("input", { id: "password-current", type: "password", autocomplete: "current-password", required: true });
  const next = h("input", { id: "password-new", type: "password", autocomplete: "new-password", required: true, minlength: 15, maxlength: 256 });
  const form = h("form.mails", { onsubmit: async (event) => {
    event.preventDefault();
    try {
      await put("/v1/session/password", { current: current.value, new: next.value });
      form.reset();
      toast("Your password is set; your other sessions have ended.");
    } catch (problem) {
      const why = [problem.title, problem.detail].filter(Boolean).join(". ");
      toast(why, { seconds: 12 });
      announce(why);
    }
  } },
    field("password-current", "Current password", current), field("password-new", "New password", next, "Fifteen letters or more; a sentence is easy to remember."),
    h("button.btn", { type: "submit" }, "Set password"));
  return h("section.card", {}, h("header", {}, h("h2", {}, "Your password")), h("p.quiet", {}, "For accounts of this installation. Every other session of yours ends."), form);
}
