// What a person has begun to write, kept in this tab: a session that ends in the middle of it takes nothing away.
const NAME = "countersign.drafts";
const KEPT_MAX = 60;
const owner = () => `${document.body.dataset.tenant}/${document.body.dataset.subject}`;

function all() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(NAME) ?? "{}");
    return kept.owner === owner() ? kept.drafts : {}; // somebody else at the same screen begins with nothing
  } catch { return {}; }
}

function store(drafts) {
  const newest = Object.entries(drafts).slice(-KEPT_MAX);
  try { sessionStorage.setItem(NAME, JSON.stringify({ owner: owner(), drafts: Object.fromEntries(newest) })); } catch { /* full or refused: it is kept as long as the page is */ }
}

/** What was begun, as it was given to `keepDraft`; null when nothing was. */
export const draftOf = (kind, id) => all()[`${kind} ${id}`] ?? null;

/** Keep what is begun; null ends it. */
export function keepDraft(kind, id, value) {
  const { [`${kind} ${id}`]: before, ...others } = all();
  if ((value === null && before === undefined) || isOver) return;
  store(value === null ? others : { ...others, [`${kind} ${id}`]: value });
}

/** What was begun of one kind about one thing, and how to go on keeping it. */
export const begun = (kind, id) => ({ draft: draftOf(kind, id), keep: (value) => keepDraft(kind, id, value) });

let isOver = false; // what the page says on its way out is not kept either
export function forgetDrafts() {
  isOver = true;
  sessionStorage.removeItem(NAME);
}
