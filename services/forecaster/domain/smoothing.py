"""The smoothing family, all items at once: moving average, exponential smoothing, Holt, Holt-Winters, Theta.

A loop runs over periods, never over items. An unknown period leaves every state as it was. Parameters are chosen per
item from a small grid by the squared one-step error in its own past, which is all these methods learn.

Sources: Gardner (2006) for damped trends; Hyndman & Billah (2003) for Theta as smoothing with half the drift;
checked against statsforecast in tests/unit/forecaster/test_strategies.py.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from kernel.distribution import DAYS
from services.forecaster.domain.features import levels, sizes_when_sold
from services.forecaster.domain.panel import DemandPanel, FloatArray, IntArray
from services.forecaster.domain.strategy import Expected

ALPHAS = (0.02, 0.05, 0.1, 0.2, 0.4)
BETAS = (0.02, 0.1)
GAMMAS = (0.05, 0.2)
DAMPING = 0.97  # of the trend, per period: a trend seen today is half gone after three weeks
SEASON = 7
REACH_DAYS = 364
PERIODS_PER_PARAMETER = 3  # a richer model must earn its parameters over so many periods of data


def answer(panel: DemandPanel, origin: int, by_day: FloatArray, chosen: IntArray | None) -> Expected:
    """What every simple strategy returns: nothing below zero, young items from their like items. `by_day` holds the
    `chosen` items (None: all)."""
    fallback, sizes = levels(panel, origin), sizes_when_sold(panel, origin)
    if chosen is not None:
        fallback, sizes = fallback[chosen], sizes[chosen]
    return Expected(np.maximum(np.where(np.isfinite(by_day), by_day, fallback[:, None]), 0.0), sizes)


def recent(panel: DemandPanel, origin: int, days: int = REACH_DAYS, chosen: IntArray | None = None) -> FloatArray:
    """The last periods up to the origin of the chosen items (None: all): (items, periods)."""
    part = panel.demand[:, max(0, origin + 1 - panel.span(days)) : origin + 1]
    return part if chosen is None else part[chosen]


@dataclass(frozen=True, slots=True)
class MovingAverage:
    """The mean of the last known days, repeated."""

    days: int = 28

    @property
    def name(self) -> str:
        return "moving_average"

    @property
    def strategy(self) -> str:
        return self.name

    def fit(self, panel: DemandPanel) -> "MovingAverage":
        return self

    def expected(self, panel: DemandPanel, origin: int, days: int = DAYS, chosen: IntArray | None = None) -> Expected:
        part = recent(panel, origin, self.days, chosen)
        known = (~np.isnan(part)).sum(axis=1)
        mean = np.where(known > 0, np.nansum(part, axis=1) / np.maximum(known, 1), np.nan)
        return answer(panel, origin, np.repeat(mean[:, None], days, axis=1), chosen)


@dataclass(frozen=True, slots=True)
class ExponentialSmoothing:
    """`kind`: ses (level), holt (damped trend), holt_winters (damped trend and additive season of a week), or ets:
    whichever of the three explains the item's past best for its number of parameters (AICc)."""

    kind: str = "ets"

    @property
    def name(self) -> str:
        return self.kind

    @property
    def strategy(self) -> str:
        return self.kind

    def fit(self, panel: DemandPanel) -> "ExponentialSmoothing":
        return self

    def expected(self, panel: DemandPanel, origin: int, days: int = DAYS, chosen: IntArray | None = None) -> Expected:
        part = recent(panel, origin, chosen=chosen)
        kinds = ("ses", "holt", "holt_winters") if self.kind == "ets" else (self.kind,)
        best, best_score = np.full((len(part), days), np.nan), np.full(len(part), np.inf)
        known = np.maximum((~np.isnan(part)).sum(axis=1), 1)
        for kind in kinds:
            for alpha, beta, gamma in _grid(kind):
                season = SEASON if gamma and panel.step_days == 1 else 0
                forecast, error = smooth(part, alpha, beta, gamma if season else 0.0, season, days)
                parameters = 2 + 2 * (beta > 0) + (1 + SEASON) * (season > 0)
                room = np.maximum(known - parameters - 1, 0.5)
                score = known * np.log(error / known + 1e-9) + 2 * parameters * known / room
                better = score < best_score
                best[better], best_score[better] = forecast[better], score[better]
        return answer(panel, origin, best, chosen)


@dataclass(frozen=True, slots=True)
class Theta:
    """The standard Theta method: simple smoothing with half of the linear drift, on deseasonalised demand."""

    @property
    def name(self) -> str:
        return "theta"

    @property
    def strategy(self) -> str:
        return self.name

    def fit(self, panel: DemandPanel) -> "Theta":
        return self

    def expected(self, panel: DemandPanel, origin: int, days: int = DAYS, chosen: IntArray | None = None) -> Expected:
        part = recent(panel, origin, chosen=chosen)
        season = SEASON if panel.step_days == 1 else 1
        factors = _weekday_factors(part, season)
        column = np.arange(part.shape[1]) % season
        level = np.full((len(part), 1), np.nan)
        lowest, used = np.full(len(part), np.inf), np.full(len(part), ALPHAS[0])
        for alpha in ALPHAS:
            flat, error = smooth(part / factors[:, column], alpha, 0.0, 0.0, 0, 1)
            better = error < lowest
            level[better], lowest[better], used[better] = flat[better], error[better], alpha
        drift = _slope(part / factors[:, column]) / 2
        count = (~np.isnan(part)).sum(axis=1)
        lag = (1 - (1 - used) ** count) / used
        ahead = np.arange(days)
        path = level + drift[:, None] * (ahead[None, :] + lag[:, None])
        return answer(panel, origin, path * factors[:, (part.shape[1] + ahead) % season], chosen)


def smooth(
    demand: FloatArray, alpha: float, beta: float, gamma: float, season: int, days: int
) -> tuple[FloatArray, FloatArray]:
    """Smoothing in error-correction form: forecasts (items, days) and the sum of squared one-step errors (items).

    beta = 0 means no trend, season = 0 no season. The first known value is the first level, as in statsforecast.
    """
    items, periods = demand.shape
    level, trend = np.full(items, np.nan), np.zeros(items)
    shape = np.zeros((items, max(season, 1)))
    error = np.zeros(items)
    if season and periods >= 2 * season:
        folded = np.where(np.isnan(demand), np.nan, demand)
        mean = _nanmean(folded)
        for day in range(season):
            shape[:, day] = np.nan_to_num(_nanmean(folded[:, day::season]) - mean)
    for period in range(periods):
        value, place = demand[:, period], period % max(season, 1)
        known = ~np.isnan(value)
        begins = known & np.isnan(level)
        level = np.where(begins, value - shape[:, place], level)
        follows = known & ~begins
        ahead = level + DAMPING * trend
        gap = np.where(follows, value - (ahead + shape[:, place]), 0.0)
        error += gap * gap
        level = np.where(follows, ahead + alpha * gap, level)
        trend = np.where(follows, DAMPING * trend + alpha * beta * gap, trend) if beta else trend
        if season:
            shape[:, place] += gamma * (1 - alpha) * gap
    steps = np.arange(1, days + 1)
    damped = np.cumsum(DAMPING**steps)
    places = (periods + steps - 1) % max(season, 1)
    return level[:, None] + trend[:, None] * damped[None, :] + shape[:, places], error


def _grid(kind: str) -> list[tuple[float, float, float]]:
    betas = BETAS if kind in ("holt", "holt_winters") else (0.0,)
    gammas = GAMMAS if kind == "holt_winters" else (0.0,)
    return list(product(ALPHAS, betas, gammas))


def _nanmean(part: FloatArray) -> FloatArray:
    known = (~np.isnan(part)).sum(axis=1)
    return np.asarray(np.where(known > 0, np.nansum(part, axis=1) / np.maximum(known, 1), np.nan))


def _weekday_factors(part: FloatArray, season: int) -> FloatArray:
    """Demand on each place of the season over the mean, mixed with one: four seasons of prior."""
    mean = np.nan_to_num(_nanmean(part))[:, None] + 1e-9
    factors = np.ones((len(part), season))
    for place in range(season if season > 1 else 0):
        column = part[:, place::season]
        known = (~np.isnan(column)).sum(axis=1)[:, None]
        factors[:, place : place + 1] = (np.nansum(column, axis=1)[:, None] / mean + 4.0) / (known + 4.0)
    return np.maximum(factors, 0.05)


def _slope(part: FloatArray) -> FloatArray:
    """Least-squares slope over the known periods, per period."""
    known = ~np.isnan(part)
    count = np.maximum(known.sum(axis=1), 1)
    time = np.where(known, np.arange(part.shape[1])[None, :], 0)
    filled = np.where(known, part, 0.0)
    centre = time.sum(axis=1) / count
    spread = np.maximum((time * time).sum(axis=1) - count * centre**2, 1e-9)
    return np.asarray(((time * filled).sum(axis=1) - centre * filled.sum(axis=1)) / spread)
