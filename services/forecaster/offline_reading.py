"""Reading a demand file: long rows of `unique_id, ds, y` and more, from Parquet or CSV, into one frame.

Two passes over batches of rows, so that memory holds the frame and one batch, whatever the file's length. Every row
that is not usable as it stands is repaired by a stated rule and leaves a flag at its series; nothing is dropped unsaid.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from services.forecaster.domain.panel import BoolArray, FloatArray, IntArray

BATCH_ROWS = 1_000_000
KEYS = ("unique_id", "ds", "y")
NEVER = np.iinfo(np.int64).max
ALWAYS = np.iinfo(np.int64).min  # also what stands for a date that could not be read


class FileRefused(ValueError):
    """The file cannot be used at all; args are (code, what, why, way out)."""


@dataclass(slots=True)
class Batch:
    """Some rows: series number, day (since 1970-01-01), and the numbers of the columns asked for."""

    item: IntArray
    day: IntArray
    numbers: dict[str, FloatArray]


@dataclass(slots=True)
class Series:
    """The series of a file in the order of their names; `ids` keeps their type.

    `flags[code]` holds per series the first day it is true of, so that an origin is not told of what came after it.
    """

    ids: pa.Array
    names: tuple[str, ...]
    flags: dict[str, IntArray] = field(default_factory=dict)
    rows_unreadable: Counter[str] = field(default_factory=Counter)

    def mark(self, code: str, items: IntArray, days: IntArray) -> None:
        """Give these series a reason flag, from these days on."""
        if len(items):
            since = self.flags.setdefault(code, np.full(len(self.names), NEVER))
            np.minimum.at(since, items, days)

    def marked(self, code: str, day: int) -> BoolArray:
        """Which series have the flag by a day."""
        return np.asarray(self.flags[code] <= day)


# What a file that is no table raises, or one whose pages are spoilt behind a good head.
UNREADABLE = (OSError, ValueError, pa.ArrowException)


def _unreadable(path: Path, error: Exception) -> FileRefused:
    return FileRefused(
        "file_unreadable", f"{path.name} cannot be read as a table.", f"{type(error).__name__}: {error}"[:300],
        "give a Parquet or CSV file with the columns unique_id, ds and y",
    )  # fmt: skip


def columns_of(path: Path) -> dict[str, pa.DataType]:
    """Names and types of a file's columns. Raises FileRefused when it is no table with the columns needed."""
    try:
        if path.suffix.lower() in (".csv", ".txt"):
            with pcsv.open_csv(path) as reader:
                schema = reader.schema
        else:
            schema = pq.read_schema(path)
        return dict(zip(schema.names, schema.types, strict=True))  # a name that is no UTF-8 is noticed only here
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The file in pieces, only these columns. Raises FileRefused where it cannot be read."""
    try:
        yield from _pieces(path, columns)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def _pieces(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    if path.suffix.lower() in (".csv", ".txt"):
        as_text = {name: pa.string() for name in ("unique_id", "ds") if name in columns}
        options = pcsv.ConvertOptions(include_columns=list(columns), column_types=as_text)
        with pcsv.open_csv(path, convert_options=options) as reader:
            yield from reader
        return
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=list(columns))


def series_of(path: Path) -> Series:
    """Every series the file names, also those whose rows turn out to be unusable."""
    seen: list[pa.Array] = []
    for batch in batches(path, ["unique_id"]):
        seen.append(pc.unique(_plain(batch.column(0))))
        if len(seen) > 64:
            seen = [pc.unique(pa.chunked_array(seen).combine_chunks())]
    if not seen:
        raise FileRefused("file_empty", f"{path.name} has no rows.", "there is nothing to learn from", "give a history")
    ids = pc.unique(pa.chunked_array(seen).combine_chunks()).drop_null()
    names = [str(value) for value in ids.to_pylist()]
    order = sorted(range(len(names)), key=names.__getitem__)
    return Series(ids.take(pa.array(order)), tuple(names[place] for place in order))


def read(path: Path, series: Series, numbers: Sequence[str], *, quiet: bool = False) -> Iterator[Batch]:
    """Rows with a known series and a readable date; other rows are counted. `quiet` counts nothing (second pass)."""
    last_item, last_day = -1, -1
    for batch in batches(path, ["unique_id", "ds", *numbers]):
        item = pc.fill_null(pc.index_in(_plain(batch.column(0)), value_set=series.ids), -1)
        item = item.to_numpy(zero_copy_only=False).astype(np.int64)
        day, has_zone = days_of(batch.column(1))
        usable = (item >= 0) & (day != ALWAYS)
        if not quiet:
            series.rows_unreadable["without a series"] += int((item < 0).sum())
            series.rows_unreadable["without a readable date"] += int(((item >= 0) & ~usable).sum())
            series.mark("unreadable_date", item[(item >= 0) & ~usable], day[(item >= 0) & ~usable])
            series.mark("time_zones", item[usable & has_zone], day[usable & has_zone])
            back = np.flatnonzero((np.diff(item) == 0) & (np.diff(day) < 0) & usable[1:] & usable[:-1]) + 1
            series.mark("unsorted", item[back], day[back])
            if len(item) and item[0] == last_item and day[0] < last_day:
                series.mark("unsorted", item[:1], day[:1])
            last_item, last_day = (int(item[-1]), int(day[-1])) if len(item) else (last_item, last_day)
        kept = {name: _numbers(batch.column(2 + place))[usable] for place, name in enumerate(numbers)}
        yield Batch(item[usable], day[usable], kept)


def days_of(column: pa.Array) -> tuple[IntArray, BoolArray]:
    """Calendar days as written (since 1970-01-01; the smallest integer where there is none), and where a zone was.

    A business date is a local date: of a time with an offset the date as written counts, of a column in one zone the
    date there. Nothing is moved to another zone's calendar.
    """
    column = _plain(column)
    zoned = np.zeros(len(column), dtype=np.bool_)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        zoned = pc.fill_null(pc.match_substring_regex(column, r"[T ]\d\d:?\d\d.*([+-]\d\d:?\d\d|Z)$"), False)
        zoned = zoned.to_numpy(zero_copy_only=False).astype(np.bool_)
        column = pc.strptime(pc.utf8_slice_codeunits(column, 0, 10), format="%Y-%m-%d", unit="s", error_is_null=True)
    elif pa.types.is_timestamp(column.type) and column.type.tz is not None:
        zoned = np.full(len(column), True)
        column = pc.local_timestamp(column)
    elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        raise FileRefused(
            "dates_are_numbers", "The column ds holds numbers.", "a date cannot be told from a period's number",
            "write ds as dates (2026-11-21)",
        )  # fmt: skip
    days = column.cast(pa.date32(), safe=False).cast(pa.int32()).to_numpy(zero_copy_only=False)
    gone = np.isnan(days) if days.dtype.kind == "f" else np.zeros(len(days), dtype=np.bool_)
    out = np.where(gone, 0, days).astype(np.int64)
    out[gone] = ALWAYS
    return out, zoned


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days


def _plain(column: Any) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _numbers(column: pa.Array) -> FloatArray:
    column = _plain(column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        # A column of texts with some numbers: what is not a number becomes unknown, which is flagged as missing.
        looks = pc.match_substring_regex(column, r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")
        column = pc.if_else(looks, pc.utf8_trim_whitespace(column), pa.scalar(None, column.type))
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
