// Sign in and go where the person wanted to go. The password leaves this page in one request and is never kept.
import { post } from "../api.js";
import { byId, h } from "../dom.js";

const form = byId("sign-in");
const button = form.querySelector("button");

function refuse(title, sentence) {
  byId("refusal").replaceChildren(h("div.notice.bad", {}, h("div", {}, h("b", {}, title), " ", sentence)));
}

const REFUSALS = {
  bad_credentials: () => ["User name and password do not match.", "Check both and try again; the demo prints them in its terminal."],
  too_many_attempts: (problem) => ["Too many attempts.", `Sign-in is paused for this user${problem.retryAfter ? `; try again in ${problem.retryAfter} seconds` : ". Wait a minute, then try again"}.`],
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const values = Object.fromEntries(new FormData(form));
  const missing = ["username", "password"].find((name) => !values[name]);
  for (const name of ["username", "password"]) byId(name).setAttribute("aria-invalid", String(!values[name]));
  if (missing) {
    refuse(missing === "username" ? "The user name is empty." : "The password is empty.", "Both are needed to sign in.");
    byId(missing).focus();
    return;
  }
  button.disabled = true;
  try {
    await post("/v1/session", { username: values.username, password: values.password, ...(values.tenant && { tenant: values.tenant }) }, { keepSession: true });
    location.assign(form.dataset.next);
  } catch (problem) {
    const known = REFUSALS[problem.code];
    refuse(...(known ? known(problem) : [problem.isUnreachable ? "The gateway does not answer." : "Sign-in did not work.", problem.detail]));
    button.disabled = false;
    byId("password").select();
  }
});
