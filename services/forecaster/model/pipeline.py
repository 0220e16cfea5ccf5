"""Train, back-test and calibrate one model; turn a trained one into distributions. Frames in, numbers out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kernel.distribution import DAYS, HORIZONS_DAYS, LEVELS
from services.forecaster.domain import metrics
from services.forecaster.domain.baseline import SeasonalNaive
from services.forecaster.domain.calibration import (
    Calibration,
    Samples,
    best_head,
    calibration_origins,
    collect,
    out_of_sample,
)
from services.forecaster.domain.panel import DemandPanel, IntArray
from services.forecaster.domain.series import expected_of
from services.forecaster.domain.strategy import DistributionForecast, MeanForecaster, SimpleStrategy, Strategy
from services.forecaster.domain.training import WARM_UP_DAYS

SCORED_LEVELS = (0.1, 0.5, 0.9, 0.95, 0.99)
SCORED_HORIZONS_DAYS = (7, 14, 28)
# A model needs training rows before the eight weeks it is calibrated on, and those need a warm-up themselves.
DAYS_TO_TRAIN_MIN = WARM_UP_DAYS + HORIZONS_DAYS[-1] + 8

Progress = Callable[[str, float], None]


class HistoryTooShort(ValueError):
    """Nothing can be trained yet; args[0] says how much is known and how much is needed."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A fitted strategy with the calibration measured for it."""

    forecaster: MeanForecaster
    calibration: Calibration
    metrics: dict[str, float]
    # The same strategy as it stood eight weeks before the end, for those who compare it on days it had not seen.
    earlier: MeanForecaster | None = None

    def forecast(self, panel: DemandPanel, origin: int, chosen: IntArray | None = None) -> DistributionForecast:
        """Distributions after column `origin`, of all or the chosen items."""
        return self.calibration.distribution(expected_of(self.forecaster, panel, origin, DAYS, chosen))


def train(panel: DemandPanel, strategy: Strategy, progress: Progress = lambda stage, share: None) -> Calibrated:
    """Fit on all but the last eight weeks, learn the calibration from what it then got wrong, fit again on everything.

    The errors a calibration is made of must be errors on unseen days; the model that speaks should know all days.
    The metrics are of those same unseen days, with a calibration that did not see the item (`score`).
    """
    reach = HORIZONS_DAYS[-1]
    if panel.days < DAYS_TO_TRAIN_MIN:
        raise HistoryTooShort(f"{panel.days} days of history are known, training needs {DAYS_TO_TRAIN_MIN}")
    progress("fitting on the past", 0.05)
    earlier = strategy.fit(panel.until(panel.days - 1 - reach))
    progress("measuring errors", 0.40)
    samples = collect(panel, earlier, calibration_origins(panel.days))
    progress("calibrating", 0.50)
    calibration = Calibration.fit(samples, best_head)
    scores = score(panel, samples)
    progress("fitting on everything", 0.60)
    forecaster = strategy.fit(panel)
    progress("fitted", 0.95)
    return Calibrated(forecaster, calibration, scores, earlier)


def baseline(panel: DemandPanel, origin: int, forecaster: SimpleStrategy | None = None) -> Calibrated:
    """A simple strategy, calibrated on as much past as there is; without one, the seasonal mean, which answers while no
    model is trained."""
    known = panel.until(origin)
    forecaster = forecaster or SeasonalNaive()
    origins = [column for column in calibration_origins(known.days) if column >= 27]
    return Calibrated(forecaster, Calibration.fit(collect(known, forecaster, origins)), {})


def score(panel: DemandPanel, samples: list[Samples]) -> dict[str, float]:
    """Losses, coverage and bias of totals over 7, 14 and 28 days; and of the seasonal naive on the same windows.

    Calibrated on one half of the items, scored on the other, and the other way round.
    """
    out: dict[str, float] = {}
    naive = collect(panel, SeasonalNaive(1), calibration_origins(panel.days))
    for horizon in SCORED_HORIZONS_DAYS:
        node = HORIZONS_DAYS.index(horizon)
        whole = samples[node]
        if len(whole.expected) < 1000:
            continue
        quantiles = out_of_sample(whole, best_head)
        assert quantiles is not None  # a thousand samples are enough for halves of them
        losses = [
            metrics.weighted_quantile_loss(whole.realised, quantiles[:, LEVELS.index(level)], level)
            for level in SCORED_LEVELS
        ]
        out[f"wql_{horizon}d"] = float(np.mean(losses))
        out[f"total_error_{horizon}d"] = metrics.total_error(whole.realised, whole.expected)
        out[f"bias_{horizon}d"] = metrics.bias(whole.realised, whole.expected)
        for level in (0.9, 0.95, 0.99):
            covered = metrics.coverage(whole.realised, quantiles[:, LEVELS.index(level)])
            out[f"coverage_{horizon}d_{level}"] = covered
        out[f"naive_total_error_{horizon}d"] = metrics.total_error(naive[node].realised, naive[node].expected)
    return {name: round(value, 6) for name, value in out.items()}
