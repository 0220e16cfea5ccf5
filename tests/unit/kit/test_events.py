"""Reading and writing CloudEvents: both modes are read, and what cannot be read says why and where."""

import json
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import derived_id
from kit import events
from kit.errors import Rejected
from kit.events import Envelope, Outgoing, decode, headers_of, outgoing
from kit.outbox import pack_headers, unpack_headers
from schemas.demand import SaleRecorded
from schemas.topics import SALES, STOCK

WHEN = datetime(2017, 11, 5, 18, 4, 11, tzinfo=UTC)
BODY = SaleRecorded(
    tenant="acme", sku="s1", location="L1", quantity=Decimal("2"), business_date=date(2017, 11, 5), sold_at=WHEN
)
ENVELOPE = Envelope("e1", "pos/1", BODY.TYPE, WHEN, "acme", BODY.record_key(), traceparent=None)
SALE = Outgoing(SALES.name, ENVELOPE, BODY.model_dump_json(exclude_none=True).encode())


def changed(headers: dict[str, str | None]) -> list[tuple[str, bytes]]:
    whole = {name: raw.decode() for name, raw in headers_of(SALE)} | headers
    return [(name, text.encode()) for name, text in whole.items() if text is not None]


def test_what_we_write_we_read() -> None:
    read = decode(SALES, 1, 7, BODY.record_key().encode(), SALE.value, headers_of(SALE), 0)
    assert (read.body, read.envelope, read.partition, read.offset) == (BODY, ENVELOPE, 1, 7)


def test_the_reference_sdk_reads_what_we_write() -> None:
    message = KafkaMessage(headers=dict(headers_of(SALE)), key=BODY.record_key().encode(), value=SALE.value)
    event = from_binary(message, JSONFormat())
    assert (event.get_id(), event.get_source(), event.get_type(), event.get_time()) == ("e1", "pos/1", BODY.TYPE, WHEN)


def test_structured_mode_is_read_like_binary_mode() -> None:
    whole = {
        "specversion": "1.0",
        "id": "e1",
        "source": "pos/1",
        "type": BODY.TYPE,
        "time": "2017-11-05T18:04:11Z",
        "tenant": "acme",
        "data": json.loads(SALE.value),
    }
    headers = [("content-type", b"application/cloudevents+json; charset=utf-8")]
    read = decode(SALES, 0, 0, None, json.dumps(whole).encode(), headers, 0)
    assert read.body == BODY
    assert read.hash == decode(SALES, 0, 0, None, SALE.value, headers_of(SALE), 0).hash
    # It can be parked and read again from what was kept of it.
    assert decode(SALES, 0, 0, None, read.value, unpack_headers(pack_headers(read.headers)), 0).body == BODY


@pytest.mark.parametrize(
    ("value", "headers", "code", "field"),
    [
        (None, {}, "no_value", None),
        (b"x" * 1_048_577, {}, "too_large", None),
        (SALE.value, {"ce_id": None}, "missing_attribute", "ce_id"),
        (SALE.value, {"ce_source": ""}, "missing_attribute", "ce_source"),
        (SALE.value, {"ce_tenant": None}, "missing_attribute", "ce_tenant"),
        (SALE.value, {"ce_specversion": "0.3"}, "unknown_version", "ce_specversion"),
        (SALE.value, {"ce_time": "yesterday"}, "invalid_time", "ce_time"),
        (SALE.value, {"ce_time": "2017-11-05T18:04:11"}, "invalid_time", "ce_time"),
        (SALE.value, {"ce_time": "0001-01-01T00:00:00+01:00"}, "invalid_time", "ce_time"),
        (SALE.value, {"ce_time": "9999-12-31T23:59:59-01:00"}, "invalid_time", "ce_time"),
        (SALE.value, {"ce_type": "sale.recorded.v9"}, "unknown_type", "ce_type"),
        (SALE.value, {"ce_type": "stock.counted.v1"}, "unknown_type", "ce_type"),
        (SALE.value, {"ce_tenant": "other"}, "tenant_mismatch", "tenant"),
        (SALE.value.replace(b'"2"', b'"-2"'), {}, "invalid_body", "quantity"),
        (SALE.value.replace(b'"2"', b'"NaN"'), {}, "invalid_body", "quantity"),
        (SALE.value.replace(b'"s1"', b'"a/b"'), {}, "invalid_body", "sku"),
        (SALE.value.replace(b'"s1"', b"null"), {}, "invalid_body", "sku"),
        (b"\xff\xfe", {}, "invalid_body", "data"),
        (b"[" * 100_000, {}, "invalid_body", "data"),
        (b"not json", {"content-type": "application/cloudevents+json"}, "invalid_json", None),
        (b'{"id":"1"}', {"content-type": "application/cloudevents+json"}, "invalid_envelope", "data"),
    ],
)
def test_what_cannot_be_read_says_why(
    value: bytes | None, headers: dict[str, str | None], code: str, field: str | None
) -> None:
    with pytest.raises(Rejected) as refusal:
        decode(SALES, 0, 0, BODY.record_key().encode(), value, changed(headers), 0)
    assert (refusal.value.code, refusal.value.field) == (code, field)


AS_THE_GATEWAY = [
    ("ce_specversion", b"1.0"), ("content-type", b"application/json"), ("ce_source", b"pos/1"), ("ce_type", b"sale.recorded.v1"),
    ("ce_tenant", b"acme"), ("ce_id", b"e1"), ("ce_time", b"2017-11-05T18:04:11Z"), ("ce_partitionkey", b"acme/s1/L1"),
]  # fmt: skip
ODD = [
    None, b"", b"\xff", b"0.3", b"text/json", b"application/cloudevents+json", b"soon", b"2017-11-05T18:04:11", b"9999-12-31T23:59:59-10:00",
    b"acme/s1/L2", "é".encode(),
]  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(0, 7), st.sampled_from(ODD)), max_size=2),
    st.sampled_from([b"acme/s1/L1", b"", None]),
)
def test_headers_read_by_place_are_what_they_are_by_name(
    odd: list[tuple[int, bytes | None]], key: bytes | None
) -> None:
    headers: list[tuple[str, bytes | None]] = [*AS_THE_GATEWAY]
    for place, raw in odd:
        headers[place] = (headers[place][0], raw)
    by_place = events._usual(key, SALE.value, headers)
    try:
        by_name = events._any(key, SALE.value, headers)
    except Rejected:
        by_name = None
    assert by_place is None or by_place == by_name
    assert by_place is not None or odd or not key


def test_a_header_without_a_value_is_as_if_it_were_not_there() -> None:
    headers: list[Any] = headers_of(SALE)
    key = BODY.record_key().encode()
    whole = decode(SALES, 0, 0, key, SALE.value, [*headers, ("ce_subject", None)], 0)
    assert whole == decode(SALES, 0, 0, key, SALE.value, headers, 0)
    for needed in ("ce_id", "ce_source", "ce_tenant"):
        without = [(name, None if name == needed else raw) for name, raw in headers]
        with pytest.raises(Rejected) as refusal:
            decode(SALES, 0, 0, key, SALE.value, without, 0)
        assert (refusal.value.code, refusal.value.field) == ("missing_attribute", needed)


def test_a_key_that_would_break_the_order_is_refused() -> None:
    with pytest.raises(Rejected, match="acme/other/L1") as refusal:
        decode(SALES, 0, 0, b"acme/other/L1", SALE.value, headers_of(SALE), 0)
    assert refusal.value.code == "key_mismatch"


@given(st.binary(max_size=300), st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=20)), max_size=6))
def test_no_bytes_do_more_than_be_refused(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    with pytest.raises(Rejected):
        decode(STOCK, 0, 0, None, value, headers, 0)


def test_the_same_cause_makes_the_same_id_and_another_name_another() -> None:
    first = outgoing(BODY, service="gateway", cause=ENVELOPE, time=WHEN)
    again = outgoing(BODY, service="gateway", cause=ENVELOPE, time=WHEN)
    other = outgoing(BODY, service="gateway", cause=ENVELOPE, time=WHEN, name="second")
    assert first.envelope.id == again.envelope.id != other.envelope.id
    assert first.envelope.causation_id == "e1"
    assert derived_id("a", "bc") != derived_id("ab", "c")


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_a_derived_id_is_the_one_of_the_standard_library(parts: list[str]) -> None:
    """Ids that were published before must come again, and anyone may compute them with any UUID library."""
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "countersign:ids")
    assert derived_id(*parts) == str(uuid.uuid5(namespace, "\x1f".join(parts)))


@given(st.lists(st.tuples(st.text(max_size=10), st.binary(max_size=30)), max_size=8))
def test_headers_survive_the_outbox_byte_for_byte(headers: list[tuple[str, bytes]]) -> None:
    assert unpack_headers(pack_headers(headers)) == headers
