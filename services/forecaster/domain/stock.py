"""Which days hid demand: on hand at the end of each day, worked out from counts and movements, all items at once."""

import numpy as np

from services.forecaster.domain.panel import BoolArray, FloatArray


def on_hand_at_close(net: FloatArray, counted: FloatArray, counted_at_opening: BoolArray) -> FloatArray:
    """Units on hand at the end of each day: (items, days), NaN while unknown.

    `net` is what came in less what went out (sales included) on each day. `counted` is a count of that day or NaN:
    an opening count holds before the day's movements, any other at its end. Before its first count an item's stock is
    unknown, because movements alone do not say what was there to begin with.
    """
    total = np.cumsum(net, axis=1)
    # At a count the level is known; from there the running sum carries it on: level = counted + total - total then.
    reference = np.where(counted_at_opening, total - net, total)
    base = np.where(np.isnan(counted), np.nan, counted - reference)
    position = np.where(np.isnan(base), -1, np.arange(base.shape[1])[None, :])
    latest = np.maximum.accumulate(position, axis=1)
    rows = np.arange(base.shape[0])[:, None]
    carried = np.where(latest >= 0, base[rows, np.maximum(latest, 0)], np.nan)
    return np.asarray(carried + total, dtype=np.float64)


def stock_out_days(on_hand: FloatArray) -> BoolArray:
    """Days whose demand sales may understate: nothing was left at the end of the day.

    A day that ended empty and sold everything it had may have lost customers; whether it did cannot be known, which
    is what censoring means. Unknown stock never censors.
    """
    return np.nan_to_num(on_hand, nan=1.0) <= 0.0
