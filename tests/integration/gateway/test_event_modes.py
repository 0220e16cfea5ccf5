"""Events in every form the gateway reads: structured, binary, and lines without end, both ways at once."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx2
import orjson
import psutil
import pytest
from cloudevents.core.bindings.http import to_binary_event
from cloudevents.core.v1.event import CloudEvent

from countersign_client import Client, Event
from kit.events import decode
from schemas.topics import SALES
from tests.ground import wait_for
from tests.integration.gateway.process import Gateway
from tests.integration.gateway.test_ingest import read, sale

pytestmark = pytest.mark.integration
LINES = {"content-type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def till(gateway: Gateway) -> Iterator[httpx2.Client]:
    with gateway.machine("ingest") as client:
        yield client


def lines_of(answer: httpx2.Response) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in answer.text.splitlines()]


def test_binary_mode_request_is_the_event_on_its_topic(gateway: Gateway, till: httpx2.Client) -> None:
    one = sale()
    attributes = {name: one[name] for name in ("id", "source", "type")} | {"subject": "Kasse 7 / früh"}
    message = to_binary_event(CloudEvent({**attributes, "datacontenttype": "application/json"}, one["data"]))
    answer = till.post("/v1/events", content=message.body, headers=message.headers)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    (record,) = [
        found for found in wait_for(read(gateway, SALES)) if dict(found.headers)["ce_id"].decode() == one["id"]
    ]
    received = decode(SALES, record.partition, record.offset, record.key, record.value, record.headers, 0)
    assert received.envelope.subject == "Kasse 7 / früh"


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_single_event_that_is_refused_is_a_422_and_not_a_200(till: httpx2.Client, mode: str) -> None:
    one = sale(data={"quantity": "-1"})
    if mode == "structured":
        answer = till.post("/v1/events", json=one, headers={"content-type": "application/cloudevents+json"})
    else:
        headers = {f"ce-{name}": one[name] for name in ("id", "source", "type", "time", "specversion")}
        answer = till.post("/v1/events", json=one["data"], headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "event_rejected")
    assert answer.json()["errors"][0]["field"] == "data.quantity"


def test_lines_are_answered_by_index_and_durable(gateway: Gateway, till: httpx2.Client) -> None:
    events = [sale() for _ in range(1200)]
    body = [orjson.dumps(event) for event in events]
    body[3], body[700] = b'{"id": "broken"', orjson.dumps(sale(data={"sku": ""}))
    body[701] = body[1]
    told = lines_of(till.post("/v1/events", content=b"\n\n".join(body), headers=LINES))
    refused = {one["index"]: one for one in told if "index" in one}
    assert {index: one["result"] for index, one in refused.items()} == {
        3: "rejected",
        700: "rejected",
        701: "duplicate",
    }
    assert "not JSON" in refused[3]["reason"]
    assert refused[700]["field"] == "data.sku"
    assert [one["through"] for one in told if "through" in one] == [499, 999, 1199]
    assert told[-1] == {"done": True, "events": 1200, "accepted": 1197, "duplicates": 1, "rejected": 2}
    ids = {dict(record.headers)["ce_id"].decode() for record in wait_for(read(gateway, SALES))}
    assert {event["id"] for place, event in enumerate(events) if place not in (3, 700, 701)} <= ids


def test_lines_are_answered_while_the_request_still_goes_on(gateway: Gateway, till: httpx2.Client) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as wire:
        head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: {till.headers['authorization']}\r\n"
        wire.sendall(f"{head}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        heard = b""
        for number in range(3):  # each answer is awaited before the next event is sent
            line = orjson.dumps(sale()) + b"\n"
            wire.sendall(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            while b'{"through":%d,' % number not in heard:
                heard += wire.recv(65536)
        wire.sendall(b"0\r\n\r\n")
        while b'"done":true' not in heard:
            heard += wire.recv(65536)


def test_memory_does_not_grow_with_the_length_of_the_stream(gateway: Gateway, till: httpx2.Client) -> None:
    def body(count: int) -> Iterator[bytes]:
        for _ in range(count // 100):
            yield b"".join(orjson.dumps(sale()) + b"\n" for _ in range(100))

    assert gateway.process is not None
    till.post("/v1/events", content=body(5_000), headers=LINES)
    before = psutil.Process(gateway.process.pid).memory_info().rss
    told = lines_of(till.post("/v1/events", content=body(40_000), headers=LINES))
    grown = psutil.Process(gateway.process.pid).memory_info().rss - before
    assert told[-1]["accepted"] == 40_000
    # The events are 14 MB; what may grow is the bounded memory of ids acknowledged lately.
    assert grown < 16 * 1024 * 1024, f"{grown / 1024 / 1024:.0f} MB"


def test_line_without_end_is_refused_and_the_next_is_taken(till: httpx2.Client) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536
        yield b"\n" + orjson.dumps(sale())

    told = lines_of(till.post("/v1/events", content=body(), headers=LINES))
    assert "longer than" in told[0]["reason"]
    assert told[-1] == {"done": True, "events": 2, "accepted": 1, "duplicates": 0, "rejected": 1}


def test_the_client_streams_a_backlog_and_names_what_was_wrong(gateway: Gateway, till: httpx2.Client) -> None:
    events = [sale(data={"quantity": "0"} if number == 700 else {}) for number in range(1500)]
    key = till.headers["authorization"].split()[1]
    with Client(gateway.url, api_key=key) as client:
        report = client.stream(Event(one["id"], one["source"], one["type"], one["time"], one["data"]) for one in events)
        again = client.stream(
            [Event(one["id"], one["source"], one["type"], one["time"], one["data"]) for one in events[:9]]
        )
    assert (report.accepted, report.duplicate, again.duplicate) == (1499, 0, 9)
    assert [(one.index, one.id, one.field) for one in report.rejected] == [(700, events[700]["id"], "data.quantity")]
