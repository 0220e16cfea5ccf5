"""What an item's last weeks show that chance does not explain: its level has shifted, or it fell silent.

Both are told as flags of the forecast and so bring a person to it; the model has seen the same days and follows by itself.
A whole location that goes up or down (a season, a holiday) is no news about each of its items.
"""

import numpy as np

from services.forecaster.domain.panel import BoolArray, DemandPanel, FloatArray, IntArray

LEVEL_SHIFT = "level_shift"
SILENCE = "silence"
RECENT_DAYS, BEFORE_DAYS = 14, 56
RECENT_KNOWN_MIN, BEFORE_KNOWN_MIN = 10, 42
# Of a normal variate once in three million; daily demand has longer tails, hence also a factor.
DEVIATIONS_MIN = 5.0
FACTOR_MIN = 2.0
MATES_MIN = 10  # fewer items say nothing about a location
SILENT_DAYS_MIN = 7
RATE_DAYS = 91
CHANCE_OF_SILENCE_MAX = 1e-4


def unusual(panel: DemandPanel, origin: int, rows: IntArray) -> list[tuple[str, ...]]:
    """Flags of these rows at the end of column `origin`, from days up to it. Silence says more than a shift to nothing."""
    mates = np.flatnonzero(np.isin(panel.location, np.unique(panel.location[rows])))
    place = np.searchsorted(mates, rows)
    shifted, silent = level_shifted(panel, origin, mates)[place], fell_silent(panel, origin, rows)
    return [
        (SILENCE,) if quiet else (LEVEL_SHIFT,) if moved else ()
        for quiet, moved in zip(silent.tolist(), shifted.tolist(), strict=True)
    ]


def level_shifted(panel: DemandPanel, origin: int, rows: IntArray) -> BoolArray:
    """Whether the last two weeks are far from the eight before them, beyond what the item's location did."""
    recent = panel.demand[rows, max(0, origin + 1 - RECENT_DAYS) : origin + 1]
    before = panel.demand[rows, max(0, origin + 1 - RECENT_DAYS - BEFORE_DAYS) : max(0, origin + 1 - RECENT_DAYS)]
    came, came_days = _sum(recent)
    past, past_days = _sum(before)
    judged = (came_days >= RECENT_KNOWN_MIN) & (past_days >= BEFORE_KNOWN_MIN)
    mean = past / np.maximum(past_days, 1.0)
    expected = mean * came_days * _trend(came, mean * came_days, judged, panel.location[rows])
    variance = np.maximum(np.nansum(before**2, axis=1) / np.maximum(past_days, 1.0) - mean**2, mean)
    dispersion = np.where(mean > 0, variance / np.maximum(mean, 1e-9), 1.0)
    spread = np.sqrt(dispersion * expected * (1.0 + came_days / np.maximum(past_days, 1.0)) + 1.0)
    factor = (came + 1.0) / (expected + 1.0)
    is_far = (np.abs(came - expected) > DEVIATIONS_MIN * spread) & (np.maximum(factor, 1.0 / factor) >= FACTOR_MIN)
    return np.asarray(judged & is_far, dtype=np.bool_)


def fell_silent(panel: DemandPanel, origin: int, rows: IntArray) -> BoolArray:
    """Whether nothing sold for so many known days that, at the rate before, chance is below CHANCE_OF_SILENCE_MAX."""
    part = panel.demand[rows, max(0, origin + 1 - 2 * RATE_DAYS) : origin + 1]
    sold, known = part > 0, ~np.isnan(part)
    ago = np.where(sold.any(axis=1), sold[:, ::-1].argmax(axis=1), 0)  # columns since the last one with a sale
    back = np.arange(part.shape[1])[::-1][None, :]
    quiet = back < ago[:, None]
    rate_days = ~quiet & (back < ago[:, None] + RATE_DAYS)
    silent_days = (known & quiet).sum(axis=1)
    chance = (sold & rate_days).sum(axis=1) / np.maximum((known & rate_days).sum(axis=1), 1)
    long_known = (known & rate_days).sum(axis=1) >= BEFORE_KNOWN_MIN
    promised = -np.log(CHANCE_OF_SILENCE_MAX)
    return np.asarray(
        long_known & (silent_days >= SILENT_DAYS_MIN) & (chance * silent_days >= promised), dtype=np.bool_
    )


def _sum(part: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.nansum(part, axis=1), (~np.isnan(part)).sum(axis=1).astype(np.float64)


def _trend(came: FloatArray, expected: FloatArray, judged: BoolArray, location: IntArray) -> FloatArray:
    """What each item's location did in the same weeks; 1 where too few of its items are known."""
    out = np.ones(len(came))
    for code in np.unique(location).tolist():
        mine = location == code
        counted = mine & judged
        if counted.sum() >= MATES_MIN and expected[counted].sum() > 0:
            out[mine] = came[counted].sum() / expected[counted].sum()
    return out
