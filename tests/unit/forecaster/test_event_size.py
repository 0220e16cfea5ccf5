"""A forecast event of a slow seller, which is most of what a retailer has, stays about a kilobyte."""

from datetime import UTC, datetime

import numpy as np

from schemas.forecasts import ForecastIssued
from services.forecaster.domain.frame import Frame, ItemRecord
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
