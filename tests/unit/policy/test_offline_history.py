"""`./run plan --pareto --history`: which days of the file judge which forecasts, and what is said of a file that cannot."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from services.policy.offline import Request, run
from services.policy.offline_files import FileRefused
from tests.unit.policy.test_offline import DAY, GOOD, forecast_row

EARLIER = DAY - timedelta(days=14)
# One sku is always asked for twice a day, and its forecast says so.
ITEMS = [GOOD | {"abc_class": None}, GOOD | {"sku": "B", "abc_class": "A"}]
FORECASTS = [forecast_row(sku, origin=origin) for sku in "AB" for origin in (EARLIER, DAY)]


def past(sku: str = "A", first: date = EARLIER - timedelta(days=5), days: int = 20, units: float = 2.0) -> list[dict[str, Any]]:  # fmt: skip
    return [{"unique_id": f"L1/{sku}", "ds": first + timedelta(days=day), "y": units} for day in range(days)]


def judged(
    folder: Path, rows: list[dict[str, Any]], forecasts: list[dict[str, Any]] = FORECASTS, origin: date | None = DAY
) -> dict[str, Any]:
    given, foreseen, history, weights = (folder / name for name in ("I.parquet", "F.parquet", "H.csv", "W.json"))
    pq.write_table(pa.Table.from_pylist(ITEMS), given)
    pq.write_table(pa.Table.from_pylist(forecasts), foreseen)
    pacsv.write_csv(pa.Table.from_pylist(rows), history)
    run(Request(given, foreseen, folder / "R.parquet", origin=origin, pareto=weights, history=history))
    told: dict[str, Any] = json.loads(weights.read_text("utf-8"))
    return told


def test_the_days_after_the_first_forecast_judge_it_and_those_before_do_not(tmp_path: Path) -> None:
    """Fourteen days of two units each: the level covers them all, whatever happened before anybody forecast."""
    told = judged(tmp_path, past("A", units=2.0) + past("B", units=2.0))
    found = told["history"]
    assert (found["first_day"], found["last_day"]) == ("2026-02-17", "2026-03-02")
    assert (found["origins"], found["items"], found["items_left_out"]) == ([EARLIER.isoformat()], 2, 0)
    in_force = found["all"]["in_force"]
    assert (in_force["fill_rate"], in_force["margin_lost_a_year"]) == (1.0, 0.0)
    assert set(found["by_class"]) == {"A", "none"} and told["all"]["in_force"]["holding_a_year"] > 0
    before = [row | {"y": 900.0} for row in past("A", days=5)]
    assert judged(tmp_path, before + past("A")[5:] + past("B"))["history"] == found


def test_what_came_is_what_counts_and_not_what_was_foreseen(tmp_path: Path) -> None:
    found = judged(tmp_path, past("A", units=9.0) + past("B", units=2.0))["history"]
    assert found["by_class"]["A"]["in_force"]["fill_rate"] == 1.0  # B
    assert found["by_class"]["none"]["in_force"]["fill_rate"] < 0.8


def test_a_day_without_a_row_sold_nothing_and_an_empty_one_does_not_count(tmp_path: Path) -> None:
    every_second = [row for number, row in enumerate(past("A")) if number % 2]
    written = [row | {"y": 0.0 if number % 2 == 0 else 2.0} for number, row in enumerate(past("A"))]
    sparse = judged(tmp_path, every_second + past("B"))["history"]["by_class"]["none"]
    assert sparse == judged(tmp_path, written[1:] + past("B"))["history"]["by_class"]["none"]
    unknown = [row | {"y": None} for row in past("A")]
    found = judged(tmp_path, unknown + past("B"))["history"]
    assert (found["items"], found["items_left_out"]) == (1, 1)


def test_a_forecast_too_old_to_plan_by_judges_no_further_days(tmp_path: Path) -> None:
    """Three weeks of history after one forecast, of which the policy lets fourteen days count."""
    rows = past("A", days=28) + past("B", days=28)
    assert judged(tmp_path, rows, origin=DAY)["history"]["origins"] == [EARLIER.isoformat(), DAY.isoformat()]
    only = [one for one in FORECASTS if one["origin"] == EARLIER]
    surge = [row | {"y": 99.0} if row["ds"] > DAY else row for row in rows]
    assert judged(tmp_path, surge, only, origin=None)["history"]["all"]["in_force"]["margin_lost_a_year"] == 0.0


@pytest.mark.parametrize(
    ("rows", "code", "names"),
    [
        ([{"sku": "A", "location": "L1", "when": "2026-03-01", "y": 1.0}], "columns_missing", "when"),
        ([{"item": "A", "ds": DAY, "y": 1.0}], "history_unreadable", "unique_id"),
        ([{"unique_id": "L1/A", "ds": "soon", "y": 1.0}], "history_unreadable", "soon"),
        ([*past(), past()[-1]], "history_invalid", "2026-03-02 twice"),
        ([*past(), {"unique_id": "L1/A", "ds": DAY + timedelta(days=1), "y": -1.0}], "history_invalid", "Row 21"),
        ([*past(), {"unique_id": "L1/A", "ds": None, "y": 1.0}], "history_invalid", "Row 21"),
        (past(days=5), "history_too_short", "2026-02-15"),
    ],
    ids=["no_day_column", "no_item_column", "no_date", "twice", "negative", "day_missing", "before_every_forecast"],
)
def test_a_history_that_cannot_be_used_says_what_to_mend(
    tmp_path: Path, rows: list[dict[str, Any]], code: str, names: str
) -> None:
    with pytest.raises(FileRefused) as refused:
        judged(tmp_path, rows)
    assert refused.value.args[0] == code
    assert names in " ".join(refused.value.args)
    assert not (tmp_path / "R.parquet").exists()
