"""From a demand file to the frame the models read, with the reason flags of every repair."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.forecaster.domain.frame import codes
from services.forecaster.domain.panel import (
    DemandPanel,
    FloatArray,
    IntArray,
)
from services.forecaster.offline_reading import (
    ALWAYS,
    KEYS,
    NEVER,
    Batch,
    FileRefused,
    Series,
    _plain,
    batches,
    columns_of,
    day_number,
    read,
    series_of,
)

HISTORY_DAYS_MAX = 1_100  # three years: more than the features look back, and a mistyped 1900 cannot fill the memory
ZEROS_WRITTEN_SHARE = 0.01  # a file with this share of zero rows writes its zeros; its gaps are unknown days then
DENSE_SHARE = 0.8  # so are those of a file that has nearly every day of every series: nobody leaves out one zero in ten
# Which columns name the groups an item shares its level and trend with, if they are not named by option.
ROLES = {
    "location": ("location", "store_id", "store", "site", "shop"),
    "category": ("category", "product_category", "cat_id", "dept_id", "department"),
    "product": ("product", "product_id", "sku", "item_id", "item", "brand"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read and how. `known` names regressors that are known ahead; `future` holds them for days to come."""

    history: Path
    future: Path | None
    known: tuple[str, ...] | None
    step_days: int | None
    origins: tuple[date, ...]
    horizon: int
    roles: tuple[tuple[str, str], ...] = ()
    gaps: str = "auto"


@dataclass(frozen=True, slots=True)
class FileFrame:
    """The frame up to the last origin (regressors up to its horizon), not cleaned yet, and what had to be repaired.

    `first_row` is the column of each series' first row; before it the series is not known to exist.
    """

    panel: DemandPanel
    series: Series
    origins: tuple[date, ...]
    zeros_are_written: bool
    step_days: int
    first_row: IntArray


@dataclass(slots=True)
class _Scan:
    """What one pass over the dates tells."""

    first: int
    last: int
    days: IntArray
    first_row: IntArray
    zeros: int
    rows: int


def load(wanted: Wanted) -> FileFrame:
    """Read everything. Raises FileRefused with a reason and a way out."""
    columns = columns_of(wanted.history)
    missing = [name for name in KEYS if name not in columns]
    if missing:
        raise FileRefused(
            "columns_missing", f"{wanted.history.name} has no column {', '.join(missing)}.",
            f"its columns are {', '.join(columns)}", "rename the columns to unique_id, ds and y",
        )  # fmt: skip
    series = series_of(wanted.history)
    # How the file is written is told by what was there at the first origin: an origin learns nothing from later rows.
    until = min(map(day_number, wanted.origins), default=NEVER)
    scan = _scan(wanted.history, series, until)
    step = wanted.step_days or _step(scan.days)
    today = day_number(datetime.now(UTC).date())
    last = max([day_number(origin) for origin in wanted.origins], default=min(scan.last, today))
    if last < scan.first:
        raise FileRefused(
            "origin_before_history", "The last origin lies before the first row.",
            f"the file begins on {_day(scan.first)}", "choose a later origin",
        )  # fmt: skip
    start = max(scan.first, last - HISTORY_DAYS_MAX)
    start += (scan.first - start) % step  # weeks keep their weekday
    periods = (last - start) // step + 1
    demand = _demand(wanted.history, series, start, periods, step, today)
    zeros_are_written = scan.zeros >= ZEROS_WRITTEN_SHARE * scan.rows or _is_dense(
        demand[:, : (until - start) // step + 1] if wanted.origins else demand
    )
    unknown = wanted.gaps == "unknown" or (wanted.gaps == "auto" and zeros_are_written)
    demand = _without_gaps(demand, series, unknown, start, step)
    groups = _groups(wanted, series, columns)
    names, known = _known(wanted, series, start, periods + wanted.horizon, step, columns)
    panel = DemandPanel(
        series.names, _day(start), demand, groups["location"], groups["category"],
        groups["product"], names, known, step,
    )  # fmt: skip
    origins = wanted.origins or (_day(start + (periods - 1) * step),)
    return FileFrame(panel, series, origins, zeros_are_written, step, (scan.first_row - start) // step)


def _day(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))


def _scan(path: Path, series: Series, until: int) -> _Scan:
    days, zeros, rows = np.zeros(0, dtype=np.int64), 0, 0
    first_row = np.full(len(series.names), NEVER)
    for batch in read(path, series, ["y"]):
        days = np.union1d(days, batch.day)
        np.minimum.at(first_row, batch.item, batch.day)
        early = batch.day <= until
        zeros += int((batch.numbers["y"][early] == 0).sum())
        rows += int(early.sum())
    if not len(days):
        raise FileRefused(
            "no_usable_rows", f"{path.name} has no row with a series and a date.", "nothing can be read from it",
            "write ds as dates (2026-11-21) and name every row's series in unique_id",
        )  # fmt: skip
    seen = days[days <= until]
    return _Scan(int(days[0]), int(days[-1]), seen if len(seen) else days, first_row, zeros, rows)


def _step(days: IntArray) -> int:
    """1 for daily data, 7 for weekly: all dates on one weekday."""
    if len(days) < 3:
        return 1
    if len(np.unique(days % 7)) == 1:
        return 7
    recent = days[days > days[-1] - 366]
    if len(recent) < 0.2 * (recent[-1] - recent[0] + 1):
        raise FileRefused(
            "frequency_unknown", "The dates are neither daily nor weekly.",
            f"{len(recent)} different dates in {recent[-1] - recent[0] + 1} days, on several weekdays",
            "sum the demand by day or by week, or say --freq D if the days between are really without demand",
        )  # fmt: skip
    return 1


def _demand(path: Path, series: Series, start: int, periods: int, step: int, today: int) -> FloatArray:
    demand = np.full((len(series.names), periods), np.nan)
    for batch in read(path, series, ["y"], quiet=True):
        series.mark("future_dates", batch.item[batch.day > today], np.full(int((batch.day > today).sum()), ALWAYS))
        column = (batch.day - start) // step
        inside = (column < periods) & (column >= 0)
        series.mark("older_history_left_out", batch.item[column < 0], batch.day[column < 0])
        item, day, column, value = batch.item[inside], batch.day[inside], column[inside], batch.numbers["y"][inside]
        for code, wrong in (
            ("missing_value", np.isnan(value)), ("impossible_value", np.isinf(value)), ("negative_demand", value < 0),
        ):  # fmt: skip
            series.mark(code, item[wrong], day[wrong])
        usable = np.isfinite(value)
        _add(demand, series, item[usable], column[usable], value[usable], (start, step))
    return np.where(demand < 0, 0.0, demand)


def _add(
    demand: FloatArray, series: Series, item: IntArray, column: IntArray, value: FloatArray, calendar: tuple[int, int]
) -> None:
    """Write cells; a row that repeats another exactly counts once, rows that differ are added up."""
    place = item * demand.shape[1] + column
    order = np.lexsort((value, place))
    place, value = place[order], value[order]
    new = np.r_[True, (np.diff(place) != 0)] if len(place) else np.zeros(0, dtype=np.bool_)
    if not new.all():
        series.mark("duplicate_dates", item[order][~new], calendar[0] + column[order][~new] * calendar[1])
        differs = new | np.r_[True, np.diff(value) != 0]
        place, value = place[differs], value[differs]
    flat = demand.reshape(-1)
    held = flat[place]
    again = ~np.isnan(held)
    if again.any():  # its twin came in an earlier batch
        number, at = np.divmod(place[again], demand.shape[1])
        series.mark("duplicate_dates", number, calendar[0] + at * calendar[1])
        fresh = ~again | (held != value)
        place, value = place[fresh], value[fresh]
    seen, where = np.unique(place, return_inverse=True)
    flat[seen] = np.nan_to_num(flat[seen]) + np.bincount(where, weights=value, minlength=len(seen))


def _is_dense(demand: FloatArray) -> bool:
    """Whether nearly every period from a series' first to its last row has one."""
    seen = ~np.isnan(demand)
    first, last = seen.argmax(axis=1), demand.shape[1] - seen[:, ::-1].argmax(axis=1)
    spans = np.where(seen.any(axis=1), last - first, 0)
    return bool(seen.sum() >= DENSE_SHARE * max(int(spans.sum()), 1))


def _without_gaps(demand: FloatArray, series: Series, unknown: bool, start: int, step: int) -> FloatArray:
    """Days without a row after a series' first: without demand where the file leaves zeros out, else unknown."""
    seen = ~np.isnan(demand)
    first = np.where(seen.any(axis=1), seen.argmax(axis=1), demand.shape[1])
    begun = np.arange(demand.shape[1])[None, :] >= first[:, None]
    gap = begun & ~seen
    holed = np.flatnonzero(gap.any(axis=1))
    series.mark("missing_days", holed, start + gap[holed].argmax(axis=1) * step)
    return demand if unknown else np.where(gap, 0.0, demand)


def _groups(wanted: Wanted, series: Series, columns: dict[str, pa.DataType]) -> dict[str, IntArray]:
    roles = {role: next((name for name in names if name in columns), None) for role, names in ROLES.items()}
    for role, column in wanted.roles:
        if column not in columns:
            raise FileRefused(
                "column_unknown", f"There is no column {column!r} to take the {role} from.",
                f"the columns are {', '.join(columns)}", "name one of them",
            )  # fmt: skip
        roles[role] = column
    used = sorted({name for name in roles.values() if name is not None})
    values = _statics(wanted.history, series, used) if used else {}
    alone = np.arange(len(series.names), dtype=np.int64)
    same = np.zeros(len(series.names), dtype=np.int64)
    return {
        role: codes(values[name]) if name is not None else (alone if role == "product" else same)
        for role, name in roles.items()
    }


def _statics(path: Path, series: Series, names: Sequence[str]) -> dict[str, list[str | None]]:
    """The first value each series has in these columns, as text."""
    out: dict[str, list[str | None]] = {name: [None] * len(series.names) for name in names}
    open_ = np.full(len(series.names), True)
    for batch in batches(path, ["unique_id", *names]):
        item = pc.fill_null(pc.index_in(_plain(batch.column(0)), value_set=series.ids), -1)
        item = item.to_numpy(zero_copy_only=False).astype(np.int64)
        found, rows = np.unique(item, return_index=True)
        fresh = (found >= 0) & open_[np.maximum(found, 0)]
        for place, name in enumerate(names):
            picked = _plain(batch.column(1 + place)).take(pa.array(rows[fresh])).to_pylist()
            for number, value in zip(found[fresh].tolist(), picked, strict=True):
                out[name][number] = None if value is None else str(value)
        open_[found[fresh]] = False
    return out


def _known(
    wanted: Wanted, series: Series, start: int, periods: int, step: int, columns: dict[str, pa.DataType]
) -> tuple[tuple[str, ...], FloatArray]:
    """Regressors known ahead: of the past from the history (or the future file), of days to come from the future file,
    and from the history only where `known` names them."""
    ahead = columns_of(wanted.future) if wanted.future else {}
    numeric = [name for name, kind in ahead.items() if name not in KEYS and _is_number(kind)]
    grouping = {name for names in ROLES.values() for name in names} | {column for _, column in wanted.roles}
    names = wanted.known if wanted.known is not None else tuple(name for name in numeric if name not in grouping)
    absent = [name for name in names if name not in columns and name not in ahead]
    if absent or (wanted.future and not {"unique_id", "ds"} <= set(ahead)):
        raise FileRefused(
            "regressor_unknown", f"Nothing can be read for {', '.join(absent) or 'the future regressors'}.",
            "the future file needs unique_id and ds; a regressor must be a column of the history or the future file",
            "check --known and --future",
        )  # fmt: skip
    if not names:
        return (), np.zeros((0, 0, 0))
    known = np.full((len(series.names), periods, len(names)), np.nan)
    last_seen = (max(map(day_number, wanted.origins)) - start) // step if wanted.origins else periods - wanted.horizon
    sources = [(wanted.history, set(columns), wanted.known is None)]
    if wanted.future:
        sources.append((wanted.future, set(ahead), False))
    for path, there, only_past in sources:
        mine = [name for name in names if name in there]
        for batch in read(path, series, mine, quiet=True) if mine else ():
            _place(known, batch, names, mine, start, step, last_seen if only_past else periods)
    return names, known


def _place(
    known: FloatArray, batch: Batch, names: tuple[str, ...], mine: Sequence[str], start: int, step: int, end: int
) -> None:
    column = (batch.day - start) // step
    inside = (column >= 0) & (column <= min(end, known.shape[1] - 1))
    for name in mine:
        value = batch.numbers[name][inside]
        known[batch.item[inside], column[inside], names.index(name)] = np.where(np.isfinite(value), value, np.nan)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))
