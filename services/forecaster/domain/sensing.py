"""Live demand sensing: sales one by one in; spikes, silences and run rates out. Advisory: nothing is ordered from it.

Each item has one window, its current business day. What is usual comes from outside (`Usual`, from daily demand), so a
sensor that restarts or jumps ahead loses at most the day it is in. Ids of sightings follow from item, day and step, so
that a repeat says the same thing again.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

SPIKE_UNITS_MIN = 5.0  # three or four units are a family shopping, not a spike
SPIKE_DEVIATIONS = 5.0  # on daily retail counts about one false alarm in 10,000 item-days
USUAL_DAYS_MIN = 14  # fewer known days say too little about what is usual
SILENCE_PROBABILITY = 1e-4  # so long without a sale happens by chance once in 10,000 such stretches
RUN_RATE_UNITS_MIN = 20.0
RUN_RATE_BAND = (0.7, 1.4)  # a location inside it is having a usual day

Item = tuple[str, str, str]  # tenant, sku, location
Place = tuple[str, str]  # tenant, location
SightingKind = Literal["demand_spike", "demand_silence", "run_rate"]


@dataclass(frozen=True, slots=True)
class Usual:
    """Of one item: mean and variance of daily demand over `days` known days, units, the last day with a sale, and the
    last closed day (None: not known): what is read again of closed days is no news."""

    mean: float
    variance: float
    days: int
    last_sale: date | None
    closed_on: date | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something worth telling. `strength` is a multiple of the usual demand; `step` numbers repeats on the same day."""

    kind: SightingKind
    tenant: str
    sku: str | None
    location: str
    day: date
    step: int
    strength: float
    probability: float
    details: tuple[tuple[str, float | str], ...]


@dataclass(slots=True)
class Window:
    """One item's current business day."""

    day: date
    units: float = 0.0
    told: int = 0
    seen: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Busy:
    """One location's current business day."""

    day: date
    units: float = 0.0
    told: int = 0


class Sensor:
    """Not safe to share between threads; keeps one small window per item sold today, and one per location."""

    def __init__(self, usual: Mapping[Item, Usual] | None = None) -> None:
        self._usual: Mapping[Item, Usual] = usual or {}
        self._windows: dict[Item, Window] = {}
        self._busy: dict[Place, Busy] = {}
        self._expected: dict[Place, float] = {}
        self._silent_since: dict[Item, date] = {}
        self.learn(self._usual)

    def learn(self, usual: Mapping[Item, Usual]) -> None:
        """Replace what is usual."""
        self._usual = usual
        self._expected = {}
        for (tenant, _, location), one in usual.items():
            if one.days >= USUAL_DAYS_MIN:
                self._expected[(tenant, location)] = self._expected.get((tenant, location), 0.0) + one.mean

    def sold(self, item: Item, day: date, units: float, event_id: str) -> list[Sighting]:
        """One sale. A repeat (same event id) changes nothing; a sale of an earlier day than the window's is ignored."""
        window = self._windows.get(item)
        if window is None or day > window.day:
            window = self._windows[item] = Window(day)
        if day < window.day or event_id in window.seen:
            return []
        window.seen.add(event_id)
        window.units += units
        usual = self._usual.get(item)
        if usual is None or usual.days < USUAL_DAYS_MIN or (usual.closed_on is not None and day <= usual.closed_on):
            return []
        found = self._spike(item, window, usual), self._busier((item[0], item[2]), day, units)
        return [one for one in found if one is not None]

    def _busier(self, place: Place, day: date, units: float) -> Sighting | None:
        """A location's day is told at the sale by which it has passed the band, and again each time it doubles; that it came
        to less than usual is known at its close alone."""
        today = self._busy.get(place)
        if today is None or day > today.day:
            today = self._busy[place] = Busy(day)
        if day < today.day:
            return None
        today.units += units
        expected = self._expected.get(place, 0.0)
        if expected < RUN_RATE_UNITS_MIN or today.units <= expected * RUN_RATE_BAND[1]:
            return None
        step = 1 + int(math.log2(today.units / (expected * RUN_RATE_BAND[1])))
        if step <= today.told:
            return None
        today.told = step
        return self._run_rate(*place, day, today.units)

    def _spike(self, item: Item, window: Window, usual: Usual) -> Sighting | None:
        """Told when the day passes the threshold, and again each time it doubles."""
        threshold = max(SPIKE_UNITS_MIN, usual.mean + SPIKE_DEVIATIONS * math.sqrt(max(usual.variance, usual.mean)))
        if window.units < threshold:
            return None
        step = 1 + int(math.log2(window.units / threshold))
        if step <= window.told:
            return None
        window.told = step
        details = (
            ("units", window.units),
            ("usual_units", round(usual.mean, 4)),
            ("threshold_units", round(threshold, 4)),
        )
        strength = min(100.0, window.units / max(usual.mean, 0.25))
        return Sighting("demand_spike", *item, window.day, step, round(strength, 2), 0.9, details)

    def closed(self, tenant: str, location: str, day: date) -> list[Sighting]:
        """A business day ended: who fell silent, and what the day came to against the usual."""
        found = []
        total = 0.0
        for item, usual in self._usual.items():
            if item[0] != tenant or item[2] != location:
                continue
            if usual.closed_on is not None and day < usual.closed_on:
                return []  # an old close, read again after a restart
            window = self._windows.get(item)
            sold_today = window is not None and window.day == day and window.units > 0
            total += window.units if window is not None and window.day == day else 0.0
            if not sold_today:
                silence = self._silence(item, usual, window, day)
                if silence is not None:
                    found.append(silence)
        rate = self._run_rate(tenant, location, day, total)
        return [*found, rate] if rate is not None else found

    def _silence(self, item: Item, usual: Usual, window: Window | None, day: date) -> Sighting | None:
        # What is usual may know of a later sale than the window: a close can be read before the sales of its day are, which
        # lie in other partitions.
        known = [usual.last_sale, window.day if window is not None and window.units > 0 else None]
        last = max((sale for sale in known if sale is not None), default=None)
        if last is None or last >= day or usual.days < USUAL_DAYS_MIN or self._silent_since.get(item) == last:
            return None
        chance = math.exp(-usual.mean * (day - last).days)
        if chance > SILENCE_PROBABILITY:
            return None
        self._silent_since[item] = last
        details = (("days_without_sale", float((day - last).days)), ("usual_units", round(usual.mean, 4)))
        return Sighting("demand_silence", *item, day, 1, 0.0, round(1 - chance, 4), details)

    def _run_rate(self, tenant: str, location: str, day: date, total: float) -> Sighting | None:
        expected = self._expected.get((tenant, location), 0.0)
        if expected < RUN_RATE_UNITS_MIN:
            return None
        strength = total / expected
        if RUN_RATE_BAND[0] <= strength <= RUN_RATE_BAND[1]:
            return None
        details = (("units", total), ("usual_units", round(expected, 2)))
        return Sighting("run_rate", tenant, None, location, day, 1, round(min(strength, 100.0), 2), 0.8, details)
