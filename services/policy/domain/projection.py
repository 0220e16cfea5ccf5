"""Expected stock on hand by day, without and with the order, and the first day it runs out."""

import numpy as np
import orjson
from numpy.typing import NDArray

from kernel.distribution import DAYS
from services.policy.domain.columns import Columns, Floats
from services.policy.domain.levels import Levels


def projected(
    columns: Columns, levels: Levels, rows: NDArray[np.int64], quantity: Floats, arrivals: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """(without, with, first stock-out day) of the given rows: units at the close of day 1..56 after as_of.

    Expected stock = available + arrivals - expected demand, never below 0. The stock-out day counts from as_of,
    without the order; 0 = not within the horizon. `arrivals`: of these rows, where others than those that are expected.
    """
    index = rows
    coming = columns.arrivals[index] if arrivals is None else arrivals
    net = levels.available[index, np.newaxis] + coming[:, 1:] - columns.demand.mean_cumulative[index, 1:]
    day_of_receipt = columns.lead_days[index, np.newaxis] + 1.0
    days = np.arange(1, DAYS + 1, dtype=np.float64)[np.newaxis, :]
    ordered = net + np.where(days >= day_of_receipt, quantity[index, np.newaxis], 0.0)
    short = net <= 0.0
    first = np.where(short.any(axis=1), short.argmax(axis=1) + 1, 0).astype(np.float64)
    expected: Floats = np.maximum(net, 0.0).astype(np.float64).round(2)
    expected_with: Floats = np.maximum(ordered, 0.0).astype(np.float64).round(2)
    return expected, expected_with, first


def texts_of(expected: Floats) -> list[str]:
    """Rows of stock by day, each as the JSON list of its contract strings without idle zeros: `["3","2.5"]`.

    All rows are written at once and taken apart: to format 112 numbers of an item one by one would cost as much as the words of
    its steps.
    """
    if not len(expected):
        return []
    text = orjson.dumps(np.ascontiguousarray(expected), option=orjson.OPT_SERIALIZE_NUMPY).decode()
    strings = text[2:-2].replace(".0,", ",").replace(".0]", "]").replace(",", '","')
    return [f'["{row}"]' for row in strings.removesuffix(".0").split(']","[')]


def project(columns: Columns, levels: Levels, quantity: Floats) -> tuple[Floats, Floats, Floats]:
    """As `projected`, for every row."""
    return projected(columns, levels, np.arange(len(quantity), dtype=np.int64), quantity)
