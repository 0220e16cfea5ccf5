"""Events over HTTP into Kafka: what one gateway process takes, beside a bare idempotent librdkafka producer.

Both write the same records, acks=all, to the same topic, in turns, so that a busy machine slows both alike. The producer
does nothing else: no HTTP, no check of a contract, no answer per event. It is the limit, not a rival.
"""

import asyncio
import http.client
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer

from kit import kafka
from kit.settings import ServiceSettings
from lab.bench.machine import processor_seconds
from schemas.topics import SALES
from services.gateway.ingest.check import Record, check

BATCH_EVENTS = 500
# Enough that the gateway always has the next batch at hand while one waits for Kafka; more only makes a queue.
CONNECTIONS = 4
ROUNDS = 5
SKUS, STORES = 3_000, 10
TIMEOUT_SECONDS = 60.0
# How many records the producer may hold before it is served: librdkafka's own default.
QUEUE_RECORDS = 100_000
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Seat:
    """Where the gateway answers, a key that may write, and whose processor time to tell (name -> process id)."""

    settings: ServiceSettings
    url: str
    api_key: str
    tenant: str
    pids: dict[str, int]


def measure(seat: Seat, count: int, say: Say, *, rounds: int = ROUNDS) -> dict[str, Any]:
    """`count` sales each way, in `rounds` turns. Raises AssertionError when a record is missing or too many."""
    run = f"{time.time_ns():x}"
    per_round = max(BATCH_EVENTS, count // rounds // BATCH_EVENTS * BATCH_EVENTS)
    began = asyncio.run(written(seat.settings))
    ours, theirs, spent = [], [], dict.fromkeys(seat.pids, 0.0)
    for number in range(rounds):
        events = [sale(run, number * per_round + place) for place in range(per_round)]
        bodies = [orjson.dumps(events[start : start + BATCH_EVENTS]) for start in range(0, per_round, BATCH_EVENTS)]
        before = processor_seconds(seat.pids)
        ours.append(per_round / post(seat, bodies))
        after = processor_seconds(seat.pids)
        spent = {name: spent[name] + after[name] - before[name] for name in spent}
        records = [record for event in events for record in check(event | {"source": "pos/bare"}, seat.tenant).records]
        theirs.append(per_round / produce(seat.settings, records))
        say(f"round {number + 1}: over HTTP {ours[-1]:,.0f} events/s, bare producer {theirs[-1]:,.0f} records/s")
    gained = asyncio.run(written(seat.settings)) - began
    assert gained == 2 * per_round * rounds, f"{gained:,} records were written, {2 * per_round * rounds:,} expected"
    rate, limit = statistics.median(ours), statistics.median(theirs)
    return {
        "events": per_round * rounds,
        "batch_events": BATCH_EVENTS,
        "connections": CONNECTIONS,
        "events_per_second": round(rate),
        "events_per_second_by_round": [round(one) for one in ours],
        "events_per_gateway_processor_second": round(per_round * rounds / spent["gateway"]),
        "processor_microseconds_per_event": {
            name: round(used / (per_round * rounds) * 1e6, 1) for name, used in spent.items()
        },
        "bare_producer_records_per_second": round(limit),
        "bare_producer_by_round": [round(one) for one in theirs],
        "ratio_to_bare_producer": round(rate / limit, 2),
        "records_checked": True,
    }


def sale(run: str, number: int) -> dict[str, Any]:
    """One line of a receipt as a till sends it; `run` and `number` make its id."""
    minute, second = divmod(number // 7 % 3600, 60)
    at = f"2017-11-05T18:{minute:02d}:{second:02d}Z"
    return {
        "specversion": "1.0",
        "id": f"{run}-{number:012x}",
        "source": "pos/bench",
        "type": "sale.recorded.v1",
        "time": at,
        "data": {
            "sku": str(1_000_000 + number * 7919 % SKUS),
            "location": str(300 + number % STORES),
            "quantity": str(1 + number % 3),
            "business_date": "2017-11-05",
            "sold_at": at,
            "channel": "store",
            "unit_price": f"{1 + number % 50}.99",
            "currency": "USD",
        },
    }


def post(seat: Seat, bodies: Sequence[bytes]) -> float:
    """Seconds until every batch was answered with all of its events accepted; a 429 is waited out and counts as time."""
    queue = iter(bodies)
    started = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for ended in [pool.submit(_till, seat, queue) for _ in range(CONNECTIONS)]:
            ended.result()
    return time.perf_counter() - started


def _till(seat: Seat, queue: Any) -> None:
    """One connection that sends the next batch as soon as the last is answered."""
    address = urlsplit(seat.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_SECONDS)
    headers = {"authorization": f"Bearer {seat.api_key}", "content-type": "application/cloudevents-batch+json"}
    for body in queue:
        while True:
            connection.request("POST", "/v1/events", body, headers)
            answer = connection.getresponse()
            told = answer.read()
            if answer.status != http.HTTPStatus.TOO_MANY_REQUESTS:
                break
            time.sleep(float(answer.headers["retry-after"]))
        assert answer.status == http.HTTPStatus.OK, told[:300]
        assert orjson.loads(told)["accepted"] == BATCH_EVENTS, told[:300]
    connection.close()


def produce(settings: ServiceSettings, records: Sequence[Record]) -> float:
    """Seconds until librdkafka has every record acknowledged by all replicas, counted from the second one."""
    failures: list[str] = []

    def told(error: Any, _record: Any) -> None:
        if error is not None:
            failures.append(str(error))

    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": QUEUE_RECORDS,
        }
    )
    topic = SALES.on(settings.namespace)
    # The first record brings connection and producer id, which took half a second; the clock starts behind it.
    producer.produce(topic, records[0].value, records[0].key, headers=list(records[0].headers), on_delivery=told)
    producer.flush(TIMEOUT_SECONDS)
    started = time.perf_counter()
    for number, record in enumerate(records[1:]):
        while True:
            try:
                producer.produce(topic, record.value, record.key, headers=list(record.headers), on_delivery=told)
                break
            except BufferError:
                producer.poll(0.05)
        if number % 1000 == 0:
            producer.poll(0)
    left = producer.flush(TIMEOUT_SECONDS)
    assert not left and not failures, f"{left} records left, {failures[:3]}"
    return time.perf_counter() - started


async def written(settings: ServiceSettings) -> int:
    """Records on the sales topic."""
    consumer = AIOKafkaConsumer(**kafka.connection(settings))
    await consumer.start()
    try:
        places = [TopicPartition(SALES.on(settings.namespace), number) for number in range(SALES.partitions)]
        ends, begins = await consumer.end_offsets(places), await consumer.beginning_offsets(places)
        return sum(itertools.chain(ends.values(), (-begin for begin in begins.values())))
    finally:
        await consumer.stop()
