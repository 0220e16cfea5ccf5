"""What weeks do to all items alike, and what has fallen and may come back: worlds whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from services.forecaster.domain.calibration import Samples, collect, fit_horizon
from services.forecaster.domain.metrics import coverage
from services.forecaster.domain.series import expected_of, usual_demand
from services.forecaster.domain.shocks import SHOCK_MAX, common_shock, unseen
from services.forecaster.domain.strategy import Expected
from services.forecaster.model.artefacts import _calibration_in, _calibration_out
from services.forecaster.model.pipeline import baseline
from services.forecaster.model.strategies import SIMPLE
from tests.unit.forecaster.worlds import panel

ITEMS = 400


def weeks(generator: np.random.Generator, shock: float, items: int = ITEMS) -> list[tuple[np.ndarray, np.ndarray]]:
    """Eight weeks of Poisson demand; in each, everything sells better or worse by the same factor."""
    expected = np.exp(generator.uniform(0.0, 3.0, items))
    factors = generator.lognormal(0.0, shock, 8)
    return [(expected, generator.poisson(expected * factor).astype(np.float64)) for factor in factors]


@pytest.mark.parametrize(("shock", "items"), [(0.0, ITEMS), (0.0, 12), (0.25, ITEMS)])
def test_the_shock_of_the_world_is_found_and_the_chance_of_single_items_is_none(shock: float, items: int) -> None:
    generator = np.random.default_rng(5)
    found = np.sqrt(np.mean([common_shock(weeks(generator, shock, items)) ** 2 for _ in range(200)]))
    # Student's factor of eight weeks is 7 / 5 of the variance; a variance cut off at zero is a little above it. The weeks of
    # twelve items differ by 14 % by chance alone.
    assert found == pytest.approx(shock * np.sqrt(7 / 5), abs=0.02 if items == ITEMS else 0.09)


def test_too_few_weeks_and_weeks_without_a_sale_tell_nothing_and_a_broken_one_is_held() -> None:
    generator = np.random.default_rng(1)
    assert common_shock(weeks(generator, 0.3)[:3]) == 0.0
    nothing = [(np.ones(3), np.zeros(3))] * 8
    assert common_shock(nothing) == 0.0 and common_shock([]) == 0.0
    assert unseen(0.1, 28, 56) == pytest.approx(0.1) and unseen(0.1, 7, 56) == pytest.approx(0.05)
    assert unseen(3.0, 28, 56) == SHOCK_MAX


def test_what_covers_the_weeks_that_were_seen_covers_too_little_of_others_unless_they_differ() -> None:
    """Two months are calibrated on, a third is asked; each has a shock of its own (20 %), on items that sell fifty a month."""
    generator = np.random.default_rng(3)
    items, level = 800, (0.9,)
    covered: dict[float, list[float]] = {0.0: [], 0.2: []}
    for _ in range(400):
        expected = np.exp(generator.uniform(3.0, 5.0, items))
        seen, later = generator.lognormal(0.0, 0.2, 2), generator.lognormal(0.0, 0.2)
        came = expected.repeat(2) * np.tile(seen, items) * generator.lognormal(0.0, 0.25, 2 * items)
        fresh = expected * later * generator.lognormal(0.0, 0.25, items)
        for shock, shares in covered.items():
            fitted = fit_horizon(Samples(expected.repeat(2), came, np.ones(2 * items), shock), level)
            assert fitted is not None
            shares.append(coverage(fresh, fitted.quantiles(expected, np.ones(items))[:, 0]))
    assert np.mean(covered[0.0]) < 0.875
    assert np.mean(covered[0.2]) == pytest.approx(0.9, abs=0.015)  # unseen(0.2, 28, 56)


def test_samples_carry_the_shock_of_their_weeks_more_of_it_the_longer_they_are() -> None:
    generator = np.random.default_rng(2)
    steady = np.full((ITEMS, 240), 4.0)
    shaken = steady * np.repeat(generator.lognormal(0.0, 0.3, 35), 7)[:240]
    calm, wild = (
        collect(panel(generator.poisson(rate).astype(np.float64)), SIMPLE["seasonal_mean"], list(range(183, 239, 7)))
        for rate in (steady, shaken)
    )
    assert max(one.shock for one in calm) < 0.05
    assert 0.2 < wild[8].shock <= SHOCK_MAX and wild[0].shock < wild[4].shock < wild[8].shock


def test_an_item_below_its_usual_year_is_told_apart_and_one_above_it_is_not() -> None:
    demand = np.vstack(
        [np.r_[np.full(300, 10.0), np.full(100, 1.0)], np.full(400, 1.0), np.r_[np.zeros(300), np.full(100, 4.0)]]
    )
    world = panel(demand)
    assert usual_demand(world, 399).tolist() == pytest.approx([(264 * 10 + 100) / 364, 1.0, 400 / 364])
    assert usual_demand(world, 399, np.array([1])).tolist() == [1.0]
    said = expected_of(SIMPLE["seasonal_mean"], world, 399, 28)
    apart = said.unrest(np.cumsum(said.by_day, axis=1), 28) / said.lumpiness
    assert apart[0] == pytest.approx((usual_demand(world, 399)[0] / 1.0) ** 0.25, rel=0.05)
    assert apart[1:].tolist() == [1.0, 1.0]
    blind = Expected(said.by_day, said.lumpiness)
    assert blind.unrest(np.cumsum(said.by_day, axis=1), 28) is blind.lumpiness


def test_models_stored_before_falls_were_heeded_speak_as_they_did() -> None:
    generator = np.random.default_rng(7)
    rates = np.exp(generator.uniform(0.0, 2.0, (ITEMS, 1))) * np.r_[np.full(300, 3.0), np.full(100, 1.0)]
    world = panel(generator.poisson(rates).astype(np.float64))
    calibration = baseline(world, 399).calibration
    said = expected_of(SIMPLE["seasonal_mean"], world, 399)
    blind = replace(calibration, heeds_falls=False).distribution(said).quantiles
    np.testing.assert_array_equal(blind, calibration.distribution(replace(said, usual=None)).quantiles)
    assert not np.array_equal(blind, calibration.distribution(said).quantiles)
    stored = _calibration_out(calibration)
    assert _calibration_in(stored).heeds_falls
    del stored["heeds_falls"]
    np.testing.assert_array_equal(_calibration_in(stored).distribution(said).quantiles, blind)
