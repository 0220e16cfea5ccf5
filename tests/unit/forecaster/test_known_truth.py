"""Worlds whose truth is known: stock-outs, new and dead items, closed days, level shifts, spikes, holidays."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import holidays
import numpy as np
import pytest

from services.forecaster.domain.cleaning import clean, closed_by_accident, spike_days
from services.forecaster.domain.panel import mask_censored
from services.forecaster.domain.price_bands import price_bands
from services.forecaster.domain.series import expected_of, is_dead
from services.forecaster.model.gradient_boosting import GradientBoosting
from tests.unit.forecaster.worlds import FIRST_DAY, panel, retail

QUICK = GradientBoosting(rounds=60, rows_max=80_000, lead_max=28)


def learned(demand: np.ndarray, origin: int, days: int = 28, **more: object) -> np.ndarray:
    """Expected demand of the days after the origin by the global model, on a cleaned frame."""
    world = clean(panel(demand[:, : origin + 1], **more)).panel
    return expected_of(QUICK.fit(world), world, origin, days).by_day


def test_stock_outs_are_within_two_percent_of_the_truth_where_ignoring_them_is_five_percent_low() -> None:
    world, mean = retail(400, 330, seed=5)
    generator = np.random.default_rng(2)
    # A shelf that runs empty now and then, for three days, and sells what was left on the first of them.
    hidden = np.zeros(world.demand.shape, dtype=np.bool_)
    for item in range(400):
        for start in generator.integers(0, 298, 14):
            hidden[item, start : start + 3] = True
    sold = np.where(hidden, np.floor(world.demand * 0.25), world.demand)
    masked, _ = mask_censored(sold, hidden)
    truth = mean[:, 302:330].sum()
    assert abs(learned(masked, 301).sum() / truth - 1) < 0.02
    assert learned(sold, 301).sum() / truth - 1 < -0.05


def test_a_new_item_starts_near_its_like_items_and_follows_its_own_sales_soon() -> None:
    generator = np.random.default_rng(3)
    demand = np.vstack([generator.poisson(8.0, (60, 300)), generator.poisson(1.0, (60, 300))]).astype(np.float64)
    categories = np.repeat([0, 1], 60)
    newborn = np.full((2, 300), np.nan)
    newborn[0, 297:] = generator.poisson(8.0, 3)  # three days in the category of fast sellers
    newborn[1, 240:] = generator.poisson(2.5, 60)  # two months in it, at a level of its own
    kinds = np.r_[categories, 0, 0]
    said = learned(np.vstack([demand, newborn]), 299, category=kinds).mean(axis=1)
    assert said[-2] == pytest.approx(8.0, rel=0.3)
    assert said[-1] == pytest.approx(2.5, rel=0.25)


def test_a_new_item_starts_from_the_products_of_its_category_that_cost_about_the_same() -> None:
    """Of one category the cheap ones sell eight a day, the dear ones one; blind to prices, a new one is given the middle."""
    generator = np.random.default_rng(8)
    rates = np.repeat([8.0, 3.0, 1.0], 40)
    demand = generator.poisson(rates[:, None], (120, 300)).astype(np.float64)
    newborn = np.full((3, 300), np.nan)
    newborn[:, 299] = [8.0, 1.0, 4.0]  # a single day is known of each
    kinds: dict[str, Any] = {"category": np.zeros(123, dtype=np.int64), "product": np.arange(123)}
    prices = np.r_[np.repeat([1.0, 2.0, 5.0], 40) + np.arange(120) / 1_000, 1.02, 5.03, np.nan]
    bands = price_bands(kinds["category"], kinds["product"], prices)
    assert np.bincount(bands + 1).tolist() == [1, 41, 40, 41]
    everything = np.vstack([demand, newborn])
    said = learned(everything, 299, price_band=bands, **kinds).mean(axis=1)
    assert said[120] == pytest.approx(8.0, rel=0.25) and said[121] == pytest.approx(1.0, rel=0.25)
    assert said[122] == pytest.approx(rates.mean(), rel=0.25)  # its price is not known
    blind = learned(everything, 299, **kinds).mean(axis=1)
    assert blind[120] < 0.75 * 8.0 and blind[121] > 2 * 1.0
    # Where few cost the same, their category still speaks; products count once, and a category of two has no thirds.
    assert price_bands(kinds["category"][:2], kinds["product"][:2], prices[:2]).tolist() == [-1, -1]
    four_places = np.array([0, 0, 0, 0, 1, 2])
    thirds = price_bands(np.zeros(6, dtype=np.int64), four_places, np.array([1.0, 1.0, 1.0, 1.0, 2.0, 3.0]))
    assert thirds.tolist() == four_places.tolist()
    assert not price_bands(kinds["category"], kinds["product"], np.full(123, np.nan)).size


def test_dead_items_go_to_zero_but_seasonal_ones_do_not() -> None:
    generator = np.random.default_rng(4)
    demand = generator.poisson(2.0, (50, 500)).astype(np.float64)
    demand[0, 300:] = 0.0  # delisted
    day = np.arange(500)
    demand[1] = np.where((day % 364 >= 140) & (day % 364 < 200), 5.0, 0.0)  # comes every year from day 140 on
    world = panel(demand)
    assert is_dead(world, 499)[:3].tolist() == [True, False, False]
    assert learned(demand, 499)[0].sum() == 0.0
    assert not is_dead(world, 360)[0]  # nine weeks of silence are not thirteen
    rare = np.zeros((1, 500))
    rare[0, ::120] = 1.0
    assert not is_dead(panel(rare), 478)[0]  # three times a year is rare, not dead
    unknown = demand.copy()
    unknown[2, 400:] = np.nan  # out of stock for a hundred days
    assert not is_dead(panel(unknown), 499)[2]


def test_a_day_on_which_a_shop_was_shut_is_no_zero_demand() -> None:
    generator = np.random.default_rng(6)
    demand = generator.poisson(1.5, (80, 200)).astype(np.float64)
    sundays = np.arange(200) % 7 == 6
    demand[:, sundays] = 0.0
    demand[:, 100] = 0.0  # a strike on a weekday
    assert not sundays[100]
    hidden = closed_by_accident(demand, np.zeros(80, dtype=np.int64))
    assert hidden[:, 100].all() and hidden.sum() == 80
    week = learned(demand, 188, 11).mean(axis=0)
    ahead = (189 + np.arange(11)) % 7 == 6
    assert week[ahead].max() < 0.1 and week[~ahead].mean() == pytest.approx(1.5, rel=0.08)


def test_a_level_shift_is_followed_within_four_weeks() -> None:
    world, mean = retail(300, 330, seed=7)
    demand = world.demand.copy()
    demand[:60, 274:302] *= 2.0
    said = learned(demand, 301).sum(axis=1)
    truth = mean[:, 302:330].sum(axis=1)
    assert said[:60].sum() == pytest.approx(2.0 * truth[:60].sum(), rel=0.2)
    # A fifth of the shop doubling looks a little like a better market to its other items.
    assert said[60:].sum() == pytest.approx(truth[60:].sum(), rel=0.1)


def test_an_impossible_spike_is_kept_out_and_wholesale_orders_are_not() -> None:
    world, _ = retail(60, 300)
    demand = world.demand.copy()
    demand[0, 280] = 1e6
    demand[1, ::30] = 150.0  # ten large orders: that is how this item sells
    masked = spike_days(demand)
    assert masked[0, 280] and masked.sum() == 1
    clear = learned(world.demand, 299)[0].sum()
    assert learned(demand, 299)[0].sum() == pytest.approx(clear, rel=0.1)


@pytest.mark.slow
def test_holidays_of_the_package_as_known_regressors_halve_the_error_of_a_holiday() -> None:
    world, mean = retail(150, 730, seed=9)
    calendar = holidays.country_holidays("GB", subdiv="ENG", years=(2023, 2024))
    off = np.array([FIRST_DAY + timedelta(days=day) in calendar for day in range(730)])
    assert 12 <= off.sum() <= 18  # eight or nine a year
    demand = np.where(off, np.round(world.demand * 3.0), world.demand)
    origin = (date(2024, 12, 15) - FIRST_DAY).days
    known = np.broadcast_to(off.astype(np.float64), (150, 730))[:, :, None]
    truth = mean[:, origin + 1 :] * np.where(off[origin + 1 :], 3.0, 1.0)
    days = truth.shape[1]
    on = off[origin + 1 :]
    blind = learned(demand, origin, days)[:, on].sum() / truth[:, on].sum() - 1
    told = learned(demand, origin, days, known_names=("holiday",), known=known.copy())
    assert blind < -0.4
    assert abs(told[:, on].sum() / truth[:, on].sum() - 1) < abs(blind) / 2


def test_a_category_and_a_location_never_seen_in_training_are_answered_from_the_items_own_sales() -> None:
    world, mean = retail(120, 240, seed=4)
    fitted = QUICK.fit(world.until(211))
    moved = replace(world, category=np.where(np.arange(120) == 7, 99, world.category), location=np.full(120, 5))
    said = expected_of(fitted, moved, 211, 28).by_day
    assert np.isfinite(said).all()
    assert said[7].sum() == pytest.approx(expected_of(fitted, world, 211, 28).by_day[7].sum(), rel=0.15)
    assert said.sum() == pytest.approx(mean[:, 212:].sum(), rel=0.1)


def test_what_is_cleaned_at_an_origin_does_not_depend_on_what_comes_after_it() -> None:
    world, _ = retail(40, 300)
    later = world.demand.copy()
    later[:, 250:] = 0.0
    later[3, 260] = 1e6
    for demand in (world.demand, later):
        cut = clean(replace(world, demand=demand).until(249))
        np.testing.assert_array_equal(cut.panel.demand, clean(world.until(249)).panel.demand)
