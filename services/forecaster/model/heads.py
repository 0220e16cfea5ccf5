"""Which head speaks of single periods: pooled errors, the negative binomial, quantile heads, or several of them together.

No head is best of every kind of demand, so the choice is made class by class, by the loss on days that were not seen.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from services.forecaster.domain.metrics import weighted_quantile_loss
from services.forecaster.domain.panel import FloatArray

POOLED, COUNTS, LEARNED = "pooled", "negative_binomial", "quantile_heads"
AVERAGE, MEDIAN = "average_of_pooled_and_quantile_heads", "median_of_three"
HEADS = (POOLED, COUNTS, LEARNED, AVERAGE, MEDIAN)
NEEDS_LEARNED = (LEARNED, AVERAGE, MEDIAN)  # quantile heads are fitted only where one of these speaks
GAIN_NEEDED = 0.004  # pooled errors keep what is not clearly better
PERIODS_MIN = 5_000  # of a class; with fewer, what is best of all classes together speaks for it
EVERY_CLASS = "every class"


def combined(name: str, said: Mapping[str, FloatArray]) -> FloatArray:
    """The quantiles (…, levels) of a head, from those that the single heads gave."""
    if name == AVERAGE:
        return (said[POOLED] + said[LEARNED]) / 2
    if name == MEDIAN:
        return np.asarray(np.median(np.stack([said[one] for one in (POOLED, COUNTS, LEARNED)]), axis=0))
    return said[name]


def best_heads(
    realised: FloatArray, said: Mapping[str, FloatArray], kinds: Sequence[str], levels: tuple[float, ...]
) -> dict[str, str]:
    """The head of every class of `kinds` (items), and of EVERY_CLASS together, on what came (items, periods) and was said
    by each single head (items, periods, levels). Unknown periods are left out."""
    kind = np.array(kinds, dtype=object)
    everyone = _best(realised, said, levels) or POOLED
    out = {EVERY_CLASS: everyone}
    for one in sorted(set(kinds)):
        mine = np.flatnonzero(kind == one)
        enough = int((~np.isnan(realised[mine])).sum()) >= PERIODS_MIN
        of_class = _best(realised[mine], {name: told[mine] for name, told in said.items()}, levels) if enough else None
        out[one] = of_class or everyone
    return out


def _best(realised: FloatArray, said: Mapping[str, FloatArray], levels: tuple[float, ...]) -> str | None:
    known = ~np.isnan(realised)
    came = realised[known]
    if not came.sum() > 0:
        return None
    loss = {}
    for name in HEADS:
        told = combined(name, said)[known]
        each = [weighted_quantile_loss(came, told[:, at], level) for at, level in enumerate(levels)]
        loss[name] = float(np.mean(each))
    best = min(HEADS, key=lambda name: loss[name])
    return best if loss[best] < loss[POOLED] * (1 - GAIN_NEEDED) else POOLED


def spoken(chosen: Mapping[str, str], kinds: Sequence[str], said: Mapping[str, FloatArray]) -> FloatArray:
    """The quantiles (items, periods, levels) of every item by the head of its class."""
    names = np.array([chosen.get(one, chosen[EVERY_CLASS]) for one in kinds], dtype=object)
    out = said[POOLED].copy()
    for name in sorted(set(names.tolist()) - {POOLED}):
        mine = np.flatnonzero(names == name)
        out[mine] = combined(name, {one: told[mine] for one, told in said.items()})
    return np.maximum.accumulate(out, axis=-1)
