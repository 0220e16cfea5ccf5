"""Every way of forecasting by its name."""

from services.forecaster.domain.baseline import SeasonalNaive
from services.forecaster.domain.strategy import Strategy
from services.forecaster.model.gradient_boosting import GradientBoosting

SIMPLE = ("seasonal_naive", "seasonal_mean")
NAMES = ("auto", "lightgbm", *SIMPLE)


def strategy_named(name: str, *, seed: int, threads: int, horizon: int) -> Strategy:
    """Raises KeyError for a name nobody has."""
    if name in ("auto", "lightgbm"):
        return GradientBoosting(seed=seed, threads=threads, lead_max=horizon)
    return {"seasonal_naive": SeasonalNaive(1), "seasonal_mean": SeasonalNaive(8)}[name]
