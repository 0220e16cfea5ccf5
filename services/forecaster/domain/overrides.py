"""What people know and the model does not: a forecast raised, lowered or replaced for a period, and its share per item.

An override speaks of the total of its period over all items of its scope. It is split over the items in proportion to
their level; a discontinued item gets nothing. Where only part of the period is still ahead, that part of the units counts.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from kernel.distribution import HORIZONS_DAYS
from services.forecaster.domain.calibration import negative_binomial_quantiles
from services.forecaster.domain.features import levels
from services.forecaster.domain.frame import Frame
from services.forecaster.domain.panel import BoolArray, FloatArray, IntArray
from services.forecaster.domain.series import DEAD_AFTER_DAYS
from services.forecaster.domain.strategy import DistributionForecast

NOTHING_UNITS = 1e-9
SINGLE_UNITS = 1.0  # lumpiness of demand that was never seen: one unit at a time


@dataclass(frozen=True, slots=True)
class Override:
    """`kind` is "add" (units may be negative) or "replace". Absent parts of the scope mean all of them. Forecasts from
    an origin on or after `expires_on` leave it out."""

    override_id: str
    kind: str
    from_on: date
    to_on: date
    units: float
    expires_on: date
    sku: str | None = None
    location: str | None = None
    category: str | None = None

    @property
    def days(self) -> int:
        return (self.to_on - self.from_on).days + 1


@dataclass(frozen=True, slots=True)
class Changed:
    """A forecast after overrides, and for each row the ids of those that changed it, oldest first."""

    distribution: DistributionForecast
    ids: tuple[tuple[str, ...], ...]


def members(override: Override, frame: Frame) -> BoolArray:
    """Items of the frame inside the scope."""
    return np.array(
        [
            override.sku in (None, item.sku)
            and override.location in (None, item.location)
            and override.category in (None, item.category)
            for item in frame.items
        ],
        dtype=np.bool_,
    )


def shares(override: Override, frame: Frame, origin: int, discontinued: Collection[str]) -> FloatArray:
    """Each item's share of the units, summing to 1 over the scope (or 0 where nothing there is still sold).

    By level, so that a share does not depend on which items happen to be forecast together. An item named by its own
    code and location takes all, whatever its past: the person means exactly that one.
    """
    inside = members(override, frame)
    if override.sku is not None and override.location is not None:
        return inside.astype(np.float64)
    part = frame.panel.demand[:, max(0, origin - DEAD_AFTER_DAYS + 1) : origin + 1]
    known = ~np.isnan(part)
    is_dead = ~(np.nan_to_num(part) > 0).any(axis=1) & (known.sum(axis=1) >= DEAD_AFTER_DAYS)
    is_gone = np.array([item.sku in discontinued for item in frame.items], dtype=np.bool_)
    weight = np.where(inside & ~is_dead & ~is_gone, levels(frame.panel.until(origin), origin), 0.0)
    total = float(weight.sum())
    return weight / total if total > 0 else np.zeros(len(frame.items))


def change(
    forecast: DistributionForecast,
    overrides: Sequence[Override],
    frame: Frame,
    origin: int,
    rows: IntArray,
    discontinued: Collection[str] = frozenset(),
) -> Changed:
    """Apply overrides, oldest first, to forecasts of these rows: a later replacement stands on its days, additions add."""
    by_day = forecast.by_day.copy()
    touched: list[list[str]] = [[] for _ in rows]
    first = frame.panel.day(origin) + timedelta(days=1)
    for one in overrides:
        ahead = _ahead(one, first, by_day.shape[1])
        if not ahead.any() or first > one.expires_on:
            continue
        share = shares(one, frame, origin, discontinued)[rows]
        hit = share > 0
        units = one.units * share * int(ahead.sum()) / one.days
        before = by_day[:, ahead].sum(axis=1)
        wanted = np.maximum(units if one.kind == "replace" else before + units, 0.0)
        spread = np.full(int(ahead.sum()), 1.0 / int(ahead.sum()))
        shape = np.where(
            before[:, None] > NOTHING_UNITS, by_day[:, ahead] / np.maximum(before, NOTHING_UNITS)[:, None], spread
        )
        by_day[:, ahead] = np.where(hit[:, None], shape * wanted[:, None], by_day[:, ahead])
        for row in np.flatnonzero(hit).tolist():
            touched[row].append(one.override_id)
    changed = np.array([bool(ids) for ids in touched], dtype=np.bool_)
    quantiles = forecast.quantiles.copy()
    if changed.any():
        quantiles[changed] = _moved(forecast.by_day[changed], by_day[changed], forecast.quantiles[changed])
    return Changed(DistributionForecast(by_day, quantiles), tuple(tuple(ids) for ids in touched))


def _ahead(one: Override, first: date, days: int) -> BoolArray:
    """Days of the horizon that lie in the period."""
    column = np.arange(days)
    return np.asarray((column >= (one.from_on - first).days) & (column <= (one.to_on - first).days))


def _moved(before: FloatArray, after: FloatArray, quantiles: FloatArray) -> FloatArray:
    """Quantiles of cumulative demand around a new mean: the spread grows with its square root, as for a sum of
    independent customers. Where nothing was expected at all, a negative binomial around the new mean answers."""
    nodes = [days - 1 for days in HORIZONS_DAYS if days <= before.shape[1]]
    old = np.cumsum(before, axis=1)[:, nodes]
    new = np.cumsum(after, axis=1)[:, nodes]
    root = np.sqrt(np.where(old > NOTHING_UNITS, new / np.maximum(old, NOTHING_UNITS), 0.0))
    moved = new[:, :, None] + (quantiles - old[:, :, None]) * root[:, :, None]
    moved = np.where((np.abs(new - old) <= NOTHING_UNITS)[:, :, None], quantiles, moved)
    for node in range(len(nodes)):
        fresh = (old[:, node] <= NOTHING_UNITS) & (new[:, node] > NOTHING_UNITS)
        if fresh.any():
            singles = np.full(int(fresh.sum()), SINGLE_UNITS)
            moved[fresh, node] = negative_binomial_quantiles(new[fresh, node], singles)
    ordered = np.maximum.accumulate(np.maximum.accumulate(np.maximum(moved, 0.0), axis=2), axis=1)
    return np.asarray(ordered, dtype=np.float64)
