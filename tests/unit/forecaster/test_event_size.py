"""A forecast event of a slow seller, which is most of what a retailer has, stays about a kilobyte."""

from datetime import UTC, date, datetime

import numpy as np

from schemas.forecasts import ForecastIssued
from services.forecaster.domain.frame import Cells, Frame, ItemRecord, Records, build
from services.forecaster.issuing import Speaker, Task, as_the_model_says, issue
from services.forecaster.model.pipeline import baseline
from tests.unit.forecaster.worlds import panel


def test_an_event_of_a_slow_seller_is_about_a_kilobyte_and_says_its_window() -> None:
    generator = np.random.default_rng(1)
    rates = np.exp(generator.uniform(np.log(0.02), np.log(0.3), 100))
    world = panel(generator.poisson(rates[:, None], (100, 200)).astype(np.float64))
    zeros = np.zeros(100, dtype=np.int64)
    items = tuple(ItemRecord(f"{1000000 + row}", "286", 0, None, world.first_day, world.last_day) for row in range(100))
    frame = Frame(items, world, zeros + 199, np.zeros(world.demand.shape, dtype=np.bool_), zeros, zeros)
    calibrated = baseline(world, 199)
    said = calibrated.forecast(world, 199)
    rows = np.arange(100)
    task = Task(rows, 199, "close-of-day", datetime(2024, 1, 1, tzinfo=UTC))
    changed = as_the_model_says(said, 199, rows)
    issued = issue("acme", frame, task, Speaker(calibrated, "lgbm-0123456789abcdef"), "lightgbm_tweedie", said, changed)
    sizes = [len(one.outgoing.value) for one in issued]
    assert np.mean(sizes) < 1_100
    again = ForecastIssued.model_validate_json(issued[0].outgoing.value)
    assert again.window_to is None and again.origin == world.last_day and again.window_from == world.first_day


def test_an_impossible_day_is_kept_out_of_the_services_frame_and_named_in_the_event() -> None:
    generator = np.random.default_rng(2)
    demand = generator.poisson(1.0, (12, 120)).astype(np.float64)
    demand[3, 100] = 90_000
    items = tuple(
        ItemRecord(f"sku-{row:02d}", "286", 0, None, date(2024, 1, 1), date(2024, 4, 29)) for row in range(12)
    )
    number, column = np.nonzero(demand)
    epoch = (date(2024, 1, 1) - date(1970, 1, 1)).days
    sold = Cells(number, column + epoch, demand[number, column])
    none = Cells.empty()
    zeros = np.zeros(12, dtype=np.int64)
    frame = build(Records(items, sold, sold, none, none, np.zeros(0, dtype=np.bool_), zeros), history_days=756)
    assert frame is not None
    assert np.isnan(frame.panel.demand[3, 100]) and np.isnan(frame.panel.demand[:, 60:]).sum() == 1
    calibrated = baseline(frame.panel, 119)
    rows = np.arange(12)
    said = calibrated.forecast(frame.panel, 119)
    task = Task(rows, 119, "close-of-day", datetime(2024, 4, 30, tzinfo=UTC))
    changed = as_the_model_says(said, 119, rows)
    issued = issue("acme", frame, task, Speaker(None, "baseline", "no_trained_model"), "seasonal_mean", said, changed)
    assert ["spike" in one.message.flags for one in issued] == [row == 3 for row in range(12)]
