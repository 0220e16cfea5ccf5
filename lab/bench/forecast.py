"""The forecaster against peers on real demand: the same series, origins, known regressors and scores for everyone.

Ours is run as `./run forecast` runs it, file to file. Peers come from the `bench` extra and are left out, with a
sentence, where it is not installed. Every model sees rows up to the origin, and of the columns that are known ahead
also the horizon.
"""

import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lab.bench import forecast_peers as peers
from services.forecaster import offline
from services.forecaster.domain.metrics import bias, coverage, total_error, weighted_quantile_loss
from services.forecaster.offline_frame import Wanted

LEVELS = (0.1, 0.5, 0.9, 0.95, 0.99)
COVERED = (0.9, 0.95, 0.99)
OLD_DAYS = 168  # scored series began at least so long before an origin, as in the published comparison
# ABC by units sold before the first origin: A makes 80 % of them, B the next 15 %.
CLASSES = (("A", 0.80), ("B", 0.95), ("C", 1.01))


@dataclass(frozen=True, slots=True)
class Contest:
    """A file, the columns known ahead, origins, and which series count (`keys`: a file that names them, or all). With
    `whole` all series of the file train, also those that do not count; peers are then left out. What is `on_request` runs
    only when it is named."""

    name: str
    file: str
    known: tuple[str, ...]
    origins: tuple[str, ...]
    horizon: int = 28
    totals: tuple[int, ...] = (7, 14, 28)
    keys: str | None = None
    others: bool = False
    whole: bool = False
    on_request: bool = False
    step_days: int = 1


_WEEKLY = tuple(f"price_brand{number}" for number in range(1, 12))
CONTESTS = (
    Contest(
        "complete-journey", "cj_store_sku_daily.parquet", ("display", "mailer"),
        ("2017-10-08", "2017-11-05", "2017-12-03"), keys="keys_completejourney.parquet",
    ),
    Contest(
        "complete-journey-others", "cj_store_sku_daily.parquet", ("display", "mailer"),
        ("2017-08-13", "2017-09-10"), keys="keys_completejourney.parquet", others=True,
    ),
    Contest(
        "online-retail", "online_retail_sku_daily.parquet", ("open",),
        ("2011-09-16", "2011-10-14", "2011-11-11"), keys="keys_online_retail.parquet",
    ),
    Contest(
        "online-retail-others", "online_retail_sku_daily.parquet", ("open",),
        ("2011-05-06", "2011-07-15"), keys="keys_online_retail.parquet", others=True,
    ),
    Contest(
        "complete-journey-whole", "cj_store_sku_daily.parquet", ("display", "mailer"),
        ("2017-10-08", "2017-11-05", "2017-12-03"), keys="keys_completejourney.parquet", whole=True, on_request=True,
    ),
    Contest(
        "online-retail-whole", "online_retail_sku_daily.parquet", ("open",),
        ("2011-09-16", "2011-10-14", "2011-11-11"), keys="keys_online_retail.parquet", whole=True, on_request=True,
    ),
    Contest(
        "complete-journey-origins", "cj_store_sku_daily.parquet", ("display", "mailer"),
        ("2017-06-18", "2017-07-09", "2017-07-30", "2017-08-20", "2017-10-01", "2017-10-22", "2017-11-12", "2017-12-03"),
        keys="keys_completejourney.parquet", others=True, on_request=True,
    ),
    Contest(
        "online-retail-origins", "online_retail_sku_daily.parquet", ("open",),
        ("2011-03-11", "2011-04-08", "2011-06-03", "2011-07-01", "2011-07-29", "2011-08-26", "2011-09-23", "2011-10-21"),
        keys="keys_online_retail.parquet", others=True, on_request=True,
    ),
    Contest(
        "dominicks", "dominicks_oj_store_sku_weekly.parquet", ("deal", "feat", "price_per_oz", *_WEEKLY),
        ("1992-02-06", "1992-04-02", "1992-05-28", "1992-07-23"), horizon=8, totals=(4, 8), step_days=7,
    ),
)  # fmt: skip


def run(data: Path, names: tuple[str, ...], *, with_peers: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Scores of every model in every contest asked for, and what could not be run."""
    out: dict[str, Any] = {}
    for contest in CONTESTS:
        if contest.name not in names if names else contest.on_request:
            continue
        if not (data / contest.file).is_file():
            out[contest.name] = {"skipped": f"{contest.file} is not in {data.name}"}
            continue
        say(f"{contest.name}: our own forecaster")
        out[contest.name] = _contest(data, contest, with_peers=with_peers, say=say)
    return out


def _contest(data: Path, contest: Contest, *, with_peers: bool, say: Callable[[str], None]) -> dict[str, Any]:
    history = pd.read_parquet(data / contest.file)
    history["unique_id"] = history.unique_id.astype(str)
    counts = _counts(data, contest, history)
    history, everything = history[counts], history if contest.whole else history[counts]
    with tempfile.TemporaryDirectory() as folder:
        mine, totals, seconds = _ours(Path(folder), contest, everything)
    models = {"countersign": _scores(contest, history, mine, totals) | {"cpu_seconds": round(seconds, 1)}}
    if contest.whole:
        models["peers"] = {"skipped": "peers run on the scored series alone"}
    elif with_peers and importlib.util.find_spec("mlforecast") is not None:
        for name, forecast, seconds in _peers(contest, history, say):
            models[name] = _scores(contest, history, forecast, None) | {"cpu_seconds": round(seconds, 1)}
    elif with_peers:
        models["peers"] = {"skipped": "mlforecast is not installed; pip install '.[bench]'"}
    return {"series": int(history.unique_id.nunique()), "origins": len(contest.origins), "models": models}


def _counts(data: Path, contest: Contest, history: pd.DataFrame) -> "pd.Series[bool]":
    if contest.keys is None:
        return pd.Series(np.full(len(history), fill_value=True), index=history.index)
    named = set(pd.read_parquet(data / contest.keys, columns=["unique_id"]).unique_id.astype(str))
    inside = history.unique_id.isin(named)
    return ~inside if contest.others else inside


def _ours(folder: Path, contest: Contest, history: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    history.to_parquet(folder / "history.parquet")
    history[["unique_id", "ds", *contest.known]].to_parquet(folder / "future.parquet")
    started = time.process_time()
    offline.run(
        offline.Request(
            wanted=Wanted(
                history=folder / "history.parquet", future=folder / "future.parquet", known=None, step_days=None,
                origins=tuple(pd.Timestamp(day).date() for day in contest.origins), horizon=contest.horizon,
            ),
            levels=LEVELS, totals=contest.totals, out=folder / "out.parquet", totals_out=folder / "totals.parquet",
            strategy="lightgbm", seed=20171105, threads=1,
        )
    )  # fmt: skip
    seconds = time.process_time() - started
    return pd.read_parquet(folder / "out.parquet"), pd.read_parquet(folder / "totals.parquet"), seconds


def _peers(
    contest: Contest, history: pd.DataFrame, say: Callable[[str], None]
) -> Iterator[tuple[str, pd.DataFrame, float]]:
    for name, model in peers.MODELS.items():
        say(f"{contest.name}: {name}")
        started = time.process_time()
        parts = []
        for origin in contest.origins:
            parts.append(model(history, pd.Timestamp(origin), contest.horizon, contest.known, contest.step_days))
        yield name, pd.concat(parts), time.process_time() - started


def _scores(
    contest: Contest, history: pd.DataFrame, forecast: pd.DataFrame, totals: pd.DataFrame | None
) -> dict[str, Any]:
    rows = _scored(contest, history, forecast)
    sums = rows.groupby(["unique_id", "cutoff"])[["y", "mean"]].sum()
    y = rows.y.to_numpy()
    out: dict[str, Any] = {
        "total_error": round(total_error(sums.y.to_numpy(), sums["mean"].to_numpy()), 4),
        "bias": round(bias(y, rows["mean"].to_numpy()), 4),
    }
    if f"q{LEVELS[0]:g}" not in rows:
        return out
    quantiles = {level: rows[f"q{level:g}"].to_numpy() for level in LEVELS}
    out["wql"] = round(float(np.mean([weighted_quantile_loss(y, quantiles[one], one) for one in LEVELS])), 4)
    out["coverage"] = {str(level): round(coverage(y, quantiles[level]), 4) for level in COVERED}
    if totals is not None:
        classes = _classes(contest, history)
        out["totals"] = {span: _totals(contest, rows, totals, span, classes) for span in contest.totals}
        out["coverage_by_class"] = _by_class(rows, classes)
    return out


def _scored(contest: Contest, history: pd.DataFrame, forecast: pd.DataFrame) -> pd.DataFrame:
    """Rows of series that were old enough, with a row at the origin, and whose horizon is completely known."""
    known = history[["unique_id", "ds", "y"]]
    rows = forecast.merge(known, on=["unique_id", "ds"], how="inner")
    first = known[known.y > 0].groupby("unique_id").ds.min()
    rows = rows[rows.unique_id.map(first) <= rows.cutoff - pd.Timedelta(days=OLD_DAYS)]
    there = pd.MultiIndex.from_frame(known[["unique_id", "ds"]])
    rows = rows[pd.MultiIndex.from_frame(rows[["unique_id", "cutoff"]]).isin(there)]
    whole = rows.groupby(["unique_id", "cutoff"]).ds.transform("size") == contest.horizon
    return rows[whole]


def _totals(
    contest: Contest, rows: pd.DataFrame, totals: pd.DataFrame, span: int, classes: "pd.Series[str]"
) -> dict[str, Any]:
    inside = rows[rows.ds <= rows.cutoff + pd.Timedelta(days=span * contest.step_days)]
    came = inside.groupby(["unique_id", "cutoff"]).y.sum().reset_index()
    told = totals[totals.horizon == span].merge(came, on=["unique_id", "cutoff"])
    y = told.y.to_numpy()
    losses = [weighted_quantile_loss(y, told[f"q{level:g}"].to_numpy(), level) for level in LEVELS]
    covered = {str(level): round(coverage(y, told[f"q{level:g}"].to_numpy()), 4) for level in COVERED}
    by_origin = [round(coverage(part.y.to_numpy(), part["q0.9"].to_numpy()), 4) for _, part in told.groupby("cutoff")]
    # A quantile of zero covers all who sold nothing, mostly far more than it says, and cannot be lower.
    some = told[told["q0.9"] >= 1.0]
    return {
        "wql": round(float(np.mean(losses)), 4), "coverage": covered, "coverage_by_class": _by_class(told, classes),
        "coverage_by_origin": by_origin,
        "a_unit_or_more": {
            "share": round(len(some) / len(told), 4),
            "coverage": round(coverage(some.y.to_numpy(), some["q0.9"].to_numpy()), 4),
        },
    }  # fmt: skip


def _classes(contest: Contest, history: pd.DataFrame) -> "pd.Series[str]":
    """ABC class by series, from the units sold before the first origin."""
    before = history[history.ds <= pd.Timestamp(contest.origins[0])].groupby("unique_id").y.sum()
    share = before.sort_values(ascending=False).cumsum() / before.sum()
    edges = [-1.0, *(high for _, high in CLASSES)]
    return pd.cut(share, edges, labels=[name for name, _ in CLASSES]).astype(str)


def _by_class(rows: pd.DataFrame, classes: "pd.Series[str]") -> dict[str, dict[str, float]]:
    kind = rows.unique_id.map(classes)
    out = {}
    for name, _ in CLASSES:
        mine = rows[kind == name]
        out[name] = {
            str(level): round(coverage(mine.y.to_numpy(), mine[f"q{level:g}"].to_numpy()), 4) for level in COVERED
        }
    return out
