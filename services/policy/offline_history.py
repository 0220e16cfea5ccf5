"""A file of past demand, and the forecasts that counted on its days: what `./run plan --pareto --history` judges weights by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.policy.domain.evidence import Evidence
from services.policy.offline_files import FileRefused, forecasts_of, origins_of, past_of
from services.policy.offline_forecasts import ForecastBook
from services.policy.pareto_history import History, Origin, report_on

Key = tuple[str, str]
Fits = Callable[[Evidence, ForecastBook, Key], object | None]  # why a forecast cannot be planned from; None: it can


def weights_on(path: Path, forecasts: Path, evidences: Sequence[Evidence], fault: Fits) -> dict[str, Any]:
    """The report on a file's days, after the first forecast that counted on one of them. Raises FileRefused.

    Every origin of the forecast file before the history's last day counts, from the day after it until the next origin or
    until the policy takes a forecast for too old: nobody ordered by what was only known later.
    """
    wanted = {(one.sku, one.location): row for row, one in enumerate(evidences)}
    table = _table(path, wanted)
    origins = [day for day in origins_of(forecasts) if day < table.last]
    if not origins:
        raise FileRefused(
            "history_too_short", f"No forecast of {forecasts} counts on a day of {path}.",
            f"the history ends on {table.last.isoformat()}, and every forecast begins there or later",
            "add forecasts of earlier origins (./run forecast --origins …), or a history that goes on after them",
        )  # fmt: skip
    first = origins[0] + timedelta(days=1)
    history = History(first, table.asked(first, len(evidences)))
    known = [_known(day, forecasts_of(forecasts, day), evidences, fault) for day in origins]
    return report_on(history, _until_too_old(known, evidences)) | {"origins": [day.isoformat() for day in origins]}


def _known(day: date, book: ForecastBook, evidences: Sequence[Evidence], fault: Fits) -> Origin:
    """The items as they were to be planned at the close of `day`."""
    found: list[Evidence | None] = []
    for one in evidences:
        key = (one.sku, one.location)
        then = replace(one, as_of=day, forecast=book.get(*key), local_time=None)
        found.append(None if fault(then, book, key) is not None else then)
    return Origin(day + timedelta(days=1), found)


def _until_too_old(known: Sequence[Origin], evidences: Sequence[Evidence]) -> list[Origin]:
    """The same, with an end where the policy would not plan by a forecast any more and no newer one had come."""
    age_max = int(evidences[0].policy.parameters.forecast_age_max_days) if evidences else 0
    ends = [Origin(one.starts_on + timedelta(days=age_max), [None] * len(one.evidences)) for one in known]
    following = [one.starts_on for one in known[1:]]
    stops = [end for end, after in zip(ends, [*following, date.max], strict=True) if end.starts_on < after]
    return sorted([*known, *stops], key=lambda one: one.starts_on)


@dataclass(frozen=True, slots=True)
class _Table:
    """The file's rows: place of the item among those that are planned (-1: not one of them), day number, units (NaN: unknown)."""

    places: NDArray[np.int64]
    days: NDArray[np.int64]
    units: NDArray[np.float64]

    @property
    def last(self) -> date:
        """The last day of any item."""
        return date.fromordinal(int(self.days.max()))

    def asked(self, first: date, items: int) -> NDArray[np.float64]:
        """(items, days from `first`). A day without a row sold nothing, from an item's own first row on; nobody asked before."""
        begins = np.full(items, self.days.max() + 1)
        ours = self.places >= 0
        places, days = self.places[ours], self.days[ours] - first.toordinal()
        np.minimum.at(begins, places, days)
        span = np.arange(int(self.days.max()) - first.toordinal() + 1)
        asked = np.where(span >= begins[:, np.newaxis], 0.0, np.nan)
        inside = days >= 0
        asked[places[inside], days[inside]] = self.units[ours][inside]
        return asked


def _table(path: Path, wanted: dict[Key, int]) -> _Table:
    """The file's rows, checked. Raises FileRefused, naming the row and the column to mend."""
    past = past_of(path)
    known = np.asarray([wanted.get(key, -1) for key in past.items], dtype=np.int64)
    places = known[past.item] if len(past.items) else np.zeros(0, dtype=np.int64)
    undated = np.flatnonzero(past.days < 0)
    if len(undated) or not len(past.days):
        raise _bad_row(path, int(undated[0]) if len(undated) else 0, past.day_name, "there is no day")
    bad = np.flatnonzero((past.units < 0) | np.isinf(past.units))
    if len(bad):
        raise _bad_row(path, int(bad[0]), past.units_name, f"{past.units[bad[0]]:g} cannot be asked for")
    ours = np.flatnonzero(places >= 0)
    keys = places[ours] * (int(past.days.max()) + 1) + past.days[ours]
    order = np.argsort(keys, kind="stable")
    twice = np.flatnonzero(np.diff(keys[order]) == 0)
    if len(twice):
        row = int(ours[order[twice[0] + 1]])
        raise _bad_row(path, row, past.day_name, f"this item has {date.fromordinal(int(past.days[row]))} twice")
    return _Table(places, past.days, past.units)


def _bad_row(path: Path, row: int, column: str, says: str) -> FileRefused:
    return FileRefused(
        "history_invalid", f"Row {row + 1} of {path} cannot be used.", f"{column}: {says}",
        "give each item one row a day, units of at least 0; leave them empty where nobody knows",
    )  # fmt: skip
