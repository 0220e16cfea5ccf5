"""Promotions and price changes that were told, as regressors that are known ahead: which item, which days, since when.

What a signal says of demand (a multiplier and its probability) is taken as a hint, not at its word: the value is the
logarithm of the multiplier times the probability, and the model learns what such hints have meant. A day's value counts
from the evening of the day it was told on; at earlier origins it does not exist, in training as in the service.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from kernel.distribution import DAYS
from services.forecaster.domain.frame import Frame
from services.forecaster.domain.panel import IntArray

KINDS = ("promotion", "price_change")
# A kind that so few days of history show cannot be learned; whoever plans takes its signals at their word.
ITEM_DAYS_MIN = 100
STRENGTH_RANGE = (0.1, 10.0)
FLAG = "knows_"  # of a forecast that contains the signals of a kind: knows_promotion


@dataclass(frozen=True, slots=True)
class KnownSignal:
    """The newest word of one signal. Absent parts of the scope mean all of them."""

    kind: str
    sku: str | None
    location: str | None
    category: str | None
    strength: float
    probability: float
    starts_at: datetime
    ends_at: datetime
    told_at: datetime

    @property
    def value(self) -> float:
        """0: nothing changes; the logarithm of 2: twice the demand for certain."""
        low, high = STRENGTH_RANGE
        return float(np.log(min(max(self.strength, low), high)) * self.probability)


def lay(frame: Frame, signals: Sequence[KnownSignal], zones: Mapping[str, str], kinds: Sequence[str]) -> Frame:
    """The frame with one regressor per kind, over its days and the horizon after them. `zones`: time zone by location."""
    if not kinds:
        return frame
    panel = frame.panel
    shape = (len(frame.items), panel.days + DAYS, len(kinds))
    known, since = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.int32)
    rows_of = _Scopes(frame)
    for one in signals:
        if one.kind not in kinds or not one.value:
            continue
        place = list(kinds).index(one.kind)
        for zone, rows in rows_of.scope(one, zones):
            first, last, told = (
                panel.column(at.astimezone(zone).date()) for at in (one.starts_at, one.ends_at, one.told_at)
            )
            # A signal that ends at midnight says nothing of the day that begins then.
            end = one.ends_at.astimezone(zone)
            last -= int(end.hour == end.minute == end.second == 0 and last > first)
            days = slice(max(0, first), max(0, min(last + 1, shape[1])))
            known[rows, days, place] += one.value
            since[rows, days, place] = np.maximum(since[rows, days, place], told)
    return replace(frame, panel=replace(panel, known_names=tuple(kinds), known=known, known_since=since))


def learnable(frame: Frame, signals: Sequence[KnownSignal], zones: Mapping[str, str]) -> Frame:
    """The frame with the kinds that its history shows often enough to be learned."""
    told = {one.kind for one in signals}
    laid = lay(frame, signals, zones, [kind for kind in KINDS if kind in told])
    if not laid.panel.known_names:
        return frame
    seen = (laid.panel.known[:, : frame.panel.days] != 0) & ~np.isnan(frame.panel.demand)[:, :, None]
    often = seen.sum(axis=(0, 1)) >= ITEM_DAYS_MIN
    kinds = [kind for kind, is_often in zip(laid.panel.known_names, often, strict=True) if is_often]
    return laid if len(kinds) == len(often) else lay(frame, signals, zones, kinds)


def knows(frame: Frame, origin: int, rows: IntArray) -> list[tuple[str, ...]]:
    """Flags per row: the kinds whose signals touch the days ahead and are known at the origin."""
    panel = frame.panel
    if not panel.known_names:
        return [()] * len(rows)
    ahead = slice(origin + 1, origin + 1 + DAYS)
    there = (panel.known[rows, ahead] != 0) & (panel.known_since[rows, ahead] <= origin)
    return [
        tuple(FLAG + kind for kind, is_there in zip(panel.known_names, one, strict=True) if is_there)
        for one in there.any(axis=1).tolist()
    ]


class _Scopes:
    """The items a signal is about, by the time zone of their location."""

    def __init__(self, frame: Frame) -> None:
        self._location = np.array([item.location for item in frame.items], dtype=object)
        self._category = np.array([item.category for item in frame.items], dtype=object)
        self._sku: dict[str, list[int]] = {}
        for row, item in enumerate(frame.items):
            self._sku.setdefault(item.sku, []).append(row)

    def scope(self, one: KnownSignal, zones: Mapping[str, str]) -> list[tuple[ZoneInfo, IntArray]]:
        rows = (
            np.arange(len(self._location)) if one.sku is None else np.array(self._sku.get(one.sku, []), dtype=np.int64)
        )
        for wanted, have in ((one.location, self._location), (one.category, self._category)):
            if wanted is not None:
                rows = rows[have[rows] == wanted]
        zone = np.array([zones.get(place, "UTC") for place in self._location[rows].tolist()], dtype=object)
        return [(ZoneInfo(name), rows[zone == name]) for name in sorted(set(zone.tolist()))]
