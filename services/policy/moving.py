"""Transfers before buys, in the transaction that plans the items: what others can spare, and what is left to be bought."""

from collections.abc import Sequence
from dataclasses import replace

from kit.database import Transaction
from services.policy.domain.cascade import plan
from services.policy.domain.evidence import Evidence, OpenOrder, Policy
from services.policy.domain.outcome import Outcome, Recommendation
from services.policy.domain.transfer_lines import OUTGOING, coming, receiving, transfers_of
from services.policy.store import evidence as evidence_store
from services.policy.store import transfers
from services.policy.store.evidence import Previous
from services.policy.store.transfers import Promise

Loaded = list[tuple[Evidence, Previous]]

# What is wanted, but cash or space was used up by others: moving it may not need either.
RATIONED = "resource_exhausted"


async def move_first(
    tx: Transaction, tenant: str, policy: Policy, loaded: Loaded, outcomes: list[Outcome]
) -> tuple[Loaded, list[Outcome], list[tuple[Evidence, Recommendation]]]:
    """(loaded, outcomes, transfers): items that would be bought while another location has too much of them are planned
    again with what comes from there. Nothing happens where the policy moves no stock between locations."""
    lacking = [index for index, one in enumerate(outcomes) if isinstance(one, Recommendation) or one.reason == RATIONED]
    if policy.parameters.transfer_days <= 0 or not lacking:
        return loaded, outcomes, []
    of_sku: dict[str, list[int]] = {}
    for index in lacking:
        of_sku.setdefault(loaded[index][0].sku, []).append(index)
    # Asked without a lock first: most products that lack somewhere are in plenty nowhere.
    skus = sorted({sku for sku, _location in await transfers.senders(tx, tenant, list(of_sku))})
    if not skus:
        return loaded, outcomes, []
    await transfers.lock(tx, tenant, skus)
    spare = await transfers.senders(tx, tenant, skus)
    promised = await transfers.promised(tx, tenant, skus)
    held = await transfers.closed(tx, tenant, skus)
    others = [evidence for evidence, _previous in await evidence_store.read(tx, tenant, spare, policy)]
    moves: list[tuple[Evidence, Recommendation]] = []
    for sku in skus:
        receivers = [loaded[index][0] for index in of_sku[sku]]
        names = {one.location for one in receivers}
        senders = [_promising(one, promised, names) for one in others if one.sku == sku and one.location not in names]
        as_of = max(one.as_of for one in receivers if one.as_of is not None)
        closed = [(sender, receiver) for of, sender, receiver, until in held if of == sku and as_of < until]
        moves += transfers_of(receivers, senders, closed)
    return *_planned_again(loaded, outcomes, moves), moves


def _promising(evidence: Evidence, promised: Sequence[Promise], receivers: set[str]) -> Evidence:
    """The sender with what is proposed to go from it to locations that are not planned now."""
    leaving = tuple(
        OpenOrder(one.recommendation_id, -one.quantity, one.arrive_on, OUTGOING)
        for one in promised
        if (one.sku, one.sender) == (evidence.sku, evidence.location) and one.receiver not in receivers
    )
    return replace(evidence, open_orders=(*evidence.open_orders, *leaving))


def _planned_again(
    loaded: Loaded, outcomes: list[Outcome], moves: Sequence[tuple[Evidence, Recommendation]]
) -> tuple[Loaded, list[Outcome]]:
    arrivals = coming(moves)
    changed = []
    for index, (evidence, previous) in enumerate(loaded):
        receiver = receiving(evidence, arrivals)
        if receiver is not evidence:
            loaded[index] = (receiver, previous)
            changed.append(index)
    for index, outcome in zip(changed, plan([loaded[index][0] for index in changed]), strict=True):
        outcomes[index] = outcome
    return loaded, outcomes
