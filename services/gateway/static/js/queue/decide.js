// Decisions: one line or many, shown at once, recorded by the approvals service, taken back while the order is held.
import { alarm, announce, toast } from "../announce.js";
import { get, intentKey, post } from "../api.js";
import { clockSkewMs } from "../live.js";
import { count, instant, number, quantity, zoneOf } from "../format.js";
import { verdictWord } from "../item/sections.js";

const BULK_MAX = 200; // the API's largest bulk
const DONE = { approve: "Approved", amend: "Amended", reject: "Rejected", snooze: "Snoozed" };
const path = (id) => `/v1/recommendations/${encodeURIComponent(id)}`;

/** What to say of a refused decision: what happened, why, what next. */
export function refusal(problem, line) {
  if (problem.status !== 412) return problem.detail;
  const current = problem.rest.current ?? {};
  const who = current.decided_by ?? line.decided_by;
  const when = current.decided_at ?? line.decided_at;
  const what = current.status && current.status !== "pending" ? verdictWord(current.status) : null;
  if (what && who) return `${who} ${what === "approved" ? "approved" : `set it to ${what}`}${current.quantity ? ` with ${quantity(current.quantity, line.unit)}` : ""}${when ? ` on ${instant(when, zoneOf(line.location))}` : ""}, after you loaded it. Your decision was not recorded; the line now shows theirs.`;
  return `${problem.detail || "The line changed after you loaded it."} Your decision was not recorded. Look at the line again, then decide.`;
}

export class Decider {
  /** `changed(id)` redraws one line; `settled()` refreshes the totals; `show(id)` goes to a line. */
  constructor(lines, { changed, settled, show }) {
    Object.assign(this, { lines, changed, settled, show, last: null, reasons: null });
  }

  async reasonsFor(verdict) {
    try {
      this.reasons ??= await get("/v1/decision-reasons");
    } catch (problem) {
      alarm(`The reasons could not be read: ${problem.detail}`);
      toast(`The reasons could not be read. ${problem.detail}`, { seconds: 10 });
      return null;
    }
    return this.reasons[verdict] ?? [];
  }

  #say(line, verb) {
    return `${verb} ${number(line.quantity)} × ${line.item_name ?? line.sku}, ${line.location_name ?? line.location}`;
  }

  #offerUndo(sentence, ids, until) {
    this.last = { ids, until };
    const ends = until ? Date.parse(until) - clockSkewMs : undefined;
    announce(`${sentence}. ${until ? "Press U to take it back." : ""}`);
    toast(sentence, { action: { label: "Undo", key: "U", run: () => this.undo() }, until: ends, clock: until ? (left) => (left ? `sent in ${left} s` : "sent") : undefined });
  }

  /** Decide one line. Shown at once; put right if it is refused. Resolves true when it was recorded. */
  async one(id, verdict, fields = {}) {
    const line = this.lines.byId.get(id);
    this.lines.merge(id, { busy: verdict, problem: null });
    this.changed(id);
    try {
      const answer = await post(`${path(line.recommendation_id)}/decisions`, { verdict, ...fields }, { headers: { "If-Match": line.etag ?? `"${line.version}"`, "Idempotency-Key": intentKey() } });
      this.#recorded(id, answer);
      const now = this.lines.byId.get(id) ?? line;
      this.#offerUndo(this.#say(now, now.status === "awaiting_second" ? "First of two signatures on" : DONE[verdict]), [id], answer.undo_until);
      return true;
    } catch (problem) {
      await this.#refused(id, problem, line);
      return false;
    } finally {
      this.settled();
    }
  }

  #recorded(id, answer) {
    const news = { ...(answer.line ?? {}), decided_by: answer.line?.decided_by ?? this.lines.byId.get(id)?.decided_by, status: answer.status ?? answer.line?.status, version: answer.version ?? answer.line?.version, undo_until: answer.undo_until ?? null, busy: null, problem: null, isFresh: false };
    this.lines.merge(id, { ...news, etag: answer.line?.etag ?? `"${news.version}"` });
    this.lines.toggle(id, false);
    this.changed(id);
  }

  async #refused(id, problem, line) {
    const sentence = refusal(problem, line);
    this.lines.merge(id, { busy: null, problem: { status: problem.status, code: problem.code, detail: sentence, errors: problem.errors, instance: problem.instance } });
    this.changed(id);
    alarm(`Not recorded. ${sentence}`);
    toast(`Not recorded: ${line.item_name ?? line.sku}. ${sentence}`, { seconds: 12, action: { label: "Show line", run: () => this.show(id) } });
    if (problem.status === 412 || problem.status === 409) await this.reread(id);
  }

  /** Fetch a line again, keeping the notice of what went wrong. */
  async reread(id, extra = {}, recommendationId = this.lines.byId.get(id)?.recommendation_id) {
    try {
      const answer = await get(path(recommendationId));
      if (this.lines.merge(id, { ...answer.line, ...extra })) this.changed(id);
    } catch { /* the notice stands; the next event or load brings the line */ }
  }

  /** Decide many. Each line stands for itself; what was refused stays selected. Resolves the results. */
  async many(ids, verdict, fields = {}, quantities = null) {
    for (const id of ids) { this.lines.merge(id, { busy: verdict, problem: null }); this.changed(id); }
    const done = [];
    const failed = [];
    let until = null;
    for (let start = 0; start < ids.length; start += BULK_MAX) {
      const part = ids.slice(start, start + BULK_MAX);
      try {
        const answer = await post("/v1/decisions:bulk", { verdict, ...fields, lines: part.map((id) => ({ recommendation_id: this.lines.byId.get(id).recommendation_id, version: this.lines.byId.get(id).version, ...(quantities && { quantity: quantities.get(id) }) })) }, { headers: { "Idempotency-Key": intentKey() } });
        for (const result of answer.results) {
          const id = part.find((each) => this.lines.byId.get(each).recommendation_id === result.recommendation_id);
          if (id === undefined) continue;
          if (result.problem) this.#failedInBulk(id, result.problem, failed);
          else { this.#recorded(id, result); done.push(id); until = result.undo_until ?? until; }
        }
      } catch (problem) {
        for (const id of part) this.#failedInBulk(id, { status: problem.status, detail: problem.detail, code: problem.code }, failed);
      }
    }
    const sentence = failed.length ? `${DONE[verdict]} ${number(done.length, 0)} of ${count(ids.length, "line")}; ${number(failed.length, 0)} not recorded` : `${DONE[verdict]} ${count(done.length, "line")}`;
    if (failed.length) alarm(sentence);
    if (done.length) this.#offerUndo(sentence, done, until);
    else toast(sentence, { seconds: 10 });
    this.settled();
    return { done, failed };
  }

  #failedInBulk(id, problem, failed) {
    const line = this.lines.byId.get(id);
    const detail = refusal({ rest: problem, ...problem }, line);
    this.lines.merge(id, { busy: null, problem: { status: problem.status, code: problem.code, detail } });
    this.changed(id);
    failed.push(id);
    if (problem.status === 412 || problem.status === 409) this.reread(id);
  }

  /** Take the last decision back, one line or the whole bulk. */
  async undo(ids = this.last?.ids) {
    if (!ids?.length) {
      announce("There is nothing to take back.");
      toast("There is nothing to take back.", { seconds: 3 });
      return;
    }
    this.last = null;
    let taken = 0;
    let why = "";
    for (const id of ids) {
      const line = this.lines.byId.get(id);
      if (!line) continue;
      this.lines.merge(id, { busy: "undo" });
      this.changed(id);
      try {
        const answer = await post(`${path(line.recommendation_id)}/undo`, undefined, { headers: { "If-Match": line.etag ?? `"${line.version}"`, "Idempotency-Key": intentKey() } });
        this.#recorded(id, answer);
        taken += 1;
      } catch (problem) {
        why = problem.code === "undo_window_over" ? "The order is already out. It can be cancelled by a new decision, not undone." : problem.detail;
        this.lines.merge(id, { busy: null });
        this.changed(id);
        this.reread(id);
      }
    }
    const sentence = why ? `${taken ? `Took back ${count(taken, "line")}. ` : "Not taken back. "}${why}` : `Took back ${taken === 1 ? this.#say(this.lines.byId.get(ids[0]), "").trim() : count(taken, "line")}`;
    (why ? alarm : announce)(sentence);
    toast(sentence, { seconds: why ? 10 : 4 });
    this.settled();
  }
}
