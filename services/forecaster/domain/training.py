"""Training rows of the global model: what was known at many past origins, and what then happened.

Each origin contributes a few randomly drawn leads for all items, so that the number of rows, and with it the cost of
training, is bounded whatever the length of the history (decision 2 of docs/forecasting.md).
"""

from dataclasses import dataclass

import numpy as np

from services.forecaster.domain.features import origin_features, rows
from services.forecaster.domain.panel import DemandPanel, FloatArray

ROWS_MAX = 320_000  # about 6 CPU-seconds of LightGBM; twice the rows changed the back-test by less than 0.5 %
LEADS_PER_ORIGIN = 8
ORIGIN_STEP_DAYS = 7
WARM_UP_DAYS = 56  # before this the features of an origin are mostly priors
LEAD_DAYS_MAX = 56


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """`features` (rows, features); `demand` of the target day, units; `level` the daily demand it is relative to."""

    features: FloatArray
    demand: FloatArray
    level: FloatArray
    origins: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.demand)


def origins_before(last_column: int, step_days: int = 1) -> list[int]:
    """Origins whose next period at least is known, newest first, a week apart."""
    warm_up = max(1, WARM_UP_DAYS // step_days)
    return list(range(last_column - 1, warm_up - 2, -max(1, ORIGIN_STEP_DAYS // step_days)))


def training_rows(
    panel: DemandPanel, *, seed: int, rows_max: int = ROWS_MAX, lead_max: int = LEAD_DAYS_MAX
) -> TrainingRows:
    """Rows from the frame as it stands; nothing after its last column exists here, so nothing later can leak.

    Newest origins come first; when `rows_max` is reached with one origin after the other, older ones are left out,
    except that items are thinned first so that at least a year of origins fits.
    """
    generator = np.random.default_rng(seed)
    last = panel.days - 1
    candidates = origins_before(last, panel.step_days)
    items = len(panel.item_ids)
    wanted = min(len(candidates), 52)
    share = min(1.0, rows_max / max(1, items * LEADS_PER_ORIGIN * wanted))
    parts: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    total, used = 0, []
    for origin in candidates:
        leads = _leads(generator, min(lead_max, last - origin))
        chosen = np.flatnonzero(generator.random(items) < share) if share < 1 else np.arange(items)
        if not len(chosen):
            continue
        features = origin_features(panel, origin, leads, chosen)
        target = panel.demand[chosen[:, None], origin + leads[None, :]]
        known = ~np.isnan(target).ravel()
        level = np.repeat(features.level, len(leads))[known]
        parts.append((rows(features)[known], np.maximum(target.ravel()[known], 0.0), level))
        total += int(known.sum())
        used.append(origin)
        if total >= rows_max:
            break
    if not parts:
        raise ValueError(f"no training rows: {panel.days} days are known, at least {WARM_UP_DAYS + 1} are needed")
    features_, demand, levels = (np.concatenate(column) for column in zip(*parts, strict=True))
    return TrainingRows(features_, demand, levels, tuple(used))


def _leads(generator: np.random.Generator, longest: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Leads spread over the horizon: one drawn from each of LEADS_PER_ORIGIN equal parts."""
    if longest <= LEADS_PER_ORIGIN:
        return np.arange(1, longest + 1)
    edges = np.linspace(1, longest + 1, LEADS_PER_ORIGIN + 1)
    drawn = edges[:-1] + generator.random(LEADS_PER_ORIGIN) * np.diff(edges)
    return np.unique(drawn.astype(np.int64))
