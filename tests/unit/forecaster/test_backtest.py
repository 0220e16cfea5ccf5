"""A back-test sees nothing of the days it is about, measures what it says it measures, and calibrated ones hold."""

from dataclasses import replace

import numpy as np
import pytest

from services.forecaster.backtesting import Wish, origins_of
from services.forecaster.domain.accuracy import SCORED_LEVELS, measures
from services.forecaster.domain.baseline import SeasonalNaive
from services.forecaster.model.backtest import overlay, speak, tally
from services.forecaster.model.gradient_boosting import GradientBoosting
from services.forecaster.model.pipeline import HistoryTooShort
from tests.unit.forecaster.worlds import retail

ITEMS, DAYS = 60, 240
CHOSEN = np.arange(0, ITEMS, 2)
QUIET = lambda stage, share: None  # noqa: E731


@pytest.mark.parametrize("strategy", [SeasonalNaive(8), GradientBoosting(rounds=10, rows_max=20_000)])
def test_a_planted_future_changes_no_word_of_a_back_test(strategy: SeasonalNaive | GradientBoosting) -> None:
    panel, _ = retail(ITEMS, DAYS)
    origin = DAYS - 29
    planted = panel.demand.copy()
    planted[:, origin + 1 :] = 9_999.0
    honest = speak(panel, [origin], strategy, CHOSEN, QUIET)[0]
    tempted = speak(replace(panel, demand=planted), [origin], strategy, CHOSEN, QUIET)[0]
    assert np.array_equal(honest.by_day, tempted.by_day)
    assert np.array_equal(honest.quantiles, tempted.quantiles)
    assert np.array_equal(honest.naive, tempted.naive)


def test_sums_are_those_of_the_definition() -> None:
    """Oracle: the definitions, one window at a time in plain Python."""
    panel, _ = retail(ITEMS, DAYS)
    said = speak(panel, [DAYS - 57, DAYS - 29], SeasonalNaive(8), CHOSEN, QUIET)
    sums = tally(panel, said, CHOSEN, 7, np.arange(len(CHOSEN)))
    error = losses = demand = 0.0
    for one in said:
        for place, row in enumerate(CHOSEN.tolist()):
            actual = sum(panel.demand[row, one.origin + 1 : one.origin + 8].tolist())
            error += abs(actual - sum(one.by_day[place, :7].tolist()))
            demand += actual
            for level, column in zip(SCORED_LEVELS, (1, 3, 5, 6, 8), strict=True):
                gap = actual - float(one.quantiles[place, 4, column])
                losses += max(level * gap, (level - 1) * gap)
    assert sums.windows == 2 * len(CHOSEN)
    assert sums.absolute_error == pytest.approx(error) and sums.actual == pytest.approx(demand)
    assert sum(sums.losses) == pytest.approx(losses)


def test_unknown_days_are_hidden_windows() -> None:
    panel, _ = retail(ITEMS, DAYS)
    demand = panel.demand.copy()
    demand[0, DAYS - 20] = np.nan
    holed = replace(panel, demand=demand)
    said = speak(holed, [DAYS - 29], SeasonalNaive(8), CHOSEN, QUIET)
    sums = tally(holed, said, CHOSEN, 28, np.arange(len(CHOSEN)))
    assert (sums.windows, sums.hidden) == (len(CHOSEN), 1)


def test_on_a_stationary_world_the_levels_cover_what_they_name() -> None:
    """Stated tolerance: five points at the median, three above it; 200 items x 3 origins."""
    panel, _ = retail(200, 330, seed=7)
    chosen = np.arange(200)
    said = speak(panel, [330 - 85, 330 - 57, 330 - 29], SeasonalNaive(8), chosen, QUIET)
    read = measures(tally(panel, said, chosen, 7, chosen))
    for one in read.coverage:
        slack = 0.05 if one.level <= 0.5 else 0.03
        assert one.level - slack <= one.share <= one.level + slack + (0.1 if one.level < 0.9 else 0)
    assert read.value_added is not None and read.value_added > 0.1


def test_origins_leave_their_days_closed_behind_them_and_short_histories_say_so() -> None:
    wish = Wish(("seasonal_naive",), 3, 28)
    assert origins_of(240, wish) == [155, 183, 211]
    assert origins_of(100, wish) == [71]
    with pytest.raises(HistoryTooShort, match="a back-test needs"):
        origins_of(60, wish)


def test_the_overlay_holds_what_sold_and_what_each_said() -> None:
    panel, _ = retail(ITEMS, DAYS)
    spoken = {"seasonal_mean": speak(panel, [DAYS - 29], SeasonalNaive(8), CHOSEN, QUIET)}
    shown = overlay(panel, spoken, CHOSEN, [3], 56)[0]
    assert shown["item"] == panel.item_ids[CHOSEN[3]]
    actual, said = shown["actual"], shown["said"]
    assert isinstance(actual, list) and isinstance(said, list)
    assert len(actual) == 56 + 28 and len(said[0]["mean"]) == 28
