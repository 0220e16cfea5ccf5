"""Economic lot sizes for a steady demand: plain, with backorders, with price breaks, with a production rate."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

from services.policy.domain.refusal import PolicyRefusal, require_positive


@dataclass(frozen=True, slots=True)
class LotSize:
    """One lot and what the year (or any other period used for demand and holding) costs with it."""

    quantity_units: float
    cost_per_period: float


@dataclass(frozen=True, slots=True)
class BackorderedLot:
    """A lot that is ordered when `backordered_share` of it is already promised to waiting customers."""

    quantity_units: float
    backordered_share: float
    cost_per_period: float


@dataclass(frozen=True, slots=True)
class DiscountedLot:
    """The best lot under price breaks and the index of the price it is bought at."""

    quantity_units: float
    price_index: int
    cost_per_period: float


def economic_order_quantity(*, setup_cost: float, holding_cost: float, demand_units: float) -> LotSize:
    """Lot that minimises setup plus holding cost. Holding: money per unit per period; demand: units per period.

    Raises PolicyRefusal: costs_not_positive, demand_degenerate. Source: Snyder & Shen, eq. 3.4; example 3.1:
    >>> economic_order_quantity(setup_cost=8, holding_cost=0.225, demand_units=1300).quantity_units
    304.0467800264368
    """
    require_positive("costs_not_positive", setup_cost=setup_cost, holding_cost=holding_cost)
    require_positive("demand_degenerate", demand_units=demand_units)
    quantity = sqrt(2.0 * setup_cost * demand_units / holding_cost)
    return LotSize(quantity, lot_cost(quantity, setup_cost, holding_cost, demand_units))


def lot_cost(quantity_units: float, setup_cost: float, holding_cost: float, demand_units: float) -> float:
    """Setup plus holding cost per period of ordering `quantity_units` each time. Source: Snyder & Shen, eq. 3.3."""
    require_positive("quantity_not_positive", quantity_units=quantity_units)
    return setup_cost * demand_units / quantity_units + holding_cost * quantity_units / 2.0


def lot_with_backorders(
    *, setup_cost: float, holding_cost: float, backorder_cost: float, demand_units: float
) -> BackorderedLot:
    """Best lot when customers wait, at `backorder_cost` per unit per period.

    Raises PolicyRefusal: costs_not_positive, demand_degenerate. Source: Snyder & Shen, eq. 3.25-3.28; example 3.8.
    """
    require_positive(
        "costs_not_positive", setup_cost=setup_cost, holding_cost=holding_cost, backorder_cost=backorder_cost
    )
    require_positive("demand_degenerate", demand_units=demand_units)
    both = holding_cost + backorder_cost
    quantity = sqrt(2.0 * setup_cost * demand_units * both / (holding_cost * backorder_cost))
    share = holding_cost / both
    cost = sqrt(2.0 * setup_cost * demand_units * holding_cost * backorder_cost / both)
    return BackorderedLot(quantity, share, cost)


def production_lot(
    *, setup_cost: float, holding_cost: float, demand_units: float, production_rate_units: float
) -> LotSize:
    """Best lot when it arrives at a finite rate. Raises PolicyRefusal: production_rate_too_low besides the usual.

    Source: Snyder & Shen, section 3.6 (economic production quantity).
    """
    require_positive("costs_not_positive", setup_cost=setup_cost, holding_cost=holding_cost)
    require_positive("demand_degenerate", demand_units=demand_units)
    if not production_rate_units > demand_units:
        raise PolicyRefusal("production_rate_too_low", f"{production_rate_units=} does not exceed {demand_units=}")
    utilisation = demand_units / production_rate_units
    return economic_order_quantity(
        setup_cost=setup_cost, holding_cost=holding_cost * (1.0 - utilisation), demand_units=demand_units
    )


def all_units_discount_lot(
    *,
    setup_cost: float,
    carrying_rate: float,
    demand_units: float,
    breakpoints_units: Sequence[float],
    unit_costs: Sequence[float],
) -> DiscountedLot:
    """Best lot when the price of the reached break holds for the whole lot; purchase cost is included.

    `breakpoints_units[i]` is the smallest lot bought at `unit_costs[i]`; the first is 0. Carrying rate: share of unit
    cost per period. Raises PolicyRefusal: price_breaks_invalid, costs_not_positive. Source: Snyder & Shen, 3.4.2; ex. 3.6.
    """
    _check_breaks(breakpoints_units, unit_costs)
    best = DiscountedLot(0.0, 0, inf)
    for index, (smallest, unit_cost) in enumerate(zip(breakpoints_units, unit_costs, strict=True)):
        holding = carrying_rate * unit_cost
        plain = economic_order_quantity(setup_cost=setup_cost, holding_cost=holding, demand_units=demand_units)
        quantity = max(plain.quantity_units, smallest)
        upper = breakpoints_units[index + 1] if index + 1 < len(breakpoints_units) else inf
        if quantity >= upper:
            continue  # the better price of the next break applies to this lot already
        cost = unit_cost * demand_units + lot_cost(quantity, setup_cost, holding, demand_units)
        if cost < best.cost_per_period:
            best = DiscountedLot(quantity, index, cost)
    return best


def incremental_discount_lot(
    *,
    setup_cost: float,
    carrying_rate: float,
    demand_units: float,
    breakpoints_units: Sequence[float],
    unit_costs: Sequence[float],
) -> DiscountedLot:
    """Best lot when each price holds only for the units above its break; purchase cost is included.

    Raises PolicyRefusal: price_breaks_invalid, costs_not_positive. Source: Snyder & Shen, 3.4.3; example 3.7.
    """
    _check_breaks(breakpoints_units, unit_costs)
    best = DiscountedLot(0.0, 0, inf)
    paid_below = 0.0  # money for the units below this break beyond this break's own price
    for index, (smallest, unit_cost) in enumerate(zip(breakpoints_units, unit_costs, strict=True)):
        if index:
            paid_below += (unit_costs[index - 1] - unit_cost) * smallest
        holding = carrying_rate * unit_cost
        require_positive("costs_not_positive", setup_cost=setup_cost, holding_cost=holding)
        quantity = sqrt(2.0 * (setup_cost + paid_below) * demand_units / holding)
        upper = breakpoints_units[index + 1] if index + 1 < len(breakpoints_units) else inf
        if not smallest <= quantity < upper:
            continue
        cost = (
            unit_cost * demand_units
            + (setup_cost + paid_below) * demand_units / quantity
            + carrying_rate * (paid_below + unit_cost * quantity) / 2.0
        )
        if cost < best.cost_per_period:
            best = DiscountedLot(quantity, index, cost)
    return best


def _check_breaks(breakpoints_units: Sequence[float], unit_costs: Sequence[float]) -> None:
    rising = all(a < b for a, b in itertools.pairwise(breakpoints_units))
    falling = all(a > b for a, b in itertools.pairwise(unit_costs))
    if not breakpoints_units or len(breakpoints_units) != len(unit_costs) or breakpoints_units[0] != 0:
        raise PolicyRefusal("price_breaks_invalid", "price breaks start at 0 and have one unit cost each")
    if not (rising and falling):
        raise PolicyRefusal("price_breaks_invalid", "breaks must rise and their unit costs fall")
