"""Forecast files as the forecasts the cascade reads: the published form, or totals and days of `./run forecast`."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernel.distribution import DAYS, HORIZONS_DAYS, LEVELS
from services.policy.domain.evidence import Forecast

Floats = NDArray[np.float64]
IDS = uuid.uuid5(uuid.NAMESPACE_URL, "countersign:offline-forecasts")
# Days of a daily file are added up by their variances: an approximation the planner is told of by this flag.
SUMMED = "days_summed"
CONFIDENCE_UNKNOWN = Decimal(0)  # a file that says nothing of its confidence goes to a person, never past one


class ForecastsRefused(ValueError):
    """The file cannot be read as forecasts; args are (what is wrong, what to do)."""


@dataclass(slots=True)
class ForecastBook:
    """Forecasts by item; `reach_days`: how far a forecast really looks (what lies beyond is carried on)."""

    forecasts: dict[tuple[str, str], Forecast] = field(default_factory=dict)
    reach_days: dict[tuple[str, str], int] = field(default_factory=dict)
    faults: dict[tuple[str, str], str] = field(default_factory=dict)

    def get(self, sku: str, location: str) -> Forecast | None:
        """The forecast of an item, if the file has one."""
        return self.forecasts.get((sku, location))


def published(
    columns: Mapping[str, Sequence[Any]], mean_e4: NDArray[np.int64], nodes: NDArray[np.int64]
) -> ForecastBook:
    """One row per item: `mean_e4` (n, 56) and `quantiles_e2` (n, 121) as in `forecast.issued.v1`."""
    book = ForecastBook()
    count = len(mean_e4)
    keys = keys_of(columns)
    origins = _column(columns, ("origin", "cutoff"), count)
    confidences, flags = _column(columns, ("confidence",), count), _column(columns, ("flags",), count)
    ids, models = _column(columns, ("forecast_id",), count), _column(columns, ("model_id", "model"), count)
    for index, key in enumerate(keys):
        _keep(
            book, key, origins[index], confidences[index], flags[index], ids[index], models[index],
            np.ascontiguousarray(mean_e4[index], dtype="<i8").tobytes(),
            np.ascontiguousarray(nodes[index], dtype="<i8").tobytes(), DAYS,
        )  # fmt: skip
    return book


def totals(
    columns: Mapping[str, Sequence[Any]], days: Sequence[int], levels: Sequence[float], quantiles: Floats, mean: Floats
) -> ForecastBook:
    """One row per item and span: cumulated demand over `days`, its mean and quantiles (m, len(levels)).

    Between spans totals are read on straight lines from 0; beyond the last span they go on at its pace with a spread
    that grows like the square root of time. Levels outside the given ones follow the last two on the normal scale.
    """
    spread = _at_levels(quantiles, levels)
    book = ForecastBook()
    for key, rows in _grouped(columns).items():
        order = sorted(rows, key=lambda row: days[row])
        spans = np.asarray([days[row] for row in order], dtype=np.float64)
        if len(set(spans.tolist())) != len(spans) or not spans[0] >= 1:
            book.faults[key] = "has the same span twice, or one below a day"
            continue
        _keep_totals(book, key, columns, order[-1], spans, mean[order], spread[order])
    return book


def daily(
    columns: Mapping[str, Sequence[Any]], days: Sequence[int], levels: Sequence[float], quantiles: Floats, mean: Floats
) -> ForecastBook:
    """One row per item and day ahead (`days`: 1, 2, …). Days are taken as independent: means and variances add up, and the
    total is read off the gamma distribution with both (Wilson & Hilferty 1931); the forecast says so by a flag."""
    spread = _at_levels(quantiles, levels)
    variance = _variance(spread, mean)
    z = np.asarray([NormalDist().inv_cdf(level) for level in LEVELS])
    book = ForecastBook()
    for key, rows in _grouped(columns).items():
        order = sorted(rows, key=lambda row: days[row])
        if [days[row] for row in order] != list(range(1, len(order) + 1)):
            book.faults[key] = "lacks a day, or has one twice: days ahead must be 1, 2, 3, … from the origin"
            continue
        total, spans = np.cumsum(mean[order]), np.arange(1.0, len(order) + 1)
        variances = np.maximum(np.cumsum(variance[order]), 1e-9)
        shape = np.maximum(total**2 / variances, 1e-6)[:, np.newaxis]
        curve = total[:, np.newaxis] * np.maximum(1 - 1 / (9 * shape) + z / (3 * np.sqrt(shape)), 0.0) ** 3
        _keep_totals(book, key, columns, order[-1], spans, total, np.maximum(curve, 0.0), SUMMED)
    return book


def keys_of(columns: Mapping[str, Sequence[Any]]) -> list[tuple[str, str]]:
    """Item keys: `sku` and `location`, or a `unique_id` of location and SKU parted by `/` (a lone SKU: location `-`)."""
    if "sku" in columns:
        places = columns.get("location") or ["-"] * len(columns["sku"])
        return [(str(sku), str(place)) for sku, place in zip(columns["sku"], places, strict=True)]
    if "unique_id" not in columns:
        raise ForecastsRefused("has neither sku and location nor unique_id", "name the items in one of these columns")
    found = []
    for name in columns["unique_id"]:
        place, parted, sku = str(name).partition("/")
        found.append((sku, place) if parted else (place, "-"))
    return found


def _grouped(columns: Mapping[str, Sequence[Any]]) -> dict[tuple[str, str], list[int]]:
    groups: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(keys_of(columns)):
        groups.setdefault(key, []).append(row)
    return groups


def _keep_totals(
    book: ForecastBook, key: tuple[str, str], columns: Mapping[str, Sequence[Any]], row: int,
    spans: Floats, mean: Floats, curve: Floats, flag: str = "",
) -> None:  # fmt: skip
    if not (np.isfinite(mean).all() and np.isfinite(curve).all() and (mean >= 0).all()):
        book.faults[key] = "has a mean or quantile that is not a finite number of at least 0"
        return
    wanted = np.arange(1.0, DAYS + 1)
    total = np.interp(wanted, np.append(0.0, spans), np.append(0.0, mean))
    reach = float(spans[-1])
    total = np.where(wanted > reach, mean[-1] * wanted / reach, total)
    marks = np.asarray(HORIZONS_DAYS, dtype=np.float64)
    nodes = np.zeros((len(marks), len(LEVELS)))
    for level in range(len(LEVELS)):
        read = np.interp(marks, np.append(0.0, spans), np.append(0.0, curve[:, level]))
        beyond = mean[-1] * marks / reach + (curve[-1, level] - mean[-1]) * np.sqrt(marks / reach)
        nodes[:, level] = np.where(marks > reach, np.maximum(beyond, curve[-1, level]), read)
    nodes = np.maximum.accumulate(np.maximum.accumulate(np.maximum(nodes, 0.0), axis=0), axis=1)
    means = np.rint(np.maximum(np.diff(np.append(0.0, total)), 0.0) * 10_000).astype("<i8").tobytes()
    picked = [_column(columns, names, row + 1)[row] for names in (("origin", "cutoff"), ("confidence",), ("flags",), ("forecast_id",), ("model_id", "strategy", "model"))]  # fmt: skip
    origin, confidence, flags, identity, model = picked
    flags = ",".join(part for part in (_flag_text(flags), flag) if part)
    packed = np.rint(nodes * 100).astype("<i8").tobytes()
    _keep(book, key, origin, confidence, flags, identity, model, means, packed, min(int(reach), DAYS))


def _keep(
    book: ForecastBook, key: tuple[str, str], origin: Any, confidence: Any, flags: Any, identity: Any, model: Any,
    means: bytes, nodes: bytes, reach: int,
) -> None:  # fmt: skip
    if key in book.forecasts:
        book.faults[key] = "has two forecasts in the file; give one origin per item"
        return
    try:
        day = origin if type(origin) is date else date.fromisoformat(str(origin)[:10])
        sure = CONFIDENCE_UNKNOWN if confidence is None or confidence == "" else Decimal(str(confidence))
        if not (sure.is_finite() and 0 <= sure <= 1):
            raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1")
    except (ValueError, ArithmeticError) as error:
        book.faults[key] = f"cannot be read: {error}"
        return
    name = (
        str(identity) if identity not in (None, "") else str(uuid.uuid5(IDS, f"{key}{day}{means.hex()}{nodes.hex()}"))
    )
    told = tuple(part for part in _flag_text(flags).split(",") if part)
    model_id = str(model) if model not in (None, "") else "file"
    book.forecasts[key] = Forecast(name, day, sure, told, model_id, model_id, means, nodes)
    book.reach_days[key] = reach


def _flag_text(flags: Any) -> str:
    if flags is None or flags == "":
        return ""
    return flags if isinstance(flags, str) else ",".join(str(one) for one in flags)


def _column(columns: Mapping[str, Sequence[Any]], names: Sequence[str], count: int) -> Sequence[Any]:
    return next((columns[name] for name in names if name in columns), [None] * count)


def _at_levels(quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Quantiles at the levels of the contract; outside the given levels along the last two on the normal scale."""
    given = np.asarray([NormalDist().inv_cdf(level) for level in levels])
    read = np.zeros((len(quantiles), len(LEVELS)))
    for index, level in enumerate(LEVELS):
        z = NormalDist().inv_cdf(level)
        upper = int(np.clip(np.searchsorted(given, z), 1, len(given) - 1))
        share = (z - given[upper - 1]) / (given[upper] - given[upper - 1])
        read[:, index] = quantiles[:, upper - 1] + (quantiles[:, upper] - quantiles[:, upper - 1]) * share
    return np.maximum(np.maximum.accumulate(read, axis=1), 0.0)


def _variance(spread: Floats, mean: Floats) -> Floats:
    """Variance of each row from its quantiles, straight between them and flat beyond; at least Poisson's."""
    edges = np.asarray((0.0, *LEVELS, 1.0))
    points = np.concatenate([spread[:, :1], spread, spread[:, -1:]], axis=1)
    mass = np.diff(edges)
    low, high = points[:, :-1] - mean[:, np.newaxis], points[:, 1:] - mean[:, np.newaxis]
    read: Floats = np.maximum(((low * low + low * high + high * high) / 3.0 * mass).sum(axis=1), mean)
    return read
