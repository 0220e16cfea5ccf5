"""Durable before acknowledged: records go to Kafka with acks=all, and every acknowledgement is read back.

Bounded in both directions: only so many events may wait for Kafka (then callers are told to slow down), and only for so
long (then they are told to try again; ids make that safe).
"""

import asyncio
import contextlib
import math
import time
from collections import defaultdict
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from kit import kafka, telemetry
from kit.http import Problem
from services.gateway.ingest.check import OPEN_TOPICS, Record
from services.gateway.settings import GatewaySettings

log = telemetry.get_logger()
IN_FLIGHT = telemetry.gauge("ingest_in_flight_events", "Events handed to Kafka and not acknowledged yet")
ASK_EVERY_SECONDS = 4.0
# Three questions without an answer: a broker that is only busy, or loses one of its nodes, is not gone.
SILENCE_SECONDS_MAX = 15.0
RETRY_SECONDS = 1.0


class Publisher:
    """The gateway's producer. `run` keeps it started; `publish` returns once everything is durable."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._broken = asyncio.Event()
        self._freed = asyncio.Event()
        self._heard_at = 0.0
        # A topic's name is made for every record otherwise.
        self._names = {topic.name: topic.on(settings.namespace) for topic in OPEN_TOPICS}
        self.in_flight = 0
        for topic in OPEN_TOPICS:
            kafka.check_produces("gateway", topic)

    async def run(self) -> None:
        """Start the producer, and start a new one whenever it breaks; ends when cancelled."""
        try:
            while True:
                producer = kafka.idempotent_producer(
                    self._settings,
                    "gateway-ingest",
                    request_timeout_ms=int(self._settings.ingest_deadline_seconds * 1000),
                )
                try:
                    await producer.start()
                except (KafkaError, OSError) as error:
                    log.warning("kafka_unreachable", error=f"{type(error).__name__}: {error}")
                    await producer.stop()
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                self._broken.clear()
                self._producer = producer
                await self._listen(producer)
                self._producer = None
                await producer.stop()
        finally:
            if self._producer is not None:
                await self._producer.stop()

    async def _listen(self, producer: AIOKafkaProducer) -> None:
        """Ask Kafka now and then whether it is there, until the producer is broken."""
        self._heard_at = time.monotonic()
        while not self._broken.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASK_EVERY_SECONDS):
                    await self._broken.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASK_EVERY_SECONDS):
                    if await producer.client.force_metadata_update():
                        self._heard_at = time.monotonic()

    @property
    def is_heard(self) -> bool:
        """Whether Kafka answered lately. While it does not nothing new arrives, and what is shown is as of then; readiness
        says less, because pages and lists stay readable."""
        return self._producer is not None and time.monotonic() - self._heard_at < SILENCE_SECONDS_MAX

    async def ready(self) -> tuple[bool, str]:
        """For readiness: whether events can be taken."""
        return self._producer is not None, "started" if self._producer is not None else "Kafka does not answer"

    async def publish(self, records: Sequence[Record], *, patient: bool = False) -> None:
        """Write all records. Raises Problem 429 when Kafka is behind, 503 when it does not acknowledge in time.

        `patient`: wait for room as long as Kafka may take for a batch, as a stream does, before it is told 429.
        """
        if not self._has_room(len(records)):
            if patient:
                await self._wait_for_room(len(records))
            if not self._has_room(len(records)):
                raise Problem(
                    429,
                    "kafka_slow",
                    "Events come faster than Kafka takes them",
                    f"{self.in_flight} events wait for Kafka. Nothing of this batch was taken; send it again after the time in Retry-After.",
                    headers={"Retry-After": str(math.ceil(RETRY_SECONDS))},
                )
        producer = self._producer
        if producer is None:
            raise self._unavailable("no connection to Kafka")
        self.in_flight += len(records)
        IN_FLIGHT.set(self.in_flight)
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.ingest_deadline_seconds):
                await self._send(producer, records)
        except (TimeoutError, KafkaError) as error:
            if isinstance(error, KafkaError) and not getattr(error, "retriable", False):
                self._broken.set()  # an idempotent producer that has failed for good refuses everything from then on
            log.warning(
                "ingest_failed",
                error=f"{type(error).__name__}: {error}",
                records=len(records),
                seconds=round(time.monotonic() - started, 3),
            )
            raise self._unavailable(type(error).__name__) from error
        finally:
            self.in_flight -= len(records)
            IN_FLIGHT.set(self.in_flight)
            self._freed.set()

    def _has_room(self, count: int) -> bool:
        """Whether so many records may join those that wait; alone, a batch of any size may."""
        return not self.in_flight or self.in_flight + count <= self._settings.ingest_in_flight_max

    async def _wait_for_room(self, count: int) -> None:
        """Return when there is room, or when Kafka has had its time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.ingest_deadline_seconds):
                while not self._has_room(count):
                    self._freed.clear()
                    await self._freed.wait()

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[Record]) -> None:
        """Hand each partition its records as whole batches (many times cheaper than one by one) and read every answer."""
        by_place: dict[tuple[str, int], list[Record]] = defaultdict(list)
        for record in records:
            topic, _key, _value, _headers, partition = record  # read by place: twice as fast as by name
            by_place[self._names[topic.name], partition].append(record)
        await asyncio.gather(
            *(_send_in_order(producer, topic, place, mine) for (topic, place), mine in by_place.items())
        )

    def _unavailable(self, why: str) -> Problem:
        return Problem(
            503,
            "kafka_unavailable",
            "Kafka does not take events at the moment",
            "Some events of this batch may have been written. Send the same batch again: events with the same source and id count once.",
            headers={"Retry-After": str(math.ceil(RETRY_SECONDS))},
            cause=why,
        )


async def _send_in_order(producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Record]) -> None:
    """One partition's records, in order, acknowledged when this returns. A record that fills a batch starts the next."""
    acknowledged = []
    batch = producer.create_batch()
    for _topic, key, value, headers, _partition in records:
        if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
            acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            # The first record of a batch is always taken, whatever its size.
            batch.append(timestamp=None, key=key, value=value, headers=headers)
    batch.close()
    acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*acknowledged)
