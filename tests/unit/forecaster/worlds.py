"""Synthetic demand whose truth is known: what the forecaster's unit tests are measured against."""

from datetime import date
from typing import Any

import numpy as np

from services.forecaster.domain.panel import DemandPanel

WEEKDAYS = np.array([0.8, 0.8, 0.9, 1.0, 1.3, 1.6, 0.6])
FIRST_DAY = date(2023, 1, 2)  # a Monday


def panel(demand: Any, **more: Any) -> DemandPanel:
    """A panel of one location with two categories."""
    items = len(demand)
    zeros = np.zeros(items, dtype=np.int64)
    ids = tuple(f"item-{number}" for number in range(items))
    groups = {"location": zeros, "category": np.arange(items) % 2, "product": np.arange(items)} | more
    return DemandPanel(ids, FIRST_DAY, np.asarray(demand, dtype=np.float64), **groups)


def retail(items: int, days: int, *, seed: int = 1, dispersion: float = 1.5) -> tuple[DemandPanel, Any]:
    """Negative binomial demand with a weekday profile; levels from one unit in ten days to ten a day.

    Returns the panel and the true mean by item and day.
    """
    generator = np.random.default_rng(seed)
    level = np.exp(generator.uniform(np.log(0.1), np.log(10), items))
    mean = level[:, None] * WEEKDAYS[np.arange(days) % 7][None, :]
    size = mean / (dispersion - 1)
    return panel(generator.negative_binomial(size, 1 / dispersion).astype(np.float64)), mean
