"""Days on which a location keeps its doors shut: as it was told, and on public holidays as learned from earlier ones.

What was told counts from the evening it was told on. A day without a sale at a place that usually sells a lot was a day of closed doors. Whether they will be closed again on a
holiday is read from the last one of the same name; of a holiday nobody has seen yet, from all the others: a place that
was shut on every one of at least HOLIDAYS_MIN is shut on the next. Only days up to the origin are looked at.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from services.forecaster.domain.cleaning import CLOSED_ITEMS_MIN, ITEMS_AT_ONCE
from services.forecaster.domain.panel import BoolArray, DemandPanel, FloatArray, Holiday, IntArray, ToldClosure

# So many different items usually sell on such a weekday: that by chance none of them does happens once in 150 holidays.
ITEMS_SELLING_MIN = 5.0
WEEKS_BEFORE = 8  # in which the weekday is looked at, to say what is usual
WEEKS_MIN = 2
WEEK_DAYS = 7
HOLIDAYS_MIN = 4
SEPARATOR = "; "  # of names that fall on one day, as the package `holidays` writes them


def seen(demand: FloatArray, rows: IntArray, named: Mapping[int, str]) -> tuple[Holiday, ...]:
    """The holidays of one location by column, with what the demand of its `rows` says about its doors."""
    found = []
    selling = np.zeros(demand.shape[1], dtype=np.int64)
    for start in range(0, len(rows), ITEMS_AT_ONCE):
        selling += (demand[rows[start : start + ITEMS_AT_ONCE]] > 0).sum(axis=0)  # an unknown day is not above zero
    for column, names in sorted(named.items()):
        same = [column - 7 * week for week in range(1, WEEKS_BEFORE + 1) if column >= 7 * week]
        was_shut: bool | None = None
        if column < len(selling) and len(same) >= WEEKS_MIN and selling[same].mean() >= ITEMS_SELLING_MIN:
            was_shut = bool(selling[column] == 0)
        found.append(Holiday(column, frozenset(names.split(SEPARATOR)), was_shut))
    return tuple(found)


def shut_ahead(panel: DemandPanel, origin: int, days: int) -> BoolArray | None:
    """(items, days): days after the origin on which the item's location will be shut; None where no day is one."""
    out: BoolArray | None = None
    for code in sorted({*panel.holidays, *panel.told_closures}):
        known = panel.holidays.get(code, ())
        past = [one for one in known if one.column <= origin and one.was_shut is not None]
        ahead = {one.column for one in known if origin < one.column <= origin + days and _will_be_shut(one, past)}
        for told in panel.told_closures.get(code, ()):
            if told.told <= origin:
                ahead |= set(range(max(told.first, origin + 1), min(told.last, origin + days) + 1))
        if ahead:
            out = np.zeros((len(panel.item_ids), days), dtype=np.bool_) if out is None else out
            rows = np.flatnonzero(panel.location == code)
            columns = np.array(sorted(ahead), dtype=np.int64) - origin - 1
            out[rows[:, None], columns[None, :]] = True
    return out


def without_told(demand: FloatArray, location: IntArray, told: Mapping[int, Sequence[ToldClosure]]) -> FloatArray:
    """The demand with the days unknown on which a location was told to be shut and indeed sold nothing: they say nothing of
    demand, however few items the location has. Who told it is not asked again: a day with a sale was open."""
    out = demand
    for code, closures in sorted(told.items()):
        rows = np.flatnonzero(location == code)
        for one in closures:
            for column in range(max(0, one.first), min(one.last + 1, demand.shape[1])):
                if not (demand[rows, column] > 0).any() and not np.isnan(demand[rows, column]).all():
                    out = demand.copy() if out is demand else out
                    out[rows, column] = np.nan
    return out


def were_shut(panel: DemandPanel, first: int, last: int) -> BoolArray:
    """(items, days first to last): unknown days on which nobody at the item's location is known, though a week before
    enough were. What was hidden there is the day and not the item: it is out of stock alone."""
    before = max(0, first - WEEK_DAYS)
    unknown = np.isnan(panel.demand[:, before : last + 1])
    shut = np.zeros(unknown.shape, dtype=np.bool_)
    for code in np.unique(panel.location).tolist():
        rows = np.flatnonzero(panel.location == code)
        known = (~unknown[rows]).sum(axis=0)
        for day in np.flatnonzero(known == 0).tolist():
            if known[max(0, day - WEEK_DAYS) : day].max(initial=0) >= CLOSED_ITEMS_MIN:
                shut[rows, day] = True
    return shut[:, first - before :]


def _will_be_shut(holiday: Holiday, past: list[Holiday]) -> bool:
    same = [one for one in past if one.names & holiday.names]
    if same:
        return bool(same[-1].was_shut)
    return len(past) >= HOLIDAYS_MIN and all(one.was_shut for one in past)
