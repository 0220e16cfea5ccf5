"""Features are frozen at the origin: the future is not in them."""

import numpy as np
import pytest

from services.forecaster.domain.features import FEATURES, KNOWN_PARTS, feature_names, levels, origin_features, rows
from services.forecaster.domain.panel import DemandPanel
from services.forecaster.domain.training import training_rows
from services.forecaster.model.gradient_boosting import GradientBoosting
from tests.unit.forecaster.worlds import panel, retail

LEADS = np.arange(1, 57)


def planted(origin: int, days: int = 500) -> tuple[DemandPanel, DemandPanel]:
    """Two worlds that agree up to the origin; in the second, the future is monstrous."""
    before, _ = retail(30, days)
    demand = before.demand.copy()
    demand[:, origin + 1 :] = 1e6
    return before, panel(demand)


@pytest.mark.parametrize("origin", [60, 200, 430])
def test_a_planted_future_changes_no_feature(origin: int) -> None:
    before, after = planted(origin)
    one, two = origin_features(before, origin, LEADS), origin_features(after, origin, LEADS)
    np.testing.assert_array_equal(rows(one), rows(two))
    np.testing.assert_array_equal(one.level, two.level)


def test_a_planted_future_changes_no_forecast_and_no_training_row() -> None:
    before, after = planted(200)
    strategy = GradientBoosting(rounds=20, rows_max=20_000)
    fitted = strategy.fit(before.until(200))
    other = strategy.fit(after.until(200))
    assert fitted.text == other.text
    np.testing.assert_array_equal(fitted.expected(before, 200).by_day, other.expected(after, 200).by_day)
    np.testing.assert_array_equal(
        training_rows(before.until(200), seed=3).features, training_rows(after.until(200), seed=3).features
    )


def test_features_of_chosen_items_are_those_they_have_among_all() -> None:
    world, _ = retail(20, 300)
    chosen = np.array([3, 17])
    alone, together = origin_features(world, 250, LEADS, chosen), origin_features(world, 250, LEADS)
    np.testing.assert_array_equal(alone.item, together.item[chosen])
    np.testing.assert_array_equal(alone.lead, together.lead[chosen])


def test_a_young_item_starts_from_its_like_items() -> None:
    demand = np.full((9, 120), 5.0)
    demand[0, :119] = np.nan
    demand[0, 119] = 0.0
    level = levels(panel(demand, category=np.zeros(9, dtype=np.int64)), 119)
    assert 4.0 < level[0] < 5.0


def test_known_regressors_add_their_columns_and_may_be_unknown_ahead() -> None:
    world, _ = retail(5, 200)
    known = np.zeros((5, 200, 1))
    with_promotion = panel(world.demand, known_names=("promotion",), known=known)
    assert len(feature_names(with_promotion)) == len(FEATURES) + len(KNOWN_PARTS)
    table = rows(origin_features(with_promotion, 190, LEADS)).reshape(5, 56, -1)
    assert np.isnan(table[0, 20, len(FEATURES)])
    assert not np.isnan(table[0, 5, len(FEATURES)])
