"""Reading events from outside: lines cut however the network likes, and CloudEvents by the SDK's own hand (oracle)."""

from typing import Any

import orjson
import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.ingest.check import Checked, Refused, check
from services.gateway.ingest.lines import Lines
from services.gateway.ingest.modes import Mode, binary_event, mode_of

DATA = {
    "sku": "1029743",
    "location": "367",
    "quantity": "2",
    "business_date": "2017-11-05",
    "sold_at": "2017-11-05T18:04:11Z",
}
printable = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=40)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=9), st.lists, max_leaves=4
)


def pieces_of(body: bytes, cuts: list[int]) -> list[bytes]:
    """The body cut at these places."""
    places = sorted({min(cut, len(body)) for cut in cuts})
    return [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]


def read(lines: Lines, pieces: list[bytes]) -> list[Any]:
    found = [event for piece in pieces for event in lines.feed(piece)]
    return [*found, *lines.end()]


@given(st.lists(json_values, max_size=8), st.lists(st.integers(0, 300), max_size=12), st.booleans())
def test_lines_are_the_same_wherever_the_network_cuts_them(events: list[Any], cuts: list[int], ends: bool) -> None:
    body = b"\n".join(orjson.dumps(event) for event in events) + (b"\r\n\n" if ends else b"")
    assert read(Lines(), pieces_of(body, cuts)) == events


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6), st.integers(1, 40))
def test_any_bytes_are_events_or_refusals_and_memory_is_bounded(body: bytes, cuts: list[int], limit: int) -> None:
    lines = Lines(limit)
    found: list[Any] = []
    for piece in pieces_of(body, cuts):
        found += lines.feed(piece)
        assert len(lines._rest) <= limit
    found += lines.end()
    whole = [line for line in body.split(b"\n") if len(line) > limit or (line and not line.isspace())]
    assert len(found) == len(whole)
    for event, line in zip(found, whole, strict=True):
        if len(line) > limit:
            assert isinstance(event, Refused)
            assert "longer than" in event.reason


@given(event_id=printable, source=printable, subject=printable)
def test_binary_mode_is_the_event_the_sdk_wrote(event_id: str, source: str, subject: str) -> None:
    attributes = {"id": event_id, "source": source, "type": "sale.recorded.v1", "subject": subject}
    message = to_binary_event(CloudEvent({**attributes, "datacontenttype": "application/json"}, DATA))
    headers = {name.lower(): value for name, value in message.headers.items()}
    assert mode_of(headers) is Mode.BINARY
    event = binary_event(headers, message.body)
    assert {name: event[name] for name in attributes} == attributes
    assert event["data"] == DATA
    assert isinstance(check(event, "acme"), Checked)


def test_structured_mode_is_recognised_by_its_content_type() -> None:
    message = to_structured_event(CloudEvent({"id": "1", "source": "pos", "type": "sale.recorded.v1"}, DATA))
    headers = {name.lower(): value for name, value in message.headers.items()}
    assert mode_of(headers) is Mode.SINGLE
    assert isinstance(check(orjson.loads(message.body), "acme"), Checked)


@pytest.mark.parametrize(
    ("headers", "mode"),
    [
        ({}, Mode.BATCH),
        ({"content-type": "application/json"}, Mode.BATCH),
        ({"content-type": "Application/CloudEvents-Batch+JSON; charset=utf-8"}, Mode.BATCH),
        ({"content-type": "application/CloudEvents+json;charset=utf-8"}, Mode.SINGLE),
        ({"content-type": "application/cloudevents+json", "ce-specversion": "1.0"}, Mode.SINGLE),
        ({"content-type": "application/json", "ce-specversion": "1.0"}, Mode.BINARY),
        ({"content-type": "application/x-ndjson"}, Mode.LINES),
    ],
)
def test_mode_follows_the_content_type_first(headers: dict[str, str], mode: Mode) -> None:
    assert mode_of(headers) is mode


@given(
    st.dictionaries(st.sampled_from(["ce-id", "ce-source", "ce-data", "ce-x", "traceparent"]), st.text(max_size=20)),
    st.binary(max_size=60),
)
def test_any_binary_request_is_an_event_or_refused(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(Refused) as refused:  # none of these is whole
        check(binary_event(headers, body), "acme")
    assert refused.value.reason


@pytest.mark.parametrize("value", ["100%", "%zz", "%ff"])
def test_broken_percent_encoding_is_refused_at_its_attribute(value: str) -> None:
    with pytest.raises(Refused) as refused:
        binary_event({"ce-subject": value}, b"{}")
    assert refused.value.field == "subject"
