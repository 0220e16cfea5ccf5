"""Features frozen at a forecast origin: what was known at the end of that day, and nothing later.

Every feature is a column operation over all items at once. Lead-dependent features (weekday of the target day, the
same weeks of last year) use only days at or before the origin too; the leak test in tests/unit/forecaster plants a
future and finds every feature unchanged.
"""

from dataclasses import dataclass

import numpy as np

from services.forecaster.domain.panel import DemandPanel, FloatArray, IntArray
from services.forecaster.domain.price_bands import UNKNOWN

WINDOW_DAYS = (7, 14, 28, 56, 91, 182, 364)
EWMA_RATES = (0.02, 0.06, 0.2)
EWMA_REACH_DAYS = 250  # at the slowest rate 99.4 % of the weight lies inside
WEEKDAY_WEEKS = 13  # a quarter of same weekdays: shows the profile of a slow seller, still follows a change
YEAR_DAYS = 364  # 52 whole weeks, so that weekdays line up
LAST_YEAR_HALF_WIDTH_DAYS = 7
LEVEL_PRIOR_DAYS = 14.0  # days of the group's level mixed into an item's own: what a new item starts from
LIKE_PRIOR_DAYS = 364.0  # item-days of its category that are mixed into a price band: a quarter of four items
LEVEL_FLOOR_UNITS = 1e-3  # one unit in three years; keeps logarithms finite for items that never sold

ITEM_FEATURES = (
    *(f"ratio_{days}d" for days in WINDOW_DAYS),
    *(f"ewma_ratio_{rate}" for rate in EWMA_RATES),
    "log_level", "sold_share_28d", "sold_share_91d", "size_when_sold", "dispersion_91d", "largest_91d",
    "days_since_sale", "age_days", "location_trend", "category_trend", "product_trend", "market_trend",
    "location_level", "category_level", "product_level",
)  # fmt: skip
LEAD_FEATURES = (
    "lead_days", "weekday", "weekday_ratio", "market_weekday_ratio", "last_year_ratio", "last_year_market_ratio",
)  # fmt: skip
FEATURES = ITEM_FEATURES + LEAD_FEATURES
KNOWN_PARTS = ("at_target", "usual_28d", "usual_91d", "change", "effect", "market_effect")
KNOWN_REACH_DAYS = 364
KNOWN_PRIOR_UNITS = (
    30.0  # units sold before an item's own reaction to a price or promotion counts as much as everyone's
)


def feature_names(panel: DemandPanel) -> tuple[str, ...]:
    """Columns of `rows`, in order, for this frame with its known regressors."""
    return FEATURES + tuple(f"{name}_{part}" for name in panel.known_names for part in KNOWN_PARTS)


@dataclass(frozen=True, slots=True)
class OriginFeatures:
    """`item` is (items, ITEM_FEATURES); `lead` is (items, leads, LEAD_FEATURES); `level` the daily demand per item
    the ratios are taken against, in units per day: the model learns corrections to it."""

    item: FloatArray
    lead: FloatArray
    level: FloatArray


def window(panel: DemandPanel, end: int, days: int) -> tuple[FloatArray, FloatArray]:
    """Sum of demand and number of observed periods over the `days` that end at column `end`."""
    part = panel.demand[:, max(0, end - panel.span(days) + 1) : max(0, end + 1)]
    return np.nansum(part, axis=1), np.sum(~np.isnan(part), axis=1).astype(np.float64)


def _mean_by_group(total: FloatArray, observed: FloatArray, codes: IntArray) -> FloatArray:
    """Mean daily demand per item of each item's group, on every row."""
    _, compact = np.unique(codes, return_inverse=True)
    sums, counts = np.bincount(compact, weights=total), np.bincount(compact, weights=observed)
    means = (sums + LEVEL_FLOOR_UNITS) / np.maximum(counts, 1.0)
    return np.asarray(means[compact], dtype=np.float64)


def _of_like_items(panel: DemandPanel, total: FloatArray, observed: FloatArray) -> FloatArray:
    """Mean daily demand per item of each item's category, and of those there that cost about the same."""
    category = _mean_by_group(total, observed, panel.category)
    if not panel.price_band.size:
        return category
    _, compact = np.unique(panel.price_band, return_inverse=True)
    sums, days = np.bincount(compact, weights=total)[compact], np.bincount(compact, weights=observed)[compact]
    prior = LIKE_PRIOR_DAYS / panel.step_days
    return np.where(panel.price_band == UNKNOWN, category, (sums + prior * category) / (days + prior))


def _ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    return np.asarray((top + LEVEL_FLOOR_UNITS) / (bottom + LEVEL_FLOOR_UNITS), dtype=np.float64)


def levels(panel: DemandPanel, origin: int) -> FloatArray:
    """Daily demand per item at the origin: the last 91 and 28 days mixed, shrunk to the item's category and price band.

    A young item has few observed days and so starts from its like items; an old one is hardly moved.
    """
    total, observed, group, prior = _level_parts(panel, origin)
    level = (total + prior * group) / (observed + prior)
    return np.maximum(np.nan_to_num(level), LEVEL_FLOOR_UNITS)


def borrowed(panel: DemandPanel, origin: int) -> tuple[FloatArray, FloatArray]:
    """Of `levels`: the daily demand of each item's like items, and the share it has in the item's own level."""
    _, observed, group, prior = _level_parts(panel, origin)
    return group, prior / (observed + prior)


def _level_parts(panel: DemandPanel, origin: int) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Units and observed periods of both windows, the level of like items, and the periods it counts for."""
    slow_sum, slow_days = window(panel, origin, 91)
    fast_sum, fast_days = window(panel, origin, 28)
    group = _of_like_items(panel, slow_sum, slow_days)
    return slow_sum + fast_sum, slow_days + fast_days, group, LEVEL_PRIOR_DAYS / panel.step_days


def item_features(panel: DemandPanel, origin: int) -> tuple[FloatArray, FloatArray]:
    """Features that do not depend on the lead, and the level they are relative to."""
    level = levels(panel, origin)
    means = {}
    for days in WINDOW_DAYS:
        total, observed = window(panel, origin, days)
        # Pull a short window towards the level: three days without a sale say little about a slow seller.
        means[days] = (total + panel.span(7) * level) / (observed + panel.span(7))
    columns = [_ratio(means[days], level) for days in WINDOW_DAYS]
    columns += [_ratio(mean, level) for mean in _ewmas(panel, origin, level)]
    columns.append(np.log(level))
    columns += _shape_features(panel, origin, level)
    columns += _group_features(panel, origin, level)
    return np.column_stack(columns), level


def _ewmas(panel: DemandPanel, origin: int, level: FloatArray) -> list[FloatArray]:
    part = panel.demand[:, max(0, origin - panel.span(EWMA_REACH_DAYS) + 1) : origin + 1]
    filled, observed = np.nan_to_num(part), (~np.isnan(part)).astype(np.float64)
    age = np.arange(part.shape[1])[::-1]
    out = []
    for rate in EWMA_RATES:
        weights = (1 - rate) ** (age * panel.step_days)
        out.append((filled @ weights + level) / (observed @ weights + 1.0))
    return out


def _shape_features(panel: DemandPanel, origin: int, level: FloatArray) -> list[FloatArray]:
    """How demand comes: often or rarely, in ones or in tens, steadily or in bursts."""
    quarter = panel.demand[:, max(0, origin - panel.span(91) + 1) : origin + 1]
    filled, observed = np.nan_to_num(quarter), ~np.isnan(quarter)
    sold = filled > 0
    month = panel.span(28)
    month_observed = observed[:, -month:].sum(axis=1)
    sales = sold.sum(axis=1)
    size = (filled.sum(axis=1) + 1.0) / (sales + 1.0)
    days = np.maximum(observed.sum(axis=1), 1)
    mean = filled.sum(axis=1) / days
    variance = np.maximum((filled**2).sum(axis=1) / days - mean**2, 0.0)
    dispersion = (variance + level) / (mean + level)
    everything = panel.demand[:, : origin + 1]
    seen = ~np.isnan(everything)
    first = np.where(seen.any(axis=1), seen.argmax(axis=1), origin + 1)
    positive = everything > 0
    last = np.where(positive.any(axis=1), origin - positive[:, ::-1].argmax(axis=1), -1)
    year = panel.span(YEAR_DAYS)
    since = np.where(last >= 0, origin - last, year)
    return [
        (sold[:, -month:].sum(axis=1) + 1.0) / (month_observed + 2.0), (sales + 1.0) / (days + 2.0), size, dispersion,
        filled.max(axis=1, initial=0.0) / level, np.minimum(since, year).astype(np.float64),
        np.minimum(origin + 1 - first, 2 * year).astype(np.float64),
    ]  # fmt: skip


def _group_features(panel: DemandPanel, origin: int, level: FloatArray) -> list[FloatArray]:
    """Is the location, the category, the whole market going up or down, and how big is the item in it?"""
    month, month_days = window(panel, origin, 28)
    quarter, quarter_days = window(panel, origin, 91)
    everyone = np.zeros(len(panel.item_ids), dtype=np.int64)
    columns = []
    for codes in (panel.location, panel.category, panel.product, everyone):
        recent, usual = _mean_by_group(month, month_days, codes), _mean_by_group(quarter, quarter_days, codes)
        columns.append(_ratio(recent, usual))
    for codes in (panel.location, panel.category, panel.product):
        columns.append(_ratio(level, _mean_by_group(quarter, quarter_days, codes)))
    return columns


def lead_features(panel: DemandPanel, origin: int, leads: IntArray, level: FloatArray) -> FloatArray:
    """Features that depend on the target day `origin + lead`, from days up to the origin: (items, leads, features)."""
    items = len(panel.item_ids)
    fixed = len(LEAD_FEATURES)
    out = np.empty((items, len(leads), fixed + len(KNOWN_PARTS) * len(panel.known_names)))
    profile, market_profile = _weekday_profile(panel, origin, level)
    first_weekday = panel.first_day.weekday()
    for position, lead in enumerate(leads.tolist()):
        weekday = (first_weekday + (origin + lead) * panel.step_days) % 7
        own, market = _last_year(panel, origin, lead, level)
        columns = (lead, weekday, profile[:, weekday], market_profile[weekday], own, market)
        for feature, value in enumerate(columns):
            out[:, position, feature] = value
    for index in range(len(panel.known_names)):
        start = fixed + index * len(KNOWN_PARTS)
        out[:, :, start : start + len(KNOWN_PARTS)] = _known_features(panel, index, origin, leads, level)
    return out


def _known_features(panel: DemandPanel, index: int, origin: int, leads: IntArray, level: FloatArray) -> FloatArray:
    """Of one known regressor: its value on the target day, how usual it was, and what it does to demand.

    The effect is a regression of relative demand on the regressor over the past year, the item's own shrunk towards
    that of all items: a price path and a promotion calendar are read the same way.
    """
    start = max(0, origin - panel.span(KNOWN_REACH_DAYS) + 1)
    values = panel.known_at(origin, index, slice(start, origin + int(leads.max(initial=0)) + 1))
    out = np.full((len(panel.item_ids), len(leads), len(KNOWN_PARTS)), np.nan)
    here = origin - start
    ahead = np.minimum(here + leads, values.shape[1] - 1)
    at_target = np.where(here + leads < values.shape[1], values[:, ahead], np.nan)
    past = np.nan_to_num(values[:, max(0, here - panel.span(91) + 1) : here + 1])
    usual = past.mean(axis=1)
    out[:, :, 0] = at_target
    out[:, :, 1] = past[:, -panel.span(28) :].mean(axis=1)[:, None]
    out[:, :, 2] = usual[:, None]
    out[:, :, 3] = at_target - usual[:, None]
    slope, centre, market_slope = _slopes(panel.demand[:, start : origin + 1], values[:, : here + 1], level)
    shift = at_target - centre[:, None]
    out[:, :, 4] = slope[:, None] * shift
    out[:, :, 5] = market_slope * shift
    return out


def _slopes(demand: FloatArray, regressor: FloatArray, level: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Over the past year: change of demand, in shares of the item's mean, per unit of the regressor; its mean; the slope of all items."""
    seen = ~np.isnan(demand) & ~np.isnan(regressor)
    count = np.maximum(seen.sum(axis=1), 1)
    filled, held = np.where(seen, demand, 0.0), np.where(seen, regressor, 0.0)
    sum_demand, sum_held = filled.sum(axis=1), held.sum(axis=1)
    centre = sum_held / count
    mean = np.maximum((sum_demand + level) / (count + 1.0), LEVEL_FLOOR_UNITS)
    varied = np.maximum(np.einsum("ij,ij->i", held, held) - sum_held * centre, 0.0)
    together = (np.einsum("ij,ij->i", held, filled) - centre * sum_demand) / mean
    # Weighted by units: an item that sells a hundred a day knows more about a price than one that sells one a month.
    units = np.minimum(mean, 1.0)
    market = float((together * units).sum() / max(float((varied * units).sum()), 1e-9))
    spread = varied.sum() / max(float(count.sum()), 1.0)
    prior = KNOWN_PRIOR_UNITS * spread / mean
    own = (together + prior * market) / np.maximum(varied + prior, 1e-9)
    return own, centre, market


def _weekday_profile(panel: DemandPanel, origin: int, level: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Demand on each weekday over its level: per item (shrunk to the market's profile) and for the whole market."""
    start = max(0, origin - panel.span(7 * WEEKDAY_WEEKS) + 1)
    part = panel.demand[:, start : origin + 1]
    weekday = (panel.first_day.weekday() + np.arange(start, origin + 1) * panel.step_days) % 7
    total, days = np.zeros((part.shape[0], 7)), np.zeros((part.shape[0], 7))
    for day in range(7):
        total[:, day] = np.nansum(part[:, weekday == day], axis=1)
        days[:, day] = np.sum(~np.isnan(part[:, weekday == day]), axis=1)
    all_days = np.maximum(days.sum(), 1.0)
    overall = (total.sum() + LEVEL_FLOOR_UNITS) / all_days
    market = (total.sum(axis=0) + overall) / (days.sum(axis=0) + 1.0) / overall
    expected = level[:, None] * market[None, :]
    # 4 weeks and 4 units of prior: a weekday pattern needs that much evidence before it is the item's own.
    prior = 4.0 + 4.0 / level[:, None]
    own = (total + prior * expected) / (days + prior) / level[:, None]
    return own, market


def _last_year(panel: DemandPanel, origin: int, lead: int, level: FloatArray) -> tuple[FloatArray | float, float]:
    """Demand around the target day a year ago, over the demand of the month before the origin's day a year ago."""
    middle = origin + lead - panel.span(YEAR_DAYS)
    reach, month = panel.span(LAST_YEAR_HALF_WIDTH_DAYS), panel.span(28)
    base_end = origin - panel.span(YEAR_DAYS)
    if base_end < month - 1 or middle + reach > origin:
        return np.nan, np.nan
    near = panel.demand[:, middle - reach : middle + reach + 1]
    before = panel.demand[:, base_end - month + 1 : base_end + 1]
    near_sum, near_days = np.nansum(near, axis=1), np.sum(~np.isnan(near), axis=1)
    base_sum, base_days = np.nansum(before, axis=1), np.sum(~np.isnan(before), axis=1)
    prior = panel.span(14)
    own = ((near_sum + prior * level) / (near_days + prior)) / ((base_sum + prior * level) / (base_days + prior))
    market = (near_sum.sum() / max(near_days.sum(), 1) + 1e-9) / (base_sum.sum() / max(base_days.sum(), 1) + 1e-9)
    return np.where((near_days > 0) & (base_days > 0), own, np.nan), float(market)


def sizes_when_sold(panel: DemandPanel, origin: int) -> FloatArray:
    """Mean quantity on a day with a sale over the last half year, in units: 1 = always single units.

    One sale of the mean size is mixed in, so that one big receipt does not make an item lumpy for ever.
    """
    part = np.nan_to_num(panel.demand[:, max(0, origin - panel.span(182) + 1) : origin + 1])
    sales = (part > 0).sum(axis=1)
    usual = (part.sum() + 1.0) / (sales.sum() + 1.0)
    return np.asarray((part.sum(axis=1) + usual) / (sales + 1.0), dtype=np.float64)


def origin_features(panel: DemandPanel, origin: int, leads: IntArray, chosen: IntArray | None = None) -> OriginFeatures:
    """All features at the end of column `origin`, for each lead in days (1 = the next day), of all or `chosen` items.

    Group and market features are always those of the whole frame.
    """
    item, level = item_features(panel, origin)
    lead = lead_features(panel, origin, leads, level)
    if chosen is None:
        return OriginFeatures(item, lead, level)
    return OriginFeatures(item[chosen], lead[chosen], level[chosen])


def rows(features: OriginFeatures) -> FloatArray:
    """One row per (item, lead) in item-major order, columns as in FEATURES; float32 because trees bin anyway."""
    items, leads, _ = features.lead.shape
    repeated = np.repeat(features.item[:, None, :], leads, axis=1)
    return np.concatenate([repeated, features.lead], axis=2).reshape(items * leads, -1).astype(np.float32)
