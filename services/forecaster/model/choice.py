"""Different strategies for different items: chosen per segment by back-test, or pinned by a planner."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernel.distribution import DAYS
from services.forecaster.domain.calibration import Samples, fit_horizon
from services.forecaster.domain.metrics import bias, weighted_quantile_loss
from services.forecaster.domain.panel import BoolArray, DemandPanel, FloatArray, IntArray
from services.forecaster.domain.segments import BIAS_WEIGHT, assigned, best_of, segments
from services.forecaster.domain.series import expected_of
from services.forecaster.domain.strategy import Expected, MeanForecaster, Strategy

SERVICE_LEVELS = (0.5, 0.9, 0.95, 0.99)
SEGMENT_TOTALS_MIN = 60  # fewer totals than this cannot tell two strategies apart: the preferred one speaks
BACK_TEST_DAYS = 28


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Several fitted strategies; `names` says by item id who speaks, for items it does not know `default`."""

    members: Mapping[str, MeanForecaster]
    names: Mapping[str, str]
    default: str

    @property
    def strategy(self) -> str:
        return "auto"

    def spoken_by(self, panel: DemandPanel) -> tuple[str, ...]:
        """The strategy of every item of the frame."""
        return tuple(self.members[self.names.get(item, self.default)].strategy for item in panel.item_ids)

    def expected(self, panel: DemandPanel, origin: int, days: int = DAYS, chosen: IntArray | None = None) -> Expected:
        rows = np.arange(len(panel.item_ids)) if chosen is None else chosen
        speaker = np.array([self.names.get(panel.item_ids[row], self.default) for row in rows.tolist()], dtype=object)
        by_day, lumpiness = np.empty((len(rows), days)), np.empty(len(rows))
        for name in sorted(set(speaker.tolist())):
            mine = np.flatnonzero(speaker == name)
            said = self.members[name].expected(panel, origin, days, rows[mine])
            by_day[mine], lumpiness[mine] = said.by_day, said.lumpiness
        return Expected(by_day, lumpiness)


@dataclass(frozen=True, slots=True)
class Assigned:
    """Strategies by name and, by item id, who is responsible; fits only those that speak for someone."""

    candidates: Mapping[str, Strategy]
    names: Mapping[str, str]
    preferred: str

    @property
    def name(self) -> str:
        return "auto"

    def fit(self, panel: DemandPanel) -> Ensemble:
        wanted = sorted({self.names.get(item, self.preferred) for item in panel.item_ids})
        default = self.preferred if self.preferred in wanted else wanted[0]
        return Ensemble({name: self.candidates[name].fit(panel) for name in wanted}, self.names, default)


def decide(
    panel: DemandPanel,
    candidates: Mapping[str, Strategy],
    preferred: str,
    *,
    item_pins: Mapping[int, str] | None = None,
    class_of: tuple[str, ...] | None = None,
    class_pins: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda stage: None,
) -> tuple[Assigned, dict[str, dict[str, float]]]:
    """Back-test every candidate on the last eight weeks, which it did not see; the best of each segment speaks for it.

    Returns the assignment and the scores by segment and strategy (quantile loss of 28-day totals at the service
    levels, plus half of |bias|): what a planner is shown as the reason. Never chosen by WAPE or MAPE, which all-zero
    forecasts win.
    """
    first = back_test_origin(panel)
    fitted = {}
    if first is not None:
        past = panel.until(first)
        for name, strategy in candidates.items():
            progress(f"back-testing {name}")
            fitted[name] = strategy.fit(past)
    scores = compare(panel, fitted)
    best = {segment: best_of(told, preferred) for segment, told in scores.items()}
    now = segments(panel, panel.days - 1)
    names = assigned(now, best, preferred, item_pins=item_pins, class_of=class_of, class_pins=class_pins)
    return Assigned(candidates, dict(zip(panel.item_ids, names, strict=True)), preferred), scores


def back_test_origin(panel: DemandPanel) -> int | None:
    """The last column a contestant may be fitted on: eight weeks before the end. None: the history is shorter."""
    first = panel.days - 1 - 2 * panel.span(BACK_TEST_DAYS)
    return first if first > panel.span(BACK_TEST_DAYS) else None


def compare(
    panel: DemandPanel, fitted: Mapping[str, MeanForecaster], chosen: IntArray | None = None
) -> dict[str, dict[str, float]]:
    """Scores by segment and name at three origins of the last eight weeks, of which strategies fitted at
    `back_test_origin` have seen nothing; over the chosen items (None: all)."""
    first = back_test_origin(panel)
    if first is None:
        return {}
    span = panel.span(BACK_TEST_DAYS)
    origins = (first, first + span // 2, first + span)
    mine = panel if chosen is None else panel.take(chosen)
    windows = [mine.demand[:, origin + 1 : origin + 1 + span].sum(axis=1) for origin in origins]
    kinds = [segment for origin in origins for segment in segments(mine.until(origin), origin)]
    scores: dict[str, dict[str, float]] = {}
    for name, forecaster in fitted.items():
        said = [expected_of(forecaster, panel.until(origin), origin, span, chosen) for origin in origins]
        samples = Samples(
            np.concatenate([one.by_day.sum(axis=1) for one in said]),
            np.concatenate(windows),
            np.concatenate([one.lumpiness for one in said]),
        )
        _score_segments(name, np.array(kinds), samples, scores)
    return scores


def _score_segments(name: str, kinds: NDArray[np.str_], samples: Samples, scores: dict[str, dict[str, float]]) -> None:
    known = ~np.isnan(samples.realised)
    quantiles = _out_of_sample(samples, known)
    for segment in sorted(set(kinds.tolist())) if quantiles is not None else ():
        assert quantiles is not None
        mine = np.flatnonzero((kinds == segment) & known)
        if len(mine) >= SEGMENT_TOTALS_MIN and samples.realised[mine].sum() > 0:
            told = _score(samples.realised[mine], samples.expected[mine], quantiles[mine])
            scores.setdefault(segment, {})[name] = told


def _score(realised: FloatArray, total: FloatArray, quantiles: FloatArray) -> float:
    losses = [weighted_quantile_loss(realised, quantiles[:, at], level) for at, level in enumerate(SERVICE_LEVELS)]
    return float(np.mean(losses) + BIAS_WEIGHT * abs(bias(realised, total)))


def _out_of_sample(samples: Samples, known: BoolArray) -> FloatArray | None:
    """Quantiles of each total from a calibration of the other half of the items; None with too few items."""
    even = np.asarray(np.arange(len(samples.expected)) % 2 == 0)
    out = np.empty((len(samples.expected), len(SERVICE_LEVELS)))
    for learn in (even, ~even):
        use = learn & known & (samples.expected > 0)  # where nothing is expected there is no ratio, as in `calibration`
        fitted = fit_horizon(
            Samples(samples.expected[use], samples.realised[use], samples.lumpiness[use]), SERVICE_LEVELS
        )
        if fitted is None:
            return None
        out[~learn] = fitted.quantiles(samples.expected[~learn], samples.lumpiness[~learn])
    return out
