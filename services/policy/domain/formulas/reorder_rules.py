"""Reorder rules planners know from other systems: the normal-approximation point, min/max, days of supply, fill rates."""

from collections.abc import Sequence
from math import ceil, sqrt
from statistics import NormalDist

from scipy import optimize, stats

from services.policy.domain.formulas.loss import negative_binomial_loss, normal_loss, poisson_loss
from services.policy.domain.refusal import PolicyRefusal, require_not_negative, require_positive


def normal_reorder_point(
    *, daily_mean_units: float, daily_sd_units: float, lead_time_days: float, service_level: float
) -> float:
    """r = mu L + z sigma sqrt(L), units: the rule of the systems this one is measured against.

    Raises PolicyRefusal: demand_negative, service_level_invalid. Source: Silver, Pyke & Thomas, eq. 6.16.
    """
    require_not_negative("demand_negative", mean=daily_mean_units, sd=daily_sd_units, lead_time=lead_time_days)
    if not 0.0 < service_level < 1.0:
        raise PolicyRefusal("service_level_invalid", f"{service_level=} must lie between 0 and 1")
    z = NormalDist().inv_cdf(service_level)
    return daily_mean_units * lead_time_days + z * daily_sd_units * sqrt(lead_time_days)


def days_of_supply_point(*, daily_units: float, lead_time_days: float, safety_days: float = 0.0) -> float:
    """r = daily demand x (lead time + safety days), units. Raises PolicyRefusal: demand_negative.

    >>> days_of_supply_point(daily_units=5000, lead_time_days=7)
    35000.0
    """
    require_not_negative("demand_negative", daily=daily_units, lead_time=lead_time_days, safety=safety_days)
    return float(daily_units * (lead_time_days + safety_days))


def min_max_order(*, position_units: float, minimum_units: float, maximum_units: float, multiple: float = 1.0) -> float:
    """Units to order up to the maximum when the position is below the minimum, rounded up to whole multiples.

    Raises PolicyRefusal: bounds_contradictory, multiple_not_positive. Source: Odoo's reordering rules.
    """
    if not 0 <= minimum_units <= maximum_units:
        raise PolicyRefusal("bounds_contradictory", f"{minimum_units=} must be between 0 and {maximum_units=}")
    require_positive("multiple_not_positive", multiple=multiple)
    if position_units >= minimum_units:
        return 0.0
    return float(ceil(round((maximum_units - position_units) / multiple, 9)) * multiple)


def fill_rate_level_normal(*, fill_rate: float, cycle_units: float, mean_units: float, sd_units: float) -> float:
    """Smallest stock, units, with E[(D - r)+] <= (1 - fill rate) x demand of one order cycle, for normal D over the
    protection interval (mean, sd). Raises PolicyRefusal: service_level_invalid, demand_degenerate.

    Source: Silver, Pyke & Thomas, section 6.7.10 (rule B, P2).
    """
    allowed = _allowed(fill_rate, cycle_units)
    require_positive("demand_degenerate", mean_units=mean_units, sd_units=sd_units)
    reach = 10.0 * sd_units + allowed

    def excess(level: float) -> float:
        return normal_loss(level, mean_units, sd_units)[0] - allowed

    return float(optimize.brentq(excess, mean_units - reach, mean_units + reach, xtol=1e-10))


def fill_rate_level_poisson(*, fill_rate: float, cycle_units: float, mean_units: float) -> int:
    """As `fill_rate_level_normal`, whole units, for Poisson demand over the protection interval."""
    allowed = _allowed(fill_rate, cycle_units)
    require_positive("demand_degenerate", mean_units=mean_units)
    level = 0
    while poisson_loss(level, mean_units)[0] > allowed:
        level += 1
    return level


def fill_rate_level_negative_binomial(
    *, fill_rate: float, cycle_units: float, mean_units: float, sd_units: float
) -> int:
    """As `fill_rate_level_normal`, whole units, for demand that varies more than a counting process."""
    allowed = _allowed(fill_rate, cycle_units)
    require_positive("demand_degenerate", mean_units=mean_units, sd_units=sd_units)
    level = 0
    while negative_binomial_loss(level, mean_units, sd_units)[0] > allowed:
        level += 1
    return level


def _allowed(fill_rate: float, cycle_units: float) -> float:
    if not 0.0 < fill_rate < 1.0:
        raise PolicyRefusal("service_level_invalid", f"{fill_rate=} must lie between 0 and 1")
    require_positive("demand_degenerate", cycle_units=cycle_units)
    return (1.0 - fill_rate) * cycle_units


def newsvendor_negative_binomial(
    *, holding_cost: float, stockout_cost: float, mean_units: float, sd_units: float
) -> tuple[int, float]:
    """(level in whole units, expected cost): the smallest level with P(D <= level) >= p / (p + h).

    Costs: money per unit left over or short. Raises PolicyRefusal: costs_not_positive, demand_degenerate (a variance not
    above the mean is Poisson's). Source: Snyder & Shen, section 4.3.2.7.
    """
    require_positive("costs_not_positive", holding_cost=holding_cost, stockout_cost=stockout_cost)
    require_positive("demand_degenerate", mean_units=mean_units, extra_variance=sd_units**2 - mean_units)
    chance = mean_units / sd_units**2
    shape = mean_units * chance / (1.0 - chance)
    level = int(stats.nbinom.ppf(stockout_cost / (stockout_cost + holding_cost), shape, chance))
    short, left = negative_binomial_loss(level, mean_units, sd_units)
    return level, holding_cost * left + stockout_cost * short


def newsvendor_empirical(
    *, holding_cost: float, stockout_cost: float, observed_units: Sequence[float]
) -> tuple[float, float]:
    """(level, average cost) over observed demands, each equally likely: the smallest observation that covers the
    critical ratio. Raises PolicyRefusal: costs_not_positive, demand_degenerate (no observation).
    """
    require_positive("costs_not_positive", holding_cost=holding_cost, stockout_cost=stockout_cost)
    if not observed_units:
        raise PolicyRefusal("demand_degenerate", "needs at least one observation")
    require_not_negative("demand_negative", smallest=min(observed_units), largest=max(observed_units))
    ordered = sorted(observed_units)
    ratio = stockout_cost / (stockout_cost + holding_cost)
    level = ordered[max(ceil(round(ratio * len(ordered), 9)), 1) - 1]
    cost = sum(holding_cost * max(level - one, 0) + stockout_cost * max(one - level, 0) for one in ordered)
    return level, cost / len(ordered)


def quantile_between(levels: Sequence[float], units: Sequence[float], wanted: float) -> float:
    """Demand at a probability between two published quantiles, on the straight line through them.

    Raises PolicyRefusal: quantiles_invalid, level_outside. Source: AWS Supply Chain's rule for P40 from P10/P50/P90.
    """
    if len(levels) != len(units) or len(levels) < 2 or sorted(levels) != list(levels) or sorted(units) != list(units):
        raise PolicyRefusal("quantiles_invalid", "levels and units must rise together, at least two of them")
    if not levels[0] <= wanted <= levels[-1]:
        raise PolicyRefusal("level_outside", f"{wanted} is outside {levels[0]} to {levels[-1]}")
    for place in range(1, len(levels)):
        if wanted <= levels[place]:
            share = (wanted - levels[place - 1]) / (levels[place] - levels[place - 1])
            return units[place - 1] + share * (units[place] - units[place - 1])
    return units[-1]
