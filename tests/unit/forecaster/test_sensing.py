"""Live sensing tells what is unusual, once, and the same again when an event is repeated."""

import contextlib
from dataclasses import replace
from datetime import date, timedelta

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from services.forecaster.domain.sensing import Sensor, Usual
from services.forecaster.sensing import UNREADABLE, Sensing, event_of, signal_of
from tests.examples import examples

ITEM = ("acme", "milk", "L1")
DAY = date(2024, 3, 4)
USUAL = {ITEM: Usual(mean=2.0, variance=2.0, days=56, last_sale=DAY - timedelta(days=1))}


def test_a_spike_is_told_when_it_passes_the_threshold_and_when_it_doubles() -> None:
    sensor = Sensor(USUAL)
    told = [sensor.sold(ITEM, DAY, 1, f"e{number}") for number in range(40)]
    steps = [one.step for seen in told for one in seen]
    assert steps == [1, 2, 3]
    first = next(number for number, seen in enumerate(told) if seen)
    assert first + 1 == 10  # 2 + 5 * sqrt(2) = 9.07


headers = st.fixed_dictionaries(
    {},
    optional={
        "ce_type": st.sampled_from([b"sale.recorded.v1", b"business-day.closed.v1", b"\xff"]),
        "ce_id": st.binary(),
    },
)
fields = st.sampled_from(["tenant", "sku", "location", "business_date", "quantity", "partition"])
words = st.sampled_from(["2024-03-04", "1e999", "NaN", "-1", "0", "acme"]) | st.text(max_size=5)
anything = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(fields, inner, max_size=6),
    max_leaves=8,
)


@settings(max_examples=examples(300))
@given(headers, st.binary(max_size=20) | anything.map(orjson.dumps))
def test_no_bytes_on_the_topic_end_the_reading(headers: dict[str, bytes], value: bytes) -> None:
    """Faust drops the agent at an exception that is not expected, and what is live is not told any more."""
    sensing = object.__new__(Sensing)
    sensing._sensor = Sensor(USUAL)
    with contextlib.suppress(*UNREADABLE):
        assert isinstance(sensing.sense(headers, value), list)


def test_a_repeated_event_changes_nothing() -> None:
    sensor = Sensor(USUAL)
    assert sensor.sold(ITEM, DAY, 8, "e1") == []
    assert sensor.sold(ITEM, DAY, 8, "e1") == []
    assert sensor.sold(ITEM, DAY, 2, "e2") != []


def test_the_same_sighting_is_the_same_event_and_another_one_a_newer_word_about_the_same_signal() -> None:
    """After a restart the windows are empty: the first step of the spike may be seen again at other units."""
    (first,) = Sensor(USUAL).sold(ITEM, DAY, 10, "e1")
    (again,) = Sensor(USUAL).sold(ITEM, DAY, 10, "e2")
    (other,) = Sensor(USUAL).sold(ITEM, DAY, 14, "e3")
    assert first.step == other.step
    assert event_of(first).envelope.id == event_of(again).envelope.id
    assert event_of(first).envelope.id != event_of(other).envelope.id
    assert signal_of(first).signal_id == signal_of(other).signal_id


def test_a_new_day_starts_from_nothing_and_an_old_one_is_ignored() -> None:
    sensor = Sensor(USUAL)
    sensor.sold(ITEM, DAY, 8, "e1")
    assert sensor.sold(ITEM, DAY + timedelta(days=1), 8, "e2") == []
    assert sensor.sold(ITEM, DAY, 100, "e3") == []


def test_nothing_is_unusual_about_an_item_nobody_knows() -> None:
    assert Sensor({}).sold(ITEM, DAY, 1e6, "e1") == []


def test_silence_is_told_once_when_chance_no_longer_explains_it() -> None:
    sensor = Sensor(USUAL)
    told = [sensor.closed("acme", "L1", DAY + timedelta(days=number)) for number in range(10)]
    kinds = [[one.kind for one in day] for day in told]
    # exp(-2 * 5) = 4.5e-5 is the first below 1e-4: five days after the last sale.
    assert [number for number, day in enumerate(kinds) if "demand_silence" in day] == [4]


def test_a_location_far_from_its_usual_day_is_told_at_its_close() -> None:
    items = {("acme", f"s{n}", "L1"): Usual(2.0, 2.0, 56, DAY) for n in range(20)}
    sensor = Sensor(items)
    for number in range(20):
        sensor.sold(("acme", f"s{number}", "L1"), DAY, 4, f"e{number}")
    rate = [one for one in sensor.closed("acme", "L1", DAY) if one.kind == "run_rate"]
    assert len(rate) == 1 and rate[0].strength == 2.0


def test_a_location_that_sells_far_more_than_usual_is_told_at_the_sale_that_makes_it_and_when_it_doubles() -> None:
    """Twenty items that sell two a day each: 40 are usual, 56 are the edge of it."""
    sensor = Sensor({("acme", f"s{n}", "L1"): Usual(2.0, 2.0, 56, DAY - timedelta(days=1)) for n in range(20)})
    told = []
    for number in range(120):
        item = ("acme", f"s{number % 20}", "L1")
        told.append([one for one in sensor.sold(item, DAY, 1, f"e{number}") if one.kind == "run_rate"])
    assert [number + 1 for number, seen in enumerate(told) if seen] == [57, 112]
    (first,), (second,) = told[56], told[111]
    assert (first.sku, first.location, first.strength, second.strength) == (None, "L1", 1.43, 2.8)
    (last,) = (one for one in sensor.closed("acme", "L1", DAY) if one.kind == "run_rate")
    assert last.strength == 3.0
    # One signal of the day: each is a newer word about it.
    assert len({signal_of(one).signal_id for one in (first, second, last)}) == 1
    # A usual day after it, and an old sale that comes late, start from nothing and say nothing.
    tomorrow = [sensor.sold(("acme", f"s{n}", "L1"), DAY + timedelta(days=1), 2, f"t{n}") for n in range(20)]
    assert not any(tomorrow) and not sensor.sold(("acme", "s1", "L1"), DAY, 100, "late")


def test_what_is_read_again_of_closed_days_is_no_news() -> None:
    """After a restart the topic may be read from its beginning: old sales and old closes say nothing, today's do."""
    known = replace(USUAL[ITEM], closed_on=DAY - timedelta(days=1))
    sensor = Sensor({ITEM: known})
    for back in range(5, 0, -1):
        assert sensor.sold(ITEM, DAY - timedelta(days=back), 100, f"old-{back}") == []
    assert sensor.closed("acme", "L1", DAY - timedelta(days=4)) == []
    assert sensor.sold(ITEM, DAY, 100, "today") != []
