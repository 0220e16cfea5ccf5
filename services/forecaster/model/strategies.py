"""Every way of forecasting by its name."""

from collections.abc import Mapping

from services.forecaster.domain.baseline import SeasonalNaive
from services.forecaster.domain.intermittent import RATES, Intermittent
from services.forecaster.domain.smoothing import ExponentialSmoothing, MovingAverage, Theta
from services.forecaster.domain.strategy import SimpleStrategy, Strategy
from services.forecaster.model.extras import ProphetPerItem, XGBoosting
from services.forecaster.model.gradient_boosting import GradientBoosting

SIMPLE: Mapping[str, SimpleStrategy] = {
    "seasonal_naive": SeasonalNaive(1),
    "seasonal_mean": SeasonalNaive(8),
    "moving_average": MovingAverage(),
    **{kind: ExponentialSmoothing(kind) for kind in ("ses", "holt", "holt_winters", "ets")},
    "theta": Theta(),
    **{method: Intermittent(method) for method in RATES},
}
OPTIONAL = ("xgboost", "prophet")
NAMES = ("auto", "lightgbm", *SIMPLE, *OPTIONAL)
PREFERRED = "lightgbm"
# What the automatic choice looks at: one of each family; the rest is there to be pinned.
CONTESTANTS = (PREFERRED, "seasonal_mean", "moving_average", "ets", "theta", "tsb", "adida", "imapa")


def strategy_named(name: str, *, seed: int, threads: int, horizon: int) -> Strategy:
    """Raises KeyError for a name nobody has. `auto` without a back-test is the global model (see `model.choice`)."""
    if name in ("auto", PREFERRED):
        return GradientBoosting(seed=seed, threads=threads, lead_max=horizon)
    if name == "xgboost":
        return XGBoosting(seed=seed, threads=threads, lead_max=horizon)
    return ProphetPerItem() if name == "prophet" else SIMPLE[name]


def contestants(*, seed: int, threads: int, horizon: int) -> dict[str, Strategy]:
    """The strategies the automatic choice compares, by name."""
    return {name: strategy_named(name, seed=seed, threads=threads, horizon=horizon) for name in CONTESTANTS}
