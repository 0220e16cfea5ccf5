"""What to do about orders on their way when the need changed since: expedite, defer, reduce, cancel, or leave them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from kernel.distribution import DAYS, DemandTable
from services.policy.domain.refusal import PolicyRefusal, require_not_negative

CHANGEABLE = frozenset({"approved", "released", "acknowledged", "confirmed"})  # what is shipped cannot be changed


@dataclass(frozen=True, slots=True)
class Coming:
    """One order line on its way. `earliest_on`: soonest it could come if expedited, None: it cannot."""

    order_id: str
    units: float
    arrive_on: date
    status: str
    earliest_on: date | None = None


@dataclass(frozen=True, slots=True)
class Costs:
    """Money: per unit held a year and lost when short; per change of an order; extra per unit expedited."""

    holding: float
    margin: float
    change: float = 0.0
    expedite: float = 0.0

    def __post_init__(self) -> None:
        require_not_negative(
            "costs_negative", holding=self.holding, margin=self.margin, change=self.change, expedite=self.expedite
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One proposal: `action` expedite, defer, reduce or cancel; the order's new units and day; money it saves, net."""

    action: str
    order_id: str
    units: float
    arrive_on: date
    saves: float


def changes_of(
    demand: DemandTable,
    as_of: date,
    available: float,
    coming: Sequence[Coming],
    *,
    needed_until: date,
    order_up_to: float,
    costs: Costs,
    multiple: float = 1.0,
) -> list[Change]:
    """Changes to open orders that pay, at most one per order, in the order of arrival.

    Surplus (position above the order-up-to level) is taken from the latest orders first: whole orders are cancelled,
    others reduced by whole multiples. An order is brought forward to the first day on which its absence would cost more
    than expediting, and put off while the stock before it covers demand with the same probability. Money compares
    expected shortage and holding by day with and without the change. Raises PolicyRefusal: demand_invalid.
    Source: Silver, Pyke & Thomas, section 7.4 (rescheduling); field usage of expedite/de-expedite/cancel messages.
    """
    if len(demand) != 1 or not multiple > 0:
        raise PolicyRefusal("demand_invalid", "needs the demand of one item and a multiple above 0")
    ordered = sorted(coming, key=lambda one: (one.arrive_on, one.order_id))
    left = max(available + sum(one.units for one in ordered) - order_up_to, 0.0)
    found: dict[str, Change] = {}
    for one in reversed(ordered):
        surplus = float(np.floor(round(left / multiple, 9))) * multiple
        if one.status not in CHANGEABLE or surplus <= 0:
            continue
        cut = min(surplus, one.units)
        years = max((needed_until - one.arrive_on).days, 1) / 365.0
        saves = cut * costs.holding * years - costs.change
        if saves > 0:
            action = "cancel" if cut >= one.units else "reduce"
            found[one.order_id] = Change(action, one.order_id, one.units - cut, one.arrive_on, saves)
            left -= cut
    stock = available
    for one in ordered:
        if one.order_id not in found and one.status in CHANGEABLE:
            moved = _moved(demand, as_of, stock, one, costs)
            if moved is not None:
                found[one.order_id] = moved
        stock += found[one.order_id].units if one.order_id in found else one.units
    return [found[one.order_id] for one in ordered if one.order_id in found]


def _moved(demand: DemandTable, as_of: date, stock: float, one: Coming, costs: Costs) -> Change | None:
    """Earlier or later, whichever saves more money, if any does."""
    best: Change | None = None
    arrival = (one.arrive_on - as_of).days
    first = (one.earliest_on - as_of).days if one.earliest_on is not None else arrival
    for day in range(max(first, 1), DAYS + 1):
        if day == arrival:
            continue
        now, then = _cost(demand, stock, one.units, arrival, costs), _cost(demand, stock, one.units, day, costs)
        extra = costs.change + (costs.expedite * one.units if day < arrival else 0.0)
        saves = now - then - extra
        if saves > 1e-9 and (best is None or saves > best.saves + 1e-9):
            action = "expedite" if day < arrival else "defer"
            best = Change(action, one.order_id, one.units, as_of + timedelta(days=day), saves)
    return best


def _cost(demand: DemandTable, stock: float, units: float, arrival: int, costs: Costs) -> float:
    """Expected money over the horizon when `units` arrive at the opening of a day: sales lost before they come, holding
    them from then on. What is short when they come is lost; the order's own units are held until sold."""
    before = min(max(arrival - 1, 0), DAYS)
    short = float(demand.expected_shortage(before, max(stock, 0.0))[0]) if before else 0.0
    held = units * costs.holding * (DAYS - before) / 365.0
    return costs.margin * short + held
