// What others decide while a person works: said in one polite sentence now and then, not line by line.
import { announce } from "../announce.js";
import { count } from "../format.js";
import { verdictWord } from "../item/sections.js";
import { spaced } from "../spaced.js";

const CALM_MS = 1500; // a colleague's bulk comes line by line
const SPACE_MS = 15_000; // a screen reader that speaks oftener keeps its listener from reading
const NAMES_MAX = 2;

/** The sentence for decisions that came since the last one: `[{ by, item, status }, …]`. */
export function sentenceOf(made) {
  if (made.length === 1) return `${made[0].by} decided ${made[0].item}: ${verdictWord(made[0].status)}.`;
  const people = [...new Set(made.map((one) => one.by))];
  const who = people.length > NAMES_MAX ? `${count(people.length, "person", "people")}` : people.join(" and ");
  const outcomes = new Map();
  for (const one of made) outcomes.set(one.status, (outcomes.get(one.status) ?? 0) + 1);
  const what = [...outcomes].sort((a, b) => b[1] - a[1]).map(([status, number]) => `${number} ${verdictWord(status)}`).join(", ");
  return `${who} decided ${count(made.length, "line")} of this list: ${what}.`;
}

export class Elsewhere {
  constructor() {
    this.made = new Map(); // by line: the newest counts
    this.soon = spaced(() => this.#say(), CALM_MS, SPACE_MS);
  }

  /** Somebody else decided a line that is in this list. */
  note(event, line) {
    this.made.set(event.line_id, { by: event.decided_by, item: line.item_name ?? line.sku, status: event.status });
    this.soon();
  }

  #say() {
    const made = [...this.made.values()];
    this.made.clear();
    if (made.length) announce(sentenceOf(made));
  }
}
