"""Parquet and CSV at the edge of offline planning: columns in, a result file out. The only place here that knows Arrow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kernel.distribution import DAYS, HORIZONS_DAYS, LEVELS
from services.policy import offline_forecasts
from services.policy.offline_forecasts import ForecastBook, ForecastsRefused, keys_of
from services.policy.offline_rows import REQUIRED

ROWS_PER_READ = 8_192
NODES = len(HORIZONS_DAYS) * len(LEVELS)
MONEY = pa.decimal128(18, 4)
DAY_COLUMNS, UNITS_COLUMNS, ORIGIN_COLUMNS = ("ds", "date", "day"), ("y", "units", "quantity"), ("origin", "cutoff")
WAY_OUT = "name the columns as docs/policy.md says"
EPOCH = date(1970, 1, 1).toordinal()  # where Arrow begins to count days
RESULT = pa.schema(
    [
        ("sku", pa.string()), ("location", pa.string()), ("outcome", pa.string()), ("reason", pa.string()),
        ("field", pa.string()), ("says", pa.string()), ("as_of", pa.date32()), ("quantity", MONEY), ("unit", pa.string()),
        ("supplier", pa.string()), ("unit_cost", MONEY), ("value", MONEY), ("currency", pa.string()),
        ("order_on", pa.date32()), ("arrive_on", pa.date32()), ("inventory_position", MONEY), ("reorder_point", MONEY),
        ("order_up_to", MONEY), ("days_of_cover", pa.float64()), ("stockout_probability", pa.float64()),
        ("money_at_risk", MONEY), ("gmroi", pa.float64()), ("confidence", pa.float64()), ("approved_by_rule", pa.bool_()),
        ("route_reasons", pa.string()), ("excess_from_rounding", MONEY), ("excess_cost", MONEY),
        ("rank", pa.int64()), ("wanted_without_limits", MONEY),
        ("recommendation_id", pa.string()), ("evidence_sha256", pa.string()), ("document", pa.string()),
    ]
)  # fmt: skip
# Lines beside the items' own orders: transfers, and changes of open orders.
LINES = pa.schema(
    [
        ("sku", pa.string()), ("location", pa.string()), ("action", pa.string()), ("says", pa.string()), ("as_of", pa.date32()),
        ("quantity", MONEY), ("unit", pa.string()), ("supplier", pa.string()), ("from_location", pa.string()),
        ("changes_order", pa.string()), ("value", MONEY), ("currency", pa.string()), ("order_on", pa.date32()),
        ("arrive_on", pa.date32()), ("money_at_risk", MONEY), ("confidence", pa.float64()),
        ("approved_by_rule", pa.bool_()), ("route_reasons", pa.string()), ("recommendation_id", pa.string()),
        ("evidence_sha256", pa.string()), ("document", pa.string()),
    ]
)  # fmt: skip


class FileRefused(ValueError):
    """A file that cannot be used at all; args are (code, what happened, why, way out)."""


def table_of(path: Path) -> pa.Table:
    """A Parquet or CSV file as a table. Raises FileRefused: file_unreadable."""
    try:
        table = pacsv.read_csv(path) if path.suffix.lower() == ".csv" else pq.read_table(path)
        return table.rename_columns(table.column_names)  # a name that is no UTF-8 is noticed only when it is asked for
    except (pa.ArrowException, OSError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"[:200]
        raise FileRefused("file_unreadable", f"{path} cannot be read.", why, "give a Parquet or CSV file") from None


def item_chunks(path: Path) -> Iterator[Mapping[str, Sequence[Any]]]:
    """The item file, some rows at a time, as lists by column. Raises FileRefused: file_unreadable, columns_missing."""
    table = table_of(path)
    missing = [name for name in REQUIRED if name not in table.column_names]
    if missing:
        raise FileRefused(
            "columns_missing", f"{path} lacks {', '.join(missing)}.", f"it has {', '.join(table.column_names)}",
            WAY_OUT,
        )  # fmt: skip
    for batch in table.to_batches(ROWS_PER_READ):
        yield batch.to_pydict()


def forecasts_of(path: Path, origin: date | None = None) -> ForecastBook:
    """The forecasts of a file in any of the three forms; with `origin`, of that origin. Raises FileRefused."""
    table = table_of(path)
    names = table.column_names
    if origin is not None:
        place = next((name for name in ("origin", "cutoff") if name in names), None)
        if place is not None:
            table = table.filter(pa.compute.equal(pa.compute.cast(table[place], pa.date32()), pa.scalar(origin)))
    try:
        if "mean_e4" in names and "quantiles_e2" in names:
            return _published(table)
        levels = sorted((float(name[1:]), name) for name in names if _is_level(name))
        if len(levels) < 2 or "mean" not in names:
            raise ForecastsRefused(
                f"has the columns {', '.join(names)}",
                "give mean_e4 and quantiles_e2, or mean and at least two quantiles such as q0.5 and q0.9",
            )
        quantiles = np.stack([_floats(table, name) for _level, name in levels], axis=1)
        columns = _plain(table)
        spans = next((name for name in ("periods", "days", "horizon", "span") if name in names), None)
        chosen = [level for level, _name in levels]
        if spans is not None:
            days = [int(one) for one in table[spans].to_pylist()]
            return offline_forecasts.totals(columns, days, chosen, quantiles, _floats(table, "mean"))
        return offline_forecasts.daily(columns, _days_ahead(columns), chosen, quantiles, _floats(table, "mean"))
    except ForecastsRefused as refused:
        why, way_out = refused.args
        raise FileRefused("forecasts_unreadable", f"{path} is no forecast file.", f"it {why}", way_out) from None


def origins_of(path: Path) -> list[date]:
    """When the forecasts of a file were made, in order. Raises FileRefused: file_unreadable, columns_missing."""
    table = table_of(path)
    days = pa.compute.cast(table[_named(path, table, ORIGIN_COLUMNS)], pa.date32())
    return sorted(pa.compute.unique(days).drop_null().to_pylist())


@dataclass(frozen=True, slots=True)
class PastRows:
    """Past demand: the file's items, and of each row the number of its item, the day (-1: none) and units (NaN: unknown)."""

    items: list[tuple[str, str]]
    item: NDArray[np.int64]
    days: NDArray[np.int64]
    units: NDArray[np.float64]
    day_name: str
    units_name: str


def past_of(path: Path) -> PastRows:
    """A file of past demand. Raises FileRefused: file_unreadable, columns_missing, history_unreadable."""
    table = table_of(path)
    day_name, units_name = _named(path, table, DAY_COLUMNS), _named(path, table, UNITS_COLUMNS)
    names = [name for name in ("sku", "location") if name in table.column_names]
    names = names if "sku" in names else [name for name in ("unique_id",) if name in table.column_names]
    try:
        coded = {name: pa.compute.dictionary_encode(table[name]).combine_chunks() for name in names}
        codes = [one.indices.to_numpy(zero_copy_only=False).astype(np.int64) for one in coded.values()]
        pairs, item = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True) if codes else (np.zeros((0, 0)), np.zeros(0, np.int64))  # fmt: skip
        places = enumerate(coded.items())
        items = keys_of({name: one.dictionary.take(pa.array(pairs[:, at])).to_pylist() for at, (name, one) in places})
        days = pa.compute.cast(pa.compute.cast(table[day_name], pa.date32()), pa.int32()).fill_null(-EPOCH - 1)
        units = pa.compute.cast(table[units_name], pa.float64())
    except (ForecastsRefused, pa.ArrowException) as error:
        why = f"it {error.args[0]}" if isinstance(error, ForecastsRefused) else str(error)
        raise FileRefused("history_unreadable", f"{path} is no history.", why[:200], WAY_OUT) from None
    numbers = np.asarray(days.to_numpy(), dtype=np.int64) + EPOCH
    return PastRows(items, item.reshape(-1), numbers, np.asarray(units.to_numpy(), np.float64), day_name, units_name)


def _named(path: Path, table: pa.Table, names: Sequence[str]) -> str:
    found = next((one for one in names if one in table.column_names), None)
    if found is None:
        why = f"it has {', '.join(table.column_names)}, none of {', '.join(names)}"
        raise FileRefused("columns_missing", f"{path} lacks a column.", why, WAY_OUT)
    return found


class ResultFile:
    """The result, written beside its name until it is whole."""

    def __init__(self, path: Path, schema: pa.Schema = RESULT) -> None:
        self._path = path
        self._schema = schema
        self._part = path.with_name(f".{path.name}.part")
        self._writer = pq.ParquetWriter(self._part, schema, compression="zstd")

    def write(self, rows: Mapping[str, Sequence[Any]]) -> None:
        """Append rows given by column."""
        columns = {one.name: pa.array(rows[one.name], one.type) for one in self._schema}
        self._writer.write_table(pa.table(columns, self._schema))

    def close(self, *, keep: bool) -> None:
        """Give the file its name, or throw it away."""
        self._writer.close()
        if keep:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)


def _published(table: pa.Table) -> ForecastBook:
    means, nodes = _integers(table, "mean_e4", DAYS), _integers(table, "quantiles_e2", NODES)
    return offline_forecasts.published(_plain(table.drop_columns(["mean_e4", "quantiles_e2"])), means, nodes)


def _integers(table: pa.Table, name: str, width: int) -> NDArray[np.int64]:
    column = table[name].combine_chunks()
    while (
        pa.types.is_list(column.type) or pa.types.is_large_list(column.type) or pa.types.is_fixed_size_list(column.type)
    ):
        column = column.flatten()
    flat = np.asarray(column.cast(pa.int64()), dtype=np.int64)
    if len(flat) != len(table) * width:
        raise ForecastsRefused(
            f"has {name} of another length than {width}", "write them as forecast.issued.v1 has them"
        )
    return flat.reshape(len(table), width)


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _plain(table: pa.Table) -> dict[str, Sequence[Any]]:
    names = ("sku", "location", "unique_id", "origin", "cutoff", "ds", "confidence", "flags", "forecast_id", "model_id", "strategy", "model")  # fmt: skip
    return {name: table[name].to_pylist() for name in names if name in table.column_names}


def _days_ahead(columns: Mapping[str, Sequence[Any]]) -> list[int]:
    origins = columns.get("origin") or columns.get("cutoff")
    if "ds" not in columns or origins is None:
        raise ForecastsRefused("has neither spans (periods) nor ds and cutoff", "say how far ahead each row looks")
    return [(_day(ds) - _day(origin)).days for ds, origin in zip(columns["ds"], origins, strict=True)]


def _day(value: Any) -> date:
    return date.fromisoformat(str(value)[:10])


def _is_level(name: str) -> bool:
    try:
        return name.startswith("q") and 0.0 < float(name[1:]) < 1.0
    except ValueError:
        return False


def documents_in(file: Path) -> Iterator[str]:
    """The documents of a result of `./run plan --documents`; other tables hold none."""
    with pq.ParquetFile(file) as table:
        if "document" in table.schema_arrow.names:
            for batch in table.iter_batches(batch_size=1_000, columns=["document"]):
                yield from (text for text in batch.column(0).to_pylist() if text)
