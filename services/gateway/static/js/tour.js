// The first look around: four steps beside the work, not over it; put away once, it never comes back by itself.
import { announce } from "./announce.js";
import { get, put } from "./api.js";
import { h } from "./dom.js";

const STEPS = [
  ["Start with the queue", "It is ranked by the money at risk and how soon. J and K move, A countersigns, E amends, R rejects, S puts aside, U takes back while the order is held; ? shows every key.", "/queue", "Open the queue"],
  ["Every number has its argument", "The panel beside a line shows the demand, the stock with and without the order, each step of the sum, the stock events behind it, and what came of your last decisions. What if … asks the plan itself.", "/items", "Look at an item"],
  ["What the plan could not settle", "Exceptions are a day's work, most money first, each with its owner, its day and its remedy on the spot. Scenarios show what promotions and disruptions did to the plan.", "/exceptions", "See the exceptions"],
  ["Nobody decides alone what matters", "Dear lines and changed rules take two people; Policy says which, and shows the effect of a change first. Everything is in the audit log, with proof.", "/policy", "Read the policy"],
];

/** A card with the steps, hidden until it is known whether this person has put it away. */
export function firstTour() {
  const box = h("section.card.tour", { hidden: true, "aria-label": "First look around" });
  let at = 0;
  async function putAway() {
    box.hidden = true;
    announce("The tour is put away. It does not come back.");
    document.getElementById("main").focus();
    try {
      await put("/v1/preferences", { ...(await get("/v1/preferences")), tour: "done" });
    } catch { /* it is asked again next time: that is all that is lost */ }
  }
  function draw(focus) {
    const [title, words, href, label] = STEPS[at];
    const isLast = at === STEPS.length - 1;
    const next = h("button.btn.p.small", { type: "button", onclick: () => { if (isLast) { putAway(); return; } at += 1; draw(true); } }, isLast ? "Done" : "Next");
    box.replaceChildren(
      h("header", {}, h("h2", {}, title), h("span.muted", {}, `Step ${at + 1} of ${STEPS.length}`)),
      h("p.quiet", { "aria-live": "polite" }, words),
      h("p.acts", {}, next, at ? h("button.btn.small", { type: "button", onclick: () => { at -= 1; draw(true); } }, "Back") : null, h("a.btn.small", { href }, label), isLast ? null : h("button.btn.small", { type: "button", onclick: putAway }, "Do not show this again")));
    if (focus) next.focus();
  }
  box.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.preventDefault(); putAway(); } });
  get("/v1/preferences").then((kept) => { if (kept.tour !== "done") { draw(false); box.hidden = false; } }).catch(() => null);
  return box;
}
