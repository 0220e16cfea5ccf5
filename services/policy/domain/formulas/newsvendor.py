"""Single-period stock levels: what to hold when what is left over and what is short both cost money."""

from math import exp, log, sqrt
from statistics import NormalDist

from scipy import stats

from services.policy.domain.formulas.loss import discrete_loss, normal_loss, poisson_loss
from services.policy.domain.refusal import require_positive


def newsvendor_normal(
    *, holding_cost: float, stockout_cost: float, mean_units: float, sd_units: float, periods: int = 1
) -> tuple[float, float]:
    """(base-stock level in units, expected cost per period) for normal demand over `periods` (lead time + 1) periods.

    Costs: money per unit left over or short. Raises PolicyRefusal: costs_not_positive, demand_degenerate.
    Source: Snyder & Shen, eq. 4.24 and 4.30; example 4.3:
    >>> round(newsvendor_normal(holding_cost=0.18, stockout_cost=0.70, mean_units=50, sd_units=8)[0], 9)
    56.603955927
    """
    require_positive("costs_not_positive", holding_cost=holding_cost, stockout_cost=stockout_cost)
    require_positive("demand_degenerate", mean_units=mean_units, sd_units=sd_units, periods=periods)
    mean, spread = mean_units * periods, sd_units * sqrt(periods)
    level = NormalDist(mean, spread).inv_cdf(stockout_cost / (stockout_cost + holding_cost))
    return level, newsvendor_normal_cost(level, holding_cost, stockout_cost, mean, spread)


def newsvendor_normal_cost(
    level_units: float, holding_cost: float, stockout_cost: float, mean_units: float, sd_units: float
) -> float:
    """Expected cost of a given level under normal demand. Source: Snyder & Shen, eq. 4.6."""
    shortage, left_over = normal_loss(level_units, mean_units, sd_units)
    return holding_cost * left_over + stockout_cost * shortage


def newsvendor_normal_profit(
    *, price: float, unit_cost: float, salvage_value: float, mean_units: float, sd_units: float
) -> tuple[float, float]:
    """(level in units, expected profit) when each unit sells at `price`, costs `unit_cost`, salvages at the third.

    Source: Snyder & Shen, section 4.3.2.4; example 4.2.
    """
    overage, underage = unit_cost - salvage_value, price - unit_cost
    level, cost = newsvendor_normal(
        holding_cost=overage, stockout_cost=underage, mean_units=mean_units, sd_units=sd_units
    )
    return level, underage * mean_units - cost


def newsvendor_poisson(*, holding_cost: float, stockout_cost: float, mean_units: float) -> tuple[int, float]:
    """(level in whole units, expected cost) for Poisson demand. Source: Snyder & Shen, section 4.3.2.7; example 4.7."""
    require_positive("costs_not_positive", holding_cost=holding_cost, stockout_cost=stockout_cost)
    require_positive("demand_degenerate", mean_units=mean_units)
    level = int(stats.poisson.ppf(stockout_cost / (stockout_cost + holding_cost), mean_units))
    return level, newsvendor_poisson_cost(level, holding_cost, stockout_cost, mean_units)


def newsvendor_poisson_cost(level_units: int, holding_cost: float, stockout_cost: float, mean_units: float) -> float:
    """Expected cost of a given whole level under Poisson demand. Source: Snyder & Shen, eq. 4.35."""
    shortage, left_over = poisson_loss(level_units, mean_units)
    return holding_cost * left_over + stockout_cost * shortage


def newsvendor_discrete(*, holding_cost: float, stockout_cost: float, masses: dict[int, float]) -> tuple[int, float]:
    """(smallest level whose probability reaches the critical ratio, expected cost) for demand by whole quantity.

    Source: Snyder & Shen, section 4.3.2.7; problem 4.7(b).
    """
    require_positive("costs_not_positive", holding_cost=holding_cost, stockout_cost=stockout_cost)
    ratio = stockout_cost / (stockout_cost + holding_cost)
    reached = 0.0
    level = max(masses)
    for quantity in sorted(masses):
        reached += masses[quantity]
        if reached >= ratio:
            level = quantity
            break
    shortage, left_over = discrete_loss(level, masses)
    return level, holding_cost * left_over + stockout_cost * shortage


def newsvendor_lognormal(
    *, holding_cost: float, stockout_cost: float, log_mean: float, log_sd: float
) -> tuple[float, float]:
    """(level in units, expected cost) when the logarithm of demand is normal. Source: Snyder & Shen, problem 4.8(b)."""
    require_positive("costs_not_positive", holding_cost=holding_cost, stockout_cost=stockout_cost)
    require_positive("demand_degenerate", log_sd=log_sd)
    ratio = stockout_cost / (stockout_cost + holding_cost)
    level = exp(log_mean + log_sd * NormalDist().inv_cdf(ratio))
    mean = exp(log_mean + log_sd * log_sd / 2.0)
    depth = (log_mean + log_sd * log_sd - log(level)) / log_sd
    shortage = mean * float(stats.norm.cdf(depth)) - level * (1.0 - ratio)
    return level, holding_cost * (level - mean + shortage) + stockout_cost * shortage
