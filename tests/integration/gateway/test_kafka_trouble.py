"""Kafka that is slow or gone: callers are told to wait or to try again, and nothing that was taken is lost."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from cli.platform import topics
from cli.platform.kafka import Kafka
from cli.platform.ownership import Ledger
from cli.platform.ports import any_free
from schemas.topics import SALES
from tests.ground import FreshDatabase, Ground, wait_for
from tests.integration.gateway.process import Gateway, eventually, make_gateway
from tests.integration.gateway.test_ingest import read, sale

pytestmark = pytest.mark.integration


def test_kafka_that_is_not_there_is_503_and_reading_goes_on(
    platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path
) -> None:
    gateway = make_gateway(platform, namespace, database, tmp_path)
    gateway.more_env["COUNTERSIGN_KAFKA_BOOTSTRAP"] = f"127.0.0.1:{any_free()}"
    gateway.launch()
    try:
        eventually(lambda: answers(gateway), 40, lambda: gateway.log.read_text()[-3000:])
        with gateway.client("planner") as planner, gateway.machine("ingest") as till:
            assert planner.get("/v1/recommendations").status_code == 200
            assert planner.get("/v1/status").json()["kafka_ready"] is False
            answer = till.post("/v1/events", json=[sale()])
        assert (answer.status_code, answer.json()["code"]) == (503, "kafka_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        ready = httpx2.get(f"{gateway.url}/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["ingest"]["ready"] is False
    finally:
        gateway.stop()


def answers(gateway: Gateway) -> bool:
    try:
        return httpx2.get(f"{gateway.url}/livez").status_code == 200
    except httpx2.HTTPError:
        return False


def test_more_than_kafka_takes_is_429_and_all_that_was_taken_is_there_once(
    platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path
) -> None:
    gateway = make_gateway(platform, namespace, database, tmp_path)
    gateway.more_env["COUNTERSIGN_INGEST_IN_FLIGHT_MAX"] = "400"
    gateway.start()
    batches = [[sale(source=f"pos/{number}") for _ in range(300)] for number in range(12)]
    try:
        with gateway.machine("ingest") as till:
            headers = dict(till.headers)
        answers_of = wait_for(post_all(gateway, headers, batches))
        refused = [answer for answer in answers_of if answer.status_code == 429]
        assert refused, "the limit was never reached"
        assert all(answer.headers["retry-after"] == "1" for answer in refused)
        # The refused batches are sent again, as they were told to.
        with httpx2.Client(base_url=gateway.url, headers=headers, timeout=30) as again:
            for batch, answer in zip(batches, answers_of, strict=True):
                if answer.status_code == 429:
                    assert again.post("/v1/events", json=batch).json()["accepted"] == 300
        ids = [dict(record.headers)["ce_id"].decode() for record in wait_for(read(gateway, SALES))]
        assert sorted(ids) == sorted(event["id"] for batch in batches for event in batch)
    finally:
        gateway.stop()


async def post_all(
    gateway: Gateway, headers: dict[str, str], batches: list[list[dict[str, Any]]]
) -> list[httpx2.Response]:
    async with httpx2.AsyncClient(base_url=gateway.url, headers=headers, timeout=30) as client:
        return list(await asyncio.gather(*(client.post("/v1/events", json=batch) for batch in batches)))


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Kafka]:
    """A broker of this test's own, to be hurt."""
    broker = Kafka(tmp_path / "kafka", any_free(), any_free(), Ledger(tmp_path / "run"), tmp_path / "kafka.log")
    broker.start(lambda _: None)
    yield broker
    broker.stop(grace_seconds=5)


def test_broker_that_stands_still_is_429_then_503_and_nothing_taken_is_lost(
    own_broker: Kafka, database: FreshDatabase, platform: Ground, tmp_path: Path
) -> None:
    namespace = f"t-{os.getpid()}"
    wait_for(topics.ensure(own_broker.bootstrap, namespace))
    ground = Ground(own_broker.bootstrap, platform.database_admin_url)
    gateway = make_gateway(ground, namespace, database, tmp_path)
    gateway.more_env |= {"COUNTERSIGN_INGEST_IN_FLIGHT_MAX": "500", "COUNTERSIGN_INGEST_DEADLINE_SECONDS": "4"}
    gateway.start()
    running = own_broker.running()
    assert running is not None
    calm, first, more = ([sale() for _ in range(count)] for count in (50, 400, 400))
    try:
        with gateway.machine("ingest") as till, gateway.client("planner") as planner:
            assert till.post("/v1/events", json=calm).json()["accepted"] == 50
            assert planner.get("/v1/status").json()["kafka_ready"] is True
            os.kill(running.pid, signal.SIGSTOP)
            try:
                held: list[httpx2.Response] = []
                holding = threading.Thread(target=lambda: held.append(post(gateway, till, first)))
                holding.start()
                eventually(lambda: in_flight(gateway) == 400)
                told = till.post("/v1/events", json=more)
                assert (told.status_code, told.json()["code"]) == (429, "kafka_slow")
                assert int(told.headers["retry-after"]) >= 1
                # Lines wait for room instead, and are refused whole when there is none in time.
                body = b"\n".join(orjson.dumps(event) for event in more)
                lines = till.post("/v1/events", content=body, headers={"content-type": "application/x-ndjson"})
                assert lines.status_code in (429, 503)
                assert "retry-after" in lines.headers
                holding.join(30)
                assert (held[0].status_code, held[0].json()["code"]) == (503, "kafka_unavailable")
                assert httpx2.get(f"{gateway.url}/livez").status_code == 200
                eventually(lambda: planner.get("/v1/status").json()["kafka_ready"] is False, 60)
            finally:
                os.kill(running.pid, signal.SIGCONT)
            # Told to send again, they do; the broker has woken up.
            for batch in (first, more):
                eventually(lambda batch=batch: post(gateway, till, batch).status_code == 200, 60)
            eventually(lambda: planner.get("/v1/status").json()["kafka_ready"] is True, 60)
        ids = [dict(record.headers)["ce_id"].decode() for record in wait_for(read(gateway, SALES))]
        assert set(ids) == {event["id"] for event in (*calm, *first, *more)}
        assert {ids.count(event["id"]) for event in calm} == {1}
    finally:
        gateway.stop()


def post(gateway: Gateway, till: httpx2.Client, batch: list[dict[str, Any]]) -> httpx2.Response:
    return httpx2.post(f"{gateway.url}/v1/events", json=batch, headers=dict(till.headers), timeout=30)


def in_flight(gateway: Gateway) -> int:
    """Events the gateway says wait for Kafka."""
    exposed = httpx2.get(f"{gateway.url}/metrics").text
    (line,) = [line for line in exposed.splitlines() if line.startswith("countersign_ingest_in_flight_events")]
    return int(float(line.split()[-1]))
