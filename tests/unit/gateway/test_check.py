"""Checking one event: whatever comes in is either taken whole or refused with a place and a reason."""

from datetime import UTC, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit.events import decode
from schemas.registry import MESSAGES
from schemas.topics import SALES, TOPIC_OF
from services.gateway.ingest.check import OPEN_TOPICS, Checked, Refused, check
from services.gateway.ingest.usual import partition_of

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# Of every year there is; at both ends another time zone lies outside of the calendar.
times = (st.datetimes(timezones=zones | st.just(UTC)) | st.datetimes() | st.dates()).map(lambda one: one.isoformat())
SALE: dict[str, Any] = {
    "id": "1",
    "source": "pos",
    "type": "sale.recorded.v1",
    "time": "2017-11-05T18:04:11Z",
    "data": {
        "sku": "1029743",
        "location": "367",
        "quantity": "2.50",
        "business_date": "2017-11-05",
        "sold_at": "2017-11-05T19:04:11+01:00",
    },
}


def tried(event: Any) -> Checked | Refused:
    try:
        return check(event, "acme")
    except Refused as refusal:
        return refusal


@given(json_values)
def test_any_json_is_taken_or_refused_never_more(value: Any) -> None:
    with pytest.raises(Refused) as refused:
        check(value, "acme")
    assert refused.value.reason


@given(name=st.sampled_from([*SALE, "tenant", "subject", "partitionkey", "dataschema"]), value=json_values)
def test_any_value_in_any_attribute_is_taken_or_refused(name: str, value: Any) -> None:
    outcome = tried({**SALE, name: value})
    if isinstance(outcome, Refused):
        assert outcome.reason
    else:
        assert all(record.key.startswith(b"acme/") for record in outcome.records)


@given(moment=times, sold_at=times, business_date=times)
@example("0001-01-01T00:00:00+01:00", "2017-11-05T19:04:11Z", "2017-11-05")
@example("2017-11-05T19:04:11Z", "0001-01-01T00:00:00+01:00", "2017-11-05")
@example("2017-11-05T19:04:11Z", "9999-12-31T23:59:59-01:00", "2017-11-05")
@example("2017-11-05T19:04:11Z", "2017-11-05T19:04:11Z", "9999-12-31")
def test_moment_and_day_of_any_year_are_taken_or_refused(moment: str, sold_at: str, business_date: str) -> None:
    data = {**SALE["data"], "sold_at": sold_at, "business_date": business_date}
    outcome = tried({**SALE, "time": moment, "data": data})
    if isinstance(outcome, Checked):
        assert all("1900" <= one[:4] <= "2999" for one in (moment, sold_at, business_date))
    else:
        assert outcome.field in ("time", "data.sold_at", "data.business_date")


@given(name=st.sampled_from([*SALE["data"], "tenant", "unit_price", "promotion", "receipt_line"]), value=json_values)
def test_any_value_in_any_field_is_taken_or_refused_at_that_field(name: str, value: Any) -> None:
    outcome = tried({**SALE, "data": {**SALE["data"], name: value}})
    if isinstance(outcome, Refused):
        assert outcome.field.startswith(f"data.{name}")
    else:
        (record,) = outcome.records
        assert decode(SALES, 0, 0, record.key, record.value, record.headers, 0).envelope.tenant == "acme"


def test_what_consumers_read_is_what_was_sent() -> None:
    (record,) = check(
        {**SALE, "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01", "correlationid": "c"}, "acme"
    ).records
    received = decode(SALES, 0, 0, record.key, record.value, record.headers, 0)
    assert received.envelope.traceparent == "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    assert received.envelope.correlation_id == "c"
    assert orjson.loads(record.value)["quantity"] == "2.50"
    assert orjson.loads(record.value)["sold_at"] == "2017-11-05T18:04:11Z"


def test_equal_content_has_equal_bytes_however_it_was_written() -> None:
    reordered = {**SALE, "data": dict(reversed(SALE["data"].items()))}
    assert check(SALE, "acme").digest == check(reordered, "acme").digest
    assert check(SALE, "acme").digest != check({**SALE, "data": {**SALE["data"], "quantity": "2"}}, "acme").digest


def test_same_id_of_two_tenants_is_two_events() -> None:
    assert check(SALE, "acme").identity != check(SALE, "globex").identity


@pytest.mark.parametrize(
    "message_type", sorted(set(MESSAGES) - {name for topic in OPEN_TOPICS for name in topic.messages})
)
def test_words_of_our_own_services_are_never_taken_from_outside(message_type: str) -> None:
    with pytest.raises(Refused, match="not taken from outside"):
        check({**SALE, "type": message_type}, "acme")


def test_close_of_one_partition_stays_as_it_is() -> None:
    close = {
        **SALE,
        "type": "business-day.closed.v1",
        "data": {"location": "367", "business_date": "2017-11-05", "closed_at": "2017-11-06T01:00:00Z", "partition": 2},
    }
    (record,) = check(close, "acme").records
    assert record.partition == 2
    assert dict(record.headers)["ce_id"] == b"1"
    with pytest.raises(Refused, match="4 partitions"):
        check({**close, "data": {**close["data"], "partition": 4}}, "acme")


def test_partition_is_where_kafka_itself_would_put_the_key() -> None:
    # Apache Kafka, UtilsTest.testMurmur2: murmur2("21") = -973932308, murmur2("foobar") = -790332482.
    assert partition_of(b"21", 1_000_000) == (-973932308 & 0x7FFFFFFF) % 1_000_000
    assert partition_of(b"foobar", 1_000_000) == (-790332482 & 0x7FFFFFFF) % 1_000_000


def test_every_open_type_is_on_a_topic_the_gateway_may_write() -> None:
    assert all("gateway" in TOPIC_OF[name].producers for topic in OPEN_TOPICS for name in topic.messages)
