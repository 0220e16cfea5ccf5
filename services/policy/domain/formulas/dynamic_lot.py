"""Lots for a known, uneven demand by period: the Wagner-Whitin dynamic programme."""

from collections.abc import Sequence

from services.policy.domain.refusal import PolicyRefusal, require_not_negative


def wagner_whitin(
    demand_units: Sequence[float],
    *,
    setup_costs: Sequence[float],
    holding_costs: Sequence[float],
    unit_costs: Sequence[float] | None = None,
) -> tuple[list[float], float]:
    """(order quantity by period, total cost) that meets every period's demand at least cost.

    Holding: money per unit carried from a period into the next. Raises PolicyRefusal: periods_unequal, costs_negative.
    Source: Wagner & Whitin 1958; Snyder & Shen, section 3.7.3; example 3.9:
    >>> wagner_whitin([90, 120, 80, 70], setup_costs=[500] * 4, holding_costs=[2] * 4)
    ([210.0, 0.0, 150.0, 0.0], 1380.0)
    """
    periods = len(demand_units)
    prices = unit_costs if unit_costs is not None else [0.0] * periods
    if not (len(setup_costs) == len(holding_costs) == len(prices) == periods):
        raise PolicyRefusal("periods_unequal", "demand, setup, holding and unit costs need one value per period")
    for values in (demand_units, setup_costs, holding_costs, prices):
        for value in values:
            require_not_negative("costs_negative", value=value)
    cheapest = [0.0] * (periods + 1)  # cheapest[t]: periods t.. to the end, starting with no stock
    covers_until = [periods] * periods
    for start in range(periods - 1, -1, -1):
        best = float("inf")
        carried = bought = 0.0
        rate = 0.0
        for end in range(start + 1, periods + 1):
            demand = demand_units[end - 1]
            if end - 1 > start:
                rate += holding_costs[end - 2]
            carried += rate * demand
            bought += demand
            setup = setup_costs[start] if bought > 0 else 0.0
            cost = setup + prices[start] * bought + carried + cheapest[end]
            if cost < best:
                best, covers_until[start] = cost, end
        cheapest[start] = best
    orders = [0.0] * periods
    start = 0
    while start < periods:
        orders[start] = float(sum(demand_units[start : covers_until[start]]))
        start = covers_until[start]
    return orders, cheapest[0]
