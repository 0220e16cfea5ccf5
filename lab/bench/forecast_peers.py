"""The peers of `./run bench forecast`: mlforecast's LightGBM quantiles and statsforecast's intermittent methods.

Imported lazily: both live in the `bench` extra. Settings are those of the published comparison (150 trees, lags no
shorter than the horizon so that nothing is recursive, rolling means, weekday and month).
"""

from collections.abc import Callable
from typing import Any

import pandas as pd

LEVELS = (0.1, 0.5, 0.9, 0.95, 0.99)
Model = Callable[[pd.DataFrame, pd.Timestamp, int, tuple[str, ...], int], pd.DataFrame]


def _past(history: pd.DataFrame, origin: pd.Timestamp, known: tuple[str, ...], frequency: str) -> pd.DataFrame:
    """Rows up to the origin of series that reach it, without gaps: these libraries count rows, not days."""
    from utilsforecast.preprocessing import fill_gaps

    rows = history.loc[history.ds <= origin, ["unique_id", "ds", "y", *known]]
    begun = rows[rows.y > 0].groupby("unique_id").ds.min()
    rows = rows[rows.ds >= rows.unique_id.map(begun)]
    alive = rows.groupby("unique_id").ds.transform("max") == origin
    filled: pd.DataFrame = fill_gaps(rows[alive], freq=frequency).sort_values(["unique_id", "ds"])
    columns = ["y", *known]
    filled[columns] = filled.groupby("unique_id")[columns].ffill().astype("float64")
    done: pd.DataFrame = filled.reset_index(drop=True)
    return done


def _frequency(origin: pd.Timestamp, step_days: int) -> str:
    return "D" if step_days == 1 else f"W-{origin.day_name()[:3].upper()}"


def lightgbm_quantiles(
    history: pd.DataFrame, origin: pd.Timestamp, horizon: int, known: tuple[str, ...], step_days: int
) -> pd.DataFrame:
    """mlforecast: one LightGBM for the mean and one per level."""
    import lightgbm
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean

    frequency = _frequency(origin, step_days)
    past = _past(history, origin, known, frequency)
    common: dict[str, Any] = {
        "n_estimators": 150, "learning_rate": 0.05, "num_leaves": 31, "verbosity": -1, "n_jobs": 1, "random_state": 1,
    }  # fmt: skip
    models = {"mean": lightgbm.LGBMRegressor(objective="tweedie", **common)}
    models |= {f"q{q:g}": lightgbm.LGBMRegressor(objective="quantile", alpha=q, **common) for q in LEVELS}
    spans = (7, 28, 91) if step_days == 1 else (4, 13, 26)
    lags = [horizon, horizon + 7, horizon + 14, horizon + 28] if step_days == 1 else [horizon, horizon + 1, horizon + 4]
    dates = ["dayofweek", "month"] if step_days == 1 else ["month"]
    fitted = MLForecast(
        models=models, freq=frequency, lags=lags, lag_transforms={horizon: [RollingMean(span) for span in spans]},
        date_features=dates,
    )  # fmt: skip
    fitted.fit(past, static_features=[])
    ahead = fitted.make_future_dataframe(horizon)
    columns = list(known)
    ahead = ahead.merge(history[["unique_id", "ds", *columns]], on=["unique_id", "ds"], how="left")
    ahead[columns] = ahead.groupby("unique_id")[columns].ffill().bfill().astype("float64")
    said: pd.DataFrame = fitted.predict(horizon, X_df=ahead) if columns else fitted.predict(horizon)
    numbers = [name for name in said.columns if name not in ("unique_id", "ds")]
    said[numbers] = said[numbers].clip(lower=0.0)
    ordered = [f"q{q:g}" for q in LEVELS]
    said[ordered] = said[ordered].cummax(axis=1)
    return said.assign(cutoff=origin)


def _classical(name: str) -> Model:
    def forecast(
        history: pd.DataFrame, origin: pd.Timestamp, horizon: int, known: tuple[str, ...], step_days: int
    ) -> pd.DataFrame:
        from statsforecast import StatsForecast
        from statsforecast import models as catalogue

        frequency = _frequency(origin, step_days)
        arguments: dict[str, dict[str, Any]] = {
            "TSB": {"alpha_d": 0.1, "alpha_p": 0.05},
            "WindowAverage": {"window_size": 28 // step_days},
        }
        model = getattr(catalogue, name)(**arguments.get(name, {}))
        runner = StatsForecast(models=[model], freq=frequency, n_jobs=1)
        said: pd.DataFrame = runner.forecast(df=_past(history, origin, (), frequency), h=horizon)
        said = said.rename(columns={name: "mean"})[["unique_id", "ds", "mean"]]
        return said.assign(cutoff=origin)

    return forecast


MODELS: dict[str, Model] = {
    "mlforecast_lightgbm_quantiles": lightgbm_quantiles,
    "statsforecast_tsb": _classical("TSB"),
    "statsforecast_adida": _classical("ADIDA"),
    "statsforecast_window_average": _classical("WindowAverage"),
}
