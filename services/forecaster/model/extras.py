"""XGBoost and Prophet behind the same interface, where their extras are installed (`.[xgboost]`, `.[prophet]`).

They are here because the systems that planners come from use them. Neither is a default: on the measured data the
LightGBM model is better, and Prophet costs a hundred times as much per item (docs/forecasting.md).
"""

import importlib
import importlib.util
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from kernel.distribution import DAYS
from services.forecaster.domain.features import feature_names, origin_features, rows, sizes_when_sold
from services.forecaster.domain.panel import DemandPanel, FloatArray, IntArray
from services.forecaster.domain.smoothing import answer
from services.forecaster.domain.strategy import Expected
from services.forecaster.domain.training import training_rows

PROPHET_DAYS_MIN = 28  # a shorter history has no season to find; the item's level answers


class ExtraMissing(ImportError):
    """The package behind a strategy is not installed; args[0] says which extra installs it."""


def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _package(name: str) -> Any:
    if not is_installed(name):
        raise ExtraMissing(f"the strategy {name} needs its extra: pip install '.[{name}]' in the project's folder")
    return importlib.import_module(name)


@dataclass(frozen=True, slots=True)
class XGBoosted:
    """A trained XGBoost model; the level goes in as the base margin, as it does for LightGBM."""

    booster: Any
    package: Any

    @property
    def strategy(self) -> str:
        return "xgboost_tweedie"

    def expected(self, panel: DemandPanel, origin: int, days: int = DAYS, chosen: IntArray | None = None) -> Expected:
        features = origin_features(panel, origin, np.arange(1, days + 1), chosen)
        margin = np.log(np.repeat(features.level, days))
        table = self.package.DMatrix(rows(features), base_margin=margin, feature_names=list(feature_names(panel)))
        sizes = sizes_when_sold(panel, origin)
        by_day = np.asarray(self.booster.predict(table), dtype=np.float64).reshape(-1, days)
        return Expected(by_day, sizes if chosen is None else sizes[chosen])


@dataclass(frozen=True, slots=True)
class XGBoosting:
    """The same training rows and loss as the LightGBM model."""

    seed: int = 20171105
    rounds: int = 120
    threads: int = 1
    lead_max: int = DAYS

    @property
    def name(self) -> str:
        return "xgboost"

    def fit(self, panel: DemandPanel) -> XGBoosted:
        """Raises ExtraMissing without the package, ValueError when the history is too short."""
        package = _package("xgboost")
        table = training_rows(panel, seed=self.seed, lead_max=self.lead_max)
        parameters = {
            "objective": "reg:tweedie", "tweedie_variance_power": 1.2, "eta": 0.05, "max_leaves": 31, "max_depth": 0,
            "grow_policy": "lossguide", "tree_method": "hist", "subsample": 0.7, "colsample_bytree": 0.7,
            "min_child_weight": 20.0, "max_bin": 128, "seed": self.seed, "nthread": self.threads,
        }  # fmt: skip
        data = package.DMatrix(
            table.features, label=table.demand, base_margin=np.log(table.level),
            feature_names=list(feature_names(panel)),
        )  # fmt: skip
        return XGBoosted(package.train(parameters, data, num_boost_round=self.rounds), package)


@dataclass(frozen=True, slots=True)
class Prophets:
    """One fitted Prophet per item (None where its history is too short)."""

    models: tuple[Any, ...]
    item_ids: tuple[str, ...]

    @property
    def strategy(self) -> str:
        return "prophet"

    def expected(self, panel: DemandPanel, origin: int, days: int = DAYS, chosen: IntArray | None = None) -> Expected:
        import pandas as pd  # Prophet's own input

        number = {item: place for place, item in enumerate(self.item_ids)}
        asked = list(range(len(panel.item_ids))) if chosen is None else chosen.tolist()
        by_day: FloatArray = np.full((len(asked), days), np.nan)
        ahead = pd.DataFrame({"ds": [panel.day(origin + lead) for lead in range(1, days + 1)]})
        ahead["ds"] = pd.to_datetime(ahead["ds"])
        for position, row in enumerate(asked):
            model = self.models[number[panel.item_ids[row]]] if panel.item_ids[row] in number else None
            if model is not None:
                by_day[position] = model.predict(ahead)["yhat"].to_numpy()
        return answer(panel, origin, by_day, chosen)


@dataclass(frozen=True, slots=True)
class ProphetPerItem:
    """Prophet with yearly, weekly and monthly seasonality and change points, item by item."""

    @property
    def name(self) -> str:
        return "prophet"

    def fit(self, panel: DemandPanel) -> Prophets:
        """Raises ExtraMissing without the package."""
        package = _package("prophet")
        importlib.import_module("cmdstanpy").utils.get_logger()  # sets its own level, at its first call
        for noisy in ("cmdstanpy", "prophet"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        return Prophets(tuple(self._one(package, panel, row) for row in range(len(panel.item_ids))), panel.item_ids)

    def _one(self, package: Any, panel: DemandPanel, row: int) -> Any:
        import pandas as pd

        known = np.flatnonzero(~np.isnan(panel.demand[row]))
        if len(known) < panel.span(PROPHET_DAYS_MIN):
            return None
        days = [panel.first_day + timedelta(days=int(column) * panel.step_days) for column in known]
        frame = pd.DataFrame({"ds": pd.to_datetime(days), "y": panel.demand[row, known]})
        long = (days[-1] - days[0]).days
        model = package.Prophet(
            yearly_seasonality=long >= 540, weekly_seasonality=panel.step_days == 1, daily_seasonality=False,
            n_changepoints=min(25, len(known) // 8), uncertainty_samples=0,
        )  # fmt: skip
        model.add_seasonality(name="monthly", period=30.5, fourier_order=3)
        return model.fit(frame, seed=1)


@dataclass(frozen=True, slots=True)
class ProphetEveryNight:
    """Prophet fitted anew at every origin, on the items that are asked for and nothing else."""

    @property
    def strategy(self) -> str:
        return "prophet"

    def expected(self, panel: DemandPanel, origin: int, days: int = DAYS, chosen: IntArray | None = None) -> Expected:
        """Raises ExtraMissing without the package."""
        part = (panel if chosen is None else panel.take(chosen)).until(origin)
        return ProphetPerItem().fit(part).expected(part, origin, days)
