"""How good a forecast was: pinball loss at the service levels, coverage, error and bias of totals.

WAPE per day is not here on purpose: on slow sellers the all-zero forecast wins it (docs/forecasting.md).
"""

import numpy as np

from services.forecaster.domain.panel import FloatArray


def weighted_quantile_loss(realised: FloatArray, quantile: FloatArray, level: float) -> float:
    """2 x pinball loss summed, over realised demand summed (M5's and GluonTS' definition)."""
    error = realised - quantile
    loss = np.maximum(level * error, (level - 1) * error)
    return float(2 * loss.sum() / max(float(realised.sum()), 1e-9))


def coverage(realised: FloatArray, quantile: FloatArray) -> float:
    """Share of outcomes at or below the quantile; for counts it exceeds the level by up to the mass at the quantile."""
    return float(np.mean(realised <= quantile + 1e-9)) if realised.size else float("nan")


def total_error(realised: FloatArray, expected: FloatArray) -> float:
    """Sum over items of |realised total - expected total|, over the realised total: what an order feels."""
    return float(np.abs(realised - expected).sum() / max(float(realised.sum()), 1e-9))


def bias(realised: FloatArray, expected: FloatArray) -> float:
    """Expected less realised, over realised: positive = too much was expected."""
    return float((expected.sum() - realised.sum()) / max(float(realised.sum()), 1e-9))
