// The queue as a spreadsheet: out exactly as filtered, and changed quantities back in, shown as a difference before anything is decided.
import { withQuery } from "../api.js";
import { askReason } from "../dialog.js";
import { h } from "../dom.js";
import { count, money, number, total } from "../format.js";
import { toast } from "../announce.js";
import { isOpen } from "./lines.js";
import { illegal } from "./stepper.js";

const SHOWN_MAX = 200;

export const csvLink = (query) => h("a.chip", { href: withQuery("/v1/recommendations.csv", query), download: "queue.csv" }, "CSV");

/** Rows of a CSV as RFC 4180 has it: quoted fields may hold commas, quotes and line breaks. */
export function parseCsv(text) {
  const rows = [[]];
  let field = "";
  let isQuoted = false;
  const separator = text.slice(0, text.indexOf("\n") + 1 || undefined).includes(";") && !text.slice(0, text.indexOf("\n") + 1 || undefined).includes(",") ? ";" : ",";
  const end = () => { rows.at(-1).push(field); field = ""; };
  for (let at = text.charCodeAt(0) === 0xfeff ? 1 : 0; at < text.length; at += 1) {
    const letter = text[at];
    if (isQuoted) {
      if (letter !== "\"") field += letter;
      else if (text[at + 1] === "\"") { field += "\""; at += 1; } else isQuoted = false;
    } else if (letter === "\"" && !field) isQuoted = true;
    else if (letter === separator) end();
    else if (letter === "\n") { end(); rows.push([]); } else if (letter !== "\r") field += letter;
  }
  end();
  return rows.filter((row) => row.length > 1 || row[0]);
}

/** What a sheet would change: {id, line, quantity} for each line whose quantity differs, and a sentence for each row that cannot be. */
export function differences(text, lines) {
  const [head, ...rows] = parseCsv(text);
  const places = Object.fromEntries(["recommendation_id", "version", "quantity"].map((name) => [name, (head ?? []).indexOf(name)]));
  const missing = Object.keys(places).filter((name) => places[name] < 0);
  if (missing.length) return { changed: [], wrong: [`The first line has no column ${missing.join(", ")}. Begin with the CSV of this page.`] };
  const changed = [];
  const wrong = [];
  rows.forEach((row, index) => {
    const [asked, version, quantity] = ["recommendation_id", "version", "quantity"].map((name) => (row[places[name]] ?? "").trim());
    const id = lines.keyOf(asked);
    const line = id === undefined ? undefined : lines.byId.get(id);
    const at = `Row ${index + 2}`;
    if (!line) wrong.push(`${at}: no such line in this list; it may have a fresher recommendation.`);
    else if (Number(quantity) === Number(line.quantity)) return;
    else if (!isOpen(line)) wrong.push(`${at}: ${line.item_name ?? line.sku} is decided already.`);
    else if (Number(version) !== line.version) wrong.push(`${at}: ${line.item_name ?? line.sku} changed after the sheet was made. Look at it again.`);
    else {
      const broken = quantity === "" ? { says: "The quantity is empty.", nearest: [] } : illegal(quantity, { pack: line.pack, moq: line.moq, unit: line.unit });
      if (broken) wrong.push(`${at}: ${line.item_name ?? line.sku}, ${quantity}: ${broken.says}${broken.nearest.length ? ` Nearest: ${broken.nearest.map((value) => number(value)).join(" or ")}.` : ""}`);
      else changed.push({ id, line, quantity });
    }
  });
  return { changed, wrong };
}

/** The button that takes a sheet back in: differences first, one reason for all, then each line on its own. */
export function editsFromCsv({ lines, decider, done }) {
  const file = h("input", { type: "file", accept: ".csv,text/csv", hidden: true, "aria-label": "Spreadsheet with changed quantities", onchange: async () => {
    const [chosen] = file.files;
    file.value = "";
    if (!chosen) return;
    const { changed, wrong } = differences(await chosen.text(), lines);
    if (!changed.length && !wrong.length) { toast("No quantity in the sheet differs from this list.", { seconds: 6 }); return; }
    const reasons = changed.length ? await decider.reasonsFor("amend") : [];
    if (!reasons) return;
    const before = total(changed.map(({ line }) => line.value));
    const after = total(changed.map(({ line, quantity }) => Number(quantity) * Number(line.unit_cost)));
    const currency = changed[0]?.line.currency;
    const table = changed.length ? h("div.table-scroll.diff", { tabindex: 0, role: "region", "aria-label": "Differences" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Item"), h("th.n", { scope: "col" }, "Now"), h("th.n", { scope: "col" }, "Sheet"))), h("tbody", {}, ...changed.slice(0, SHOWN_MAX).map(({ line, quantity }) => h("tr", {}, h("th", { scope: "row" }, h("b", {}, line.item_name ?? line.sku), h("small", {}, line.location_name ?? line.location)), h("td.n", {}, number(line.quantity)), h("td.n", {}, number(quantity))))))) : null;
    const faults = wrong.length ? h("div.notice.warn.spaced", {}, h("div", {}, h("b", {}, `${count(wrong.length, "row")} cannot be taken.`), h("ul", {}, ...wrong.slice(0, 20).map((words) => h("li", {}, words))))) : null;
    const lead = changed.length ? `${count(changed.length, "line")} differ${changed.length === 1 ? "s" : ""}: ${money(before, currency)} now, ${money(after, currency)} by the sheet.` : "Nothing in the sheet can be taken.";
    const answer = await askReason("Amend from a spreadsheet", lead, reasons, { yes: changed.length ? `Amend ${count(changed.length, "line")}` : "Close", extra: [faults, table].filter(Boolean), reasonRequired: changed.length > 0 });
    if (!answer || !changed.length) return;
    await decider.many(changed.map(({ id }) => id), "amend", { reason: answer.reason, ...(answer.note && { note: answer.note }) }, new Map(changed.map(({ id, quantity }) => [id, quantity])));
    done();
  } });
  return [h("button.chip", { type: "button", onclick: () => file.click() }, "Edits from CSV"), file];
}
