"""The formulas with continuous demand, and those that only come near the best, against quadrature and searches of their own."""

import itertools
from contextlib import suppress
from math import inf, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from services.policy.domain.formulas import (
    continuous_review,
    dynamic_lot,
    newsvendor,
    periodic_review,
    reorder_rules,
    serial_echelons,
)
from services.policy.domain.formulas.continuous_review import Review
from services.policy.domain.formulas.loss import discrete_loss, normal_second_order_loss
from services.policy.domain.refusal import PolicyRefusal
from tests.examples import examples
from tests.unit.policy.test_formula_properties import _average_cost

costs = st.floats(0.1, 20).map(lambda value: round(value, 2))
few = settings(max_examples=examples(25), deadline=None)


def expected(demand: Any, level: float, holding: float, stockout: float) -> float:
    """Cost of a level by adding up the distribution itself: holding x P(D <= y) below it, stock-outs x P(D > y) above."""
    low, high = (float(demand.ppf(level_of)) for level_of in (1e-12, 1 - 1e-12))
    left = integrate.quad(demand.cdf, min(low, level), level, limit=200, epsabs=1e-10)[0]
    short = integrate.quad(demand.sf, level, max(high, level), limit=200, epsabs=1e-10)[0]
    return float(holding * left + stockout * short)


@few
@given(costs, costs, st.floats(20, 200), st.floats(1, 30), st.integers(1, 6), st.floats(-2, 2))
def test_normal_newsvendor_and_base_stock_against_every_other_level(
    holding: float, stockout: float, mean: float, spread: float, periods: int, away: float
) -> None:
    level, cost = newsvendor.newsvendor_normal(
        holding_cost=holding, stockout_cost=stockout, mean_units=mean, sd_units=spread, periods=periods
    )
    demand = stats.norm(mean * periods, spread * sqrt(periods))
    assert cost == pytest.approx(expected(demand, level, holding, stockout), rel=1e-6)
    assert cost <= expected(demand, level + away * spread, holding, stockout) + 1e-7


@few
@given(costs, costs, st.floats(0, 6), st.floats(0.05, 1), st.floats(0.5, 1.6))
def test_lognormal_newsvendor_against_every_other_level(
    holding: float, stockout: float, log_mean: float, log_sd: float, part: float
) -> None:
    level, cost = newsvendor.newsvendor_lognormal(
        holding_cost=holding, stockout_cost=stockout, log_mean=log_mean, log_sd=log_sd
    )
    demand = stats.lognorm(log_sd, scale=np.exp(log_mean))
    assert cost == pytest.approx(expected(demand, level, holding, stockout), rel=1e-5)
    assert cost <= expected(demand, level * part, holding, stockout) * (1 + 1e-6)


def test_newsvendor_profit_against_simulated_seasons() -> None:
    sold = np.random.default_rng(5).normal(50, 8, 400_000)
    level, profit = newsvendor.newsvendor_normal_profit(
        price=1, unit_cost=0.3, salvage_value=0.12, mean_units=50, sd_units=8
    )
    for units in (level, 45.0, 52.0, 65.0):
        seasons = np.minimum(sold, units) + 0.12 * np.maximum(units - sold, 0) - 0.3 * units
        error = 4 * seasons.std() / sqrt(len(sold))
        assert seasons.mean() <= profit + error
        assert units != level or seasons.mean() == pytest.approx(profit, abs=error)


@few
@given(st.dictionaries(st.integers(0, 30), st.integers(1, 9), min_size=1, max_size=12), st.integers(-3, 35))
def test_discrete_loss_by_the_definition(weights: dict[int, int], level: int) -> None:
    whole = sum(weights.values())
    masses = {units: weight / whole for units, weight in weights.items()}
    short, left = discrete_loss(level, masses)
    assert short == pytest.approx(sum(mass * max(units - level, 0) for units, mass in masses.items()))
    assert left == pytest.approx(sum(mass * max(level - units, 0) for units, mass in masses.items()))


@few
@given(st.floats(-3, 3), st.floats(1, 90), st.floats(0.5, 20))
def test_second_order_loss_is_the_integral_of_the_first(z: float, mean: float, spread: float) -> None:
    """Half of E[((D - x)+)^2], which is what adding up E[(D - y)+] from x on gives."""
    level = mean + z * spread
    density = stats.norm(mean, spread).pdf
    found = integrate.quad(
        lambda units: (units - level) ** 2 / 2 * density(units), level, mean + 12 * spread, limit=200
    )
    assert normal_second_order_loss(level, mean, spread) == pytest.approx(found[0], rel=1e-6, abs=1e-9)


@few
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 200), st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=7)
)  # fmt: skip
def test_wagner_whitin_with_prices_that_change_against_every_set_of_order_periods(
    periods: list[tuple[int, int, int, int]],
) -> None:
    demand, setups, holding, prices = ([float(one) for one in column] for column in zip(*periods, strict=True))
    orders, cost = dynamic_lot.wagner_whitin(demand, setup_costs=setups, holding_costs=holding, unit_costs=prices)
    best = inf
    for chosen in itertools.product((False, True), repeat=len(demand)):
        total, last = 0.0, None
        for place, units in enumerate(demand):
            last = place if chosen[place] else last
            total += setups[place] * chosen[place]
            if units:
                total += inf if last is None else units * (prices[last] + sum(holding[last:place]))
        best = min(best, total)
    assert cost == pytest.approx(best)
    assert sum(orders) == pytest.approx(sum(demand))


reviews = st.builds(
    Review,
    holding_cost=st.floats(0.1, 2),
    stockout_cost=st.floats(2, 40),
    setup_cost=st.floats(1, 60),
    demand_units=st.floats(50, 2000),
    demand_sd_units=st.floats(10, 200),
    lead_time_periods=st.floats(0.05, 1),
)


@few
@given(reviews, st.floats(20, 600))
def test_r_q_cost_is_the_mean_over_the_positions_it_passes(review: Review, quantity: float) -> None:
    """The position is uniform between r and r + Q, and each position costs what a newsvendor's level costs."""
    mean, spread = review.lead_time_mean_units, review.lead_time_sd_units
    point = continuous_review.reorder_point_for(review, quantity)
    units = np.linspace(min(point, mean - 9 * spread), max(point + quantity, mean + 9 * spread), 40_001)
    below = stats.norm.cdf(units, mean, spread)
    left = integrate.cumulative_trapezoid(below, units, initial=0.0)
    short = integrate.trapezoid(1 - below, units) - integrate.cumulative_trapezoid(1 - below, units, initial=0.0)
    at_level = review.holding_cost * left + review.stockout_cost * short
    passed = float(np.mean(np.interp(point + (np.arange(2_000) + 0.5) / 2_000 * quantity, units, at_level)))
    exact = continuous_review.reorder_cost(review, point, quantity)
    assert exact == pytest.approx(review.setup_cost * review.demand_units / quantity + passed, rel=1e-4)
    for away in (-0.5, -0.05, 0.05, 0.5):
        other = point + away * review.lead_time_sd_units
        assert exact <= continuous_review.reorder_cost(review, other, quantity) + 1e-9


@settings(max_examples=examples(10), deadline=None)
@given(reviews)
def test_r_q_approximations_are_never_below_the_best_and_the_lot_with_backorders_costs_an_eighth_more_at_most(
    review: Review,
) -> None:
    """Zheng 1992: with the best point for it, the lot of certain demand costs no more than an eighth above the optimum."""
    best = min(
        continuous_review.reorder_cost(review, continuous_review.reorder_point_for(review, quantity), quantity)
        for quantity in np.geomspace(10, 6000, 120)
    )
    point, quantity = continuous_review.backorder_lot_then_point(review)
    cost = continuous_review.reorder_cost(review, point, quantity)
    assert best * (1 - 1e-3) <= cost <= best * 1.125 * (1 + 1e-9)
    for point, quantity in (
        continuous_review.lot_plus_safety_stock(review),
        continuous_review.loss_approximation(review),
    ):
        assert continuous_review.reorder_cost(review, point, quantity) >= best * (1 - 1e-3)


def answer_of(review: Review) -> tuple[float, float, float] | None:
    """None where the model has no answer, and says so: holding a lot costs more than every stock-out."""
    with suppress(PolicyRefusal):
        return continuous_review.expected_inventory_level(review)
    return None


@few
@given(reviews, st.floats(-0.4, 0.4), st.floats(0.6, 1.6))
def test_expected_inventory_level_is_least_at_the_pair_it_names(review: Review, away: float, part: float) -> None:
    """Its own model: stock as a saw on safety stock, a penalty a unit short, one shortage a cycle."""

    def cost_of(point: float, quantity: float) -> float:
        mean, spread = review.lead_time_mean_units, review.lead_time_sd_units
        short = float(spread * (stats.norm.pdf(z := (point - mean) / spread) - z * stats.norm.sf(z)))
        held = review.holding_cost * (point - mean + quantity / 2)
        return held + (review.setup_cost + review.stockout_cost * short) * review.demand_units / quantity

    found = answer_of(review)
    assume(found is not None)
    assert found is not None
    point, quantity, cost = found
    assert cost == pytest.approx(cost_of(point, quantity))
    # Each half of the pair is the best for the other half.
    assert cost <= cost_of(point + away * review.lead_time_sd_units, quantity) + 1e-9
    assert cost <= cost_of(point, quantity * part) + 1e-9


@settings(max_examples=examples(12), deadline=None)
@given(st.integers(5, 30), st.floats(4, 30), st.integers(10, 120))
def test_power_approximation_costs_little_more_than_the_exact_pair(mean: int, stockout: float, setup: int) -> None:
    _low, _high, best = periodic_review.exact_poisson(
        holding_cost=1, stockout_cost=stockout, setup_cost=setup, mean_units=mean
    )
    point, level = periodic_review.power_approximation(
        holding_cost=1, stockout_cost=stockout, setup_cost=setup, mean_units=mean, sd_units=sqrt(mean)
    )
    assume(level - point > 1.5 * mean)  # below it the source cuts the level off, which this form leaves out
    low = round(point)
    cost = _average_cost(low, max(round(level), low + 1), mean, stockout, setup)
    assert best - 1e-7 <= cost <= best * 1.12


@few
@given(
    st.lists(st.tuples(st.floats(0.2, 4), st.integers(1, 3)), min_size=1, max_size=4), st.floats(9, 60), st.floats(2, 9)
)
def test_shang_songs_levels_lie_around_the_exact_ones(
    stages: list[tuple[float, int]], stockout: float, mean: float
) -> None:
    """Both levels lie between newsvendor bounds of the same demand, so they differ by no more than these do; one unit for whole ones."""
    chain = serial_echelons.Chain(tuple(serial_echelons.Stage(*one) for one in stages), stockout, mean)
    exact, _cost = serial_echelons.clark_scarf(chain)
    near = serial_echelons.shang_song(chain)
    whole = stockout + sum(cost for cost, _lead in stages)
    periods = 0.0
    for place, (cost, lead) in enumerate(stages):
        periods += lead
        reward = stockout + sum(above for above, _lead in stages[place + 1 :])
        demand = stats.poisson(mean * periods)
        low, high = sorted(float(demand.ppf(ratio)) for ratio in (reward / (reward + cost), reward / whole))
        assert low <= near[place] <= high
        assert low - 1 <= exact[place] <= high + 1


@given(st.integers(-40, 90), st.integers(0, 60), st.integers(0, 60), st.integers(1, 24))
def test_min_max_orders_the_fewest_whole_multiples_that_reach_the_maximum(
    position: int, minimum: int, more: int, multiple: int
) -> None:
    found = reorder_rules.min_max_order(
        position_units=position, minimum_units=minimum, maximum_units=minimum + more, multiple=multiple
    )
    reached = [count for count in range(200) if position + count * multiple >= minimum + more]
    assert found == (0 if position >= minimum else reached[0] * multiple)


@given(st.lists(st.integers(0, 900), min_size=2, max_size=9).map(sorted), st.floats(0, 1))
def test_a_quantile_between_published_ones_lies_on_the_line_between_them(units: list[int], place: float) -> None:
    levels = [round((index + 1) / (len(units) + 1), 6) for index in range(len(units))]
    wanted = levels[0] + place * (levels[-1] - levels[0])
    found = reorder_rules.quantile_between(levels, [float(one) for one in units], wanted)
    assert found == pytest.approx(float(np.interp(wanted, levels, units)))


@few
@given(st.floats(0.5, 90), st.floats(0, 30), st.floats(0.5, 30), st.sampled_from([0.5, 0.8, 0.96, 0.999]))
def test_the_normal_rule_covers_lead_time_demand_with_the_chance_asked_for(
    mean: float, spread: float, lead: float, chance: float
) -> None:
    """0.96 and 0.999 are levels that the source system's table of five took for others."""
    point = reorder_rules.normal_reorder_point(
        daily_mean_units=mean, daily_sd_units=spread, lead_time_days=lead, service_level=chance
    )
    if spread > 0.01:
        assert float(stats.norm.cdf(point, mean * lead, spread * sqrt(lead))) == pytest.approx(chance, abs=1e-9)
    else:
        assert point == pytest.approx(mean * lead, rel=0.02)
    assert reorder_rules.days_of_supply_point(daily_units=mean, lead_time_days=lead) == pytest.approx(mean * lead)
