"""What is kept out of the history before anything learns from it, and why: each rule leaves a mask behind.

Nothing is imputed: a value that says nothing about demand becomes unknown, so every number left is an observed one.
"""

from dataclasses import dataclass, replace

import numpy as np

from services.forecaster.domain.panel import BoolArray, DemandPanel, FloatArray, IntArray, start_at_first_sale

ITEMS_AT_ONCE = 5_000  # rows that may be copied at once: 30 MB of two years
CLOSED_ITEMS_MIN = 10  # fewer items that are all silent on a day are chance, not a closed door
# Wholesale orders of twenty times the usual are real demand and stay; a till's typing error is a hundred times it.
SPIKE_TIMES_USUAL = 50.0
SPIKE_UNITS_MIN = 100.0
SPIKE_KNOWN_DAYS_MIN = 28
SPIKES_MAX = 2  # what happens three times is how this item sells


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The frame that models see; `spikes` and `closed` are the days that were kept out of it."""

    panel: DemandPanel
    spikes: BoolArray
    closed: BoolArray


def clean(panel: DemandPanel) -> Cleaned:
    """Apply every rule to the frame as it stands; of a frame cut at an origin nothing later can matter."""
    demand = panel.demand
    nothing = np.zeros(demand.shape, dtype=np.bool_)
    closed = closed_by_accident(demand, panel.location) if panel.step_days == 1 else nothing
    demand = np.where(closed, np.nan, demand)
    spikes = spike_days(demand)
    demand = start_at_first_sale(np.where(spikes, np.nan, demand))
    return Cleaned(replace(panel, demand=demand), spikes, closed)


def spike_days(demand: FloatArray) -> BoolArray:
    """Days far beyond anything else the item does: kept out of training until a person or a rule decides.

    Usual is the 95 % point of the item's days with a sale (at least one unit), without the two largest of them.
    """
    filled = np.nan_to_num(demand)
    known = (~np.isnan(demand)).sum(axis=1)
    hidden = np.zeros(demand.shape, dtype=np.bool_)
    suspects = np.flatnonzero((filled.max(axis=1, initial=0.0) > SPIKE_UNITS_MIN) & (known >= SPIKE_KNOWN_DAYS_MIN))
    for item in suspects.tolist():
        sales = np.sort(filled[item][filled[item] > 0])[:-SPIKES_MAX]
        usual = max(1.0, float(np.quantile(sales, 0.95))) if len(sales) else 1.0
        beyond = filled[item] > max(SPIKE_UNITS_MIN, SPIKE_TIMES_USUAL * usual)
        if beyond.sum() <= SPIKES_MAX:
            hidden[item] = beyond
    return hidden


def closed_by_accident(demand: FloatArray, location: IntArray) -> BoolArray:
    """Days on which nothing at all was sold at a location that usually sells a lot on that weekday: a holiday, a strike.

    Such a day says nothing about demand and becomes unknown. A weekday that is always closed stays zero, because it
    will be closed again; that is demand the model must learn.
    """
    hidden = np.zeros(demand.shape, dtype=np.bool_)
    for code, columns in closed_days(demand, location).items():
        hidden[np.ix_(np.flatnonzero(location == code), columns)] = True
    return hidden


def closed_days(demand: FloatArray, location: IntArray) -> dict[int, IntArray]:
    """The columns of such days by location; rows are counted, never copied, so a large frame costs no second one."""
    weekday = np.arange(demand.shape[1]) % 7
    found = {}
    for code in np.unique(location).tolist():
        mine = np.flatnonzero(location == code)
        alive, sold = np.zeros(demand.shape[1], dtype=np.int64), np.zeros(demand.shape[1], dtype=np.int64)
        for start in range(0, len(mine), ITEMS_AT_ONCE):
            part = demand[mine[start : start + ITEMS_AT_ONCE]]
            alive += (~np.isnan(part)).sum(axis=0)
            sold += (part > 0).sum(axis=0)
        judged = alive >= CLOSED_ITEMS_MIN
        hidden = np.zeros(demand.shape[1], dtype=np.bool_)
        for day in range(7):
            same = judged & (weekday == day)
            # So few items may all be silent by chance: the day must be far from what this weekday usually sells.
            usual = float(np.mean(sold[same])) if same.any() else 0.0
            if usual >= CLOSED_ITEMS_MIN:
                hidden |= same & (sold == 0)
        if hidden.any():
            found[code] = np.flatnonzero(hidden)
    return found
