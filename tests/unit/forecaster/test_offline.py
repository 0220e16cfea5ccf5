"""`./run forecast`: a file in, a file out; formats, repairs with their flags, and no glance past an origin."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cli.errors import Exit
from cli.main import main
from services.forecaster.model import quantile_heads, strategies
from services.forecaster.model.gradient_boosting import GradientBoosting
from tests.unit.forecaster.worlds import retail

ORIGIN = "2023-08-27"  # a Sunday; the world below begins on Monday, 2 January 2023
DAY = pd.Timestamp("2023-01-02")


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Iterator[None]:
    """Formats, repairs and blindness to the future show as well with a tenth of the trees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strategies, "GradientBoosting", partial(GradientBoosting, rounds=12))
        patch.setattr(quantile_heads, "ROUNDS", 12)
        yield


def history(items: int = 40, days: int = 300) -> pd.DataFrame:
    """A world in long rows, with a promotion column and a store."""
    world, _ = retail(items, days)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{number:03d}" for number in range(items)], days),
            "ds": np.tile(pd.date_range(DAY, periods=days), items),
            "y": world.demand.ravel(),
        }
    )
    return frame.assign(store_id=frame.unique_id.str[-1], promotion=(np.arange(len(frame)) % 11 == 0) * 1)


def forecast(tmp_path: Path, frame: Any, *words: str, name: str = "F") -> pd.DataFrame:
    source, out = tmp_path / f"{name}-H.parquet", tmp_path / f"{name}.parquet"
    frame.to_parquet(source)
    code = main(["forecast", "--history", str(source), "--out", str(out), *words])
    assert code == Exit.OK
    return pd.read_parquet(out)


def flags_of(answer: pd.DataFrame, series: str) -> set[str]:
    return set(answer[answer.unique_id == series]["flags"].iloc[0].split(","))


def test_every_series_has_every_day_at_every_origin_in_the_columns_of_the_scorer(tmp_path: Path) -> None:
    words = (
        "--origins",
        f"2023-07-30,{ORIGIN}",
        "--horizon",
        "10",
        "--quantiles",
        "0.1,0.5,0.9",
        "--cumulative",
        "7,10",
    )
    answer = forecast(tmp_path, history(), *words)
    assert list(answer.columns[:7]) == ["unique_id", "ds", "cutoff", "mean", "q0.1", "q0.5", "q0.9"]
    assert len(answer) == 40 * 10 * 2 and not answer.duplicated(["unique_id", "ds", "cutoff"]).any()
    assert (answer.ds - answer.cutoff).dt.days.between(1, 10).all()
    quantiles = answer[["q0.1", "q0.5", "q0.9"]].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all() and (quantiles >= 0).all() and np.isfinite(answer["mean"]).all()
    totals = pd.read_parquet(tmp_path / "F.cumulative.parquet")
    assert set(totals.horizon) == {7, 10} and len(totals) == 40 * 2 * 2
    ten = totals[totals.horizon == 10].set_index(["unique_id", "cutoff"])["mean"]
    np.testing.assert_allclose(answer.groupby(["unique_id", "cutoff"])["mean"].sum(), ten.sort_index(), rtol=1e-9)


def test_a_planted_future_changes_no_byte_of_a_forecast(tmp_path: Path) -> None:
    frame = history()
    planted = frame.copy()
    after = planted.ds > ORIGIN
    planted.loc[after, "y"] = 1e6
    planted.loc[after, "promotion"] = 99
    cut = frame[frame.ds <= ORIGIN]
    answers = [
        forecast(tmp_path, one, "--origins", ORIGIN, name=str(number))
        for number, one in enumerate((frame, planted, cut))
    ]
    pd.testing.assert_frame_equal(answers[0], answers[1])
    pd.testing.assert_frame_equal(answers[0], answers[2])


def test_an_earlier_origin_does_not_see_what_the_future_file_says_after_its_horizon(tmp_path: Path) -> None:
    frame = history()
    ahead = frame[["unique_id", "ds", "promotion"]]
    other = ahead.copy()
    other.loc[other.ds > pd.Timestamp(ORIGIN) + pd.Timedelta(days=28), "promotion"] = 50
    answers = []
    for number, known in enumerate((ahead, other)):
        known.to_parquet(tmp_path / f"X{number}.parquet")
        words = ("--origins", ORIGIN, "--future", str(tmp_path / f"X{number}.parquet"))
        answers.append(forecast(tmp_path, frame, *words, name=str(number)))
    pd.testing.assert_frame_equal(answers[0], answers[1])


def test_a_regressor_known_ahead_moves_the_days_it_speaks_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategies, "GradientBoosting", GradientBoosting)  # all trees: here it matters what they learn
    frame = history(60)
    frame["y"] = frame["y"] + 6.0 * frame["promotion"]
    frame[["unique_id", "ds", "promotion"]].to_parquet(tmp_path / "X.parquet")
    words = ("--origins", ORIGIN, "--future", str(tmp_path / "X.parquet"))
    answer = forecast(tmp_path, frame, *words).merge(frame, on=["unique_id", "ds"])
    promoted, usual = answer[answer.promotion == 1]["mean"].mean(), answer[answer.promotion == 0]["mean"].mean()
    assert promoted - usual == pytest.approx(6.0, rel=0.15)


def test_weekly_files_are_recognised_and_answered_week_by_week(tmp_path: Path) -> None:
    frame = history(30, 700)
    frame["ds"] = frame.ds - pd.to_timedelta(frame.ds.dt.day_of_week, "D")
    weekly = frame.groupby(["unique_id", "ds"], as_index=False).agg({"y": "sum", "store_id": "first"})
    answer = forecast(tmp_path, weekly, "--origins", "2024-09-02", "--horizon", "6", "--cumulative", "4")
    first = answer[answer.unique_id == "s000"]
    assert list(first.ds) == [pd.Timestamp("2024-09-02") + pd.Timedelta(weeks=week) for week in range(1, 7)]
    assert answer["strategy"].str.startswith("lightgbm").all()
    truth = weekly.merge(answer, on=["unique_id", "ds"])
    assert truth["mean"].sum() == pytest.approx(truth.y.sum(), rel=0.08)


@pytest.mark.slow
def test_same_file_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    frame = history(20)
    forecast(tmp_path, frame, "--origins", ORIGIN, name="a")
    forecast(tmp_path, frame.sample(frac=1.0, random_state=3), "--origins", ORIGIN, "--threads", "2", name="b")
    one, two = (pd.read_parquet(tmp_path / f"{name}.parquet").drop(columns="flags") for name in "ab")
    pd.testing.assert_frame_equal(one, two)


def bad() -> pd.DataFrame:
    """A good world with one series of every kind of trouble."""
    rows: list[tuple[str, Any, Any]] = []
    last = date(2023, 8, 27)
    days = [last - timedelta(days=back) for back in range(99, -1, -1)]
    rows += [("one-point", last, 3.0)]
    rows += [("all-zeros", day, 0.0) for day in days]
    rows += [("constant", day, 4.0) for day in days]
    rows += [("negative", day, -2.0 if day.day == 5 else 2.0) for day in days]
    rows += [("spike", day, 1e6 if day == days[50] else 1.0) for day in days]
    rows += [("gaps", day, 2.0) for day in days[::3]]
    rows += [("twice", day, 2.0) for day in days] + [("twice", days[9], 5.0), ("twice", days[10], 2.0)]
    rows += [("future", day, 1.0) for day in [*days, date(2190, 1, 1)]]
    rows += [("nan", day, np.nan if day.day == 9 else 1.0) for day in days]
    rows += [("infinite", day, np.inf if day.day == 9 else 1.0) for day in days]
    rows += [("unsorted", day, 1.0) for day in reversed(days)]
    rows += [("zones", f"{day}T23:30:00{'+09:00' if day.day % 2 else '-05:00'}", 1.0) for day in days]
    rows += [("no-date", "the day before", 1.0), ("no-date", last, 1.0)]
    rows += [("not-yet", last + timedelta(days=3), 1.0)]
    frame = pd.DataFrame(rows, columns=["unique_id", "ds", "y"])
    good = history(30, 238)[["unique_id", "ds", "y"]]
    return pd.concat([good, frame]).assign(ds=lambda all_: all_.ds.map(lambda day: str(day)[:25]))


REASONS = {
    "one-point": "new_item",
    "all-zeros": "no_sales",
    "constant": "",
    "negative": "negative_demand",
    "spike": "spike",
    "gaps": "missing_days",
    "twice": "duplicate_dates",
    "future": "future_dates",
    "nan": "missing_value",
    "infinite": "impossible_value",
    "unsorted": "unsorted",
    "zones": "time_zones",
    "no-date": "unreadable_date",
    "not-yet": "no_history",
}


@pytest.fixture(scope="module")
def repaired(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return forecast(tmp_path_factory.mktemp("bad"), bad(), "--origins", ORIGIN, "--horizon", "14")


@pytest.mark.parametrize("series", REASONS)
def test_bad_input_gets_a_finite_answer_and_its_reason(repaired: pd.DataFrame, series: str) -> None:
    mine = repaired[repaired.unique_id == series]
    assert len(mine) == 14
    numbers = mine.filter(regex=r"^(mean|q0)").to_numpy()
    assert np.isfinite(numbers).all() and (numbers >= 0).all()
    assert REASONS[series] in flags_of(repaired, series) | {""}


def test_repairs_are_what_they_say(repaired: pd.DataFrame) -> None:
    mean = repaired.groupby("unique_id")["mean"].mean()
    assert mean["constant"] == pytest.approx(4.0, rel=0.25)
    assert mean["all-zeros"] < 0.2
    assert mean["spike"] < 5.0  # one day of a million is not a level
    assert mean["zones"] == pytest.approx(mean["unsorted"], rel=0.05)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (pd.DataFrame({"unique_id": ["a"], "ds": ["2023-01-01"]}), "columns_missing"),
        (pd.DataFrame({"unique_id": ["a"], "ds": ["yesterday"], "y": [1.0]}), "no_usable_rows"),
        (pd.DataFrame({"unique_id": ["a"], "ds": [20230101], "y": [1.0]}), "dates_are_numbers"),
        (pd.DataFrame({"unique_id": [], "ds": [], "y": []}), "file_empty"),
        (
            pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2020-01-01", periods=30, freq="MS"), "y": 1.0}),
            "frequency_unknown",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_a_reason_and_a_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], frame: pd.DataFrame, code: str
) -> None:
    frame.to_parquet(tmp_path / "H.parquet")
    words = ["forecast", "--history", str(tmp_path / "H.parquet"), "--out", str(tmp_path / "F.parquet"), "--json"]
    assert main(words) == Exit.FAILURE
    told = json.loads(capsys.readouterr().out)
    assert told["error"] == code and told["why"] and told["way_out"]
    assert not (tmp_path / "F.parquet").exists()
