"""The cost run measures what it says, on a size small enough for every day."""

import numpy as np
import pytest

from lab.bench import forecast_cost


def test_a_made_up_world_is_two_years_of_sales_at_the_stated_levels() -> None:
    frame = forecast_cost.world(2_100)  # more than a portion
    demand = frame.panel.demand
    assert demand.shape == (2_100, forecast_cost.DAYS)
    levels = np.nanmean(demand, axis=1)
    assert 0.02 < levels.min() < 0.1 and 8 < levels.max() < 13
    week = [np.nanmean(demand[:, day::7]) for day in range(7)]
    np.testing.assert_allclose(np.array(week) / np.mean(week), forecast_cost.WEEKDAYS, rtol=0.03)
    assert len({item.location for item in frame.items}) == 8


@pytest.mark.slow
def test_every_stage_is_measured() -> None:
    told = forecast_cost.measure(30)
    each = told["cpu_seconds_per_1000"]
    parts = each["train_and_calibrate"] + each["compare_strategies"] + each["forecast"]
    assert min(each.values()) > 0 and abs(each["all"] - parts) < 0.01
    assert told["peak_mb"] > told["panel_mb"]
