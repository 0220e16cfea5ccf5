"""Seasonal baselines: the same weekday of the last week (naive), or of the last eight weeks on average.

The average is what answers while no model is trained; the naive one is the yardstick of forecast value added.
"""

from dataclasses import dataclass

import numpy as np

from kernel.distribution import DAYS
from services.forecaster.domain.features import levels, sizes_when_sold
from services.forecaster.domain.panel import DemandPanel, FloatArray, IntArray
from services.forecaster.domain.strategy import Expected

SEASON_DAYS = 7
PRIOR_WEEKS = 2.0  # weeks of the item's flat level mixed into a weekday's average: two sales do not make a pattern


@dataclass(frozen=True, slots=True)
class SeasonalNaive:
    """Mean of the last `weeks` same weekdays; with one week, the textbook seasonal naive of season 7.

    Unknown days are left out; a weekday never seen takes the item's level, which for a young item leans on its
    category. No parameters are learned, so fitting returns the strategy itself.
    """

    weeks: int = 8

    @property
    def name(self) -> str:
        return "seasonal_naive" if self.weeks == 1 else "seasonal_mean"

    @property
    def strategy(self) -> str:
        return self.name

    def fit(self, panel: DemandPanel) -> "SeasonalNaive":
        return self

    def expected(self, panel: DemandPanel, origin: int, days: int = DAYS, chosen: IntArray | None = None) -> Expected:
        level = levels(panel, origin)
        profile = np.empty((len(panel.item_ids), SEASON_DAYS))
        for ahead in range(1, SEASON_DAYS + 1):
            first_back = origin + ahead - SEASON_DAYS
            columns = [first_back - SEASON_DAYS * week for week in range(self.weeks)]
            profile[:, ahead - 1] = self._weekday_mean(panel.demand[:, [c for c in columns if c >= 0]], level)
        by_day = np.maximum(profile[:, np.arange(days) % SEASON_DAYS], 0.0)
        sizes = sizes_when_sold(panel, origin)
        return Expected(by_day, sizes) if chosen is None else Expected(by_day[chosen], sizes[chosen])

    def _weekday_mean(self, part: FloatArray, level: FloatArray) -> FloatArray:
        known = np.sum(~np.isnan(part), axis=1)
        prior = 0.0 if self.weeks == 1 else PRIOR_WEEKS
        total = np.nansum(part, axis=1) + prior * level
        weeks = known + prior
        return np.where(weeks > 0, total / np.maximum(weeks, 1e-9), level)
