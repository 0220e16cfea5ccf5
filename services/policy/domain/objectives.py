"""Stock levels by weighed objectives: sales lost, stock held, and the risk of a bad outcome; and which weights are worth having.

Demand until the receipt of the order after next is looked at as `POINTS` equally probable outcomes: the quantiles in the middle
of as many slices. All three objectives are money of one such cycle, so that weights compare like with like.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.policy.domain.columns import DAYS_PER_YEAR, Columns, Floats
from services.policy.domain.refusal import PolicyRefusal, require_not_negative

POINTS = 40
# The risk is what the worst tenth of the outcomes costs on average (CVaR at 90 %).
TAIL_POINTS = 4


@dataclass(frozen=True, slots=True)
class Weights:
    """How much a unit of money counts that is lost for want of stock, spent on holding it, and lost in a bad cycle."""

    service: float
    cost: float
    risk: float

    def __post_init__(self) -> None:
        require_not_negative("weights_invalid", service=self.service, cost=self.cost, risk=self.risk)
        if not 0 < self.service + self.cost + self.risk < float("inf"):
            raise PolicyRefusal("weights_invalid", "at least one weight must be above 0, and all finite")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stock levels lead to, one row each: expected margin lost and cost of holding what is left, money a cycle; the mean
    cost of the worst tenth of outcomes; expected units short and left."""

    lost: Floats
    held: Floats
    tail: Floats
    short_units: Floats
    left_units: Floats


def outcomes_of(quantile: Callable[[Floats], Floats], count: int) -> Floats:
    """Demand as equally probable outcomes (count, POINTS), units, rising; `quantile` asks its distribution."""
    columns = [quantile(np.full(count, (index + 0.5) / POINTS)) for index in range(POINTS)]
    return np.stack(columns, axis=1)


def holding_of(columns: Columns) -> Floats:
    """Cost of a unit that is left over: held for one review interval, money."""
    days = np.maximum(columns.protection_days - columns.lead_days, 1.0)
    return columns.holding_cost * days / DAYS_PER_YEAR


def judged(demand: Floats, level: Floats, margin: Floats, holding: Floats) -> Outcome:
    """What each row's level leads to. demand: (n, POINTS) units; margin and holding: money per unit short, and left.

    CVaR = mean of the TAIL_POINTS largest costs of equally probable outcomes.
    Source: Rockafellar & Uryasev 2000; Gotoh & Takano 2007 for the newsvendor.
    """
    short = np.maximum(demand - level[:, np.newaxis], 0.0)
    left = np.maximum(level[:, np.newaxis] - demand, 0.0)
    money = np.sort(short * margin[:, np.newaxis] + left * holding[:, np.newaxis], axis=1)
    short_units, left_units = _mean(short), _mean(left)
    return Outcome(short_units * margin, left_units * holding, _mean(money[:, -TAIL_POINTS:]), short_units, left_units)


@dataclass(frozen=True, slots=True)
class Choices:
    """What each outcome of demand would lead to as stock level: (n, POINTS) levels in units, and money a cycle of each."""

    levels: Floats
    lost: Floats
    held: Floats
    tail: Floats

    def best(self, service: Floats, cost: Floats, risk: Floats) -> Floats:
        """The level of each row that weighs least; of equals the lowest. Units.

        Without risk that is the newsvendor's fractile: service x margin / (service x margin + cost x holding).
        """
        weights = (one[:, np.newaxis] for one in (service, cost, risk))
        parts = zip(weights, (self.lost, self.held, self.tail), strict=True)
        weighed = np.zeros(self.levels.shape)
        for weight, money in parts:
            weighed = weighed + weight * money
        place = np.round(weighed, 9).argmin(axis=1)
        best: Floats = self.levels[np.arange(len(place)), place]
        return best


def choices_of(demand: Floats, margin: Floats, holding: Floats) -> Choices:
    """All choices of each row, from which weights pick one."""
    told = [judged(demand, demand[:, index], margin, holding) for index in range(demand.shape[1])]
    lost, held, tail = (np.stack([getattr(one, name) for one in told], axis=1) for name in ("lost", "held", "tail"))
    return Choices(demand, lost, held, tail)


def weighed_levels(columns: Columns, quantile: Callable[[Floats], Floats]) -> Floats:
    """The best level of each row by its class' weights, units."""
    demand = outcomes_of(quantile, len(columns.goal))
    choices = choices_of(demand, columns.margin, holding_of(columns))
    return choices.best(columns.weight_service, columns.weight_cost, columns.weight_risk)


def _mean(values: Floats) -> Floats:
    """Mean over the second axis in a fixed order: the same bits for a row alone or among others."""
    total: Floats = np.zeros(len(values))
    for index in range(values.shape[1]):
        total = total + values[:, index]
    mean: Floats = total / values.shape[1]
    return mean


def efficient(points: Sequence[Sequence[float]]) -> list[bool]:
    """Which points no other one beats: at most as much everywhere and less somewhere (smaller is better). Of equal points all
    are efficient. Source: Pareto."""
    table = np.asarray(points, dtype=np.float64)
    told = []
    for one in table:
        is_beaten = ((table <= one).all(axis=1) & (table < one).any(axis=1)).any()
        told.append(not bool(is_beaten))
    return told
