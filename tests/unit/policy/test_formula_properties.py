"""Every formula against brute force or simulation on random small instances: an oracle fits one case, these fit all."""

import itertools
from functools import cache
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from services.policy.domain.formulas import (
    continuous_review,
    dynamic_lot,
    joint_replenishment,
    lot_size,
    newsvendor,
    periodic_review,
    reorder_rules,
)
from services.policy.domain.formulas.loss import negative_binomial_loss, normal_loss, poisson_loss
from tests.examples import examples

costs = st.floats(0.1, 20).map(lambda value: round(value, 2))
demands = st.floats(1, 500).map(lambda value: round(value, 1))
few = settings(max_examples=examples(20), deadline=None)


@few
@given(costs, costs, demands, st.floats(0.2, 5))
def test_no_other_lot_is_cheaper_than_the_economic_one(
    setup: float, holding: float, demand: float, part: float
) -> None:
    lot = lot_size.economic_order_quantity(setup_cost=setup, holding_cost=holding, demand_units=demand)
    assert lot.cost_per_period <= lot_size.lot_cost(lot.quantity_units * part, setup, holding, demand) + 1e-9


@few
@given(costs, st.floats(0.05, 0.5), demands, st.sampled_from(["all", "incremental"]))
def test_discount_lots_against_a_search_over_every_quantity(
    setup: float, rate: float, demand: float, kind: str
) -> None:
    breaks, prices = [0.0, 40.0, 120.0], [5.0, 4.7, 4.2]

    def cost(quantity: float) -> float:
        place = sum(1 for start in breaks if quantity >= start) - 1
        if kind == "all":
            unit = prices[place]
        else:
            ends = [*breaks[1:], inf]
            paid = sum(
                max(min(quantity, end) - start, 0) * price
                for start, end, price in zip(breaks, ends, prices, strict=True)
            )
            unit = paid / quantity
        return setup * demand / quantity + unit * demand + rate * unit * quantity / 2

    solve = lot_size.all_units_discount_lot if kind == "all" else lot_size.incremental_discount_lot
    lot = solve(setup_cost=setup, carrying_rate=rate, demand_units=demand, breakpoints_units=breaks, unit_costs=prices)
    best = min(cost(quantity) for quantity in np.linspace(0.5, 3000, 4_000))
    assert lot.cost_per_period <= best + 1e-6
    assert lot.cost_per_period == pytest.approx(cost(lot.quantity_units))


@few
@given(costs, costs, costs, demands)
def test_backorder_and_production_lots_against_a_grid(
    setup: float, holding: float, backorder: float, demand: float
) -> None:
    lot = lot_size.lot_with_backorders(
        setup_cost=setup, holding_cost=holding, backorder_cost=backorder, demand_units=demand
    )
    for part in np.linspace(0.3, 3, 30):
        quantity = lot.quantity_units * part
        for share in np.linspace(0, 0.99, 30):
            held, short = holding * quantity * (1 - share) ** 2 / 2, backorder * quantity * share**2 / 2
            assert lot.cost_per_period <= setup * demand / quantity + held + short + 1e-9
    made = lot_size.production_lot(
        setup_cost=setup, holding_cost=holding, demand_units=demand, production_rate_units=demand * 2
    )
    for part in np.linspace(0.3, 3, 50):
        quantity = made.quantity_units * part
        assert made.cost_per_period <= setup * demand / quantity + holding * quantity / 4 + 1e-9


@few
@given(st.lists(st.integers(0, 60), min_size=1, max_size=7), costs, st.floats(0.05, 2))
def test_wagner_whitin_against_every_set_of_order_periods(demand: list[int], setup: float, holding: float) -> None:
    periods = len(demand)
    orders, cost = dynamic_lot.wagner_whitin(
        demand, setup_costs=[setup * 10] * periods, holding_costs=[holding] * periods
    )
    best = inf
    for chosen in itertools.product((False, True), repeat=periods):
        total, last = 0.0, None
        for place, units in enumerate(demand):
            last = place if chosen[place] else last
            total += setup * 10 * chosen[place]
            total += inf if last is None and units else holding * units * (place - (last or 0))
        best = min(best, total)
    assert cost == pytest.approx(best)
    assert sum(orders) == pytest.approx(sum(demand))


@few
@given(costs, st.lists(st.tuples(costs, costs, demands), min_size=2, max_size=3))
def test_joint_replenishment_is_close_to_the_best_multiples(
    major: float, items: list[tuple[float, float, float]]
) -> None:
    minor, holding, demand = (list(column) for column in zip(*items, strict=True))
    found = joint_replenishment.joint_replenishment(
        major_setup_cost=major * 10, minor_setup_costs=minor, holding_costs=holding, demand_units=demand
    )
    best = inf
    for multiples in itertools.product(range(1, 12), repeat=len(items)):
        setups = major * 10 + sum(k / m for k, m in zip(minor, multiples, strict=True))
        held = sum(m * h * d for m, h, d in zip(multiples, holding, demand, strict=True))
        best = min(best, float(np.sqrt(2 * setups * held)))
    assert found[2] <= best * 1.05  # a few per cent above the best at most; Silver's multiples alone are up to nine


def test_joint_replenishment_does_not_stop_at_silvers_multiples() -> None:
    """Found by the search above: one item that costs next to nothing sets the pace, and 5.02 % above the best is left."""
    found = joint_replenishment.joint_replenishment(
        major_setup_cost=5, minor_setup_costs=[3, 3, 0.5], holding_costs=[1, 5, 0.5], demand_units=[3, 10, 17]
    )
    assert found[2] == pytest.approx(35.812009158939965)


@few
@given(costs, costs, st.floats(0.5, 40), st.integers(-3, 3))
def test_newsvendor_levels_against_their_neighbours(holding: float, stockout: float, mean: float, step: int) -> None:
    level, cost = newsvendor.newsvendor_poisson(holding_cost=holding, stockout_cost=stockout, mean_units=mean)
    assert cost <= newsvendor.newsvendor_poisson_cost(max(level + step, 0), holding, stockout, mean) + 1e-9
    level, cost = reorder_rules.newsvendor_negative_binomial(
        holding_cost=holding, stockout_cost=stockout, mean_units=mean, sd_units=(mean * 2) ** 0.5
    )
    short, left = negative_binomial_loss(max(level + step, 0), mean, (mean * 2) ** 0.5)
    assert cost <= holding * left + stockout * short + 1e-9


@few
@given(costs, costs, st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_empirical_newsvendor_against_every_level(holding: float, stockout: float, seen: list[int]) -> None:
    _level, cost = reorder_rules.newsvendor_empirical(holding_cost=holding, stockout_cost=stockout, observed_units=seen)
    masses = {units: seen.count(units) / len(seen) for units in set(seen)}
    same = newsvendor.newsvendor_discrete(holding_cost=holding, stockout_cost=stockout, masses=masses)
    assert cost == pytest.approx(same[1])  # two levels may cost the same
    for other in range(51):
        total = sum(holding * max(other - one, 0) + stockout * max(one - other, 0) for one in seen)
        assert cost <= total / len(seen) + 1e-9


def test_loss_functions_against_simulation() -> None:
    chance = np.random.default_rng(7)
    for level, drawn, found in (
        (52.0, chance.normal(50, 8, 400_000), normal_loss(52, 50, 8)),
        (9, chance.poisson(7.5, 400_000), poisson_loss(9, 7.5)),
        (14, chance.negative_binomial(10, 0.3, 400_000), negative_binomial_loss(14, 70 / 3, (70 / 0.9) ** 0.5)),
    ):
        shortage = np.maximum(drawn - level, 0)
        assert found[0] == pytest.approx(shortage.mean(), abs=4 * shortage.std() / len(drawn) ** 0.5)


@few
@given(st.floats(0.5, 12), st.floats(1, 20), st.integers(1, 40))
def test_exact_s_s_against_every_pair(mean: float, stockout: float, setup: int) -> None:
    low, high, cost = periodic_review.exact_poisson(
        holding_cost=1, stockout_cost=stockout, setup_cost=setup, mean_units=mean
    )
    for other_low, other_high in itertools.product(range(low - 2, low + 3), range(high - 2, high + 3)):
        if other_high > other_low:
            assert cost <= _average_cost(other_low, other_high, mean, stockout, setup) + 1e-7
    assert cost == pytest.approx(_average_cost(low, high, mean, stockout, setup), rel=1e-7)


def _average_cost(low: int, high: int, mean: float, stockout: float, setup: float) -> float:
    """Long-run cost of (s, S) from the stationary distribution of the position after ordering: a Markov chain."""
    states = np.arange(low + 1, high + 1)
    masses = stats.poisson.pmf(np.arange(len(states)), mean)
    chain = np.zeros((len(states), len(states)))
    for place in range(len(states)):
        chain[place, : place + 1] = masses[: place + 1][::-1]
        chain[place, -1] += 1 - masses[: place + 1].sum()
    system = np.vstack([chain.T - np.eye(len(states)), np.ones(len(states))])
    share = np.linalg.lstsq(system, np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    orders = sum(p * (1 - masses[: place + 1].sum()) for place, p in enumerate(share))
    held = 0.0
    for p, level in zip(share, states, strict=True):
        short = poisson_loss(int(level), mean)[0] if level > 0 else mean - float(level)
        held += p * (level - mean + short + stockout * short)
    return float(held + setup * orders)


@few
@given(st.floats(0.5, 8), st.floats(2, 40), st.floats(1, 60), st.floats(0.2, 3))
def test_exact_r_q_against_every_pair(rate: float, stockout: float, setup: float, lead: float) -> None:
    point, quantity, cost = continuous_review.poisson_reorder(
        holding_cost=1, stockout_cost=stockout, setup_cost=setup, demand_units=rate, lead_time_periods=lead
    )
    mean = rate * lead

    @cache
    def held(level: int) -> float:
        short = poisson_loss(level, mean)[0] if level > 0 else mean - level
        return level - mean + (1 + stockout) * short

    for r, q in itertools.product(range(point - 3, point + 4), range(max(quantity - 3, 1), quantity + 4)):
        assert cost <= (setup * rate + sum(held(level) for level in range(r + 1, r + q + 1))) / q + 1e-9
