"""The benches measure what they say: their records are the contract's, their sums are checked, their judges can fail."""

from collections import Counter
from datetime import date

import pytest

from lab.bench.books import Books, BooksDiffer, Pace, caught_up
from lab.bench.load import Load, _stencil
from lab.bench.poison import BEHIND, BETWEEN, Sent, _judge
from lab.world.wire import records

ITEMS = (("P1", "S1"), ("P2", "S1"), ("P3", "S2"))
DAYS = tuple(date(2017, 12, 4 + number).isoformat() for number in range(14))
LOAD = Load(ITEMS, DAYS, "0123456789ab", 5_000)


def test_records_cut_from_a_stencil_are_those_the_contract_gives() -> None:
    for number, item, day, units in list(LOAD.sales())[:60]:
        (expected,) = records(LOAD.event(number, item, day, units))
        value, headers = _stencil(LOAD, day, units).cut(LOAD.event_id(number), item, expected.key)
        assert value == expected.value
        assert headers == expected.headers


def test_units_are_the_sum_of_the_sales_and_ids_are_never_used_twice() -> None:
    sold: Counter[tuple[str, str]] = Counter()
    for _, item, _, units in LOAD.sales():
        sold[item] += units
    assert sold == LOAD.units()
    assert sum(sold.values()) == 7_500
    assert len({LOAD.event_id(number) for number, *_ in LOAD.sales()}) == LOAD.count


def test_a_hot_load_names_its_first_item_nine_times_in_ten_and_spreads_the_rest() -> None:
    hot = Counter(item for _, item, _, _ in Load(ITEMS, DAYS, "0123456789ab", 20_000, 0.9).sales())
    assert 0.92 < hot[ITEMS[0]] / 20_000 < 0.95  # its share of the rest included
    assert all(hot[item] > 500 for item in ITEMS)


BEFORE = Books({ITEMS[0]: 5}, {ITEMS[0]: 5}, 3)
UNITS = Counter({ITEMS[0]: 2, ITEMS[1]: 1})


def test_books_that_gained_what_was_told_are_right() -> None:
    held = {ITEMS[0]: 7, ITEMS[1]: 1}
    Books(held, dict(held), 5).gained(BEFORE, UNITS, 2)


@pytest.mark.parametrize(
    ("held", "sold", "logged"),
    [
        ({ITEMS[0]: 7}, {ITEMS[0]: 7, ITEMS[1]: 1}, 5),  # a sale lost by the ledger
        ({ITEMS[0]: 7, ITEMS[1]: 1}, {ITEMS[0]: 8, ITEMS[1]: 1}, 5),  # one counted twice in demand
        ({ITEMS[0]: 6, ITEMS[1]: 2}, {ITEMS[0]: 7, ITEMS[1]: 1}, 5),  # right in sum, booked to another item
        ({ITEMS[0]: 7, ITEMS[1]: 1}, {ITEMS[0]: 7, ITEMS[1]: 1}, 4),  # a record missing in the audit log
    ],
)
def test_books_that_differ_are_told(
    held: dict[tuple[str, str], int], sold: dict[tuple[str, str], int], logged: int
) -> None:
    with pytest.raises(BooksDiffer):
        Books(held, sold, logged).gained(BEFORE, UNITS, 2)


def test_rates_count_from_the_first_commit_to_the_last() -> None:
    paces = {"a": Pace([(1.0, 100), (3.0, 1_000)]), "b": Pace([(2.0, 500), (6.0, 1_000)])}
    assert paces["a"].rate(1_000) == {"seconds": 2.0, "events_per_second": 450}
    assert caught_up(paces, 1_000) == {"seconds": 5.0, "events_per_second": 200}


def test_delay_behind_a_poison_is_told_from_the_usual_one() -> None:
    sent, steps = [], [(0.0, 0)]
    for number in range(BETWEEN * 3):
        behind, at = number % BETWEEN + 1, number * 0.005
        sent.append(Sent(number, at, "slow", number // BETWEEN, behind))
        # Usually 20 ms; whoever comes in the tenth of a second behind the poison waits 150 ms.
        steps.append((at + (0.150 if behind <= BEHIND // 5 else 0.020), number + 1))
    found = _judge(sent, steps)["kinds"]["slow"]
    assert 125.0 <= found["added_milliseconds"] <= 135.0
