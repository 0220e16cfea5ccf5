"""Rolling-origin back-tests: what each strategy would have said on past days, and what then came.

At every origin a strategy sees the frame cut at that day and nothing else (`DemandPanel.until`), is fitted and
calibrated on it as in production, and speaks once. All items train; only the chosen ones are scored.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kernel.distribution import DAYS, HORIZONS_DAYS, LEVELS
from services.forecaster.domain.accuracy import SCORED_LEVELS, Sums
from services.forecaster.domain.baseline import SeasonalNaive
from services.forecaster.domain.calibration import Calibration, calibration_origins, collect
from services.forecaster.domain.panel import DemandPanel, FloatArray, IntArray
from services.forecaster.domain.strategy import Strategy
from services.forecaster.model.pipeline import DAYS_TO_TRAIN_MIN, Calibrated, train

SHOWN_HORIZONS_DAYS = (1, 7, 14, 28)
OVERLAY_DAYS = 28
_LEVEL_COLUMNS = [LEVELS.index(level) for level in SCORED_LEVELS]
_NAIVE = SeasonalNaive(1)

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Spoken:
    """One strategy at one origin for the chosen items: means by day and quantiles of totals at the node horizons, and
    the same totals by repeating the last week. Units."""

    origin: int
    by_day: FloatArray
    quantiles: FloatArray
    naive: FloatArray


def fitted_at(panel: DemandPanel, origin: int, strategy: Strategy) -> Calibrated:
    """The strategy as it would have stood at the end of that day: later days are not in the frame it gets."""
    known = panel.until(origin)
    if known.days >= DAYS_TO_TRAIN_MIN:
        return train(known, strategy)
    forecaster = strategy.fit(known)
    origins = [column for column in calibration_origins(known.days) if column >= OVERLAY_DAYS - 1]
    return Calibrated(forecaster, Calibration.fit(collect(known, forecaster, origins)), {})


def speak(
    panel: DemandPanel, origins: Sequence[int], strategy: Strategy, chosen: IntArray, progress: Progress
) -> list[Spoken]:
    """Fit, calibrate and forecast at every origin."""
    out = []
    for number, origin in enumerate(origins):
        progress(f"{strategy.name} at {panel.day(origin).isoformat()}", number / len(origins))
        known = panel.until(origin)
        said = fitted_at(panel, origin, strategy).forecast(known, origin, chosen)
        naive = np.cumsum(_NAIVE.expected(known, origin, DAYS, chosen).by_day, axis=1)
        out.append(Spoken(origin, said.by_day, said.quantiles, naive))
    return out


def tally(panel: DemandPanel, spoken: Sequence[Spoken], chosen: IntArray, horizon: int, inside: IntArray) -> Sums:
    """Sums of totals over `horizon` days at all origins whose days are all closed, for the rows `inside` of the chosen.

    Windows with an unknown day (a stock-out, before the first sale) are counted as hidden.
    """
    node = HORIZONS_DAYS.index(horizon)
    parts = []
    for one in spoken:
        window = panel.demand[chosen][:, one.origin + 1 : one.origin + 1 + horizon]
        if window.shape[1] < horizon:
            continue
        actual = window.sum(axis=1)
        mean = one.by_day[:, :horizon].sum(axis=1)
        table = np.column_stack([actual, mean, one.naive[:, horizon - 1], one.quantiles[:, node][:, _LEVEL_COLUMNS]])
        parts.append(table[inside])
    table = np.concatenate(parts) if parts else np.zeros((0, 3 + len(SCORED_LEVELS)))
    hidden = np.isnan(table[:, 0])
    known = table[~hidden]
    actual, mean, naive, quantiles = known[:, 0], known[:, 1], known[:, 2], known[:, 3:]
    error = actual[:, None] - quantiles
    levels = np.asarray(SCORED_LEVELS)
    losses = np.maximum(levels * error, (levels - 1) * error).sum(axis=0)
    below = (actual[:, None] <= quantiles + 1e-9).sum(axis=0)
    absolute = float(np.abs(actual - mean).sum())
    return Sums(
        len(table),
        int(hidden.sum()),
        float(actual.sum()),
        float(mean.sum()),
        float(mean.sum()),
        absolute,
        absolute,
        float(np.abs(actual - naive).sum()),
        tuple(losses.tolist()),
        tuple(below.tolist()),
    )


def overlay(
    panel: DemandPanel, spoken: Mapping[str, Sequence[Spoken]], chosen: IntArray, rows: Sequence[int], back_days: int
) -> list[dict[str, object]]:
    """For a few of the chosen items: what sold by day around the origins, and what each strategy said, to lay over it."""
    origins = sorted({one.origin for said in spoken.values() for one in said})
    first = max(0, origins[0] - back_days + 1)
    last = min(panel.days - 1, origins[-1] + OVERLAY_DAYS)
    week, month = HORIZONS_DAYS.index(7), HORIZONS_DAYS.index(OVERLAY_DAYS)
    low, high = LEVELS.index(0.1), LEVELS.index(0.9)
    out: list[dict[str, object]] = []
    for row in rows:
        demand = panel.demand[chosen[row], first : last + 1]
        out.append({
            "item": panel.item_ids[chosen[row]],
            "first_day": panel.day(first).isoformat(),
            "actual": [None if np.isnan(value) else round(float(value), 3) for value in demand],
            "said": [
                {
                    "strategy": name,
                    "origin": panel.day(one.origin).isoformat(),
                    "mean": [round(float(value), 3) for value in one.by_day[row, :OVERLAY_DAYS]],
                    "likely_7d": [round(float(one.quantiles[row, week, at]), 2) for at in (low, high)],
                    "likely_28d": [round(float(one.quantiles[row, month, at]), 2) for at in (low, high)],
                }
                for name, said in spoken.items()
                for one in said
            ],
        })  # fmt: skip
    return out
