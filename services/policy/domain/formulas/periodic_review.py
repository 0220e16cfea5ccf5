"""(s, S): when the position is at or below s at review, order up to S. Exact for Poisson, power approximation for normal."""

from math import sqrt

from scipy import stats

from services.policy.domain.formulas.loss import poisson_loss
from services.policy.domain.refusal import PolicyRefusal, require_positive

LEVELS_MAX = 100_000  # above this many units the exact enumeration is the wrong tool; use the power approximation


def exact_poisson(
    *, holding_cost: float, stockout_cost: float, setup_cost: float, mean_units: float
) -> tuple[int, int, float]:
    """Optimal (s, S, cost per period) for Poisson demand per period, order when the position is at or below s.

    Raises PolicyRefusal: costs_not_positive, demand_degenerate, too_many_levels.
    Source: Zheng & Federgruen 1991; Snyder & Shen, section 4.4.4; example 4.7.
    """
    require_positive("costs_not_positive", holding_cost=holding_cost, stockout_cost=stockout_cost)
    require_positive("costs_not_positive", setup_cost=setup_cost)
    require_positive("demand_degenerate", mean_units=mean_units)
    if mean_units > LEVELS_MAX:
        raise PolicyRefusal("too_many_levels", f"{mean_units=}: use the power approximation above {LEVELS_MAX}")
    one_period: dict[int, float] = {}

    def period_cost(level: int) -> float:
        if level not in one_period:
            if level < 0:
                one_period[level] = stockout_cost * (mean_units - level)
            else:
                shortage, left_over = poisson_loss(level, mean_units)
                one_period[level] = holding_cost * left_over + stockout_cost * shortage
        return one_period[level]

    renewal = _Renewal(mean_units)

    def policy_cost(low: int, high: int) -> float:
        inventory = sum(renewal.visits(step) * period_cost(high - step) for step in range(high - low))
        return (setup_cost + inventory) / renewal.periods(high - low)

    middle = int(stats.poisson.ppf(stockout_cost / (stockout_cost + holding_cost), mean_units))
    low, high = middle - 1, middle
    while policy_cost(low, high) > period_cost(low):
        low -= 1
    best_low, best_high, best_cost = low, high, policy_cost(low, high)
    high += 1
    while period_cost(high) <= best_cost:
        if policy_cost(best_low, high) < best_cost:
            best_high = high
            while policy_cost(best_low, high) <= period_cost(best_low + 1):
                best_low += 1
            best_cost = policy_cost(best_low, best_high)
        high += 1
    return best_low, best_high, best_cost


class _Renewal:
    """Expected visits to each distance below S within one order cycle, for Poisson steps."""

    def __init__(self, mean_units: float) -> None:
        self._mean = mean_units
        self._masses = [float(stats.poisson.pmf(0, mean_units))]
        self._visits = [1.0 / (1.0 - self._masses[0])]
        self._periods = [0.0, self._visits[0]]

    def visits(self, distance: int) -> float:
        while len(self._visits) <= distance:
            step = len(self._visits)
            self._masses.append(float(stats.poisson.pmf(step, self._mean)))
            arrived = sum(self._masses[size] * self._visits[step - size] for size in range(1, step + 1))
            self._visits.append(arrived * self._visits[0])
            self._periods.append(self._periods[-1] + self._visits[-1])
        return self._visits[distance]

    def periods(self, distance: int) -> float:
        self.visits(distance)
        return self._periods[distance]


def power_approximation(
    *,
    holding_cost: float,
    stockout_cost: float,
    setup_cost: float,
    mean_units: float,
    sd_units: float,
    lead_time_periods: int = 0,
) -> tuple[float, float]:
    """Near-optimal (s, S) for normal-like demand per period, without the truncation for very small order quantities.

    Raises PolicyRefusal: costs_not_positive, demand_degenerate.
    Source: Ehrhardt & Mosier 1984; Snyder & Shen, section 4.4.5.2; example 4.8.
    """
    require_positive("costs_not_positive", holding_cost=holding_cost, stockout_cost=stockout_cost)
    require_positive("costs_not_positive", setup_cost=setup_cost)
    require_positive("demand_degenerate", mean_units=mean_units, sd_units=sd_units)
    exposure_mean = mean_units * (lead_time_periods + 1)
    exposure_sd = sd_units * sqrt(lead_time_periods + 1)
    ratio = setup_cost / holding_cost
    quantity = 1.30 * mean_units**0.494 * ratio**0.506 * (1.0 + exposure_sd**2 / mean_units**2) ** 0.116
    depth = sqrt(quantity * holding_cost / (exposure_sd * stockout_cost))
    point = 0.973 * exposure_mean + exposure_sd * (0.183 / depth + 1.063 - 2.192 * depth)
    return point, point + quantity
