"""Promotions and price changes that were told, and holidays, as regressors that are known ahead: which item, which days,
since when.

What a signal says of demand (a multiplier and its probability) is taken as a hint, not at its word: the value is the
logarithm of the multiplier times the probability, and the model learns what such hints have meant. A day's value counts
from the evening of the day it was told on; at earlier origins it does not exist, in training as in the service. Holidays
are in the calendar of the location's country: they were always known. A signal that promises a whole location no demand at
all is no hint: its doors are shut (`closures`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from kernel.closing import shuts_doors
from kernel.distribution import DAYS
from services.forecaster.domain.calendars import Place, Places
from services.forecaster.domain.closures import seen as seen_holidays
from services.forecaster.domain.closures import without_told
from services.forecaster.domain.frame import Frame
from services.forecaster.domain.panel import DemandPanel, Holiday, IntArray, ToldClosure

KINDS = ("promotion", "price_change")
# A kind that so few days of history show cannot be learned; whoever plans takes its signals at their word.
ITEM_DAYS_MIN = 100
HOLIDAY = "public_holiday"
# One holiday is an anecdote however many items it touched; four are what half a year of most countries has.
HOLIDAYS_MIN = 4
STRENGTH_RANGE = (0.1, 10.0)
FLAG = "knows_"  # of a forecast that contains the signals of a kind: knows_promotion
CLOSING = "knows_closing"  # of a forecast in which doors that were told to be shut sell nothing


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
    def is_closure(self) -> bool:
        """Whether it says that a location's doors are shut."""
        parts = {"sku": self.sku, "location": self.location, "category": self.category}
        scope = [name for name, value in parts.items() if value is not None]
        return shuts_doors(self.kind, self.strength, self.probability, scope)

    @property
    def value(self) -> float:
        """0: nothing changes; the logarithm of 2: twice the demand for certain."""
        low, high = STRENGTH_RANGE
        return float(np.log(min(max(self.strength, low), high)) * self.probability)


@dataclass(frozen=True, slots=True)
class Told:
    """All that may be known of days ahead: signals as told, and by location where it is."""

    signals: Sequence[KnownSignal] = ()
    places: Places = field(default_factory=dict)

    def place(self, location: str) -> Place:
        """Where a location is; UTC and without holidays where nobody said."""
        return self.places.get(location, _NOWHERE)


_NOWHERE = Place()


def lay(frame: Frame, told: Told, kinds: Sequence[str]) -> Frame:
    """The frame with the holidays of its places and the closures that were told, and one regressor per kind, over its days
    and the horizon after them."""
    scopes = _Scopes(frame, told)
    calendars = scopes.calendars(frame.panel.days + DAYS)
    shut = scopes.closures()
    panel = replace(frame.panel, holidays=_looked_at(frame.panel, calendars), told_closures=shut)
    frame = replace(frame, panel=replace(panel, demand=without_told(panel.demand, panel.location, shut)))
    if not kinds:
        return frame
    panel = frame.panel
    shape = (len(frame.items), panel.days + DAYS, len(kinds))
    known, since = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.int32)
    for one in told.signals:
        if one.kind not in kinds or not one.value or one.is_closure:
            continue
        place = list(kinds).index(one.kind)
        for zone, rows in scopes.of(one):
            first, last, told_on = _columns(panel, one, zone)
            days = slice(max(0, first), max(0, min(last + 1, shape[1])))
            known[rows, days, place] += one.value
            since[rows, days, place] = np.maximum(since[rows, days, place], told_on)
    if HOLIDAY in kinds:
        place = list(kinds).index(HOLIDAY)
        for code, named in calendars.items():
            rows = np.flatnonzero(panel.location == code)
            known[rows[:, None], np.array(list(named))[None, :], place] = 1.0
    return replace(frame, panel=replace(panel, known_names=tuple(kinds), known=known, known_since=since))


def learnable(frame: Frame, told: Told) -> Frame:
    """The frame with the kinds that its history shows often enough to be learned."""
    kinds = [kind for kind in KINDS if any(one.kind == kind and not one.is_closure for one in told.signals)]
    if any(told.place(item.location).country is not None for item in frame.items):
        kinds.append(HOLIDAY)
    laid = lay(frame, told, kinds)
    if not laid.panel.known_names:
        return laid
    seen = (laid.panel.known[:, : frame.panel.days] != 0) & ~np.isnan(frame.panel.demand)[:, :, None]
    often = seen.sum(axis=(0, 1)) >= ITEM_DAYS_MIN
    if HOLIDAY in kinds:
        place = kinds.index(HOLIDAY)
        often[place] &= seen[:, :, place].any(axis=0).sum() >= HOLIDAYS_MIN
    enough = [kind for kind, is_often in zip(kinds, often.tolist(), strict=True) if is_often]
    return laid if len(enough) == len(kinds) else lay(frame, told, enough)


def knows(frame: Frame, origin: int, rows: IntArray) -> list[tuple[str, ...]]:
    """Flags per row: the kinds whose signals touch the days ahead and are known at the origin, and told closings. Holidays are
    not told by anybody and within 56 days of nearly every origin: they have no flag."""
    shut = _shut_places(frame.panel, origin)
    return [
        (*kinds, CLOSING) if place in shut else kinds
        for kinds, place in zip(_kinds(frame, origin, rows), frame.panel.location[rows].tolist(), strict=True)
    ]


def _shut_places(panel: DemandPanel, origin: int) -> set[int]:
    """Codes of the locations that were told to be shut on a day ahead."""
    return {
        code
        for code, told in panel.told_closures.items()
        if any(one.told <= origin < one.last and one.first <= origin + DAYS for one in told)
    }


def _kinds(frame: Frame, origin: int, rows: IntArray) -> list[tuple[str, ...]]:
    panel = frame.panel
    signals = [place for place, kind in enumerate(panel.known_names) if kind in KINDS]
    if not signals:
        return [()] * len(rows)
    ahead = np.arange(origin + 1, min(origin + 1 + DAYS, panel.known.shape[1]))
    chosen = np.ix_(rows, ahead, np.array(signals, dtype=np.int64))
    there = (panel.known[chosen] != 0) & (panel.known_since[chosen] <= origin)
    names = [panel.known_names[place] for place in signals]
    return [
        tuple(FLAG + kind for kind, is_there in zip(names, one, strict=True) if is_there)
        for one in there.any(axis=1).tolist()
    ]


class _Scopes:
    """The items a signal is about, by the time zone of their location; the items of a calendar."""

    def __init__(self, frame: Frame, told: Told) -> None:
        self._panel = frame.panel
        self._told = told
        self._location = np.array([item.location for item in frame.items], dtype=object)
        self._category = np.array([item.category for item in frame.items], dtype=object)
        self._sku: dict[str, list[int]] = {}
        for row, item in enumerate(frame.items):
            self._sku.setdefault(item.sku, []).append(row)

    def of(self, one: KnownSignal) -> list[tuple[ZoneInfo, IntArray]]:
        """The rows a signal is about, by time zone."""
        rows = (
            np.arange(len(self._location)) if one.sku is None else np.array(self._sku.get(one.sku, []), dtype=np.int64)
        )
        for wanted, have in ((one.location, self._location), (one.category, self._category)):
            if wanted is not None:
                rows = rows[have[rows] == wanted]
        zone = np.array([self._told.place(place).time_zone for place in self._location[rows].tolist()], dtype=object)
        return [(ZoneInfo(name), rows[zone == name]) for name in sorted(set(zone.tolist()))]

    def closures(self) -> dict[int, tuple[ToldClosure, ...]]:
        """By location code when its doors were told to be shut."""
        found: dict[int, list[ToldClosure]] = {}
        for one in self._told.signals:
            if one.is_closure:
                for zone, rows in self.of(one):
                    found.setdefault(int(self._panel.location[rows[0]]), []).append(
                        ToldClosure(*_columns(self._panel, one, zone))
                    )
        return {code: tuple(closures) for code, closures in sorted(found.items())}

    def calendars(self, columns: int) -> dict[int, dict[int, str]]:
        """By location code the public holidays among the first `columns` days: name by column."""
        first, last = self._panel.day(0), self._panel.day(columns - 1)
        found = {}
        for code, location in sorted(set(zip(self._panel.location.tolist(), self._location.tolist(), strict=True))):
            days = self._told.place(location).holidays(first, last)
            if days:
                found[code] = {self._panel.column(day): name for day, name in days.items()}
        return found


def _columns(panel: DemandPanel, one: KnownSignal, zone: ZoneInfo) -> tuple[int, int, int]:
    """First and last day of a signal and the day it was told on, as columns; they may lie outside the frame."""
    first, last, told_on = (
        panel.column(at.astimezone(zone).date()) for at in (one.starts_at, one.ends_at, one.told_at)
    )
    # A signal that ends at midnight says nothing of the day that begins then.
    end = one.ends_at.astimezone(zone)
    return first, last - int(end.hour == end.minute == end.second == 0 and last > first), told_on


def _looked_at(panel: DemandPanel, calendars: Mapping[int, Mapping[int, str]]) -> dict[int, tuple[Holiday, ...]]:
    return {
        code: seen_holidays(panel.demand, np.flatnonzero(panel.location == code), named)
        for code, named in calendars.items()
    }
