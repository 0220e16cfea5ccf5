"""Networks, disruptions, finite horizons and buffers against brute force or simulation on random small instances."""

import itertools
from functools import cache
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from services.policy.domain.formulas import (
    buffers,
    finite_horizon,
    guaranteed_service,
    newsvendor,
    reorder_rules,
    serial_echelons,
    supply_disruption,
)
from services.policy.domain.formulas.forecast_netting import net_forecast
from services.policy.domain.formulas.loss import negative_binomial_loss, normal_loss, poisson_loss
from services.policy.domain.refusal import PolicyRefusal
from tests.examples import examples

costs = st.floats(0.1, 20).map(lambda value: round(value, 2))
few = settings(max_examples=examples(20), deadline=None)


masses_strategy = st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(any)


@few
@given(st.lists(masses_strategy, min_size=1, max_size=3), st.integers(0, 12), st.integers(-1, 2))
def test_finite_horizon_against_every_decision(weights: list[list[int]], setup: int, start: int) -> None:
    masses = [[one / sum(row) for one in row] for row in weights]
    period = finite_horizon.Period(1, 6, 2, setup, 1, 1, 0.9)

    @cache
    def best(place: int, stock: int) -> float:
        if place == len(masses):
            return 0.5 * max(stock, 0) + 8 * max(-stock, 0)
        found = inf
        for level in range(stock, stock + 14):
            cost = (setup if level > stock else 0) + 2.0 * (level - stock)
            for units, mass in enumerate(masses[place]):
                left = level - units
                cost += mass * (max(left, 0) + 6 * max(-left, 0) + 0.9 * best(place + 1, left)) if mass else 0.0
            found = min(found, cost)
        return found

    _policies, cost = finite_horizon.optimal_by_period(
        [period] * len(masses), masses, terminal_holding_cost=0.5, terminal_stockout_cost=8, start_units=start
    )
    assert cost == pytest.approx(best(0, start))


def test_finite_horizon_levels_lie_within_the_myopic_bounds() -> None:
    period = finite_horizon.Period(1, 9, 1, 40, 30, 6)
    masses = np.diff(stats.norm.cdf(np.arange(-0.5, 70), 30, 6))
    found, _cost = finite_horizon.optimal_by_period(
        [period] * 6, [(masses / masses.sum()).tolist()] * 6, terminal_holding_cost=0, terminal_stockout_cost=0
    )
    bounds = finite_horizon.myopic_bounds([period] * 6, terminal_holding_cost=0, terminal_stockout_cost=0)
    for (point, level), one in zip(found[:5], bounds[:5], strict=True):
        assert one.level_low - 1 <= level <= one.level_high + 1
        assert one.point_low - 1 <= point
        assert one.point_high is None or point <= one.point_high + 1


@few
@given(st.floats(0.3, 3), st.floats(5, 60), st.floats(20, 300))
def test_disruption_lot_against_a_grid(down: float, back: float, demand: float) -> None:
    terms = {"setup_cost": 8.0, "holding_cost": 0.4, "stockout_cost": 5.0, "demand_units": demand}
    rates = {"disruption_rate": down, "recovery_rate": back}
    quantity, cost = supply_disruption.lot_with_disruptions(**terms, **rates)
    for part in np.linspace(0.2, 4, 60):
        assert cost <= supply_disruption.lot_cost_with_disruptions(quantity * part, **terms, **rates) + 1e-7


def test_disruption_lot_cost_against_simulated_cycles() -> None:
    chance = np.random.default_rng(3)
    demand, quantity, down, back = 1300.0, 700.0, 1.5, 14.0
    up = True
    time = cost = 0.0
    for _ in range(60_000):
        length = quantity / demand  # a cycle: stock lasts, then the order waits until the supplier is up
        left = length
        while left > 0:
            stay = chance.exponential(1 / (down if up else back))
            if stay >= left:
                break
            left -= stay
            up = not up
        wait = 0.0 if up else chance.exponential(1 / back)
        up = True
        cost += 8 + 0.225 * quantity * length / 2 + 5 * demand * wait
        time += length + wait
    exact = supply_disruption.lot_cost_with_disruptions(
        quantity,
        setup_cost=8,
        holding_cost=0.225,
        stockout_cost=5,
        demand_units=demand,
        disruption_rate=down,
        recovery_rate=back,
    )
    assert cost / time == pytest.approx(exact, rel=0.02)


@few
@given(st.floats(0.01, 0.4), st.floats(0.1, 0.9), st.floats(1, 30))
def test_disruption_base_stock_against_every_level(down: float, back: float, stockout: float) -> None:
    level, cost = supply_disruption.base_stock_with_disruptions(
        holding_cost=1, stockout_cost=stockout, demand_units=10, disruption_chance=down, recovery_chance=back
    )
    share = down / (down + back)
    lengths = np.arange(3000)
    masses = np.where(lengths == 0, 1 - share, share * back * (1 - back) ** np.maximum(lengths - 1, 0))
    for other in np.arange(0, level + 60, 2.5):
        gap = other - 10 * (lengths + 1)
        total = float((masses * (np.maximum(gap, 0) + stockout * np.maximum(-gap, 0))).sum())
        assert cost <= total + 1e-6


@few
@given(costs, costs, st.floats(2, 60), st.floats(1, 8), st.integers(0, 2), st.integers(0, 2))
def test_two_echelons_against_every_pair_of_levels(
    near: float, far: float, stockout: float, mean: float, lead_near: int, lead_far: int
) -> None:
    chain = serial_echelons.Chain(
        (serial_echelons.Stage(near, lead_near), serial_echelons.Stage(far, lead_far)), stockout, mean
    )
    levels, cost = serial_echelons.clark_scarf(chain)
    units = np.arange(120)
    near_masses, far_masses = (stats.poisson.pmf(units, mean * lead) for lead in (lead_near, lead_far))
    stock = np.arange(-130, 60)

    def at_customer(level: float) -> float:
        left = level - units
        return float((near_masses * (near * left + (stockout + near + far) * np.maximum(-left, 0))).sum())

    table = np.array([at_customer(float(level)) for level in stock])
    for shift_near, shift_far in itertools.product((-2, -1, 0, 1, 2), repeat=2):
        level_near, level_far = levels[0] + shift_near, levels[1] + shift_far
        reached = np.minimum(level_far - units, level_near)
        inner = table[np.clip(reached + 130, 0, len(stock) - 1).astype(int)]
        total = float((far_masses * (far * (level_far - units) + inner)).sum())
        assert cost <= total + 1e-6
        if shift_near == shift_far == 0:
            assert cost == pytest.approx(total, rel=1e-6)


def test_one_echelon_is_the_newsvendor() -> None:
    levels, cost = serial_echelons.clark_scarf(serial_echelons.Chain((serial_echelons.Stage(1, 1),), 4, 6))
    assert levels == [8]
    assert cost == pytest.approx(newsvendor.newsvendor_poisson(holding_cost=1, stockout_cost=4, mean_units=6)[1])
    assert serial_echelons.shang_song(serial_echelons.Chain((serial_echelons.Stage(1, 1),), 4, 6)) == [8]


@st.composite
def trees(draw: st.DrawFn) -> list[guaranteed_service.Stage]:
    """Random trees of up to five stages, edges in both directions, with promises to customers."""
    count = draw(st.integers(1, 4))
    suppliers: dict[int, list[str]] = {place: [] for place in range(count)}
    sells = dict.fromkeys(range(count), False)
    for place in range(1, count):
        other = draw(st.integers(0, place - 1))
        buyer, seller = (place, other) if draw(st.booleans()) else (other, place)
        suppliers[buyer].append(str(seller))
        sells[seller] = True
    return [
        guaranteed_service.Stage(
            str(place),
            draw(st.integers(1, 9)),
            draw(st.integers(0, 3)),
            tuple(suppliers[place]),
            0.0 if sells[place] else float(draw(st.integers(1, 5))),
            promise_max=None if sells[place] else draw(st.integers(0, 2)),
            inbound=draw(st.integers(0, 2)),
        )
        for place in range(count)
    ]


@settings(max_examples=examples(25), deadline=None)
@given(trees())
def test_guaranteed_service_against_every_promise(stages: list[guaranteed_service.Stage]) -> None:
    promises, cost = guaranteed_service.service_times(stages)
    assert guaranteed_service.cost_of(stages, promises) == pytest.approx(cost)
    best = inf
    for chosen in itertools.product(range(9), repeat=len(stages)):
        try:
            names = {one.name: promise for one, promise in zip(stages, chosen, strict=True)}
            best = min(best, guaranteed_service.cost_of(stages, names))
        except PolicyRefusal:
            continue
    assert cost <= best + 1e-9


@few
@given(st.floats(0.5, 0.995), st.floats(2, 60), st.floats(1, 30))
def test_fill_rate_levels_reach_the_goal_and_no_more(goal: float, mean: float, cycle: float) -> None:
    allowed = (1 - goal) * cycle
    level = reorder_rules.fill_rate_level_normal(fill_rate=goal, cycle_units=cycle, mean_units=mean, sd_units=mean / 3)
    assert normal_loss(level, mean, mean / 3)[0] == pytest.approx(allowed, abs=1e-7)
    whole = reorder_rules.fill_rate_level_poisson(fill_rate=goal, cycle_units=cycle, mean_units=mean)
    assert poisson_loss(whole, mean)[0] <= allowed
    assert whole == 0 or poisson_loss(whole - 1, mean)[0] > allowed
    spread = (2 * mean) ** 0.5
    whole = reorder_rules.fill_rate_level_negative_binomial(
        fill_rate=goal, cycle_units=cycle, mean_units=mean, sd_units=spread
    )
    assert negative_binomial_loss(whole, mean, spread)[0] <= allowed
    assert whole == 0 or negative_binomial_loss(whole - 1, mean, spread)[0] > allowed


@few
@given(st.floats(0.1, 90), st.floats(1, 60), st.floats(0.1, 1), st.floats(0.1, 1), st.floats(-50, 5000))
def test_a_buffer_order_fills_the_buffer_exactly(
    daily: float, lead: float, time: float, swing: float, flow: float
) -> None:
    zones = buffers.buffer_zones(
        daily_usage_units=daily, lead_time_days=lead, lead_time_factor=time, variability_factor=swing
    )
    order = buffers.buffer_order(zones, flow)
    assert (order > 0) == (flow <= zones.top_of_yellow)
    assert order == 0 or flow + order == pytest.approx(zones.top_of_green)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 30)), min_size=1, max_size=6),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_netting_takes_what_was_ordered_and_never_more_than_was_foreseen(
    periods: list[tuple[int, int]], early: int, late: int
) -> None:
    gross, orders = ([one[side] for one in periods] for side in (0, 1))
    net = net_forecast(gross, orders, early_periods=early, late_periods=late)
    assert all(0 <= left <= foreseen for left, foreseen in zip(net, gross, strict=True))
    assert sum(gross) - sum(net) <= sum(orders)
    # Where forecast is left, no order within reach of it has gone without: each could still have taken it.
    for place, left in enumerate(net):
        if left > 0:
            reaching = range(max(place - late, 0), min(place + early, len(net) - 1) + 1)
            unforeseen = [one for one in reaching if orders[one] > sum(gross[max(one - early, 0) : one + late + 1])]
            assert not unforeseen
    if early == late == 0:
        assert net == [max(foreseen - ordered, 0) for foreseen, ordered in periods]
