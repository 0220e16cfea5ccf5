"""Which kind of demand an item has, and which strategy speaks for it: a planner's pin, or its segment's best.

Classes of Syntetos, Boylan & Croston (2005): mean interval between sales beyond 1.32 periods, and squared coefficient of
variation of sizes beyond 0.49; young and dead items are classes of their own.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from services.forecaster.domain.panel import DemandPanel
from services.forecaster.domain.series import SHORT_HISTORY_DAYS, is_dead

INTERVAL_EDGE = 1.32
VARIATION_EDGE = 0.49
SEGMENTS = ("smooth", "erratic", "intermittent", "lumpy", "young", "dead")
# The global model speaks unless another strategy is better by this share: a near tie is chance.
ADVANTAGE_NEEDED = 0.02
BIAS_WEIGHT = 0.5


def segments(panel: DemandPanel, origin: int) -> tuple[str, ...]:
    """The class of every item at the origin."""
    part = panel.demand[:, max(0, origin + 1 - panel.span(364)) : origin + 1]
    known = (~np.isnan(part)).sum(axis=1)
    filled = np.nan_to_num(part)
    sales = (filled > 0).sum(axis=1)
    interval = known / np.maximum(sales, 1)
    mean = filled.sum(axis=1) / np.maximum(sales, 1)
    variance = np.maximum((filled**2).sum(axis=1) / np.maximum(sales, 1) - mean**2, 0.0)
    variation = variance / np.maximum(mean, 1e-9) ** 2
    index = 2 * (interval > INTERVAL_EDGE) + (variation > VARIATION_EDGE)
    index = np.where(known < panel.span(SHORT_HISTORY_DAYS), 4, index)
    index = np.where(is_dead(panel, origin), 5, index)
    return tuple(SEGMENTS[one] for one in index.tolist())


def best_of(scores: Mapping[str, float], preferred: str) -> str:
    """The strategy with the lowest score; `preferred` unless it is beaten by ADVANTAGE_NEEDED. Ties go by name."""
    if not scores:
        return preferred
    winner = min(sorted(scores), key=lambda name: scores[name])
    held = scores.get(preferred)
    return preferred if held is not None and held <= scores[winner] * (1 + ADVANTAGE_NEEDED) else winner


def assigned(
    item_segments: Sequence[str],
    best: Mapping[str, str],
    preferred: str,
    *,
    item_pins: Mapping[int, str] | None = None,
    class_of: Sequence[str] | None = None,
    class_pins: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """The strategy of every item. A pin on the item beats a pin on its class, which beats the choice by back-test."""
    out = [best.get(segment, preferred) for segment in item_segments]
    for row, name in enumerate(class_of or ()):
        out[row] = (class_pins or {}).get(name, out[row])
    for row, name in (item_pins or {}).items():
        out[row] = name
    return tuple(out)
