"""Fair shares, transfers, changes to open orders and filled-up orders: against brute force, and in their promises."""

import itertools
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.distribution import DAYS, GRID, HORIZONS_DAYS, LEVELS, DemandTable, Floats, curve_probability
from services.policy.domain.fair_share import Claim, fair_share
from services.policy.domain.filling import fill_up, trucks
from services.policy.domain.open_orders import Coming, Costs, changes_of
from services.policy.domain.refusal import PolicyRefusal
from services.policy.domain.selection import Blocks
from services.policy.domain.transfers import Site, Transfer, best_transfers
from tests.examples import examples

some = settings(max_examples=examples(40), deadline=None)


def curve(mean: float, spread: float = 0.6) -> Floats:
    shape: Floats = np.maximum(mean * (1 + spread * (2 * np.asarray(GRID) - 1)), 0.0)
    return shape


def steady(daily: float) -> DemandTable:
    spread = [[daily * days * (0.8 + 0.4 * level) for level in LEVELS] for days in HORIZONS_DAYS]
    return DemandTable.from_units(np.full((1, DAYS), daily), np.asarray(spread))


claims_strategy = st.lists(
    st.tuples(st.integers(-4, 12), st.integers(0, 15), st.integers(0, 5), st.integers(1, 12), st.integers(1, 3)),
    min_size=1,
    max_size=5,
).map(
    lambda rows: [
        Claim(f"L{index}", position, wanted, shelf, curve(mean), priority, weight=4.0 - priority)
        for index, (position, wanted, shelf, mean, priority) in enumerate(rows)
    ]
)


@some
@given(claims_strategy, st.integers(0, 60))
def test_shares_sum_to_the_supply_and_never_fall_when_it_rises(claims: list[Claim], supply: int) -> None:
    shares = fair_share(claims, supply)
    wanted = sum(one.wanted for one in claims)
    assert sum(shares.values()) == min(supply, wanted)
    assert all(0 <= shares[one.name] <= one.wanted for one in claims)
    more = fair_share(claims, supply + 1)
    assert all(more[name] >= share for name, share in shares.items())
    assert fair_share(claims[::-1], supply) == shares


@some
@given(claims_strategy, st.integers(0, 60))
def test_customers_promises_come_before_every_other_unit(claims: list[Claim], supply: int) -> None:
    shares = fair_share(claims, supply)
    promised = {one.name: min(max(-one.position, 0), one.wanted) for one in claims}
    if any(share > promised[name] for name, share in shares.items()):
        assert all(shares[name] >= owed for name, owed in promised.items())


@some
@given(claims_strategy, st.integers(0, 60))
def test_nobody_envies_another_of_the_same_class(claims: list[Claim], supply: int) -> None:
    """Who may still want more has no higher probability of a stock-out than another had before its last unit."""
    shares = fair_share(claims, supply)

    def chance(one: Claim, units: float) -> float:
        return 1.0 - float(curve_probability(one.curve[np.newaxis], units)[0])

    for one, other in itertools.permutations(claims, 2):
        if one.priority != other.priority or shares[one.name] >= one.wanted:
            continue
        last = other.position + shares[other.name] - 1
        if (
            shares[other.name] > 0
            and last >= other.presentation
            and one.position + shares[one.name] >= one.presentation
        ):
            assert chance(one, one.position + shares[one.name]) <= chance(other, last) + 1e-12


def test_a_supply_that_is_no_number_is_refused() -> None:
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(PolicyRefusal, match="supply_negative"):
            fair_share([], bad)


sites_strategy = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 8), st.integers(0, 6), st.integers(1, 9)), min_size=2, max_size=3
).map(
    lambda rows: [
        Site(f"L{index}", stock, floor, wanted if stock < floor else 0, curve(mean), margin=1.0 + index)
        for index, (stock, floor, wanted, mean) in enumerate(rows)
    ]
)


@some
@given(sites_strategy, st.floats(0.01, 1.5))
def test_transfers_against_every_flow_and_senders_keep_their_target(sites: list[Site], cost: float) -> None:
    costs = {(a.name, b.name): cost for a, b in itertools.permutations(sites, 2)}
    found = best_transfers(sites, costs)
    assert all(one.benefit > 0 and one.units == round(one.units) for one in found)
    stock = {one.name: one.available for one in sites}
    for move in found:
        stock[move.sender] -= move.units
        stock[move.receiver] += move.units
    for one in sites:
        sent = any(move.sender == one.name for move in found)
        assert not sent or stock[one.name] >= one.floor
        assert stock[one.name] <= one.available + one.wanted
    assert _worth(sites, stock, found, cost) == pytest.approx(_best_worth(sites, cost), abs=1e-6)


def _worth(sites: list[Site], stock: dict[str, float], found: list[Transfer], cost: float) -> float:
    return -sum(one.margin * _short(one, stock[one.name]) for one in sites) - cost * sum(move.units for move in found)


def _short(one: Site, units: float) -> float:
    """Area of the curve above `units`, segment by segment. Sums over many points were off by more than moves that tie."""
    grid, over = [0.0, *GRID, 1.0], [one.curve[0] - units, *(one.curve - units), one.curve[-1] - units]
    area = 0.0
    for (left, low), (right, high) in itertools.pairwise(zip(grid, over, strict=True)):
        share = 1.0 if low >= 0 else high / (high - low) if high > 0 else 0.0
        area += (right - left) * share * (max(low, 0.0) + max(high, 0.0)) / 2
    return float(area)


def _best_worth(sites: list[Site], cost: float) -> float:
    """The best of all ways to move whole units from those above their floor to those who want some."""
    senders = [one for one in sites if one.available > one.floor]
    receivers = [one for one in sites if one.wanted > 0]
    table = {one.name: [_short(one, max(units, 0)) for units in range(40)] for one in sites}
    best = -float("inf")
    for sent in itertools.product(*(range(int(one.available - one.floor) + 1) for one in senders)):
        for got in itertools.product(*(range(int(one.wanted) + 1) for one in receivers)):
            if sum(sent) != sum(got):
                continue
            stock = {one.name: one.available for one in sites}
            for one, units in (
                *zip(senders, [-units for units in sent], strict=True),
                *zip(receivers, got, strict=True),
            ):
                stock[one.name] += units
            worth = -sum(one.margin * table[one.name][int(stock[one.name])] for one in sites) - cost * sum(sent)
            best = max(best, worth)
    return best


def test_a_transfer_that_does_not_pay_its_way_is_not_proposed() -> None:
    full = Site("full", 30, 5, 0, curve(4), 2.0)
    empty = Site("empty", 0, 6, 6, curve(6), 2.0)
    (one,) = best_transfers([full, empty], {("full", "empty"): 0.1})
    assert (one.sender, one.receiver) == ("full", "empty")
    assert one.benefit == pytest.approx(one.avoided - one.risk - one.cost)
    assert best_transfers([full, empty], {("full", "empty"): 0.1}, fixed_cost=one.benefit + 0.01) == []
    assert best_transfers([full, empty], {("full", "empty"): 5.0}) == []
    assert best_transfers([full, empty], {}) == []


DAY = date(2026, 3, 2)
COSTS = Costs(holding=5.0, margin=4.0, change=1.0, expedite=0.2)


def order(units: float, days: int, status: str = "confirmed", earliest: int | None = None) -> Coming:
    soon = DAY + timedelta(days=earliest) if earliest is not None else None
    return Coming(f"PO{days}", units, DAY + timedelta(days=days), status, soon)


def actions(available: float, coming: list[Coming], order_up_to: float = 60.0) -> list[tuple[str, str]]:
    found = changes_of(
        steady(2.0), DAY, available, coming, needed_until=DAY + timedelta(days=40), order_up_to=order_up_to, costs=COSTS
    )
    assert all(one.saves > 0 for one in found)
    return [(one.action, one.order_id) for one in found]


def test_an_order_nobody_needs_any_more_is_cancelled_and_half_a_one_reduced() -> None:
    assert actions(100, [order(24, 5)]) == [("cancel", "PO5")]
    assert actions(48, [order(24, 5)]) == [("reduce", "PO5")]


def test_an_order_that_comes_too_late_is_expedited_when_that_pays() -> None:
    assert actions(2, [order(24, 14, earliest=3)]) == [("expedite", "PO14")]
    assert actions(2, [order(24, 14)]) == []  # it cannot come any sooner


def test_an_order_that_comes_too_soon_is_put_off() -> None:
    assert actions(50, [order(10, 1)]) == [("defer", "PO1")]


def test_what_is_shipped_or_fits_is_left_alone() -> None:
    assert actions(100, [order(24, 5, status="shipped")]) == []
    assert actions(10, [order(24, 4)]) == []


def test_a_minimum_is_reached_with_the_best_next_units() -> None:
    blocks = Blocks(
        np.asarray([0, 0, 1, 2]),
        np.asarray([6.0, 6.0, 10.0, 1.0]),
        np.asarray([-1.0, -9.0, -0.5, 2.0]),
        np.asarray([[12.0], [12.0], [20.0], [5.0]]),
    )
    filled = fill_up(blocks, wanted=70, minimum=100)
    assert filled is not None
    assert filled.added == {1: 10.0, 2: 1.0, 0: 6.0}
    assert (filled.reached, filled.excess, filled.cost) == (
        107,
        37,
        0.0,
    )  # the best unit earns more than the rest loses
    dear = fill_up(blocks, wanted=60, minimum=108)
    assert dear is not None and dear.cost == pytest.approx(8.5)
    assert fill_up(blocks, wanted=0, minimum=100) is None
    assert fill_up(blocks, wanted=10, minimum=100) is None
    assert fill_up(blocks, wanted=100, minimum=100) is not None


@pytest.mark.parametrize(
    ("volume", "target"), [(10, 10), (29.9, 29.9), (30, 50), (45, 50), (50, 50), (55, 55), (82, 100)]
)
def test_trucks_are_filled_from_three_fifths_on(volume: float, target: float) -> None:
    assert trucks(volume, 50) == pytest.approx(target)
    with pytest.raises(PolicyRefusal, match="truck_not_positive"):
        trucks(volume, 0)
