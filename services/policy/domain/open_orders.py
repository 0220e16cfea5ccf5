"""What to do about orders on their way when the need changed since: expedite, defer, reduce, cancel, or leave them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from kernel.distribution import DAYS, DemandTable
from services.policy.domain.refusal import PolicyRefusal, require_not_negative

# What is shipped cannot be changed; what is approved is changed where it was approved, before it leaves.
CHANGEABLE = frozenset({"released", "acknowledged", "confirmed"})


@dataclass(frozen=True, slots=True)
class Coming:
    """One order line on its way. `earliest_on`: soonest it could come if expedited, None: it cannot; `latest_on`: last day to
    which it can be put off without another order taking its place, None: as late as the horizon reaches. `counts`: it comes
    inside the interval the order-up-to level is meant for."""

    order_id: str
    units: float
    arrive_on: date
    status: str
    earliest_on: date | None = None
    latest_on: date | None = None
    counts: bool = True


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
    """One proposal: `action` expedite, defer, reduce or cancel; the order's new units and day; money it saves, net; `stock`
    expected to be there when it comes, before any demand."""

    action: str
    order_id: str
    units: float
    arrive_on: date
    saves: float
    stock: float = 0.0


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
    short_before: Sequence[float] | None = None,
) -> list[Change]:
    """Changes to open orders that pay, at most one per order, in the order of arrival.

    Surplus (what counts above the order-up-to level) is taken from the latest orders first: whole orders are cancelled,
    others reduced by whole multiples. An order is brought forward to the first day on which its absence would cost more
    than expediting, and put off while the stock before it covers demand with the same probability. Money compares
    expected shortage and holding by day with and without the change. `short_before`: expected shortage over 0 … DAYS days from
    what is available before the first order, from who asked for many items at once. Raises PolicyRefusal: demand_invalid.
    Source: Silver, Pyke & Thomas, section 7.4 (rescheduling); field usage of expedite/de-expedite/cancel messages.
    """
    if len(demand) != 1 or not multiple > 0:
        raise PolicyRefusal("demand_invalid", "needs the demand of one item and a multiple above 0")
    ordered = sorted(coming, key=lambda one: (one.arrive_on, one.order_id))
    left = max(available + sum(one.units for one in ordered if one.counts) - order_up_to, 0.0)
    found: dict[str, Change] = {}
    for one in reversed(ordered):
        surplus = float(np.floor(round(left / multiple, 9))) * multiple
        if one.status not in CHANGEABLE or surplus <= 0 or not one.counts:
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
            known = short_before if stock == available else None
            moved = _moved(_short(demand, stock) if known is None else known, as_of, stock, one, costs)
            if moved is not None:
                found[one.order_id] = moved
        stock += found[one.order_id].units if one.order_id in found else one.units
    return [found[one.order_id] for one in ordered if one.order_id in found]


def _short(demand: DemandTable, stock: float) -> list[float]:
    short: list[float] = demand.shortages_by_day([0], [max(stock, 0.0)])[0].tolist()
    return short


def _moved(short: Sequence[float], as_of: date, stock: float, one: Coming, costs: Costs) -> Change | None:
    """Earlier or later, whichever saves more money, if any does."""
    arrival = (one.arrive_on - as_of).days
    first = (one.earliest_on - as_of).days if one.earliest_on is not None else arrival
    last = (one.latest_on - as_of).days if one.latest_on is not None else DAYS
    expected = _costs(short, one.units, costs)
    now = expected[min(max(arrival, 1), DAYS + 1) - 1]
    best: Change | None = None
    for day in range(max(first, 1), min(last, DAYS) + 1):
        if day == arrival:
            continue
        extra = costs.change + (costs.expedite * one.units if day < arrival else 0.0)
        saves = now - expected[day - 1] - extra
        if saves > 1e-9 and (best is None or saves > best.saves + 1e-9):
            action = "expedite" if day < arrival else "defer"
            best = Change(action, one.order_id, one.units, as_of + timedelta(days=day), saves, stock)
    return best


def _costs(short: Sequence[float], units: float, costs: Costs) -> list[float]:
    """Expected money over the horizon when `units` arrive at the opening of day 1, 2 … DAYS + 1: sales lost before they come,
    holding them from then on. What is short when they come is lost; the order's own units are held until sold."""
    before = np.arange(DAYS + 1)
    expected: list[float] = (
        costs.margin * np.asarray(short) + units * costs.holding * (DAYS - before) / 365.0
    ).tolist()
    return expected
