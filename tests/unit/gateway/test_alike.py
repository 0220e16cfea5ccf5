"""Checking events together says of each what checking it alone says. Oracle: the check of one event."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.ingest.alike import Alike, check_alike
from services.gateway.ingest.batch import Outcome, _sort
from services.gateway.ingest.check import Checked, Refused, check
from services.gateway.ingest.recent import Recent
from tests.unit.gateway.test_check import SALE, json_values

USUAL: dict[str, Any] = {"specversion": "1.0", **SALE}
WITH_PRICE = USUAL | {"data": SALE["data"] | {"unit_price": "2.69", "currency": "USD"}}
VOID = USUAL | {
    "type": "sale.voided.v1",
    "data": {
        "sku": "1029743", "location": "367", "sale_event_id": "7", "quantity": "2", "business_date": "2017-11-05",
        "voided_at": "2017-11-05T18:04:11Z",
    },
}  # fmt: skip
CLOSE = USUAL | {
    "type": "business-day.closed.v1",
    "data": {"location": "367", "business_date": "2017-11-05", "closed_at": "2017-11-05T21:00:00Z"},
}
values = (
    json_values | st.text(max_size=200) | st.sampled_from(["1", "2", "pos/2", "sale.voided.v1", "2.5", "kg", "é", '"'])
)


@st.composite
def events(draw: st.DrawFn) -> Any:
    """A usual event, most often; one with an attribute or a field of any value, without one, or no event at all."""
    event = dict(draw(st.sampled_from([USUAL, USUAL, WITH_PRICE, VOID, CLOSE])))
    event["id"] = draw(st.sampled_from("12345"))
    event["data"] = dict(event["data"])
    change = draw(st.sampled_from(["none", "none", "attribute", "field", "missing", "invented", "junk", "no JSON"]))
    if change == "attribute":
        event[draw(st.sampled_from([*USUAL]))] = draw(values)
    elif change == "field":
        event["data"][draw(st.sampled_from([*WITH_PRICE["data"]]))] = draw(values)
    elif change == "missing":
        where = draw(st.sampled_from([event, event["data"]]))
        del where[draw(st.sampled_from([*where]))]
    elif change == "invented":
        draw(st.sampled_from([event, event["data"]]))["subject"] = draw(values)
    elif change == "junk":
        return draw(json_values)
    elif change == "no JSON":
        return Refused("", "the line is not JSON")
    return event


def alone(event: Any) -> Any:
    """What the check of one event says; None where it refuses."""
    if isinstance(event, Refused):
        return None
    try:
        identity, digest, records = check(event, "acme")
    except Refused:
        return None
    return identity, digest, list(records)


def together(batch: list[Any]) -> list[Checked | None]:
    """What the check of all says of each."""
    found = check_alike(batch, "acme")
    return [*(found.each() if isinstance(found, Alike) else found)]


@given(st.lists(events(), max_size=12))
def test_events_checked_together_are_checked_as_alone_or_left_to_that(batch: list[Any]) -> None:
    found = together(batch)
    assert len(found) == len(batch)
    for event, one in zip(batch, found, strict=True):
        assert one is None or (one.identity, one.digest, list(one.records)) == alone(event)


def test_what_is_usual_is_found_among_what_is_not() -> None:
    batch: list[Any] = []
    for number in range(60):
        usual = (USUAL, WITH_PRICE, VOID)[number % 3]
        batch.append(usual | {"id": str(number), "source": f"pos/{number % 4}"})
    odd: dict[int, Any] = {
        5: CLOSE,
        20: USUAL | {"data": SALE["data"] | {"quantity": []}},
        33: USUAL | {"data": SALE["data"] | {"quantity": "many"}},
        41: "no event",
    }
    for place, event in odd.items():
        batch[place] = event
    found = together(batch)
    assert [place for place, one in enumerate(found) if one is None] == sorted(odd)
    assert [one.identity.rsplit("\x00", 1)[1] for one in found if one] == [
        str(number) for number in range(60) if number not in odd
    ]


def test_an_attribute_that_cannot_stand_leaves_the_whole_kind_to_the_single_check() -> None:
    for odd in ({"time": "soon"}, {"specversion": "2.0"}, {"id": "x" * 129}, {"id": 7}, {"source": "a\nb"}):
        assert together([USUAL, USUAL | odd]) == [None, None]
        assert alone(USUAL) is not None


@given(st.lists(events(), max_size=12), st.lists(events(), max_size=4))
def test_a_batch_is_sorted_as_its_events_one_after_another(batch: list[Any], before: list[Any]) -> None:
    recent = Recent()
    earlier = Outcome()
    _sort(0, before, "acme", recent, earlier)
    recent.remember(earlier.taken)
    together, singly = Outcome(), Outcome()
    _sort(0, batch, "acme", recent, together)
    for index, event in enumerate(batch):
        _sort(index, [event], "acme", recent, singly)
    assert together == singly
    assert len(together.results) == len(batch)
