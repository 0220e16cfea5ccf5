// Lines that changed elsewhere in more than their decision: read again once they are in sight, many in one question.
import { get, withQuery } from "../api.js";
import { spaced } from "../spaced.js";

const CALM_MS = 60;
const SPACE_MS = 1000;
const AT_ONCE_MAX = 50; // a screen of rows; the address of the question stays short

export class Stale {
  /** `changed(id)` draws a line again, when it is in sight. */
  constructor(lines, changed) {
    Object.assign(this, { lines, changed, marked: new Map(), seen: new Set() });
    this.soon = spaced(() => this.#read(), CALM_MS, SPACE_MS);
  }

  /** There is news of a line that this page has not read; `extra` is what to note on it once it has. */
  mark(id, extra = {}) {
    this.marked.set(id, { ...this.marked.get(id), ...extra });
    this.changed(id);
  }

  /** A row is being drawn: if its line is stale, it is read soon. */
  see(id) {
    if (!this.marked.has(id)) return;
    this.seen.add(id);
    this.soon();
  }

  async #read() {
    const ids = [...this.seen].filter((id) => this.marked.has(id) && this.lines.byId.has(id)).slice(0, AT_ONCE_MAX);
    this.seen = new Set([...this.seen].filter((id) => this.lines.byId.has(id) && !ids.includes(id)));
    if (this.seen.size) this.soon();
    if (!ids.length) return;
    const extras = new Map(ids.map((id) => [id, this.marked.get(id)]));
    for (const id of ids) this.marked.delete(id);
    try {
      const answer = await get(withQuery("/v1/recommendations", { line_id: ids, status: "all", limit: ids.length }));
      for (const line of answer.items) {
        const known = this.lines.byId.get(line.line_id);
        // What was told while the answer was on its way is newer than the answer.
        if (!known || line.version < known.version) continue;
        this.lines.merge(line.line_id, { ...line, ...extras.get(line.line_id) });
        this.changed(line.line_id);
      }
    } catch {
      for (const [id, extra] of extras) this.marked.set(id, extra); // asked again with the next news, or when it comes into sight
    }
  }
}
