"""Weeks in which everything sells better or worse than expected: luck that items share, and that pooling them cannot show.

The errors of many items in eight weeks tell how items differ from each other in those weeks, and hardly how weeks differ: all
of them had the same weather. What is told of the weeks to come has to contain it, or it covers too little on average,
the more the longer the horizon and the steadier the items. Source: prediction with a random effect of the period, a
variance component (Searle, Casella & McCulloch, Variance Components, 1992).
"""

from collections.abc import Sequence

import numpy as np

from services.forecaster.domain.panel import FloatArray

WEEKS_MIN = 4  # fewer tell no variance
SHOCK_MAX = 0.5  # a broken month must not double every stock


def common_shock(weeks: Sequence[tuple[FloatArray, FloatArray]]) -> float:
    """Standard deviation, in log units, of what a week does to the demand of all items alike; `weeks`: what was expected of
    each item and what came. What the chance of single items explains is not counted."""
    told = [
        (expected, came, float(came.sum() / expected.sum())) for expected, came in weeks if _has_sold(expected, came)
    ]
    count = len(told)
    if count < WEEKS_MIN:
        return 0.0
    own = [float(((came - expected * ratio) ** 2).sum() / came.sum() ** 2) for expected, came, ratio in told]
    found = float(np.var(np.log([ratio for _, _, ratio in told]), ddof=1)) - float(np.mean(own))
    # A variance from so few weeks is itself uncertain: what comes next is as wide as Student's distribution.
    return float(np.sqrt(max(found, 0.0) * (count - 1) / (count - 3)))


def unseen(shock: float, horizon: int, reach: int) -> float:
    """What samples of totals over `horizon` periods, taken from `reach` periods, lack of a shock that lasts: they hold
    reach / horizon of it, whose mean is off by one share and whose spread lacks another."""
    return min(shock * float(np.sqrt(2.0 * horizon / max(reach, 1))), SHOCK_MAX)


def _has_sold(expected: FloatArray, came: FloatArray) -> bool:
    return bool(expected.sum() > 0 and came.sum() > 0)
