"""Daily demand is a sum: order, repeats of arrival and batch borders do not matter; corrections are counted."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.forecaster.domain.booking import WHOLE_LOCATION, Close, Fact, Kind, book, last_closed
from services.forecaster.domain.stock import on_hand_at_close, stock_out_days

AT = datetime(2024, 1, 1, tzinfo=UTC)
FIRST = date(2024, 1, 1)


def fact(kind: Kind, sku: str, day: int, units: int, cause: str = "e") -> Fact:
    return Fact(kind, sku, "L1", FIRST + timedelta(days=day), Decimal(units), ord(sku[0]) % 4, cause, AT)


def close(day: int, partition: int) -> Close:
    return Close("L1", partition, FIRST + timedelta(days=day), f"close-{day}-{partition}", AT)


facts = st.builds(fact, st.sampled_from(list(Kind)), st.sampled_from("abcdef"), st.integers(0, 9), st.integers(1, 9))
closes = st.builds(close, st.integers(0, 9), st.sampled_from([WHOLE_LOCATION, 0, 1, 2, 3]))
streams = st.lists(st.one_of(facts, facts, closes), max_size=60)


def totals(parts: list[list[Fact | Close]]) -> dict[object, tuple[object, ...]]:
    """Book parts one after the other, as batches do, and add up what the tables would hold."""
    closed: dict[tuple[str, int], date] = {}
    sums: dict[object, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for part in parts:
        booking = book(part, closed)
        for key, change in booking.days.items():
            added = (change.quantity, change.returned, Decimal(change.late))
            sums[key] = [a + b for a, b in zip(sums[key], added, strict=True)]
        for place, one in booking.closes.items():
            closed[place] = max(one.business_date, closed.get(place, date.min))
    return {key: tuple(value) for key, value in sums.items()} | {
        ("closed", *key): (day,) for key, day in closed.items()
    }


@given(streams, st.lists(st.integers(0, 60), max_size=6))
def test_batch_borders_do_not_matter(stream: list[Fact | Close], cuts: list[int]) -> None:
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert totals([stream[a:b] for a, b in pairwise(edges)]) == totals([stream])


@given(st.lists(facts, max_size=40), st.randoms())
def test_order_does_not_matter_for_quantities(stream: list[Fact | Close], dice: object) -> None:
    shuffled = list(stream)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert totals([shuffled]) == totals([stream])


@given(streams)
def test_an_event_is_late_exactly_when_its_day_was_closed_before_it(stream: list[Fact | Close]) -> None:
    late = 0
    closed: dict[tuple[str, int], date] = {}
    for entry in stream:
        if isinstance(entry, Close):
            key = (entry.location, entry.partition)
            closed[key] = max(entry.business_date, closed.get(key, date.min))
        else:
            end = last_closed(closed, entry.location, entry.partition)
            late += end is not None and entry.business_date <= end
    booking = book(stream, {})
    assert sum(change.late for change in booking.days.values()) == late
    assert bool(booking.corrected) == bool(late)


def test_a_second_close_of_the_same_day_is_no_new_cause() -> None:
    closed = {("L1", 2): FIRST + timedelta(days=5)}
    assert not book([close(5, 2), close(3, 2)], closed).closes
    assert list(book([close(6, 2)], closed).closes) == [("L1", 2)]


def test_a_void_may_come_before_its_sale() -> None:
    booking = book([fact(Kind.VOID, "a", 1, 4), fact(Kind.SALE, "a", 1, 4)], {})
    assert next(iter(booking.days.values())).quantity == 0


def test_on_hand_follows_counts_and_movements() -> None:
    net = np.array([[-4.0, -4, -4, -4, -4, 0, 100, -4]])
    counted = np.array([[20.0, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, 90]])
    opening = np.array([[True, False, False, False, False, False, False, False]])
    on_hand = on_hand_at_close(net, counted, opening)
    np.testing.assert_array_equal(on_hand, [[16, 12, 8, 4, 0, 0, 100, 90]])
    np.testing.assert_array_equal(stock_out_days(on_hand), [[False] * 4 + [True, True, False, False]])


def test_stock_that_was_never_counted_hides_nothing() -> None:
    on_hand = on_hand_at_close(np.full((1, 5), -3.0), np.full((1, 5), np.nan), np.zeros((1, 5), dtype=np.bool_))
    assert np.isnan(on_hand).all() and not stock_out_days(on_hand).any()
