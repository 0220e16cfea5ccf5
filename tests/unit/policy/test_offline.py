"""`./run plan`: every row of the file answered once, bad input named by its field and never ordered, all forecast forms read."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kernel.distribution import DAYS, HORIZONS_DAYS, LEVELS
from services.policy.derive import rederive
from services.policy.domain.parameters import Parameters
from services.policy.domain.scarcity import Budget
from services.policy.offline import Request, Summary, run
from services.policy.offline_files import FileRefused

DAY = date(2026, 3, 2)
GOOD: dict[str, Any] = {
    "sku": "A",
    "location": "L1",
    "on_hand": 1.0,
    "price": 3.0,
    "currency": "EUR",
    "supplier": "SUP",
    "lead_time_days": 2,
    "unit_cost": 2.0,
    "moq": 6.0,
    "pack": 6.0,
}


def forecast_row(sku: str = "A", **changes: Any) -> dict[str, Any]:
    spread = [round(100 * 2 * days * (0.5 + level)) for days in HORIZONS_DAYS for level in LEVELS]
    row = {
        "sku": sku,
        "location": "L1",
        "origin": DAY,
        "confidence": 0.9,
        "mean_e4": [20_000] * DAYS,
        "quantiles_e2": spread,
    }
    return row | changes


def planned(
    folder: Path, items: list[dict[str, Any]], forecasts: list[dict[str, Any]], **options: Any
) -> tuple[list[dict[str, Any]], Summary]:
    given, foreseen, out = folder / "I.parquet", folder / "F.parquet", folder / "R.parquet"
    pq.write_table(pa.Table.from_pylist(items), given)
    pq.write_table(pa.Table.from_pylist(forecasts), foreseen)
    summary = run(Request(given, foreseen, out, **options))
    return pq.read_table(out).to_pylist(), summary


def test_a_good_row_is_ordered_and_its_document_derives_again(tmp_path: Path) -> None:
    ((row,), summary) = planned(tmp_path, [GOOD], [forecast_row()], documents=True)
    assert (row["outcome"], row["supplier"], row["as_of"]) == ("order", "SUP", DAY)
    assert row["quantity"] > 0 and row["quantity"] % 6 == 0
    assert row["value"] == row["quantity"] * 2
    assert summary.orders == 1
    assert rederive(json.loads(row["document"]))[0]


BAD: list[tuple[str, dict[str, Any], dict[str, Any], str, str | None]] = [
    ("missing_lead_time", {"lead_time_days": None}, {}, "missing_lead_time", "lead_time_days"),
    ("negative_lead_time", {"lead_time_days": -1}, {}, "lead_time_invalid", "lead_time_days"),
    ("lead_time_in_words", {"lead_time_days": "soon"}, {}, "field_invalid", "lead_time_days"),
    ("lead_time_half", {"lead_time_days": 1.5}, {}, "field_invalid", "lead_time_days"),
    ("no_supplier", {"supplier": None}, {}, "no_supplier", "supplier"),
    ("zero_cost", {"unit_cost": 0.0}, {}, "cost_not_positive", "unit_cost"),
    ("negative_cost", {"unit_cost": -2.0}, {}, "cost_not_positive", "unit_cost"),
    ("missing_cost", {"unit_cost": None}, {}, "missing_cost", "unit_cost"),
    ("cost_nan", {"unit_cost": float("nan")}, {}, "field_invalid", "unit_cost"),
    ("cost_infinite", {"unit_cost": float("inf")}, {}, "field_invalid", "unit_cost"),
    ("negative_price", {"price": -1.0}, {}, "price_not_positive", "price"),
    ("zero_pack", {"pack": 0.0}, {}, "pack_not_positive", "pack"),
    ("negative_moq", {"moq": -6.0}, {}, "moq_negative", "moq"),
    ("moq_above_shelf_life", {"moq": 600.0, "shelf_life_days": 3}, {}, "minimum_exceeds_shelf_life", "moq"),
    ("shelf_life_zero", {"shelf_life_days": 0}, {}, "shelf_life_invalid", "shelf_life_days"),
    ("stock_nan", {"on_hand": float("nan")}, {}, "field_invalid", "on_hand"),
    ("stock_missing", {"on_hand": None}, {}, "field_invalid", "on_hand"),
    ("negative_reservation", {"reserved": -1.0}, {}, "field_invalid", "reserved"),
    ("unknown_class", {"abc_class": "Z"}, {}, "field_invalid", "abc_class"),
    ("breaks_that_rise", {"price_breaks": "0:2.00;24:2.50"}, {}, "price_breaks_invalid", "price_breaks"),
    ("breaks_unreadable", {"price_breaks": "cheap"}, {}, "field_invalid", "price_breaks"),
    ("weekday_eight", {"order_weekdays": "8"}, {}, "field_invalid", "order_weekdays"),
    ("cut_off_at_25", {"cut_off": "25:00"}, {}, "field_invalid", "cut_off"),
    ("time_with_offset", {"cut_off": "12:00", "local_time": "2026-03-03T12:00Z"}, {}, "field_invalid", "local_time"),
    ("order_without_date", {"open_orders": "PO1:6"}, {}, "field_invalid", "open_orders"),
    ("order_of_nothing", {"open_orders": "PO1:0:2026-03-05"}, {}, "field_invalid", "open_orders"),
    ("date_unreadable", {"as_of": "yesterday"}, {}, "field_invalid", "as_of"),
    ("sku_missing", {"sku": None}, {}, "field_invalid", "sku"),
    ("ended", {"active": False}, {}, "item_inactive", "active"),
    ("no_forecast", {}, {"sku": "B"}, "no_forecast", "forecast"),
    ("forecast_too_old", {"as_of": "2026-04-01"}, {}, "forecast_too_old", "forecast"),
    ("confidence_above_one", {}, {"confidence": 1.5}, "forecast_invalid", "forecast"),
    ("lead_time_beyond_horizon", {"lead_time_days": 90}, {}, "lead_time_beyond_horizon", "lead_time_days"),
    ("enough", {"on_hand": 500.0}, {}, "enough_stock", None),
]


@pytest.mark.parametrize(
    ("change", "forecast", "reason", "field"), [one[1:] for one in BAD], ids=[one[0] for one in BAD]
)
def test_bad_input_becomes_a_why_not_that_names_its_field(
    tmp_path: Path, change: dict[str, Any], forecast: dict[str, Any], reason: str, field: str | None
) -> None:
    ((row,), summary) = planned(tmp_path, [GOOD | change], [forecast_row() | forecast])
    assert (row["outcome"], row["reason"], row["field"]) == ("none", reason, field)
    assert row["says"]
    assert row["quantity"] is None
    assert summary.withheld == {reason: 1}


def test_a_forecast_that_is_not_a_number_orders_nothing(tmp_path: Path) -> None:
    foreseen = [{"unique_id": "L1/A", "cutoff": DAY, "periods": 28, "mean": float("nan"), "q0.5": 1.0, "q0.9": 2.0}]
    ((row,), _summary) = planned(tmp_path, [GOOD], foreseen)
    assert (row["reason"], row["field"]) == ("forecast_invalid", "forecast")


def test_every_row_is_answered_once_and_a_repeated_one_says_so(tmp_path: Path) -> None:
    items = [GOOD | {"sku": f"S{index % 7}", "on_hand": float(index * 9)} for index in range(20)]
    rows, summary = planned(tmp_path, items, [forecast_row(f"S{index}") for index in range(6)])
    assert [row["sku"] for row in rows] == [item["sku"] for item in items]
    assert summary.rows == len(items) == summary.orders + sum(summary.withheld.values())
    assert summary.withheld["duplicate_row"] == 13
    assert summary.withheld["no_forecast"] == 1


def test_a_budget_of_nothing_orders_nothing_and_says_which_resource(tmp_path: Path) -> None:
    items = [GOOD | {"sku": f"S{index}"} for index in range(5)]
    foreseen = [forecast_row(f"S{index}") for index in range(5)]
    rows, summary = planned(tmp_path, items, foreseen, budget=Budget.of(cash="0"))
    assert {row["reason"] for row in rows} == {"resource_exhausted"}
    assert summary.scarce["resources"]["cash"]["used"] == 0
    rows, summary = planned(tmp_path, items, foreseen, budget=Budget.of(cash="60"))
    assert 0 < summary.value <= 60
    assert summary.scarce["gap_at_most"] <= 1
    rows, _summary = planned(tmp_path, items, foreseen)
    assert {row["outcome"] for row in rows} == {"order"}


def test_totals_of_the_forecast_command_are_read(tmp_path: Path) -> None:
    foreseen = [
        {
            "unique_id": "L1/A",
            "cutoff": DAY,
            "periods": days,
            "mean": 2.0 * days,
            "q0.1": 1.0 * days,
            "q0.5": 2.0 * days,
            "q0.9": 3.0 * days,
        }
        for days in (7, 14, 28)
    ]
    ((row,), _summary) = planned(tmp_path, [GOOD], foreseen)
    assert row["outcome"] == "order"
    # Three days to cover, 95 %: 3/7 of the 95 % quantile of a week, 7 x (2 + 1.645/1.2816), rounded up.
    assert row["reorder_point"] == 10
    assert row["approved_by_rule"] is False  # the file says nothing of its confidence
    ((row,), _summary) = planned(tmp_path, [GOOD | {"lead_time_days": 30}], foreseen)
    assert (row["reason"], row["field"]) == ("forecast_too_short", "forecast")


def test_days_of_the_forecast_command_are_added_up_and_flagged(tmp_path: Path) -> None:
    foreseen = [
        {
            "unique_id": "L1/A",
            "ds": DAY + timedelta(days=day),
            "cutoff": DAY,
            "mean": 2.0,
            "q0.1": 0.0,
            "q0.5": 2.0,
            "q0.9": 4.0,
        }
        for day in range(1, 29)
    ]
    ((row,), _summary) = planned(tmp_path, [GOOD], foreseen, documents=True)
    evidence = json.loads(row["document"])["evidence"]
    assert evidence["forecast"]["flags"] == ["days_summed"]
    nodes = evidence["forecast"]["quantiles_e2"]
    assert nodes[7 * len(LEVELS) + LEVELS.index(0.5)] == pytest.approx(4200, rel=0.02)  # 21 days of two units
    ((row,), _summary) = planned(tmp_path, [GOOD], foreseen[:5] + foreseen[6:])
    assert row["reason"] == "forecast_invalid"


def test_lists_and_texts_say_the_same(tmp_path: Path) -> None:
    texts = {"order_weekdays": "0,3", "open_orders": "PO1:6:2026-03-04:confirmed", "price_breaks": "0:2.00;24:1.50"}
    lists = {
        "order_weekdays": [0, 3],
        "open_orders": [{"order_id": "PO1", "quantity": 6.0, "arrive_on": date(2026, 3, 4), "status": "confirmed"}],
        "price_breaks": [{"from_quantity": 0.0, "unit_cost": 2.0}, {"from_quantity": 24.0, "unit_cost": 1.5}],
    }
    found = []
    for form in (texts, lists):
        ((row,), _summary) = planned(tmp_path, [GOOD | form], [forecast_row()])
        found.append(row)
    assert found[0] == found[1]
    assert found[0]["outcome"] == "order"


def test_files_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="columns_missing"):
        planned(tmp_path, [{"sku": "A", "on_hand": 1}], [forecast_row()])
    with pytest.raises(FileRefused, match="forecasts_unreadable"):
        planned(tmp_path, [GOOD], [{"sku": "A", "location": "L1", "guess": 7}])
    assert not (tmp_path / "R.parquet").exists()


def test_workers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.policy.offline.CHUNK_ROWS", 4)
    items = [GOOD | {"sku": f"S{index}", "on_hand": float(index)} for index in range(13)]
    foreseen = [forecast_row(f"S{index}") for index in range(13)]
    assert planned(tmp_path, items, foreseen, workers=2)[0] == planned(tmp_path, items, foreseen, workers=1)[0]


def test_a_cut_off_that_is_over_moves_the_order_day(tmp_path: Path) -> None:
    items = [GOOD | {"sku": f"S{hour}", "cut_off": "12:00", "local_time": f"2026-03-03T{hour}:30"} for hour in (11, 12)]
    rows, _summary = planned(tmp_path, items, [forecast_row("S11"), forecast_row("S12")])
    assert [row["order_on"].isoformat() for row in rows] == ["2026-03-03", "2026-03-04"]


def test_lines_beside_the_orders_have_a_file_of_their_own_and_the_orders_count_them(tmp_path: Path) -> None:
    items = [
        GOOD | {"lead_time_days": 5, "open_orders": ""},
        GOOD | {"location": "L2", "on_hand": 300.0},
        GOOD | {"sku": "B", "on_hand": 300.0, "open_orders": "PO7:60:2026-03-05:confirmed"},
    ]
    foreseen = [forecast_row(), forecast_row(location="L2"), forecast_row("B")]
    moving = Parameters(
        transfer_days=Decimal(1), transfer_fixed_cost=Decimal("0.10"), transfer_unit_cost=Decimal("0.01")
    )
    alone, _summary = planned(tmp_path, items, foreseen, parameters=moving)
    beside = tmp_path / "L.parquet"
    rows, summary = planned(tmp_path, items, foreseen, parameters=moving, lines=beside, documents=True)
    assert [row["sku"] for row in rows] == ["A", "A", "B"], "one row per item, lines or not"
    lines = pq.read_table(beside).to_pylist()
    assert summary.lines == {"transfer": 1, "cancel": 1}
    move, change = sorted(lines, key=lambda one: one["sku"])
    assert (move["action"], move["from_location"], move["location"]) == ("transfer", "L2", "L1")
    assert (change["action"], change["changes_order"], change["quantity"]) == ("cancel", "PO7", 60)
    assert (alone[0]["quantity"] or 0) > (rows[0]["quantity"] or 0), "what is moved need not be bought"
    documents = [row["document"] for row in (*rows, *lines) if row["document"]]
    assert len(documents) >= 2 and all(rederive(json.loads(one))[0] for one in documents)
