"""A chain of stages, the last of which serves customers: echelon base-stock levels, exact and by newsvendor bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import signal, stats

from services.policy.domain.refusal import PolicyRefusal, require_not_negative, require_positive

Floats = NDArray[np.float64]
CELLS_PER_SD = 200  # grid of the dynamic programme for continuous demand: levels are right to a two-hundredth sd
REACH_SD = 9.0  # demand further out has a probability below 1e-18


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: echelon holding cost (money per unit and period, beyond what the stage before costs) and its lead time
    from the stage before, periods."""

    echelon_holding_cost: float
    lead_time_periods: float


@dataclass(frozen=True, slots=True)
class Chain:
    """`stages` from the customer upwards: stages[0] serves customers. Stock-out cost: money per unit and period.

    `sd_units` None means Poisson demand in whole units; otherwise normal demand. Per period.
    """

    stages: Sequence[Stage]
    stockout_cost: float
    mean_units: float
    sd_units: float | None = None

    def __post_init__(self) -> None:
        if not self.stages:
            raise PolicyRefusal("chain_empty", "needs at least one stage")
        require_positive("costs_not_positive", stockout_cost=self.stockout_cost)
        require_positive("demand_degenerate", mean_units=self.mean_units)
        if self.sd_units is not None:
            require_positive("demand_degenerate", sd_units=self.sd_units)
        for one in self.stages:
            require_positive("costs_not_positive", echelon_holding_cost=one.echelon_holding_cost)
            require_not_negative("lead_time_negative", lead_time_periods=one.lead_time_periods)

    def costs_above(self, first: int) -> float:
        """Sum of the echelon holding costs of the stages from `first` upwards."""
        return sum(one.echelon_holding_cost for one in self.stages[first:])


def clark_scarf(chain: Chain) -> tuple[list[float], float]:
    """(echelon base-stock level of each stage in units, from the customer upwards; expected cost per period), optimal.

    C_j(y) = E[h_j (y - D_j) + C_(j-1)(min(S_(j-1), y - D_j))], with (p + sum h)(-x)+ below the first stage; S_j minimises it.
    Exact for Poisson demand; for normal demand to the grid. Raises PolicyRefusal: chain_empty, costs_not_positive,
    demand_degenerate, lead_time_negative.
    Source: Clark & Scarf 1960, Chen & Zheng 1994; Snyder & Shen, section 6.2.2; example 6.1.
    """
    total = sum(one.lead_time_periods for one in chain.stages)
    spread = sqrt(chain.mean_units if chain.sd_units is None else 1.0) * (chain.sd_units or 1.0)
    step = 1.0 if chain.sd_units is None else spread / CELLS_PER_SD
    reach = REACH_SD * spread * sqrt(max(total, 1.0)) + 10.0
    top = float(np.ceil((chain.mean_units * total + reach) / step))
    cells = np.arange(-2.0 * top, top + 1.0)
    stock = cells * step
    below = (chain.stockout_cost + chain.costs_above(0)) * np.maximum(-stock, 0.0)
    levels: list[float] = []
    cost = 0.0
    for one in chain.stages:
        wanted = one.echelon_holding_cost * stock + below
        first, masses = _lead_time_masses(chain, one.lead_time_periods, step)
        ahead = _expected(wanted, first, masses)
        best = int(np.argmin(ahead))
        levels.append(float(stock[best]))
        cost = float(ahead[best])
        below = np.where(np.arange(len(stock)) < best, ahead, ahead[best])
    return levels, cost


def _lead_time_masses(chain: Chain, periods: float, step: float) -> tuple[int, Floats]:
    """(first cell, probability by cell) of the demand during a lead time."""
    mean = chain.mean_units * periods
    if mean == 0.0:
        return 0, np.ones(1)
    if chain.sd_units is None:
        last = int(stats.poisson.isf(1e-16, mean)) + 1
        masses: Floats = stats.poisson.pmf(np.arange(last + 1), mean)
        return 0, masses / masses.sum()
    spread = chain.sd_units * sqrt(periods)
    first, last = int(np.floor((mean - REACH_SD * spread) / step)), int(np.ceil((mean + REACH_SD * spread) / step))
    edges = (np.arange(first, last + 2) - 0.5) * step
    masses = np.diff(stats.norm.cdf(edges, mean, spread))
    return first, masses / masses.sum()


def _expected(values: Floats, first: int, masses: Floats) -> Floats:
    """E[values(x - D)] on the same grid; beyond its ends the function goes on as straight as it arrives there."""
    before, after = len(masses) + abs(first), abs(first) + 1
    left = values[0] + (values[0] - values[1]) * np.arange(before, 0, -1)
    right = values[-1] + (values[-1] - values[-2]) * np.arange(1, after + 1)
    whole = np.concatenate([left, values, right])
    averaged = signal.fftconvolve(whole, masses)
    start = before - first
    found: Floats = averaged[start : start + len(values)]
    return found


def shang_song(chain: Chain) -> list[float]:
    """Echelon base-stock levels by the mean of two newsvendor bounds, units, from the customer upwards.

    Lower: all holding costs so far against the rest; upper: the stage's own. Raises as `clark_scarf`.
    Source: Shang & Song 2003; Snyder & Shen, eq. 6.32; example 6.1.
    """
    levels = []
    periods = 0.0
    whole = chain.stockout_cost + chain.costs_above(0)
    for place, one in enumerate(chain.stages):
        periods += one.lead_time_periods
        reward = chain.stockout_cost + chain.costs_above(place + 1)
        ratios = (reward / (reward + one.echelon_holding_cost), reward / whole)
        if chain.sd_units is None:
            found = [float(stats.poisson.ppf(ratio, chain.mean_units * periods)) for ratio in ratios]
        else:
            mean, spread = chain.mean_units * periods, chain.sd_units * sqrt(periods)
            found = [float(stats.norm.ppf(ratio, mean, spread)) for ratio in ratios]
        levels.append(sum(found) / 2.0)
    return levels
