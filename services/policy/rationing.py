"""Deals out what is scarce (cash, volume, a supplier's capacity), and fills up orders: once for a whole run before its items are
planned, and from what is left for items that want something in between. The outcome is evidence of each item's plan."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from kit.database import Transaction
from services.policy.domain.evidence import Allotment, Evidence, Policy
from services.policy.domain.numbers import decimal_of
from services.policy.domain.order_filling import OrderTerms, filled
from services.policy.domain.scarcity import Budget, Scarce, Wants, choose_among, supplier_of, wants_of
from services.policy.planned import BEFORE_ANY_DAY
from services.policy.store import allotments, runs
from services.policy.store import evidence as evidence_store
from services.policy.store.allotments import Item, Share, Taken
from services.policy.store.evidence import Previous
from services.policy.store.runs import Chunk

Loaded = list[tuple[Evidence, Previous]]
NOTHING = Decimal(0)


@dataclass(slots=True)
class _Wanting:
    """What items want, collected chunk by chunk; lists are by place."""

    items: list[Item] = field(default_factory=list)
    suppliers: list[str | None] = field(default_factory=list)
    volumes: list[float] = field(default_factory=list)
    parts: list[Wants] = field(default_factory=list)

    async def add(self, tx: Transaction, tenant: str, evidences: Sequence[Evidence]) -> None:
        """These items too."""
        known = await allotments.volumes(tx, tenant, [one.sku for one in evidences])
        self.parts.append(wants_of(evidences, len(self.items)))
        self.items += [(one.sku, one.location) for one in evidences]
        self.suppliers += [supplier_of(one) for one in evidences]
        self.volumes += [known.get(one.sku, 0.0) for one in evidences]

    def choose(self, budget: Budget) -> tuple[Scarce, dict[int, float]]:
        """(the choice, cost of a unit of each place that wants something)."""
        wants = Wants.together(self.parts)
        costs = dict(zip(wants.place.tolist(), wants.unit_cost.tolist(), strict=True))
        return choose_among(wants, self.suppliers, self.volumes, budget), costs

    def share(self, place: int, allotment: Allotment, unit_cost: float) -> Share:
        """What the allotment of a place takes."""
        cash = allotment.quantity * decimal_of(unit_cost)
        volume = allotment.quantity * decimal_of(self.volumes[place], 6)
        return Share(*self.items[place], allotment, cash, volume, self.suppliers[place])


def budget_of(policy: Policy) -> Budget:
    """The limits of the tenant's policy."""
    rules = policy.parameters
    return Budget(rules.limit("cash_budget"), rules.limit("volume_budget_m3"), rules.capacities() or None)


def left_of(budget: Budget, taken: Taken) -> Budget:
    """What nobody has taken yet."""

    def left(limit: Decimal | None, used: Decimal) -> Decimal | None:
        return None if limit is None else max(limit - used, NOTHING)

    units = {
        name: max(limit - taken.supplier_units.get(name, NOTHING), NOTHING)
        for name, limit in (budget.supplier_units or {}).items()
    }
    return Budget(left(budget.cash, taken.cash), left(budget.volume_m3, taken.volume_m3), units or None)


async def ration(tx: Transaction, tenant: str, policy: Policy, loaded: Loaded) -> tuple[Loaded, dict[Item, date]]:
    """(the evidence with what each item may have, the business date whose budget that is part of). Without limits and
    filled-up orders nothing changes. An allotment holds until the item's next business day closes."""
    items = [(evidence.sku, evidence.location) for evidence, _previous in loaded]
    as_of = {(one.sku, one.location): one.as_of or BEFORE_ANY_DAY for one, _previous in loaded}
    known = {
        item: found for item, found in (await allotments.of_items(tx, tenant, items)).items() if found[0] >= as_of[item]
    }
    budget = budget_of(policy)
    if budget.resources:
        missing = [one for one, _previous in loaded if (one.sku, one.location) not in known and one.as_of is not None]
        known |= await _from_what_is_left(tx, tenant, budget, missing)
    days = {item: day for item, (day, _allotment) in known.items()}
    rationed = [
        (replace(one, allotment=known[one.sku, one.location][1]), previous)
        if (one.sku, one.location) in known
        else (one, previous)
        for one, previous in loaded
    ]
    return rationed, days


async def _from_what_is_left(
    tx: Transaction, tenant: str, budget: Budget, evidences: Sequence[Evidence]
) -> dict[Item, tuple[date, Allotment]]:
    wanting = _Wanting()
    await wanting.add(tx, tenant, evidences)
    if not any(len(part.place) for part in wanting.parts):
        return {}
    day = max(one.as_of for one in evidences if one.as_of is not None)
    await allotments.lock(tx, tenant)
    scarce, costs = wanting.choose(left_of(budget, await allotments.taken(tx, tenant, day, wanting.items)))
    shares = [wanting.share(place, one, costs[place]) for place, one in scarce.allotments.items()]
    await allotments.keep(tx, tenant, day, wanting.items, shares)
    return {(one.sku, one.location): (day, one.allotment) for one in shares}


async def prepare(
    tx: Transaction, tenant: str, day: date, policy: Policy, chunks: Sequence[Chunk]
) -> dict[str, Any] | None:
    """Deal out what is scarce among all items of a run, before the first of them is planned; what came of it, for people.

    Reads without locking: what a live event changes before its item is planned is planned within the item's allotment.
    """
    budget, terms = budget_of(policy), await allotments.order_terms(tx, tenant)
    if not (budget.resources or terms):
        return None
    await allotments.lock(tx, tenant)
    wanting = _Wanting()
    for chunk in chunks:
        items = await runs.items_of(tx, tenant, chunk)
        read = await evidence_store.read(tx, tenant, items, policy)
        await wanting.add(tx, tenant, [evidence for evidence, _previous in read])
        await asyncio.sleep(0)  # live events get their turn
    left = left_of(budget, await allotments.taken(tx, tenant, day, wanting.items))
    scarce, costs = wanting.choose(left)
    chosen = dict(scarce.allotments)
    more = await _fill_up(tx, tenant, policy, wanting, chosen, costs, terms, left)
    kept = chosen if budget.resources else more
    shares = [wanting.share(place, one, costs[place]) for place, one in (kept | more).items()]
    await allotments.keep(tx, tenant, day, wanting.items, shares)
    return scarce.told() if budget.resources else None


async def _fill_up(
    tx: Transaction,
    tenant: str,
    policy: Policy,
    wanting: _Wanting,
    chosen: Mapping[int, Allotment],
    costs: Mapping[int, float],
    terms: Mapping[str, OrderTerms],
    left: Budget,
) -> dict[int, Allotment]:
    """Allotments of the items that fill up the orders of suppliers who ask for more than is wanted, within the budgets."""
    orders: dict[tuple[str, str], list[int]] = {}
    for place, one in chosen.items():
        supplier = wanting.suppliers[place]
        if supplier is not None and supplier in terms and one.quantity > 0:
            orders.setdefault((supplier, wanting.items[place][1]), []).append(place)
    cash = _spare(left.cash, sum(float(one.quantity) * costs[place] for place, one in chosen.items()))
    volume = _spare(left.volume_m3, sum(float(one.quantity) * wanting.volumes[place] for place, one in chosen.items()))
    found: dict[int, Allotment] = {}
    for (supplier, _location), places in sorted(orders.items()):
        if supplier in (left.supplier_units or {}):
            continue  # who has too little is not asked for more
        read = await evidence_store.read(tx, tenant, [wanting.items[place] for place in places], policy)
        full = filled(
            [evidence for evidence, _previous in read],
            [float(chosen[place].quantity) for place in places],
            [wanting.volumes[place] for place in places],
            terms[supplier],
            cash_left=cash,
            volume_left=volume,
        )
        if full is None:
            continue
        added, kind = full
        for index, units in added.items():
            place = places[index]
            found[place] = replace(chosen[place], quantity=chosen[place].quantity + decimal_of(units), resource=kind)
            cash -= units * costs[place]
            volume -= units * wanting.volumes[place]
    return found


def _spare(limit: Decimal | None, used: float) -> float:
    return float("inf") if limit is None else float(limit) - used
