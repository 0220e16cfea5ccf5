"""A horizon of a few periods with costs that change: the optimal (s, S) by period, and the bounds a one-period look gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from scipy import optimize, stats

from services.policy.domain.formulas.loss import normal_loss
from services.policy.domain.refusal import PolicyRefusal, require_not_negative, require_positive

LEVELS_MAX = 20_000  # grid points of the dynamic programme; more is the wrong tool for one item


@dataclass(frozen=True, slots=True)
class Period:
    """One period: money per unit held, short and bought, money per order, normal demand in units, discount to the next."""

    holding_cost: float
    stockout_cost: float
    purchase_cost: float
    setup_cost: float
    mean_units: float
    sd_units: float
    discount: float = 1.0

    def __post_init__(self) -> None:
        require_positive("costs_not_positive", holding_cost=self.holding_cost, stockout_cost=self.stockout_cost)
        require_not_negative("costs_negative", purchase_cost=self.purchase_cost, setup_cost=self.setup_cost)
        require_positive("demand_degenerate", mean_units=self.mean_units, sd_units=self.sd_units)
        if not 0 < self.discount <= 1:
            raise PolicyRefusal("discount_invalid", f"discount={self.discount} must be above 0 and at most 1")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Units: the optimal S of a period lies between `level_low` and `level_high`, its s between the two points.

    `point_high` is None where ordering becomes dearer in the next period, since then it bounds nothing.
    """

    level_low: float
    level_high: float
    point_low: float
    point_high: float | None


def myopic_bounds(
    periods: Sequence[Period], *, terminal_holding_cost: float, terminal_stockout_cost: float
) -> list[Bounds]:
    """Bounds on (s, S) of each period from its own cost alone: G(y) = c+ y + h E[(y-D)+] + p E[(D-y)+] + g c' E[D].

    Raises PolicyRefusal: horizon_empty, price_jump when a price change is larger than holding or shortage can pay for.
    Source: Veinott 1966; Zipkin 2000, section 9.5; Snyder & Shen, sections 4.3.3 and 4.4.3; stockpyl's five-period test.
    """
    if not periods:
        raise PolicyRefusal("horizon_empty", "needs at least one period")
    require_not_negative("costs_negative", holding=terminal_holding_cost, stockout=terminal_stockout_cost)
    found = []
    for index, one in enumerate(periods):
        is_last = index == len(periods) - 1
        holding = one.holding_cost + (terminal_holding_cost if is_last else 0.0)
        stockout = one.stockout_cost + (terminal_stockout_cost if is_last else 0.0)
        next_price = 0.0 if is_last else periods[index + 1].purchase_cost
        next_setup = 0.0 if is_last else periods[index + 1].setup_cost
        price_step = one.purchase_cost - one.discount * next_price
        if not -holding < price_step < stockout:
            raise PolicyRefusal("price_jump", f"period {index + 1}: {price_step=} is not within holding and shortage")
        found.append(_bounds(one, holding, stockout, price_step, one.discount * next_setup))
    return found


def _bounds(one: Period, holding: float, stockout: float, price_step: float, next_setup: float) -> Bounds:
    def cost(level: float) -> float:
        short, left = normal_loss(level, one.mean_units, one.sd_units)
        return price_step * level + holding * left + stockout * short

    ratio = (stockout - price_step) / (stockout + holding)
    best = one.mean_units + one.sd_units * float(stats.norm.ppf(ratio))
    lowest = cost(best)

    def level_at(extra: float, side: float) -> float:
        if extra <= 0:
            return best
        reach = one.sd_units
        while cost(best + side * reach) < lowest + extra:
            reach *= 2.0
        ends = sorted((best, best + side * reach))
        return float(optimize.brentq(lambda level: cost(level) - lowest - extra, *ends, xtol=1e-10))

    saved = one.setup_cost - next_setup
    return Bounds(
        best, level_at(next_setup, 1.0), level_at(one.setup_cost, -1.0), level_at(saved, -1.0) if saved >= 0 else None
    )


def optimal_by_period(
    periods: Sequence[Period],
    demand_masses: Sequence[Sequence[float]],
    *,
    terminal_holding_cost: float,
    terminal_stockout_cost: float,
    start_units: int = 0,
) -> tuple[list[tuple[int, int]], float]:
    """([(s, S) by period], expected discounted cost from `start_units`) for demand in whole units.

    demand_masses[t][d] = P(demand of period t is d). Order up to S when the stock is at or below s (s = -inf is said as
    the lowest stock that can occur less one). Backward dynamic programme over all stocks that can occur.
    Raises PolicyRefusal: horizon_empty, masses_invalid, too_many_levels.
    Source: Scarf 1960; Snyder & Shen, sections 4.3.3 and 4.4.3.
    """
    if not periods or len(periods) != len(demand_masses):
        raise PolicyRefusal("horizon_empty", "needs at least one period, and the demand of each")
    for masses in demand_masses:
        if min(masses) < 0 or abs(sum(masses) - 1.0) > 1e-9:
            raise PolicyRefusal("masses_invalid", "probabilities must not be negative and must sum to 1")
    most = sum(len(masses) - 1 for masses in demand_masses)
    low, high = min(start_units, 0) - most, max(start_units, 0) + most
    if high - low > LEVELS_MAX:
        raise PolicyRefusal("too_many_levels", f"{high - low} stock levels, at most {LEVELS_MAX}")
    levels = np.arange(low, high + 1, dtype=np.float64)
    last = terminal_holding_cost * np.maximum(levels, 0.0) + terminal_stockout_cost * np.maximum(-levels, 0.0)
    ahead = last
    policies: list[tuple[int, int]] = []
    for one, masses in zip(reversed(periods), reversed(demand_masses), strict=True):
        after = np.zeros(len(levels))
        for demand, mass in enumerate(masses):
            place = np.maximum(np.arange(len(levels)) - demand, 0)
            left = levels - demand
            now = one.holding_cost * np.maximum(left, 0.0) + one.stockout_cost * np.maximum(-left, 0.0)
            after += mass * (now + one.discount * ahead[place])
        total = after + one.purchase_cost * levels
        cheapest = np.minimum.accumulate(total[::-1])[::-1]  # of all levels that can still be reached by ordering
        orders = one.setup_cost + cheapest < total - 1e-12
        best = int(np.argmin(total))
        below = np.flatnonzero(orders)
        point = int(levels[below[-1]]) if len(below) else low - 1
        policies.append((point, int(levels[best])))
        ahead = np.where(orders, one.setup_cost + cheapest, total) - one.purchase_cost * levels
    at_start = float(ahead[start_units - low])
    return policies[::-1], at_start if at_start < inf else inf
