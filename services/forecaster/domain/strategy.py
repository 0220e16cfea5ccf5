"""What every way of forecasting has in common: expected demand by day at an origin; a distribution around it is
then calibrated the same way for all of them (`calibration`)."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kernel.distribution import DAYS, HORIZONS_DAYS
from services.forecaster.domain.panel import BoolArray, DemandPanel, FloatArray, IntArray

FALL_UNITS = 0.1  # so much is no fall
FALL_POWER = 0.25  # a fall to a sixteenth ranks like twice the lumpiness; roots up to the second lose the same


class MeanForecaster(Protocol):
    """A fitted strategy. `expected` reads only columns up to `origin` of the frame it is given; `chosen` rows limit
    what is answered, never what is looked at, so that one item alone gets the same numbers as with all others."""

    @property
    def strategy(self) -> str: ...

    def expected(
        self, panel: DemandPanel, origin: int, days: int = DAYS, chosen: IntArray | None = None
    ) -> "Expected": ...


class Strategy(Protocol):
    """A way of forecasting that can learn from a frame."""

    @property
    def name(self) -> str: ...

    def fit(self, panel: DemandPanel) -> MeanForecaster: ...


class SimpleStrategy(Strategy, MeanForecaster, Protocol):
    """A strategy that learns nothing from a frame but what it reads when asked: it is its own fitted form."""


@dataclass(frozen=True, slots=True)
class Expected:
    """`by_day` (items, days): expected demand in units per day; `lumpiness` (items): how burst-like demand comes,
    the mean quantity on a day with a sale, in units (1 = always single units); `shut` (items, days): days on which the
    location will be closed, None where it is open on all; `usual` (items): mean daily demand over the past year, in units,
    None where nobody looked."""

    by_day: FloatArray
    lumpiness: FloatArray
    shut: BoolArray | None = None
    usual: FloatArray | None = None

    def unrest(self, totals: FloatArray, periods: int) -> FloatArray:
        """(items): lumpiness, more of it where less is expected of so many periods (`totals`, cumulated by period) than is
        usual: what has fallen may come back."""
        if self.usual is None:
            return self.lumpiness
        usual, expected = self.usual * periods + FALL_UNITS, totals[:, periods - 1] + FALL_UNITS
        return np.asarray(self.lumpiness * np.maximum(usual / expected, 1.0) ** FALL_POWER, dtype=np.float64)

    def cumulative(self) -> FloatArray:
        """Expected demand cumulated to each node horizon that lies within the days: (items, nodes)."""
        total = np.cumsum(self.by_day, axis=1)
        nodes = [days - 1 for days in HORIZONS_DAYS if days <= self.by_day.shape[1]]
        return total[:, nodes]


@dataclass(frozen=True, slots=True)
class DistributionForecast:
    """Means by day (items, 56) and quantiles of cumulative demand (items, nodes, levels), in units."""

    by_day: FloatArray
    quantiles: FloatArray
