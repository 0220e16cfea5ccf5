"""Quantile heads: one small LightGBM per level for single periods, beside the pooled calibration of the mean.

Pooled errors know an item's size and lumpiness; a head also knows that a deal this week makes the week uncertain. Where
they speak, alone or with others, a back-test says (`heads`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.forecaster.domain.features import origin_features, rows
from services.forecaster.domain.panel import DemandPanel, FloatArray
from services.forecaster.domain.training import training_rows

if TYPE_CHECKING:
    import lightgbm  # late, as in `gradient_boosting`

ROWS_MAX = 80_000  # five heads cost about as much as the mean; more rows changed little
ROUNDS = 100
PARAMETERS: dict[str, object] = {
    "objective": "quantile", "learning_rate": 0.08, "num_leaves": 31, "min_data_in_leaf": 50, "feature_fraction": 0.5,
    "bagging_fraction": 0.7, "bagging_freq": 1, "max_bin": 127, "deterministic": True, "force_row_wise": True,
    "verbosity": -1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Heads:
    """Fitted heads, one per level."""

    boosters: "tuple[lightgbm.Booster, ...]"
    threads: int

    def quantiles(self, panel: DemandPanel, origin: int, periods: int) -> FloatArray:
        """(items, periods, levels) in units, in order along the levels."""
        features = origin_features(panel, origin, np.arange(1, periods + 1))
        table, level = rows(features), np.repeat(features.level, periods)
        each = [np.asarray(booster.predict(table, num_threads=self.threads)) * level for booster in self.boosters]
        stacked = np.maximum.accumulate(np.maximum(np.stack(each, axis=1), 0.0), axis=1)
        return stacked.reshape(len(panel.item_ids), periods, len(self.boosters))


@dataclass(frozen=True, slots=True)
class QuantileHeads:
    """How to train them. Weighted by level, the pinball loss of the ratio to the level is that of units."""

    levels: tuple[float, ...]
    lead_max: int
    seed: int = 20171105
    threads: int = 1

    def fit(self, panel: DemandPanel) -> Heads:
        """Raises ValueError when the history is too short for a single row."""
        import lightgbm

        table = training_rows(panel, seed=self.seed, rows_max=ROWS_MAX, lead_max=self.lead_max)
        parameters = PARAMETERS | {"seed": self.seed, "num_threads": self.threads}
        weight = table.level / table.level.mean()
        data = lightgbm.Dataset(table.features, table.demand / table.level, weight=weight, params=parameters)
        return Heads(
            tuple(lightgbm.train(parameters | {"alpha": level}, data, num_boost_round=ROUNDS) for level in self.levels),
            self.threads,
        )
