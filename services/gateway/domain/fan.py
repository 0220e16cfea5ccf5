"""The forecast as a chart draws it: expected demand and bands by day, and the band of the total over a span of days.

The published distribution is that of *cumulative* demand. A band for a single later day is not published, so it is drawn
from the published distribution of the first days with demand, stretched to each day's expected demand; it shows how lumpy a
day is.
Totals over several days are never added up from day bands: they come from the cumulative quantiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

# A day, or the first days together, on which less than this share of the usual is expected is one of closed doors.
SHARE_OF_A_DAY = 0.1
# Levels that are drawn: the 80 % and the 98 % band around the median, out of the published ones.
DRAWN_LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Published:
    """A published forecast: `mean_e4` units·10⁴ by day, `quantiles_e2` units·10² by node horizon and level."""

    origin: date
    horizons_days: Sequence[int]
    levels: Sequence[float]
    mean_e4: Sequence[int]
    quantiles_e2: Sequence[Sequence[int]]

    def column(self, level: float) -> int:
        return min(range(len(self.levels)), key=lambda index: abs(self.levels[index] - level))


@dataclass(frozen=True, slots=True)
class DayBand:
    """Demand of one day, units."""

    on: date
    mean: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SpanBand:
    """Demand from the day after the origin until the end of `on`, units."""

    on: date
    days: int
    mean: float
    quantiles: tuple[float, ...]


def day_bands(forecast: Published, days: int) -> tuple[DayBand, ...]:
    """Expected demand and drawn bands of each of the next `days` days."""
    columns = [forecast.column(level) for level in DRAWN_LEVELS]
    totals = [sum(forecast.mean_e4[:horizon]) / 10_000 for horizon in forecast.horizons_days]
    usual = totals[-1] / forecast.horizons_days[-1] * SHARE_OF_A_DAY
    pace = [total / horizon for total, horizon in zip(totals, forecast.horizons_days, strict=True)]
    open_ = next((node for node, units in enumerate(pace) if units > 0 and units >= usual), 0)
    first_mean = totals[open_]
    first = [forecast.quantiles_e2[open_][column] / 100 for column in columns]
    bands = []
    for day, mean_e4 in enumerate(forecast.mean_e4[:days]):
        mean = mean_e4 / 10_000
        stretch = mean / first_mean if first_mean > 0 else 0.0
        bands.append(
            DayBand(
                forecast.origin + timedelta(days=day + 1), round(mean, 3), tuple(round(q * stretch, 3) for q in first)
            )
        )
    return tuple(bands)


def span_bands(forecast: Published) -> tuple[SpanBand, ...]:
    """The published quantiles of cumulative demand, at the node horizons."""
    columns = [forecast.column(level) for level in DRAWN_LEVELS]
    return tuple(
        SpanBand(
            forecast.origin + timedelta(days=horizon),
            horizon,
            round(sum(forecast.mean_e4[:horizon]) / 10_000, 3),
            tuple(row[column] / 100 for column in columns),
        )
        for horizon, row in zip(forecast.horizons_days, forecast.quantiles_e2, strict=True)
    )


def sentence(forecast: Published, days: int = 14) -> str:
    """The chart in words, for those who cannot see it: expected total and its 80 % band over `days` (a node horizon)."""
    band = next(span for span in span_bands(forecast) if span.days == days)
    low, high = band.quantiles[DRAWN_LEVELS.index(0.1)], band.quantiles[DRAWN_LEVELS.index(0.9)]
    return f"Next {days} days: {_units(band.mean)} expected, {_units(low)} to {_units(high)} likely (80 %)."


def _units(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:,.1f}".removesuffix(".0")
