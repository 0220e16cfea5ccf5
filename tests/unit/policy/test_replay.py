"""Levels on demand that really came: against a ledger kept by hand, and against an item walked through alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.domain.refusal import PolicyRefusal
from services.policy.domain.replay import Replayed, Stretch, replay
from tests.examples import examples

NAN = float("nan")
one_day = st.one_of(st.integers(0, 12).map(float), st.just(NAN))


def stretch(level: float, lead: int, review: int, starts: int = 0) -> Stretch:
    return Stretch(starts, np.asarray([level]), np.asarray([lead]), np.asarray([review]))


def walked(asked: list[float], *stretches: Stretch, margin: float = 1.0, holding: float = 1.0) -> Replayed:
    return replay(np.asarray([asked]), stretches, np.asarray([margin]), np.asarray([holding]))


def test_five_days_by_hand() -> None:
    """Level 5, two days until a receipt, reviewed daily. Day 0: 5 there, sells 4, 1 left. Day 1: orders 4, asked 3, sells 1,
    short 2. Day 2: orders 1, asked 2, all short. Day 3: 4 come, asked 1. Day 4: orders 1, 1 comes, 4 there, sells 2."""
    found = walked([4, 3, 2, 1, 2], stretch(5, 2, 1), margin=10.0)
    assert (found.days[0], found.asked[0], found.short[0], found.left_days[0]) == (5, 12, 4, 1 + 0 + 0 + 3 + 2)
    assert (found.cycles[0], found.tail[0]) == (
        5,
        20,
    )  # the dearest of five cycles is one of the two with two units short


def test_between_reviews_nothing_is_ordered() -> None:
    found = walked([1] * 8, stretch(3, 0, 4))
    assert found.short[0] == 2, "three units for four days, twice"
    assert found.cycles[0] == 2


def test_a_day_nobody_knows_of_sells_nothing_and_does_not_count() -> None:
    known, unknown = walked([2, 2], stretch(9, 1, 1)), walked([2, NAN, 2], stretch(9, 1, 1))
    assert (known.days[0], known.asked[0]) == (unknown.days[0], unknown.asked[0]) == (2, 4)


def test_a_level_counts_from_its_own_day_on_and_not_before() -> None:
    """The level of the later stretch would have saved the first days, had anybody known it then."""
    found = walked([5, 5, 5, 5], stretch(2, 0, 1), stretch(9, 0, 1, starts=2))
    assert found.short[0] == 3 + 3
    unplanned = walked([5, 5, 5, 5], stretch(NAN, 0, 1), stretch(9, 0, 1, starts=2))
    assert (unplanned.days[0], unplanned.short[0]) == (2, 0)


@settings(max_examples=examples(120), deadline=None)
@given(st.lists(one_day, min_size=1, max_size=40), st.integers(0, 30), st.integers(0, 6), st.integers(1, 9))
def test_each_item_as_a_walk_alone_through_its_days(asked: list[float], level: int, lead: int, review: int) -> None:
    shelf, pipeline, short, left, costs = float(level), list[tuple[int, float]](), 0.0, 0.0, list[float]()
    for day, units in enumerate(asked):
        if day % review == 0:
            costs.append(0.0)
            pipeline.append((day + lead, level - shelf - sum(many for when, many in pipeline)))
        shelf += sum(many for when, many in pipeline if when == day)
        pipeline = [(when, many) for when, many in pipeline if when != day]
        if units == units:
            sold = min(shelf, units)
            shelf -= sold
            short, left = short + units - sold, left + shelf
            costs[-1] += 7 * (units - sold) + 0.5 * shelf
    found = walked(asked, stretch(level, lead, review), margin=7.0, holding=0.5)
    assert found.short[0] == pytest.approx(short)
    assert found.left_days[0] == pytest.approx(left)
    worst = sorted(costs, reverse=True)[: max(-(-len(costs) // 10), 1)]
    assert found.tail[0] == pytest.approx(sum(worst) / len(worst))
    # Beside another item it is what it is alone.
    both = replay(
        np.asarray([asked, [1.0] * len(asked)]),
        [Stretch(0, np.asarray([level, 3.0]), np.asarray([lead, 2]), np.asarray([review, 1]))],
        np.asarray([7.0, 1.0]),
        np.asarray([0.5, 1.0]),
    )
    assert (both.short[0], both.left_days[0], both.tail[0]) == (found.short[0], found.left_days[0], found.tail[0])


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.integers(0, 12).map(float), min_size=1, max_size=40), st.integers(0, 30), st.integers(0, 6))
def test_a_higher_level_is_never_short_of_more(asked: list[float], level: int, lead: int) -> None:
    low, high = (walked(asked, stretch(units, lead, 1)) for units in (level, level + 3))
    assert high.short[0] <= low.short[0] + 1e-9


@pytest.mark.parametrize("bad", [-1.0, float("inf")])
def test_demand_that_cannot_be_is_refused(bad: float) -> None:
    with pytest.raises(PolicyRefusal, match="history_invalid"):
        walked([bad], stretch(1, 0, 1))
