"""Methods for demand that comes now and then, all items at once: Croston-SBA, TSB, ADIDA, IMAPA.

Sources: Syntetos & Boylan (2005) for the 5 % correction; Teunter, Syntetos & Babai (2011) for TSB; Nikolopoulos et al.
(2011) for ADIDA; Petropoulos & Kourentzes (2015) for IMAPA. Croston-SBA is biased high on sparse retail demand (+34 %
measured, docs/forecasting.md): a fallback, no default. Unknown periods are left out as if they had not been.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kernel.distribution import DAYS
from services.forecaster.domain.panel import DemandPanel, FloatArray, IntArray
from services.forecaster.domain.smoothing import answer, recent, smooth
from services.forecaster.domain.strategy import Expected

CROSTON_ALPHA = 0.1
TSB_ALPHAS = (0.1, 0.05)  # of sizes, of the probability of a sale
SBA_CORRECTION = 0.95
AGGREGATE_ALPHAS = (0.1, 0.15, 0.2, 0.25, 0.3)
BUCKET_MAX = 28


@dataclass(frozen=True, slots=True)
class Intermittent:
    """One of RATES by name; the same rate for every day ahead."""

    method: str = "tsb"

    @property
    def name(self) -> str:
        return self.method

    @property
    def strategy(self) -> str:
        return self.method

    def fit(self, panel: DemandPanel) -> "Intermittent":
        return self

    def expected(self, panel: DemandPanel, origin: int, days: int = DAYS, chosen: IntArray | None = None) -> Expected:
        part = recent(panel, origin, chosen=chosen)
        rate = RATES[self.method](part)
        return answer(panel, origin, np.repeat(rate[:, None], days, axis=1), chosen)


def croston_sba(demand: FloatArray, alpha: float = CROSTON_ALPHA) -> FloatArray:
    """Smoothed size over smoothed interval, less 5 %: units per period; zero where nothing was ever sold."""
    items = len(demand)
    size, interval, waited = np.zeros(items), np.zeros(items), np.zeros(items)
    for value in demand.T:
        known = ~np.isnan(value)
        waited += known
        sold = known & (np.nan_to_num(value) > 0)
        first = sold & (interval == 0)
        size = np.where(first, value, np.where(sold, alpha * value + (1 - alpha) * size, size))
        interval = np.where(first, waited, np.where(sold, alpha * waited + (1 - alpha) * interval, interval))
        waited = np.where(sold, 0.0, waited)
    return np.where(interval > 0, SBA_CORRECTION * size / np.maximum(interval, 1.0), 0.0)


def tsb(demand: FloatArray, alphas: tuple[float, float] = TSB_ALPHAS) -> FloatArray:
    """Smoothed size times smoothed probability of a sale: falls by itself when an item stops selling."""
    items = len(demand)
    size, chance = np.zeros(items), np.full(items, np.nan)
    for value in demand.T:
        known = ~np.isnan(value)
        sold = known & (np.nan_to_num(value) > 0)
        chance = np.where(
            known, np.where(np.isnan(chance), sold, chance + alphas[1] * (sold - np.nan_to_num(chance))), chance
        )
        size = np.where(sold, np.where(size == 0, value, size + alphas[0] * (np.nan_to_num(value) - size)), size)
    return np.asarray(size * np.nan_to_num(chance))


def adida(demand: FloatArray) -> FloatArray:
    """Sums over buckets as long as the mean interval between sales, smoothed, and spread evenly again."""
    bucket = mean_interval(demand)
    rate = np.zeros(len(demand))
    for width in np.unique(bucket).tolist():
        mine = bucket == width
        rate[mine] = _smoothed_buckets(demand[mine], width)
    return rate


def imapa(demand: FloatArray) -> FloatArray:
    """The mean of the same over every bucket from one period to the mean interval."""
    longest = mean_interval(demand)
    total = np.zeros(len(demand))
    for width in range(1, int(longest.max(initial=1)) + 1):
        mine = longest >= width
        total[mine] += _smoothed_buckets(demand[mine], width)
    return np.asarray(total / longest)


def mean_interval(demand: FloatArray) -> IntArray:
    """Known periods per period with a sale, rounded, between 1 and BUCKET_MAX."""
    known = (~np.isnan(demand)).sum(axis=1)
    sales = (np.nan_to_num(demand) > 0).sum(axis=1)
    return np.asarray(np.clip(np.rint(known / np.maximum(sales, 1)), 1, BUCKET_MAX).astype(np.int64))


def _smoothed_buckets(demand: FloatArray, width: int) -> FloatArray:
    """Simple smoothing of the means of whole buckets, counted back from the newest; the best of a grid per item."""
    whole = demand.shape[1] // width * width
    if not whole:
        return np.asarray(np.nansum(demand, axis=1) / np.maximum((~np.isnan(demand)).sum(axis=1), 1))
    folded = demand[:, demand.shape[1] - whole :].reshape(len(demand), -1, width)
    known = (~np.isnan(folded)).sum(axis=2)
    mean = np.where(known > 0, np.nansum(folded, axis=2) / np.maximum(known, 1), np.nan)
    best, lowest = np.zeros(len(demand)), np.full(len(demand), np.inf)
    for alpha in AGGREGATE_ALPHAS:
        level, error = smooth(mean, alpha, 0.0, 0.0, 0, 1)
        better = error < lowest
        best[better], lowest[better] = np.nan_to_num(level[better, 0]), error[better]
    return best


RATES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "croston_sba": croston_sba, "tsb": tsb, "adida": adida, "imapa": imapa,
}  # fmt: skip
