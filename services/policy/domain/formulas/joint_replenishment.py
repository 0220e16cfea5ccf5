"""One supplier, several items, one major setup: a base cycle and whole multiples of it (Silver's heuristic, improved)."""

from collections.abc import Sequence
from math import ceil, sqrt

from services.policy.domain.refusal import PolicyRefusal, require_positive


def joint_replenishment(
    *,
    major_setup_cost: float,
    minor_setup_costs: Sequence[float],
    holding_costs: Sequence[float],
    demand_units: Sequence[float],
) -> tuple[float, list[int], float]:
    """(base cycle in periods, multiple by item, cost per period). Holding: money per unit per period.

    The item that asks for the shortest own cycle is ordered every time; the others at the whole multiple nearest to
    the square root of their ratio to it. From there the best multiples for the cycle and the best cycle for the multiples
    are taken in turn while that costs less. Raises PolicyRefusal: items_unequal, costs_not_positive.
    Source: Silver 1976; Kaspi & Rosenblatt 1983 (the turns); Silver, Pyke & Thomas, section 10.2; Snyder & Shen, section 3.5.
    """
    if not (len(minor_setup_costs) == len(holding_costs) == len(demand_units) > 0):
        raise PolicyRefusal("items_unequal", "setup costs, holding costs and demand need one value per item")
    require_positive("costs_not_positive", major_setup_cost=major_setup_cost)
    for minor, holding, demand in zip(minor_setup_costs, holding_costs, demand_units, strict=True):
        require_positive("costs_not_positive", minor=minor, holding=holding, demand=demand)
    rates = [holding * demand for holding, demand in zip(holding_costs, demand_units, strict=True)]
    urgency = [minor / rate for minor, rate in zip(minor_setup_costs, rates, strict=True)]
    first = urgency.index(min(urgency))
    base = rates[first] / (major_setup_cost + minor_setup_costs[first])
    multiples = [1 if i == first else _nearest_multiple(u * base) for i, u in enumerate(urgency)]
    cycle, cost = _best_cycle(major_setup_cost, minor_setup_costs, rates, multiples)
    while True:
        others = [_best_multiple(k, rate, cycle) for k, rate in zip(minor_setup_costs, rates, strict=True)]
        other_cycle, other_cost = _best_cycle(major_setup_cost, minor_setup_costs, rates, others)
        if not other_cost < cost * (1.0 - 1e-12):
            return cycle, multiples, cost
        cycle, multiples, cost = other_cycle, others, other_cost


def _best_cycle(
    major: float, minors: Sequence[float], rates: Sequence[float], multiples: list[int]
) -> tuple[float, float]:
    """(cycle, cost per period) that are best for these multiples."""
    setups = major + sum(k / m for k, m in zip(minors, multiples, strict=True))
    held = sum(m * rate for m, rate in zip(multiples, rates, strict=True))
    cycle = sqrt(2.0 * setups / held)
    return cycle, setups / cycle + held * cycle / 2.0


def _best_multiple(minor: float, rate: float, cycle: float) -> int:
    """The smallest m >= 1 with m (m + 1) >= 2 k / (rate T^2): no other multiple is cheaper at this cycle."""
    return max(1, ceil((sqrt(1.0 + 8.0 * minor / (rate * cycle * cycle)) - 1.0) / 2.0 - 1e-12))


def _nearest_multiple(ratio: float) -> int:
    return max(1, int(sqrt(ratio) + 0.5))
