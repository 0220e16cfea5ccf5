"""The demand distribution: what is read off it agrees with what was put in, and with itself."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import nbinom

from kernel.distribution import (
    BLOCK_ROWS,
    DAYS,
    GRID,
    HORIZONS_DAYS,
    LEVELS,
    DemandTable,
    HorizonExceeded,
    Mixture,
    curve_probability,
    curve_shortage,
    sample_paths,
)
from schemas import forecasts


def negative_binomial(mean: float, dispersion: float) -> DemandTable:
    """A table whose cumulative demand is negative binomial with variance m + m²·dispersion/h."""
    quantiles = []
    for days in HORIZONS_DAYS:
        total = mean * days
        size = days / dispersion
        quantiles.append(nbinom.ppf(LEVELS, size, size / (size + total)))
    return DemandTable.from_units(np.full((1, DAYS), mean), np.asarray(quantiles))


@st.composite
def tables(draw: st.DrawFn) -> DemandTable:
    count = draw(st.integers(1, 3))
    steps = st.lists(st.integers(0, 5000).map(lambda hundredths: hundredths / 100), min_size=121, max_size=121)
    nodes = np.asarray([draw(steps) for _ in range(count)]).reshape(count, 11, 11)
    quantiles = np.cumsum(np.cumsum(nodes, axis=2), axis=1)
    means = np.asarray([draw(st.lists(st.floats(0, 9), min_size=DAYS, max_size=DAYS)) for _ in range(count)])
    return DemandTable.from_units(means, quantiles)


def test_contract_and_kernel_agree_on_nodes() -> None:
    assert (HORIZONS_DAYS, LEVELS, DAYS) == (forecasts.HORIZONS_DAYS, forecasts.LEVELS, forecasts.DAYS)


def test_published_nodes_are_read_back_exactly() -> None:
    table = negative_binomial(3.0, 0.5)
    for index, days in enumerate(HORIZONS_DAYS):
        for level, units in zip(LEVELS, table.nodes[0, index + 1, 1:-1], strict=True):
            assert table.quantile(days, level)[0] == pytest.approx(units, abs=1e-9)


def test_expected_shortage_matches_the_negative_binomial_it_was_drawn_from() -> None:
    table = negative_binomial(40.0, 0.3)
    size = 7 / 0.3
    truth = nbinom(size, size / (size + 280.0))
    support = np.arange(0, 2000)
    for stock in (250.0, 300.0, 350.0, 400.0):
        expected = float(np.sum(np.maximum(support - stock, 0) * truth.pmf(support)))
        assert table.expected_shortage(7, stock)[0] == pytest.approx(expected, rel=0.06, abs=0.6)


@given(tables(), st.floats(0, DAYS), st.floats(0, 1))
@example(DemandTable.from_units(np.full((1, DAYS), 5.0), np.full((1, 11, 11), 5.0).cumsum(2).cumsum(1)), 5e-324, 0.0)
def test_probability_of_a_quantile_is_at_least_its_level(table: DemandTable, days: float, level: float) -> None:
    units = table.quantile(days, level)
    assert (table.probability_at_most(days, units + 1e-6) >= level - 1e-6).all()


@given(tables(), st.floats(0, DAYS), st.floats(0, 3000), st.floats(0, 500))
def test_shortage_falls_as_stock_grows_and_never_faster_than_stock(
    table: DemandTable, days: float, stock: float, more: float
) -> None:
    before, after = table.expected_shortage(days, stock), table.expected_shortage(days, stock + more)
    assert (after <= before + 1e-6).all()
    assert (before - after <= more + 1e-6).all()


@given(tables(), st.floats(0.5, DAYS), st.floats(0, 1))
def test_one_item_alone_gives_the_same_bits_as_among_others(table: DemandTable, days: float, level: float) -> None:
    whole = table.quantile(days, level)
    for row in range(len(table)):
        assert table.rows([row]).quantile(days, level)[0] == whole[row]


@given(tables(), st.floats(0, 1))
def test_mixture_of_one_case_is_that_case(table: DemandTable, level: float) -> None:
    mixture = Mixture((table.curve(9),), np.ones((len(table), 1)))
    assert mixture.quantile(level) == pytest.approx(table.quantile(9, level), abs=1e-6)


@given(tables(), st.floats(0.01, 0.999))
def test_mixture_quantile_covers_its_level(table: DemandTable, level: float) -> None:
    mixture = Mixture((table.curve(5), table.curve(12)), np.tile([0.7, 0.3], (len(table), 1)))
    assert (mixture.probability_at_most(mixture.quantile(level) + 1e-6) >= level - 1e-6).all()


@given(tables(), st.floats(0, 100))
def test_level_for_shortage_meets_what_is_allowed(table: DemandTable, allowed: float) -> None:
    mixture = Mixture((table.curve(10),), np.ones((len(table), 1)))
    level = mixture.level_for_shortage(allowed)
    assert (mixture.expected_shortage(level) <= allowed + 1e-6).all()
    assert ((mixture.expected_shortage(np.maximum(level - 1e-3, 0)) >= allowed - 1e-6) | (level == 0)).all()


def test_paths_keep_the_distribution_of_totals() -> None:
    table = negative_binomial(5.0, 0.4)
    paths = sample_paths(table, 0, np.random.default_rng(7).random((4000, 12)))
    assert paths.min() >= 0
    for days in (7, 28, 56):
        totals = paths[:, :days].sum(axis=1)
        for level in (0.5, 0.9, 0.99):
            assert np.mean(totals <= table.quantile(days, level)[0] + 1e-9) == pytest.approx(level, abs=0.02)


def test_beyond_the_horizon_is_refused() -> None:
    with pytest.raises(HorizonExceeded, match="reach 56 days"):
        negative_binomial(1.0, 0.5).mean(57)


def test_grid_ends_are_the_support() -> None:
    table = negative_binomial(2.0, 0.5)
    assert table.quantile(28, 0.0)[0] == 0.0
    assert table.quantile(28, 1.0)[0] == table.nodes[0, 9, -1]
    assert GRID[0] == 0.0 and GRID[-1] == 1.0


@given(tables(), st.floats(0.01, 0.999), st.floats(-5, 400))
def test_a_mixture_gives_the_same_bits_asked_alone_or_among_many(
    table: DemandTable, level: float, units: float
) -> None:
    curves = (table.curve(3), table.curve(7.5), table.curve(13))
    weights = np.broadcast_to(np.asarray([1 / 6, 2 / 3, 1 / 6]), (len(table), 3))
    many = BLOCK_ROWS + 1
    alone = Mixture(curves, weights)
    crowd = Mixture(tuple(np.repeat(curve[:1], many, axis=0) for curve in curves), np.repeat(weights[:1], many, axis=0))
    for name, asked in (
        ("quantile", level),
        ("level_for_shortage", units),
        ("probability_at_most", units),
        ("expected_shortage", units),
    ):
        assert getattr(alone, name)(asked)[0] == getattr(crowd, name)(asked)[-1]


@given(tables(), st.sampled_from([0.0, 1.0, 2.5, 28.0, 56.0]), st.floats(-5, 400))
def test_one_curve_gives_the_same_bits_asked_alone_or_among_many(table: DemandTable, days: float, units: float) -> None:
    curve = table.curve(days)[:1]
    crowd = np.repeat(curve, BLOCK_ROWS + 1, axis=0)
    for ask in (curve_probability, curve_shortage):
        assert ask(curve, units)[0] == ask(crowd, units)[-1]


@given(tables(), st.floats(0, 400))
def test_the_shortages_of_every_day_at_once_are_those_of_each_day(table: DemandTable, units: float) -> None:
    rows = [*reversed(range(len(table))), 0]
    stock = [units + place for place in range(len(rows))]
    everywhere = table.shortages_by_day(rows, stock)
    for place, row in enumerate(rows):
        alone = [table.expected_shortage(float(day), stock[place])[row] for day in range(DAYS + 1)]
        assert everywhere[place].tolist() == alone
    assert table.shortages_by_day([], []).shape == (0, DAYS + 1)
