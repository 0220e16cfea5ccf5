"""What a planner may pin, what each needs for it, and the calibration of one that nobody chose.

XGBoost and Prophet learn from a frame, so one pinned is fitted in the service once per model, in the thread that forecasts:
XGBoost on all items, Prophet item by item, which is why it may be pinned on few. Their calibration is of the model's last
day, so that every night reads it the same.
"""

from collections.abc import Mapping

import numpy as np

from services.forecaster.domain.calibration import Calibration, calibration_origins, collect
from services.forecaster.domain.panel import DemandPanel
from services.forecaster.model.extras import ProphetEveryNight, ProphetPerItem, XGBoosting, is_installed
from services.forecaster.model.pipeline import Calibrated, baseline, train
from services.forecaster.model.strategies import OPTIONAL, PREFERRED, SIMPLE

PINNABLE = (PREFERRED, *SIMPLE, *OPTIONAL)
# Prophet takes 0.07 CPU-seconds per item and night; more items would hold up the forecasts of everything else.
PROPHET_ITEMS_MAX = 200
# Of these its errors are measured (22 CPU-seconds, once per model): the five origins whose 28 days have come make the
# samples that a calibration needs at least.
PROPHET_CALIBRATION_ITEMS = 100
_REACH_DAYS = 56


def available() -> tuple[str, ...]:
    """What can be pinned here: optional strategies only where their extra is installed."""
    return tuple(name for name in PINNABLE if name not in OPTIONAL or is_installed(name))


def heeded(held: Mapping[int, str], *, has_model: bool) -> tuple[dict[int, str], list[str]]:
    """Of the pinned rows those whose strategy can speak tonight, and the strategies that cannot: an extra may have been
    taken away since, or the model whose last day an optional strategy is calibrated on."""
    able = {name for name in available() if has_model or name not in OPTIONAL}
    return {row: name for row, name in held.items() if name in able}, sorted({*held.values()} - able)


def calibrated(name: str, panel: DemandPanel, until: int, *, seed: int, threads: int) -> Calibrated:
    """A strategy with the errors it made up to column `until`. Raises ExtraMissing, and HistoryTooShort for XGBoost."""
    if name not in OPTIONAL:
        return baseline(panel, until, SIMPLE[name])
    past = panel.until(until)
    if name == "xgboost":
        return train(past, XGBoosting(seed=seed, threads=threads))
    items = len(past.item_ids)
    some = np.unique(np.linspace(0, items - 1, min(items, PROPHET_CALIBRATION_ITEMS)).astype(np.int64))
    part = past.take(some)
    earlier = ProphetPerItem().fit(part.until(part.days - 1 - _REACH_DAYS))
    return Calibrated(ProphetEveryNight(), Calibration.fit(collect(part, earlier, calibration_origins(part.days))), {})
