"""Substitutes in the transaction that plans the items: which product may stand in for one that will run out."""

from collections.abc import Sequence

from kit.database import Transaction
from services.policy.domain.evidence import Evidence, Policy
from services.policy.domain.outcome import Recommendation
from services.policy.domain.substitution import Candidate, stand_in
from services.policy.store import beside, succession
from services.policy.store import evidence as evidence_store


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
    places = sorted({(one.substitute, one.location) for one in known})
    read = await evidence_store.read(tx, tenant, places, policy)
    others = {(evidence.sku, evidence.location): evidence for evidence, _previous in read}
    candidates: dict[tuple[str, str], list[Candidate]] = {}
    for one in known:
        other = others[one.substitute, one.location]
        candidates.setdefault((one.sku, one.location), []).append(Candidate(other, one.ratio, one.covered))
    found = (stand_in(by_item[item], those) for item, those in sorted(candidates.items()))
    return [one for one in found if one is not None]
