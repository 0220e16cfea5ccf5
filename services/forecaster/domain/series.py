"""What there is to say about an item's history before its forecast is used: reason flags and a confidence."""

from typing import Any

import numpy as np

from services.forecaster.domain.panel import DemandPanel, FloatArray, IntArray

NEW_ITEM_DAYS = 28  # fewer known days than this: the level comes mostly from like items
SHORT_HISTORY_DAYS = 91
DEAD_AFTER_DAYS = 91  # 13 weeks without a sale
CENSORED_LOOK_BACK_DAYS = 56
FULL_CONFIDENCE_DAYS = 182.0


def flags(panel: DemandPanel, origin: int, censored: FloatArray, negative: IntArray) -> list[tuple[str, ...]]:
    """Reason codes per item, in a fixed order.

    `censored` is the share of stock-out days in the last 56; `negative` counts days whose voids exceed their sales
    (their demand counts as zero).
    """
    known = ~np.isnan(panel.demand[:, : origin + 1])
    sold = np.asarray(np.nan_to_num(panel.demand[:, : origin + 1]) > 0)
    days = known.sum(axis=1)
    never = ~sold.any(axis=1)
    silent = ~sold[:, -DEAD_AFTER_DAYS:].any(axis=1) & ~never & (days >= DEAD_AFTER_DAYS)
    checks: tuple[tuple[str, Any], ...] = (
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
