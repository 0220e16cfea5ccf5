// Policy: who has to say yes to what, and the parameters the plan runs on, with version, author and date.
import { byId, h } from "../dom.js";
import { approvalRules } from "../policy/matrix.js";
import { policyParameters } from "../policy/parameters.js";
import { weighings } from "../policy/weights.js";
import { start } from "../shell.js";

const page = byId("page");
const head = h("div.head", {}, h("div", {}, h("h1", {}, "Policy"), h("p.sub", {}, "Who has to say yes to what, and the parameters every recommendation is computed with. Each carries the version it used.")));

async function draw() {
  const session = await started;
  page.replaceChildren(head, h("div.stack", {}, ...(await Promise.all([approvalRules(session), policyParameters(session)])), weighings()));
  page.setAttribute("aria-busy", "false");
}

page.setAttribute("aria-busy", "true");
page.replaceChildren(head, h("p.muted", {}, "Reading the policy …"));
const started = start();
await draw();
