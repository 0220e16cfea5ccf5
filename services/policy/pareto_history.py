"""The Pareto report on what really happened: the levels of each setting, ordered up to day by day on a tenant's own sales."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.policy.domain.cascade import CHUNK_ITEMS
from services.policy.domain.columns import DAYS_PER_YEAR, Columns, Floats
from services.policy.domain.evidence import Evidence
from services.policy.domain.objectives import Weights, outcomes_of
from services.policy.domain.reckoning import reckon
from services.policy.domain.replay import Replayed, Stretch, replay
from services.policy.domain.scenarios import heeded
from services.policy.domain.screening import screen
from services.policy.domain.supply_calendar import Opportunity
from services.policy.pareto import GRID, Sums, class_names, levels_by_setting


@dataclass(frozen=True, slots=True)
class History:
    """What was asked for, one row an item: (n, days) units from `first_day` on; NaN where nobody knows."""

    first_day: date
    asked: Floats

    @property
    def last_day(self) -> date:
        """The last day of all items."""
        return self.first_day + timedelta(days=self.asked.shape[1] - 1)

    def rows(self, start: int, end: int) -> "History":
        """Some of the items."""
        return History(self.first_day, self.asked[start:end])


@dataclass(frozen=True, slots=True)
class Origin:
    """The items' evidence as it counts from `starts_on` on, one for each row of the history; None: it cannot be planned."""

    starts_on: date
    evidences: Sequence[Evidence | None]


def report_on(history: History, origins: Sequence[Origin], grid: Sequence[Weights] = GRID) -> dict[str, Any]:
    """For each class and all items: what the policy in force and each setting would have led to on this demand.

    Each origin's levels count until the next one's. An item is ordered up to its level at each of its reviews and what is not
    there is lost; begun with the level on the shelf. Scaled to a year by the days that count. Items without a day that counts
    are left out, and counted. The value of the stock is that of the newest levels.
    """
    sums = Sums.of(grid)
    items = 0
    for start in range(0, len(history.asked), CHUNK_ITEMS):
        end = start + CHUNK_ITEMS
        chunk = [Origin(one.starts_on, one.evidences[start:end]) for one in origins]
        items += _add_chunk(sums, history.rows(start, end), chunk, grid)
    told = {"items": items, "items_left_out": len(history.asked) - items, "weights": "service:cost:risk"}
    told |= {"first_day": history.first_day.isoformat(), "last_day": history.last_day.isoformat()}
    return told | sums.judged()


@dataclass(frozen=True, slots=True)
class _Planned:
    """The items of an origin that can be planned: their places in the history, numbers, classes, and levels by setting.
    No columns: none can be."""

    starts: int
    places: NDArray[np.int64]
    columns: Columns | None
    names: NDArray[np.str_]
    levels: list[Floats]

    def stretch(self, setting: int, count: int) -> Stretch:
        """How a setting orders from here on, one row for each item of the history."""
        level, lead, review = np.full(count, np.nan), np.zeros(count, np.int64), np.ones(count, np.int64)
        if self.columns is not None:
            level[self.places] = self.levels[setting]
            lead[self.places] = self.columns.lead_days
            review[self.places] = np.maximum(self.columns.protection_days - self.columns.lead_days, 1.0)
        return Stretch(self.starts, level, lead, review)


def _planned(origin: Origin, history: History, grid: Sequence[Weights]) -> _Planned:
    places, evidences, opportunities = list[int](), list[Evidence](), list[Opportunity]()
    for place, evidence in enumerate(origin.evidences):
        found = None if evidence is None else screen(heeded(evidence))
        if evidence is not None and isinstance(found, Opportunity):
            places.append(place)
            evidences.append(evidence)
            opportunities.append(found)
    starts, where = (origin.starts_on - history.first_day).days, np.asarray(places, dtype=np.int64)
    if not places:
        return _Planned(starts, where, None, class_names(()), [])
    reckoned = reckon(evidences, opportunities)
    demand = outcomes_of(reckoned.levels.exposure.quantile, len(places))
    levels = list(levels_by_setting(reckoned, demand, grid))
    return _Planned(starts, where, reckoned.columns, class_names(evidences), levels)


def _add_chunk(sums: Sums, history: History, origins: Sequence[Origin], grid: Sequence[Weights]) -> int:
    """Adds the measures of these items; returns how many had a day that counts."""
    count = len(history.asked)
    planned = [_planned(origin, history, grid) for origin in origins]
    names, money = np.full(count, "none", dtype=object), np.zeros((3, count))
    for one in planned:
        names[one.places] = one.names
        if one.columns is not None:
            money[:, one.places] = [one.columns.margin, one.columns.holding_cost, one.columns.unit_cost]
    margin, holding, unit_cost = money
    counts = np.zeros(count, dtype=bool)
    for setting in range(len(sums.settings)):
        stretches = [one.stretch(setting, count) for one in planned]
        found = replay(history.asked, stretches, margin, holding / DAYS_PER_YEAR)
        counts = found.days > 0
        newest = np.zeros(count)
        for each in stretches:
            newest = np.where(np.isfinite(each.level), each.level, newest)
        table = _of_a_year(found, margin, holding, newest * unit_cost)
        for name in set(names[counts]):
            sums.add(str(name), setting, table[counts & (names == name)].sum(axis=0))
    return int(counts.sum())


def _of_a_year(found: Replayed, margin: Floats, holding: Floats, stock_value: Floats) -> Floats:
    """The report's measures of each row (n, MEASURES), its days that count scaled to a year."""
    days = np.maximum(found.days, 1.0)
    yearly = DAYS_PER_YEAR / days
    columns = (
        found.short * margin * yearly, found.left_days * holding / days, found.tail * found.cycles * yearly,
        found.short * yearly, found.asked * yearly, stock_value,
    )  # fmt: skip
    return np.stack(columns, axis=1)
