"""Events over HTTP: per-event results, durable before 2xx, refused with the field and the reason."""

import signal
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from kit.events import decode
from schemas.demand import BusinessDayClosed, SaleRecorded
from schemas.topics import SALES, Topic
from tests.ground import wait_for
from tests.integration.gateway.process import Gateway

pytestmark = pytest.mark.integration


def sale(**changed: Any) -> dict[str, Any]:
    data = {
        "sku": "1029743",
        "location": "367",
        "quantity": "2",
        "business_date": "2017-11-05",
        "sold_at": "2017-11-05T18:04:11Z",
    }
    return {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": "pos/367",
        "type": "sale.recorded.v1",
        "time": "2017-11-05T18:04:11Z",
        "data": data | changed.pop("data", {}),
    } | changed


@pytest.fixture(scope="module")
def till(gateway: Gateway) -> Iterator[httpx2.Client]:
    with gateway.machine("ingest") as client:
        yield client


async def read(gateway: Gateway, topic: Topic) -> list[Any]:
    """All records of a topic, from the beginning, with a consumer that has nothing to do with us."""
    consumer = AIOKafkaConsumer(bootstrap_servers=gateway.platform.kafka_bootstrap, isolation_level="read_committed")
    await consumer.start()
    try:
        places = [TopicPartition(topic.on(gateway.namespace), number) for number in range(topic.partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        found = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found.extend(records)
        return found
    finally:
        await consumer.stop()


def test_accepted_event_is_on_its_topic_under_its_key(gateway: Gateway, till: httpx2.Client) -> None:
    event = sale()
    answer = till.post("/v1/events", json=[event])
    assert answer.status_code == 200
    assert answer.json()["results"] == [
        {"index": 0, "id": event["id"], "result": "accepted", "field": None, "reason": None}
    ]
    (record,) = [one for one in wait_for(read(gateway, SALES)) if dict(one.headers)["ce_id"].decode() == event["id"]]
    received = decode(
        SALES, record.partition, record.offset, record.key, record.value, record.headers, record.timestamp
    )
    assert record.key == b"acme/1029743/367"
    assert received.envelope.tenant == "acme"
    assert received.envelope.source == "pos/367"
    assert isinstance(received.body, SaleRecorded)
    assert str(received.body.quantity) == "2"


@pytest.mark.parametrize(
    ("event", "field", "reason"),
    [
        (sale(data={"quantity": "-1"}), "data.quantity", "greater than 0"),
        (sale(data={"quantity": "NaN"}), "data.quantity", "finite"),
        (sale(data={"quantity": "1.00001"}), "data.quantity", "4 decimal"),
        (sale(data={"quantitty": "1"}), "data.quantitty", "Extra"),
        (sale(data={"sku": "a/b"}), "data.sku", "pattern"),
        (sale(data={"sku": ""}), "data.sku", "at least 1"),
        (sale(data={"business_date": "2017-13-05"}), "data.business_date", "date"),
        (sale(data={"sold_at": "2017-11-05T18:04:11"}), "data.sold_at", "offset"),
        (sale(data={"tenant": "globex"}), "data.tenant", "tenant"),
        (sale(tenant="globex"), "tenant", "tenant"),
        (sale(type="sale.invented.v1"), "type", "not a known"),
        (sale(type="order.released.v1"), "type", "published by approvals"),
        (sale(type="decision.made.v1"), "type", "not taken from outside"),
        (sale(time="yesterday"), "time", "RFC 3339"),
        (sale(time=None), "time", "missing"),
        (sale(id=""), "id", "missing"),
        (sale(id="x" * 129), "id", "at most 128"),
        (sale(id="a\x00b"), "id", "printable"),
        (sale(specversion="0.3"), "specversion", "1.0"),
        (sale(sourcee="x"), "sourcee", "misspelt"),
        ({**sale(), "data": None}, "data", "object"),
        ({**sale(), "data": []}, "data", "object"),
        ("sale", "", "JSON object"),
        (None, "", "JSON object"),
    ],
)
def test_bad_event_is_refused_with_its_field_and_a_reason_and_others_are_taken(
    till: httpx2.Client, event: Any, field: str, reason: str
) -> None:
    answer = till.post("/v1/events", json=[sale(), event, sale()])
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [one["result"] for one in body["results"]] == ["accepted", "rejected", "accepted"]
    assert body["results"][1]["field"] == field
    assert reason in body["results"][1]["reason"]
    assert (body["accepted"], body["rejected"]) == (2, 1)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[{", 400, "malformed_json"),
        (b"", 400, "malformed_json"),
        (b"\xff\xfe", 400, "malformed_json"),
        (b"[" * 100_000, 400, "malformed_json"),
        (b'"text"', 422, "not_a_batch"),
        (b"[" + b"1," * 5000 + b"1]", 413, "too_many_events"),
        (b" " * (5 * 1024 * 1024 + 1), 413, "body_too_large"),
    ],
)
def test_body_that_is_no_batch_is_a_problem_document(till: httpx2.Client, body: bytes, status: int, code: str) -> None:
    answer = till.post("/v1/events", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.json()["detail"]) > 20


def test_body_larger_than_declared_is_cut_off(till: httpx2.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(6):
            yield b" " * 1024 * 1024

    answer = till.post("/v1/events", content=chunks())
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_repeated_event_is_a_duplicate_and_another_content_under_its_id_is_refused(
    gateway: Gateway, till: httpx2.Client
) -> None:
    event = sale()
    first = till.post("/v1/events", json=[event, event])
    again = till.post("/v1/events", json=[event])
    other = till.post("/v1/events", json=[{**event, "data": event["data"] | {"quantity": "3"}}])
    assert [one["result"] for one in first.json()["results"]] == ["accepted", "duplicate"]
    assert again.json()["results"][0]["result"] == "duplicate"
    assert other.json()["results"][0]["field"] == "id"
    ids = [dict(one.headers)["ce_id"].decode() for one in wait_for(read(gateway, SALES))]
    assert ids.count(event["id"]) == 1


def test_business_day_close_goes_to_every_partition_once_under_derived_ids(
    gateway: Gateway, till: httpx2.Client
) -> None:
    close = sale(type="business-day.closed.v1")
    close["data"] = {"location": "944", "business_date": "2017-11-05", "closed_at": "2017-11-06T03:00:00Z"}
    assert till.post("/v1/events", json=[close]).json()["accepted"] == 1
    assert till.post("/v1/events", json=[close]).json()["duplicates"] == 1
    records = [one for one in wait_for(read(gateway, SALES)) if one.key == b"acme//944"]
    bodies = [decode(SALES, one.partition, one.offset, one.key, one.value, one.headers, 0) for one in records]
    assert sorted(one.partition for one in records) == list(range(SALES.partitions))
    assert all(isinstance(one.body, BusinessDayClosed) and one.body.partition == one.partition for one in bodies)
    assert len({one.envelope.id for one in bodies}) == SALES.partitions


def test_what_was_answered_with_2xx_survives_kill_9(gateway: Gateway, till: httpx2.Client) -> None:
    events = [sale() for _ in range(500)]
    assert till.post("/v1/events", json=events).json()["accepted"] == 500
    gateway.stop(signal.SIGKILL)
    ids = [dict(one.headers)["ce_id"].decode() for one in wait_for(read(gateway, SALES))]
    gateway.start()
    assert {event["id"] for event in events} <= set(ids)
    # The restarted gateway has forgotten them and takes them again: consumers drop the repeat by source and id.
    assert till.post("/v1/events", json=events[:1]).json()["accepted"] == 1


def test_key_without_the_scope_is_refused(gateway: Gateway) -> None:
    with gateway.machine("read") as reader:
        answer = reader.post("/v1/events", json=[sale()])
    assert (answer.status_code, answer.json()["code"]) == (403, "role_missing")
