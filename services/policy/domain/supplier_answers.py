"""A supplier's answer held against what was ordered: what of it a person has to know, in words and money."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

NOTHING: Final = Decimal(0)
SHORT, LATE, PRICE = "supplier_short", "supplier_late", "supplier_price"
KINDS: Final = (SHORT, LATE, PRICE)


@dataclass(frozen=True, slots=True)
class Ordered:
    """A line as it was ordered: units, the day it was promised for, cost per unit in the order's currency."""

    sku: str
    location: str
    supplier: str
    quantity: Decimal
    promised_on: date
    unit_cost: Decimal
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the supplier says about the line. None: nothing new. `substitute`: the units come as this product."""

    quantity: Decimal
    arrive_on: date | None = None
    unit_cost: Decimal | None = None
    substitute: str | None = None
    is_substitute_known: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at; `money` is what is at stake in the order's currency."""

    kind: str
    says: str
    remedy: str
    money: Decimal
    details: Mapping[str, str] = field(default_factory=dict)


def findings(order_id: str, ordered: Ordered, told: Told) -> list[Finding]:
    """At most one of each kind, none when the line comes as it was ordered."""
    found = []
    if told.substitute is not None:
        found.append(_substituted(order_id, ordered, told, told.substitute))
    elif told.quantity < ordered.quantity:
        missing = ordered.quantity - told.quantity
        found.append(
            Finding(
                SHORT,
                f"Of {ordered.quantity:f} {ordered.sku} ordered with {order_id}, {ordered.supplier} sends {told.quantity:f}.",
                "What is missing is planned again; decide the item's new line, or agree on a later delivery.",
                missing * ordered.unit_cost,
                {"ordered": f"{ordered.quantity:f}", "answered": f"{told.quantity:f}"},
            )
        )
    if told.arrive_on is not None and told.arrive_on > ordered.promised_on:
        late = (told.arrive_on - ordered.promised_on).days
        found.append(
            Finding(
                LATE,
                f"{ordered.sku} of {order_id} comes on {told.arrive_on} instead of {ordered.promised_on}, {late} days late.",
                "The item is planned with the new day; ask for an earlier delivery, or move stock from elsewhere.",
                min(told.quantity, ordered.quantity) * ordered.unit_cost,
                {"promised_on": ordered.promised_on.isoformat(), "arrive_on": told.arrive_on.isoformat()},
            )
        )
    if told.unit_cost is not None and told.unit_cost != ordered.unit_cost:
        found.append(
            Finding(
                PRICE,
                f"{ordered.supplier} confirms {ordered.sku} of {order_id} at {told.unit_cost:f} a unit, ordered at {ordered.unit_cost:f}.",
                "Accept it by correcting the supplier's terms in the catalogue, or clear it with the supplier.",
                max(NOTHING, told.unit_cost - ordered.unit_cost) * told.quantity,
                {"ordered": f"{ordered.unit_cost:f}", "answered": f"{told.unit_cost:f}"},
            )
        )
    return found


def _substituted(order_id: str, ordered: Ordered, told: Told, substitute: str) -> Finding:
    counted = (
        "the substitute counts as on its way, what was ordered does not"
        if told.is_substitute_known
        else "the catalogue does not know it, so nothing counts as on its way"
    )
    remedy = (
        f"Refuse the substitute with the supplier, or decide the new line of {ordered.sku}."
        if told.is_substitute_known
        else f"Define {substitute} in the catalogue and have the answer sent again, or refuse the substitute."
    )
    return Finding(
        SHORT,
        f"Instead of {ordered.quantity:f} {ordered.sku} of {order_id}, {ordered.supplier} sends {told.quantity:f} {substitute}; {counted}.",
        remedy,
        ordered.quantity * ordered.unit_cost,
        {"ordered": f"{ordered.quantity:f}", "answered": f"{told.quantity:f}", "substitute": substitute},
    )
