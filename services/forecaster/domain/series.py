"""What there is to say about an item's history before its forecast is used: reason flags and a confidence."""

from typing import Any

import numpy as np

from kernel.distribution import DAYS
from services.forecaster.domain.closures import shut_ahead
from services.forecaster.domain.panel import BoolArray, DemandPanel, FloatArray, IntArray
from services.forecaster.domain.strategy import Expected, MeanForecaster

NEW_ITEM_DAYS = 28  # fewer known days than this: the level comes mostly from like items
SHORT_HISTORY_DAYS = 91
DEAD_AFTER_DAYS = 91  # 13 weeks without a sale
DEAD_PROMISED_SALES_MIN = 4.0  # silence had a chance of less than 2 %
YEAR_DAYS = 364
CENSORED_LOOK_BACK_DAYS = 56
FULL_CONFIDENCE_DAYS = 182.0


def flags(panel: DemandPanel, origin: int, censored: FloatArray, negative: IntArray) -> list[tuple[str, ...]]:
    """Reason codes per item, in a fixed order.

    `censored` is the share of stock-out days in the last 56; `negative` counts days whose voids exceed their sales
    (their demand counts as zero).
    """
    known = ~np.isnan(panel.demand[:, : origin + 1])
    sold = np.asarray(panel.demand[:, : origin + 1] > 0)
    days = known.sum(axis=1)
    never = ~sold.any(axis=1)
    silent = ~sold[:, -DEAD_AFTER_DAYS:].any(axis=1) & ~never & (days >= DEAD_AFTER_DAYS)
    checks: tuple[tuple[str, Any], ...] = (
        ("no_history", days == 0),
        ("no_sales", never),
        ("no_recent_sales", silent),
        ("new_item", days < NEW_ITEM_DAYS),
        ("short_history", (days >= NEW_ITEM_DAYS) & (days < SHORT_HISTORY_DAYS)),
        ("stock_out_days_masked", np.asarray(censored > 0)),
        ("negative_demand", np.asarray(negative > 0)),
    )
    return [tuple(name for name, mask in checks if mask[item]) for item in range(len(panel.item_ids))]


def confidence(panel: DemandPanel, origin: int, censored: FloatArray, *, has_model: bool) -> FloatArray:
    """How far the forecast may be trusted without a person, 0 to 1.

    Grows with the known days up to half a year, falls with the share of recent days that a stock-out hid, and is
    capped at 0.6 while no model is trained. A rule of thumb that routes work; the distribution carries the risk.
    """
    days = (~np.isnan(panel.demand[:, : origin + 1])).sum(axis=1)
    grown = np.minimum(1.0, (days + 14.0) / FULL_CONFIDENCE_DAYS)
    value = grown * (1.0 - censored)
    return np.asarray(np.round(value if has_model else np.minimum(value, 0.6), 4), dtype=np.float64)


def is_dead(panel: DemandPanel, origin: int) -> BoolArray:
    """Items that will not sell: 13 known weeks without a sale, in which their earlier rate promised several.

    A Christmas article is silent every summer and not dead, nor is an article that sells three times a year; one that
    is known for less than 13 weeks is not judged. Unknown (stock-out) days do not count as silence.
    """
    window, year = panel.span(DEAD_AFTER_DAYS), panel.span(YEAR_DAYS)
    past = panel.demand[:, : origin + 1]
    quiet = past[:, -window:]
    known = (~np.isnan(quiet)).sum(axis=1) >= window
    earlier = past[:, max(0, past.shape[1] - window - year) : past.shape[1] - window]
    sold_days, known_days = (earlier > 0).sum(axis=1), (~np.isnan(earlier)).sum(axis=1)
    # Chance of no sale in the window is about exp(-promised); an item that never sold has promised nothing and is dead.
    promised = window * sold_days / np.maximum(known_days, 1)
    silent = ~_sold(quiet) & known & ((promised >= DEAD_PROMISED_SALES_MIN) | ~_sold(past))
    then = origin + 1 - year
    if then <= 0:
        return np.asarray(silent)
    was_silent = ~_sold(past[:, max(0, then - window) : then])
    return np.asarray(silent & ~(was_silent & _sold(past[:, then : then + window])))


def _sold(part: FloatArray) -> BoolArray:
    return np.asarray((part > 0).any(axis=1), dtype=np.bool_)  # an unknown day is not above zero


def expected_of(
    forecaster: MeanForecaster, panel: DemandPanel, origin: int, days: int = DAYS, chosen: IntArray | None = None
) -> Expected:
    """What a strategy expects, with dead items and days of closed doors at zero: rules that stand above every strategy."""
    said = forecaster.expected(panel, origin, days, chosen)
    dead, shut = is_dead(panel, origin), shut_ahead(panel, origin, days)
    if chosen is not None:
        dead, shut = dead[chosen], shut[chosen] if shut is not None else None
    by_day = np.where(dead[:, None], 0.0, said.by_day) if dead.any() else said.by_day
    by_day = by_day if shut is None else np.where(shut, 0.0, by_day)
    return Expected(by_day, said.lumpiness, shut, usual_demand(panel, origin, chosen))


def usual_demand(panel: DemandPanel, origin: int, chosen: IntArray | None = None) -> FloatArray:
    """Mean demand of a known period of the past year, in units; of all or the chosen items."""
    past = panel.demand[:, max(0, origin + 1 - panel.span(YEAR_DAYS)) : origin + 1]
    past = past if chosen is None else past[chosen]
    known = np.maximum((~np.isnan(past)).sum(axis=1), 1)
    return np.asarray(np.nansum(past, axis=1) / known, dtype=np.float64)
