// Settings: how the workbench looks and listens for this person, and for admins who and what may come in.
import { announce } from "../announce.js";
import { get, post, put, remove } from "../api.js";
import { open } from "../dialog.js";
import { byId, h } from "../dom.js";
import { instant, utc } from "../format.js";
import { singleKeysOn, switchSingleKeys } from "../keys.js";
import { accounts, ownPassword } from "../settings/people.js";
import { boxes, doing, managed, showSecret } from "../settings/sections.js";
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

/* What machines may do, and what they are told: made and ended here, their secrets shown once ------------------------- */

const SCOPES = { ingest: "Send events", read: "Read", decide: "Decide", plan: "Start plans", audit: "Read the log" };
const NOTICES = { assigned: "A line is somebody's", due: "Its time is nearly over", escalated: "Nobody decided in time", released: "An order left", mentioned: "Somebody asks for a person" };

/** Ask for a name or address and some choices; at least one has to be made. */
function askNew(title, lead, { label, type = "text", choices }) {
  return open(title, (finish, id) => {
    const first = h("input", { id: `${id}-first`, type, required: true, maxlength: type === "url" ? 2000 : 100, autofocus: true });
    const error = h("p.err", { role: "alert" });
    const form = h("form", { method: "dialog", onsubmit: (event) => {
      event.preventDefault();
      const chosen = new FormData(form).getAll("choice");
      if (!chosen.length) { error.textContent = "Choose at least one."; return; }
      finish({ first: first.value.trim(), chosen });
    } },
      h("div.body", {}, h("h2", { id }, title), h("p.lead", {}, lead), h("div.field", {}, h("label", { for: `${id}-first` }, label), first), boxes("choice", choices), error),
      h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, "Cancel"), h("button.btn.p", { type: "submit" }, "Add")));
    return [form];
  });
}

const KEYS = ["Key", "Scopes", "Expires", "Last used", "End"];
const apiKeys = () => managed("API keys", "What machines sign in with. A secret is shown once, when its key is made.", "/v1/api-keys", KEYS,
  (key, redraw) => [h("b", {}, key.name, h("small.mono", {}, key.prefix)), (key.scopes ?? []).join(", "), key.revoked_at ? "revoked" : key.expires_at ? instant(key.expires_at) : "never", key.last_used_at ? h("span", { title: utc(key.last_used_at) }, instant(key.last_used_at)) : "never", key.revoked_at ? "" : h("button.btn.small", { type: "button", "aria-label": `Revoke ${key.name}`, onclick: () => doing(() => remove(`/v1/api-keys/${encodeURIComponent(key.key_id)}`), redraw) }, "Revoke")],
  "No API key exists.", async (redraw) => {
    const asked = await askNew("Add an API key", "It holds for 90 days and can be revoked at any time.", { label: "What it is for", choices: SCOPES });
    if (asked) await doing(async () => { const made = await post("/v1/api-keys", { name: asked.first, scopes: asked.chosen }); await showSecret(`Key “${asked.first}”`, made.secret); }, redraw);
  });

const HOOKS = ["Address", "Is told", "State", "Deliveries", "Change"];
const webhooks = () => managed("Webhooks", "Other systems that are told what happened, signed by the Standard Webhooks specification. A delivery is tried ten times in three days.", "/v1/webhooks", HOOKS,
  (hook, redraw) => [h("b", {}, hook.url), hook.kinds.map((kind) => NOTICES[kind] ?? kind).join(", "), hook.disabled_at ? `ended: ${hook.disabled_because}` : "active", `${hook.delivered} arrived, ${hook.waiting} waiting, ${hook.failed} failed`, h("span.acts", {}, h("button.btn.small", { type: "button", "aria-label": `New secret for ${hook.url}`, onclick: () => doing(async () => { const made = await post(`/v1/webhooks/${encodeURIComponent(hook.webhook_id)}/secret`, {}); await showSecret("New secret; the former one signs for another day", made.secret); }, redraw) }, "New secret"), h("button.btn.small", { type: "button", "aria-label": `Remove ${hook.url}`, onclick: () => doing(() => remove(`/v1/webhooks/${encodeURIComponent(hook.webhook_id)}`), redraw) }, "Remove"))],
  "Nobody is told.", async (redraw) => {
    const asked = await askNew("Add a webhook", "A public https address; a private one only where the operator allows its network.", { label: "Address", type: "url", choices: NOTICES });
    if (asked) await doing(async () => { const made = await post("/v1/webhooks", { url: asked.first, kinds: asked.chosen }); await showSecret("Signing secret", made.secret); }, redraw);
  });

/** What this person is mailed, when the installation has a mail server. */
async function mails() {
  const kept = (await get("/v1/preferences")).notify ?? {};
  const email = h("input", { id: "notify-email", type: "email", value: kept.email ?? "", placeholder: "nobody is mailed" });
  const on = Object.entries(NOTICES).map(([code, label]) => h("label", {}, h("input", { type: "checkbox", name: "notify", value: code, checked: (kept.on ?? ["assigned", "escalated", "due"]).includes(code) }), label));
  const keep = () => remember({ notify: email.value.trim() ? { email: email.value.trim(), on: [...form.querySelectorAll("[name=notify]:checked")].map((each) => each.value) } : {} });
  const form = h("form.mails", { onsubmit: (event) => { event.preventDefault(); keep(); } }, h("div.field", {}, h("label", { for: "notify-email" }, "Address"), email), h("fieldset.choices", {}, h("legend", {}, "About"), ...on), h("button.btn", { type: "submit" }, "Save"));
  return h("section.card", {}, h("header", {}, h("h2", {}, "Mails to you")), h("p.quiet", {}, "One mail for all that waits, every few minutes at most, if this installation has a mail server."), form);
}

page.replaceChildren(h("div.head", {}, h("div", {}, h("h1", {}, "Settings"), h("p.sub", {}, "How the workbench looks and listens."))), own());
const session = await start();
page.append(ownPassword(), await mails().catch((problem) => failed("Your mails could not be read", problem)));
if (session.can?.includes("administer")) page.append(await accounts(), await apiKeys(), await webhooks());
