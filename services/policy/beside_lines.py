"""Plans the lines beside items' own orders, in the transaction that plans the items; and what decisions do to them.

They are no outcomes of items: a run's proposals and why-nots cover every item once, with or without such lines.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from kernel.ids import derived_id
from kit.database import Transaction
from kit.events import outgoing
from schemas.decisions import APPROVALS, DecisionMade
from schemas.recommendations import RecommendationWithheld
from services.policy.domain.beside import beside
from services.policy.domain.evidence import Evidence
from services.policy.domain.order_changes import order_changes
from services.policy.domain.outcome import Recommendation
from services.policy.domain.reckoning import Book
from services.policy.domain.substitution import SUBSTITUTE
from services.policy.planned import SERVICE, Planned, is_news, issued, moment, order_days
from services.policy.store import beside as store
from services.policy.store import order_changes as changes_store
from services.policy.store import plans, supply, transfers
from services.policy.store.beside import Kept, Key

# A person who refused to change an order is not asked about it again for a week of business days.
REJECTED_DAYS = 7
Proposed = tuple[Evidence, Recommendation]


async def plan_beside(
    tx: Transaction,
    tenant: str,
    evidences: Sequence[Evidence],
    proposals: Sequence[Proposed],
    planned: Planned,
    run_id: str | None,
    book: Book,
) -> None:
    """Publish what is worth doing beside these items' own orders (`proposals` of transfers and substitutes, changes of open
    orders by the numbers in `book`), once; end what is not worth doing any more."""
    before = await store.of_items(tx, tenant, [(one.sku, one.location) for one in evidences])
    proposed = {
        _key(evidence): (evidence, outcome) for evidence, outcome in [*proposals, *order_changes(evidences, book)]
    }
    await _name_anew(tx, tenant, proposed, before)
    rows: list[Kept] = []
    published: list[plans.Published] = []
    for key, (evidence, outcome) in sorted(proposed.items(), key=lambda one: one[0]):
        known = before.get(key)
        if known is not None and known.is_held(evidence.as_of):
            continue
        rows.append(_propose(planned, published, key, evidence, outcome, known, run_id))
    by_item = {(one.sku, one.location): one for one in evidences}
    for key, known in before.items():
        if known.is_open and key not in proposed and not known.is_held(by_item[known.item].as_of):
            rows.append(_end(planned, known, by_item[known.item], run_id))
    await store.keep(tx, tenant, rows)
    if published:
        await plans.publish(tx, tenant, published)


def _key(evidence: Evidence) -> Key:
    assert evidence.about is not None  # lines beside an order are about something
    return (evidence.sku, evidence.location, evidence.about.kind, evidence.about.code)


async def _name_anew(tx: Transaction, tenant: str, proposed: dict[Key, Proposed], before: dict[Key, Kept]) -> None:
    """What was decided and taken back comes again under another name, as an item's own order does."""
    waiting = [key for key, (_evidence, new) in proposed.items() if key not in before or is_news(before[key], new)]
    while waiting:
        used = await plans.published_before(tx, tenant, [proposed[key][1].recommendation_id for key in waiting])
        waiting = [key for key in waiting if proposed[key][1].recommendation_id in used]
        for key in waiting:
            evidence = replace(proposed[key][0], round=proposed[key][0].round + 1)
            outcome = beside(evidence)
            assert isinstance(outcome, Recommendation)  # the round changes nothing but the name
            proposed[key] = (evidence, outcome)


def _propose(
    planned: Planned,
    published: list[plans.Published],
    key: Key,
    evidence: Evidence,
    outcome: Recommendation,
    known: Kept | None,
    run_id: str | None,
) -> Kept:
    assert evidence.as_of is not None  # screening refused the others
    if known is not None and not is_news(known, outcome):
        return replace(known, as_of=evidence.as_of, signature=outcome.signature)
    is_open = known is not None and known.is_open
    identity = outcome.recommendation_id
    line_id = known.line_id if known is not None and is_open else derived_id("line", identity)
    body = {**outcome.said, **order_days(evidence, outcome, planned.zones), "line_id": line_id}
    if known is not None and is_open:
        body["supersedes"] = known.recommendation_id
    if run_id is not None:
        body["run_id"] = run_id
    kept, says = issued(body, outcome.parts, evidence.as_of)
    planned.says.append(says)
    planned.published += 1
    published.append(
        plans.Published(
            identity, evidence.sku, evidence.location, line_id, date.fromisoformat(body["arrive_on"]), outcome.quantity,
            kept, body["action"], key[3],
        )
    )  # fmt: skip
    return Kept(*key, evidence.as_of, identity, line_id, outcome.signature, True)


def _end(planned: Planned, known: Kept, evidence: Evidence, run_id: str | None) -> Kept:
    """The line's reason is gone: whoever waits for a decision on it is told."""
    as_of = evidence.as_of or known.as_of
    says = f"What the line about {known.code} was proposed for does not hold any more on {as_of.isoformat()}."
    message = RecommendationWithheld(
        tenant=evidence.tenant,
        sku=known.sku,
        location=known.location,
        recommendation_id=derived_id("ended", known.recommendation_id, as_of.isoformat(), str(run_id)),
        line_id=known.line_id,
        supersedes=known.recommendation_id,
        run_id=run_id,
        origin=evidence.as_of,
        reason="no_longer_needed",
        says=says[:400],
        policy_version=evidence.policy.version,
    )
    planned.says.append(outgoing(message, service=SERVICE, cause=message.recommendation_id, time=moment(as_of)))
    planned.published += 1
    return replace(known, as_of=as_of, is_open=False, signature=None)


async def decide(
    tx: Transaction, tenant: str, ours: Any, decision: DecisionMade, *, is_replay: bool
) -> list[tuple[str, str]]:
    """What a decision on such a line does: to supply at once, and to the line unless this is a replay. Returns the items to
    be planned again."""
    if not is_replay:
        await _change_line(tx, tenant, decision)
    is_change = ours["action"] in changes_store.CHANGES
    # Both sides of a transfer have another position now, and what a substitute stands in for lacks less.
    items = [(ours["sku"], ours["location"])]
    if ours["action"] in transfers.KINDS:
        items.append((ours["sku"], ours["about"]))
    elif ours["action"] == SUBSTITUTE:
        items.append((ours["about"], ours["location"]))
    if decision.verdict in APPROVALS:
        return [*items, *await (changes_store.approve if is_change else supply.approve)(tx, tenant, decision)]
    if decision.verdict in ("undone", "expired", "recalled"):
        withdraw = changes_store.withdraw if is_change else supply.withdraw
        return [*items, *await withdraw(tx, tenant, decision.recommendation_id)]
    return []


async def _change_line(tx: Transaction, tenant: str, decision: DecisionMade) -> None:
    line_id = decision.line_id
    if decision.verdict in APPROVALS:
        await store.close(tx, tenant, line_id)
    elif decision.verdict == "undone":
        await store.reopen(tx, tenant, line_id, decision.recommendation_id)
    elif decision.verdict == "rejected":
        await store.close(tx, tenant, line_id)
        await store.hold(tx, tenant, line_id, "rejected", None, REJECTED_DAYS)
    elif decision.verdict == "snoozed":
        await store.hold(tx, tenant, line_id, "snoozed", decision.snoozed_until, REJECTED_DAYS)
    elif decision.verdict == "returned":
        await store.unhold(tx, tenant, line_id)
    elif decision.verdict in ("expired", "recalled"):
        await store.close(tx, tenant, line_id)
