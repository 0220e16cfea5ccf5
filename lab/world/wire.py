"""The story onto the wire: straight to Kafka with CloudEvents binary headers, exactly as the contract has it.

Why not through the HTTP API: a year of history is some 170,000 records, and an idempotent producer that waits for all
replicas carries them several times faster than JSON over HTTP, with the same guarantee. A POS system may do the same.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from aiokafka import AIOKafkaProducer

from kernel.ids import derived_id
from kit import kafka
from kit.events import Envelope, Outgoing, headers_of
from kit.settings import ServiceSettings
from lab.world.story import Event
from schemas.registry import MESSAGES
from schemas.topics import TOPIC_OF, Topic

CLOSE = "business-day.closed.v1"
# Records handed to the producer and not yet acknowledged; more only costs memory.
IN_FLIGHT_MAX = 20_000
PROGRESS_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record; `partition` only where the contract names it (a close goes to every partition)."""

    topic: Topic
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    partition: int | None = None


def records(event: Event) -> Iterator[Record]:
    """The records of an event: one, or one per partition when it closes a business day."""
    topic = TOPIC_OF[event.type]
    if event.type != CLOSE or "partition" in event.data:
        yield _record(topic, event, event.data.get("partition"))
        return
    for partition in range(topic.partitions):
        # The id is the one the gateway would derive, so the same close sent both ways is one close.
        part_id = derived_id("close", event.source, event.id, str(partition))
        part = replace(event, id=part_id, data={**event.data, "partition": partition})
        yield _record(topic, part, partition)


def _record(topic: Topic, event: Event, partition: int | None) -> Record:
    # Through the contract, so that the bytes are those the gateway would write: one event has one content.
    body = MESSAGES[event.type].model_validate(event.data)
    key, value = body.record_key(), body.model_dump_json(exclude_none=True).encode()
    envelope = Envelope(event.id, event.source, event.type, _moment(event.time), event.data["tenant"], key)
    return Record(topic, key.encode(), value, headers_of(Outgoing(topic.name, envelope, value)), partition)


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def feed(
    settings: ServiceSettings, events: Iterable[Event], told: Callable[[int], None] = lambda _: None
) -> dict[str, int]:
    """Publish events in order; returns records by topic once all replicas have acknowledged every one of them.

    `told` hears now and then how many records have been handed over. Raises aiokafka's KafkaError when one is refused.
    """
    counts: dict[str, int] = {}
    producer = kafka.idempotent_producer(settings, "world-feed")
    await producer.start()
    try:
        waiting: list[asyncio.Future[object]] = []
        told_at, total = time.monotonic(), 0
        for event in events:
            for record in records(event):
                waiting.append(await _hand_over(producer, settings.namespace, record))
                counts[record.topic.name] = counts.get(record.topic.name, 0) + 1
                total += 1
            if len(waiting) >= IN_FLIGHT_MAX:
                await asyncio.gather(*waiting)
                waiting.clear()
            if time.monotonic() - told_at > PROGRESS_SECONDS:
                told_at = time.monotonic()
                told(total)
        await asyncio.gather(*waiting)
        told(total)
    finally:
        await producer.stop()
    return counts


async def _hand_over(producer: AIOKafkaProducer, namespace: str, record: Record) -> "asyncio.Future[object]":
    future: asyncio.Future[object] = await producer.send(
        record.topic.on(namespace), record.value, key=record.key, partition=record.partition, headers=record.headers
    )
    return future
