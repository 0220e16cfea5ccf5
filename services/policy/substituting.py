"""Substitutes in the transaction that plans the items: which product may stand in for one that will run out."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby

from kit.database import Transaction
from services.policy.domain.evidence import Evidence, Policy
from services.policy.domain.outcome import Recommendation
from services.policy.domain.substitution import Candidate, claimed_before, stand_in
from services.policy.store import beside, succession
from services.policy.store import evidence as evidence_store
from services.policy.store.succession import StandIn

NOTHING = Decimal(0)


async def stand_ins(
    tx: Transaction, tenant: str, policy: Policy, evidences: Sequence[Evidence]
) -> list[tuple[Evidence, Recommendation]]:
    """The best substitute that pays for each of these items that will run out. Most products have none: one look-up."""
    by_item = {(one.sku, one.location): one for one in evidences}
    known = [
        one
        for one in await succession.stand_ins(tx, tenant, list(by_item))
        if not beside.is_held(one.held_until, by_item[one.sku, one.location].as_of)
    ]
    if not known:
        return []
    rivals = await succession.shared(tx, tenant, known)
    places = sorted({(one.substitute, one.location) for one in known} | {(one.sku, one.location) for one in rivals})
    read = await evidence_store.read(tx, tenant, places, policy)
    others = {(evidence.sku, evidence.location): evidence for evidence, _previous in read}
    claimed = _claimed(rivals, others | by_item, others)
    candidates: dict[tuple[str, str], list[Candidate]] = {}
    for one in known:
        before = claimed.get((one.sku, one.location, one.substitute), NOTHING)
        candidate = Candidate(others[one.substitute, one.location], one.ratio, one.covered, before)
        candidates.setdefault((one.sku, one.location), []).append(candidate)
    found = (stand_in(by_item[item], those) for item, those in sorted(candidates.items()))
    return [one for one in found if one is not None]


def _claimed(
    rivals: Sequence[StandIn],
    lacking: Mapping[tuple[str, str], Evidence],
    substitutes: Mapping[tuple[str, str], Evidence],
) -> dict[tuple[str, str, str], Decimal]:
    """By (product, location, substitute): what of the substitute's shelf stands in for products that come before it."""
    found: dict[tuple[str, str, str], Decimal] = {}
    for place, group in groupby(rivals, key=lambda one: (one.substitute, one.location)):
        asking = [one for one in group if not beside.is_held(one.held_until, lacking[one.sku, one.location].as_of)]
        before = claimed_before(
            [lacking[one.sku, one.location] for one in asking],
            [Candidate(substitutes[place], one.ratio, one.covered) for one in asking],
        )
        found |= {(one.sku, one.location, one.substitute): units for one, units in zip(asking, before, strict=True)}
    return found
