// Dialogs on the platform's own <dialog>: it traps focus, closes on Escape, and gives focus back.
import { h } from "./dom.js";

let serial = 0;

/** Open a modal; resolves with what `finish` was given, or null when it was closed. `build(finish)` returns the children. */
export function open(title, build, { wide = false, className = "", label = true } = {}) {
  return new Promise((resolve) => {
    const before = document.activeElement;
    const id = `dialog-${(serial += 1)}`;
    const dialog = h(`dialog${wide ? ".wide" : ""}${className ? `.${className}` : ""}`, label ? { "aria-labelledby": id } : { "aria-label": title });
    let answer = null;
    const finish = (value) => { answer = value; dialog.close(); };
    dialog.append(...build(finish, id).filter(Boolean));
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (before?.isConnected) before.focus({ preventScroll: true });
      resolve(answer);
    });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector("[autofocus]")?.focus();
  });
}

/** A question with a lead and two buttons. Resolves true or null. */
export function confirm(title, lead, { yes = "Yes", no = "Cancel", details = [] } = {}) {
  return open(title, (finish, id) => [
    h("div.body", {}, h("h2", { id }, title), h("p.lead", {}, lead), ...details),
    h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, no), h("button.btn.p", { type: "button", autofocus: true, onclick: () => finish(true) }, yes)),
  ]);
}

/**
 * Ask for one coded reason and a note. Digits 1-9 choose. `extra` are more fields, `collect(form)` adds their values.
 * What is written is given to `keep` as it is written; `draft` is what was kept of it before. Resolves {reason, note, …} or null.
 */
export function askReason(title, lead, reasons, { yes, extra = [], collect = () => ({}), noteHint = "Optional. It is kept with the decision.", reasonRequired = true, draft = null, keep = () => {} }) {
  return open(title, (finish, id) => {
    const note = h("textarea", { id: `${id}-note`, maxlength: 200, rows: 2, value: draft?.note ?? "" });
    const first = Math.max(0, reasons.findIndex((reason) => reason.code === draft?.reason));
    const options = reasons.map((reason, index) => h("label", {}, h("input", { type: "radio", name: "reason", value: reason.code, required: reasonRequired, autofocus: index === first && !extra.length, checked: index === first }), reason.label, index < 9 ? h("kbd", { "aria-hidden": "true" }, String(index + 1)) : null));
    const written = () => ({ reason: new FormData(form).get("reason"), note: note.value.trim() || null, ...collect(form) });
    const form = h("form", {
      method: "dialog",
      oninput: () => keep(written()),
      onsubmit: (event) => { event.preventDefault(); finish(written()); },
      onkeydown: (event) => {
        if (event.target.matches("textarea, input:not([type=radio])")) {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
          return;
        }
        const choice = options[Number(event.key) - 1];
        if (choice) { event.preventDefault(); const radio = choice.querySelector("input"); radio.checked = true; radio.focus(); keep(written()); }
        if (event.key === "Enter" && event.target.matches("input[type=radio]")) { event.preventDefault(); form.requestSubmit(); }
      },
    },
      h("div.body", {}, h("h2", { id }, title), h("p.lead", {}, lead), draft ? h("p.kept", {}, "You had begun this. Cancel drops it.") : null, ...extra,
        options.length ? h("fieldset.choices", {}, h("legend", {}, "Reason"), ...options) : null,
        h("div.field", {}, h("label", { for: `${id}-note` }, "Note"), note, h("span.hint", {}, noteHint))),
      h("div.buttons", {}, h("button.btn", { type: "button", onclick: () => finish(null) }, "Cancel"), h("button.btn.p", { type: "submit" }, yes, h("kbd", { "aria-hidden": "true" }, "↵"))));
    return [form];
  });
}
