"""Level shifts and silence: planted ones are told within days, chance and what a whole location does are not."""

import numpy as np

from services.forecaster.domain.anomalies import fell_silent, level_shifted, unusual
from tests.unit.forecaster.worlds import panel, retail

DAYS = 200
ALL = np.arange(300)


def test_in_a_steady_world_nothing_is_unusual() -> None:
    told = 0
    for seed in (1, 2, 3):
        world, _ = retail(300, DAYS, seed=seed)
        told += sum(bool(flags) for origin in (120, 150, 199) for flags in unusual(world, origin, ALL))
    assert told <= 3  # of 2,700


def test_an_item_that_sells_thrice_or_a_quarter_is_told_and_its_neighbours_are_not() -> None:
    world, mean = retail(300, DAYS, seed=4)
    fast = np.flatnonzero(mean[:, :7].mean(axis=1) > 3)[:10]
    demand = world.demand.copy()
    demand[fast[:5], DAYS - 14 :] *= 3.0
    best_sellers = np.random.default_rng(4).poisson(20.0, (5, DAYS)).astype(np.float64)
    best_sellers[:, DAYS - 14 :] = np.floor(best_sellers[:, DAYS - 14 :] / 4.0)
    demand[fast[5:]] = best_sellers
    assert set(np.flatnonzero(level_shifted(panel(demand), DAYS - 1, ALL)).tolist()) == set(fast.tolist())
    assert not level_shifted(panel(demand), DAYS - 15, ALL).any()  # the evening before it began


def test_what_the_whole_location_does_is_no_shift_of_its_items() -> None:
    world, _ = retail(300, DAYS, seed=5)
    demand = world.demand.copy()
    place = np.repeat([0, 1], 150)
    demand[place == 0, DAYS - 14 :] *= 3.0  # Christmas at one of two places
    assert level_shifted(panel(demand, location=place), DAYS - 1, ALL).sum() <= 2
    alone = unusual(panel(demand, location=place), DAYS - 1, np.array([7]))
    assert alone == [()]  # asked for by itself, as after a correction, an item is still one of its location


def test_silence_is_told_when_chance_no_longer_explains_it_and_a_stock_out_is_none() -> None:
    demand = np.zeros((3, DAYS))
    demand[0, ::2] = 1.0  # sells every other day
    demand[1, ::20] = 1.0  # sells every twentieth
    demand[2, ::2] = 1.0
    demand[:, 180:] = 0.0
    demand[2, 180:] = np.nan  # out of stock
    each = np.arange(3)
    days_until_told = [day for day in range(180, DAYS) if fell_silent(panel(demand), day, each)[0]]
    assert days_until_told == list(range(197, DAYS))  # half a sale a day, nineteen days since day 178
    assert not fell_silent(panel(demand), DAYS - 1, each)[1:].any()


def test_later_days_change_nothing() -> None:
    world, _ = retail(300, DAYS, seed=6)
    planted = world.demand.copy()
    planted[:, 150:] = 1e6
    assert unusual(world, 149, ALL) == unusual(panel(planted), 149, ALL)
