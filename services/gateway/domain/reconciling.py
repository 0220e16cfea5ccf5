"""An ERP's list of orders held against what was released: what it lacks, what it has twice or from nowhere, what differs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

# An order that ended without goods is none an ERP has to have.
ENDED = frozenset({"cancelled", "failed"})


@dataclass(frozen=True, slots=True)
class Ours:
    """A released order. Units by product: as ordered, and as last agreed."""

    order_id: str
    status: str
    ordered: Mapping[str, Decimal]
    agreed: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Theirs:
    """An order as the other side has it; `quantities` by product, None: it says nothing of its lines."""

    order_id: str
    quantities: Mapping[str, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A product of which the two sides have other quantities; None: that side has no line of it."""

    order_id: str
    sku: str
    ordered: Decimal | None
    agreed: Decimal | None
    theirs: Decimal | None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Ids and differences, each in the order of the ids. `equal`: orders both have, and of which no line differs."""

    missing: list[str]
    unknown: list[str]
    repeated: list[str]
    differences: list[Difference]
    equal: int


def reconcile(expected: Sequence[Ours], known: Mapping[str, Ours], theirs: Sequence[Theirs]) -> Reconciled:
    """`expected`: ours of the time in question, which they should have; `known`: every order of ours that they name, of
    whatever time. A quantity is right as ordered or as last agreed: an answer may be on its way."""
    named = Counter(one.order_id for one in theirs)
    missing = {one.order_id for one in expected if one.status not in ENDED and one.order_id not in named}
    different = [
        difference
        for one in sorted(theirs, key=lambda one: one.order_id)
        if one.order_id in known
        for difference in _differences(known[one.order_id], one)
    ]
    wrong = {one.order_id for one in different}
    return Reconciled(
        sorted(missing),
        sorted(set(named) - set(known)),
        sorted(order_id for order_id, times in named.items() if times > 1),
        different,
        len((set(named) & set(known)) - wrong),
    )


def _differences(ours: Ours, theirs: Theirs) -> list[Difference]:
    if theirs.quantities is None:
        return []
    found = []
    for sku in sorted(ours.ordered.keys() | theirs.quantities.keys()):
        ordered, agreed, there = ours.ordered.get(sku), ours.agreed.get(sku), theirs.quantities.get(sku)
        # What was agreed not to come may be there as nothing, or not at all.
        if there not in (ordered, agreed) and not (there is None and agreed == 0):
            found.append(Difference(ours.order_id, sku, ordered, agreed, there))
    return found
