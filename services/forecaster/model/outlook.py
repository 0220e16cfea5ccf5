"""Forecasts of any length and frequency with any quantiles, for files; the service's own are `pipeline`'s.

Same features, same model, same calibration. What differs is the shape of the answer: single periods and chosen totals
at chosen levels instead of the published nodes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from services.forecaster.domain.calibration import (
    Head,
    Samples,
    best_head,
    calibration_origins,
    errors,
    fit_horizon,
    level_correction,
    negative_binomial_quantiles,
)
from services.forecaster.domain.negative_binomial import NegativeBinomialHead, fit_head
from services.forecaster.domain.panel import BoolArray, DemandPanel, FloatArray
from services.forecaster.domain.segments import segments
from services.forecaster.domain.series import expected_of
from services.forecaster.domain.strategy import Expected, MeanForecaster, Strategy
from services.forecaster.domain.training import WARM_UP_DAYS
from services.forecaster.model.heads import COUNTS, EVERY_CLASS, LEARNED, NEEDS_LEARNED, POOLED, best_heads, spoken
from services.forecaster.model.quantile_heads import QuantileHeads

REACH_DAYS_MIN = 56
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outlook:
    """`mean` (items, horizon) and `quantiles` (items, horizon, levels) of single periods; `totals`: horizon →
    (mean, quantiles (items, levels)) of cumulated demand. All in units. `strategies` names who spoke, per item."""

    mean: FloatArray
    quantiles: FloatArray
    totals: Mapping[int, tuple[FloatArray, FloatArray]]
    strategies: tuple[str, ...]


class NamesItsChoice(Protocol):
    """A fitted strategy that lets different strategies speak for different items."""

    def spoken_by(self, panel: DemandPanel) -> tuple[str, ...]: ...


def reach_of(panel: DemandPanel, horizon: int) -> int:
    """Periods at the end of the history that calibration keeps from training: twice the horizon, at least 8 weeks,
    at most a third of what is known."""
    return max(horizon, min(max(2 * horizon, panel.span(REACH_DAYS_MIN)), panel.days // 3))


def periods_to_train_min(panel: DemandPanel, horizon: int) -> int:
    """Below this history a model cannot be both trained and calibrated; a simple strategy answers instead."""
    return panel.span(WARM_UP_DAYS) + horizon + max(2, panel.span(8))


def look_ahead(
    asked: DemandPanel,
    there: BoolArray,
    choose: Callable[[DemandPanel], Strategy],
    horizon: int,
    levels: tuple[float, ...],
    totals: tuple[int, ...] = (),
    progress: Progress = lambda stage: None,
    heads: QuantileHeads | None = None,
) -> Outlook:
    """Fit, calibrate on the past, and forecast the `horizon` periods after the last column of `asked`.

    Series that are not `there` yet do not touch the others' numbers; they are answered from their like items.
    """
    panel = asked if there.all() else asked.take(np.flatnonzero(there))
    strategy = choose(panel)
    last = panel.days - 1
    reach = reach_of(panel, horizon)
    progress("fitting on the past")
    earlier = strategy.fit(panel.until(last - reach)) if last > reach else strategy.fit(panel)
    progress("measuring errors")
    origins = calibration_origins(panel.days, panel.span(7), reach)
    warm = [origin for origin in origins if origin >= panel.span(28) - 1]
    wanted = tuple(sorted({*totals, horizon}))
    measured = errors(panel, earlier, warm, wanted) if warm else None
    single = fit_horizon(measured.single, levels) if measured else None
    nodes = (
        [(best_head if heads else fit_horizon)(one, levels) for one in measured.cumulative]
        if measured
        else [None] * len(wanted)
    )
    counts = _counts(measured.single, levels) if measured and heads else None
    chosen = (
        _chosen_heads(panel, earlier, single, counts, heads, warm[0], horizon) if heads and single and counts else {}
    )
    correction = level_correction(measured.cumulative[-1]) if measured else 1.0
    progress(f"means are multiplied by {correction:.3f}; fitting on everything")
    fitted = strategy.fit(panel)
    progress("forecasting")
    expected = expected_of(fitted, panel, last, horizon)
    if not there.all():
        others = fitted.expected(asked, last, horizon, np.flatnonzero(~there))
        expected = _woven(there, expected, others)
    answer = _answer(asked, fitted, expected, levels, single, dict(zip(wanted, nodes, strict=True)), totals, correction)
    if not set(chosen.values()) - {POOLED} or heads is None or counts is None:
        return answer
    kinds = segments(panel, last)
    names = sorted({chosen.get(one, chosen[EVERY_CLASS]) for one in kinds})
    progress(f"of single periods speak {', '.join(names)}")
    said = {
        POOLED: answer.quantiles[there],
        COUNTS: _of_periods(counts, expected.by_day[there], expected.lumpiness[there], levels),
    }
    if set(names) & set(NEEDS_LEARNED):
        said[LEARNED] = heads.fit(panel).quantiles(panel, last, horizon)
    answer.quantiles[there] = spoken(chosen, kinds, said)
    return answer


def _counts(single: Samples, levels: tuple[float, ...]) -> NegativeBinomialHead | None:
    return fit_head(single.expected, single.realised, single.lumpiness, levels, covering=False)


def _of_periods(head: Head | None, by_day: FloatArray, lumpiness: FloatArray, levels: tuple[float, ...]) -> FloatArray:
    periods = by_day.shape[1]
    said = _quantiles(head, by_day.ravel(), np.repeat(lumpiness, periods), levels)
    return said.reshape(len(by_day), periods, len(levels))


def _chosen_heads(
    panel: DemandPanel,
    earlier: MeanForecaster,
    single: Head,
    counts: Head,
    heads: QuantileHeads,
    origin: int,
    horizon: int,
) -> dict[str, str]:
    """By class of demand, by a back-test on the days after `origin`, the first that neither the earlier model nor the heads
    fitted there saw."""
    known = panel.until(origin)
    came = panel.demand[:, origin + 1 : origin + 1 + horizon]
    periods = came.shape[1]
    expected = expected_of(earlier, known, origin, periods)
    try:
        learned = heads.fit(known).quantiles(known, origin, periods)
    except ValueError:
        return {}  # too short a history for heads is no reason to fail
    told = {
        name: _of_periods(head, expected.by_day, expected.lumpiness, heads.levels)
        for name, head in ((POOLED, single), (COUNTS, counts))
    }
    return best_heads(came, told | {LEARNED: learned}, segments(known, origin), heads.levels)


def _woven(there: BoolArray, known: Expected, others: Expected) -> Expected:
    by_day = np.empty((len(there), known.by_day.shape[1]))
    lumpiness, usual = np.empty(len(there)), np.zeros(len(there))
    for rows, part in ((there, known), (~there, others)):
        by_day[rows], lumpiness[rows] = part.by_day, part.lumpiness
        usual[rows] = 0.0 if part.usual is None else part.usual
    return Expected(by_day, lumpiness, usual=usual)


def _answer(
    panel: DemandPanel,
    fitted: MeanForecaster,
    expected: Expected,
    levels: tuple[float, ...],
    single: Head | None,
    nodes: Mapping[int, Head | None],
    totals: tuple[int, ...],
    correction: float,
) -> Outlook:
    daily = _of_periods(single, expected.by_day, expected.lumpiness, levels)
    cumulated = np.cumsum(expected.by_day, axis=1)
    told = {}
    for days in totals:
        mean = cumulated[:, days - 1]
        told[days] = (mean * correction, _quantiles(nodes[days], mean, expected.unrest(cumulated, days), levels))
    by_item = getattr(fitted, "spoken_by", None)
    names = by_item(panel) if by_item is not None else (fitted.strategy,) * len(daily)
    return Outlook(expected.by_day * correction, daily, told, names)


def _quantiles(
    calibration: Head | None, mean: FloatArray, lumpiness: FloatArray, levels: tuple[float, ...]
) -> FloatArray:
    if calibration is None:
        return np.maximum.accumulate(negative_binomial_quantiles(mean, lumpiness, levels), axis=1)
    return np.maximum(calibration.quantiles(mean, lumpiness), 0.0)
