"""A forecaster as a process of its own on a real broker and database, and the hands to feed and read it."""

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from cli.platform.ports import any_free
from kernel.ids import derived_id
from kit.events import Envelope, Outgoing, headers_of
from kit.identity import ensure_keys
from schemas.base import Message
from schemas.catalogue import ItemDefined, LocationDefined
from schemas.demand import BusinessDayClosed, SaleRecorded, StockCounted
from schemas.topics import CATALOGUE, SALES, TOPIC_OF
from tests.ground import FreshDatabase, Ground

TENANT = "acme"
PATIENCE_SECONDS = 150.0  # a condition that holds is seen at once; a loaded machine takes its time


@dataclass(slots=True)
class Stage:
    """Where a test plays."""

    ground: Ground
    namespace: str
    database: FreshDatabase
    home: Path
    producer: AIOKafkaProducer
    sensing: bool = False
    process: asyncio.subprocess.Process | None = None
    port: int = 0
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ensure_keys(self.home)

    async def start(self) -> None:
        """Run the service; what a test waits for shows that it is ready."""
        self.port = any_free()
        settings = {
            "COUNTERSIGN_NAMESPACE": self.namespace,
            "COUNTERSIGN_KAFKA_BOOTSTRAP": self.ground.kafka_bootstrap,
            "COUNTERSIGN_DATABASE_URL": self.database.url("forecaster"),
            "COUNTERSIGN_DATA_DIR": str(self.home),
            "COUNTERSIGN_HTTP_PORT": str(self.port),
            "COUNTERSIGN_SENSING_ENABLED": str(self.sensing).lower(),
            "COUNTERSIGN_CONSUMER_SESSION_MILLISECONDS": "6000",
            "OMP_NUM_THREADS": "1",
            **self.extra,
        }
        with (self.home / "forecaster.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.forecaster.main", env=os.environ | settings, stdout=log, stderr=log
            )

    async def ready(self) -> Any:
        """What the service says of itself."""
        return (await asyncio.to_thread(httpx2.get, f"http://127.0.0.1:{self.port}/readyz")).json()

    async def kill(self) -> None:
        """As the machine would: at once, without a word."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    async def send(self, messages: Iterable[tuple[Message, str] | Message], *, partition: int | None = None) -> None:
        """Publish messages (with an event id of one's own where a pair is given) and wait for the broker."""
        for one in messages:
            body, event_id = one if isinstance(one, tuple) else (one, str(uuid.uuid4()))
            envelope = Envelope(
                event_id, "pos/1", body.TYPE, datetime(2024, 1, 1, tzinfo=UTC), TENANT, body.record_key()
            )
            topic = TOPIC_OF[body.TYPE]
            sent = Outgoing(topic.name, envelope, body.model_dump_json(exclude_none=True).encode())
            await self.producer.send(
                topic.on(self.namespace),
                sent.value,
                key=envelope.key.encode(),
                headers=headers_of(sent),
                partition=partition,
            )
        await self.producer.flush()

    async def define(
        self, skus: Iterable[str], locations: Iterable[str], prices: Mapping[str, Decimal] | None = None, **where: str
    ) -> None:
        at = datetime(2023, 1, 1, tzinfo=UTC)
        items: list[Message] = [
            ItemDefined(tenant=TENANT, sku=sku, name=sku, category="food", price=(prices or {}).get(sku), defined_at=at)
            for sku in skus
        ]
        await self.send(items)
        places = [LocationDefined(tenant=TENANT, location=one, name=one, defined_at=at, **where) for one in locations]
        await self.send(places)

    async def close_day(self, location: str, day: date) -> None:
        """The close, once in every partition, as the gateway fans it out."""
        for partition in range(SALES.partitions):
            body = BusinessDayClosed(
                tenant=TENANT, location=location, business_date=day, closed_at=evening(day), partition=partition
            )
            event_id = derived_id("test", "close", location, day.isoformat(), str(partition))
            await self.send([(body, event_id)], partition=partition)

    async def query(self, sql: str, *arguments: Any) -> list[Any]:
        connection = await asyncpg.connect(self.database.admin_url)
        try:
            await connection.execute("set search_path to forecaster")
            return list(await connection.fetch(sql, *arguments))
        finally:
            await connection.close()

    async def until(self, sql: str, satisfied: Callable[[Any], bool], *arguments: Any) -> Any:
        """Wait until the first value of a query satisfies; fail with the last value seen."""
        value: Any = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    rows = await self.query(sql, *arguments)
                    value = rows[0][0] if rows else None
                    if satisfied(value):
                        return value
                    if self.process is not None and self.process.returncode not in (None, -signal.SIGKILL):
                        break
                    await asyncio.sleep(0.1)
        log = (self.home / "forecaster.log").read_text()[-3000:]
        raise AssertionError(f"{sql} gave {value!r}; the service said:\n{log}")

    async def nagging(self, messages: list[Message], topic: str, count: int, *, after: date | None = None) -> list[Any]:
        """Send messages again and again (new events each time) until their answer is on a topic."""
        reading = asyncio.create_task(self.read(topic, count, lambda record: started_after(record, after)))
        while not reading.done():
            await self.send(messages)
            await asyncio.wait([reading], timeout=1.0)
        return reading.result()

    async def read(self, topic: str, count: int, wanted: Callable[[Any], bool] = lambda record: True) -> list[Any]:
        """The first `count` records of a topic that are wanted, from its beginning."""
        consumer = AIOKafkaConsumer(
            f"{self.namespace}.{topic}",
            bootstrap_servers=self.ground.kafka_bootstrap,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        await consumer.start()
        found: list[Any] = []
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(found) < count:
                    batch = await consumer.getmany(timeout_ms=500)
                    found += [record for records in batch.values() for record in records if wanted(record)]
        finally:
            await consumer.stop()
        return found


def started_after(record: Any, after: date | None) -> bool:
    """Whether a signal begins after a day."""
    return after is None or orjson.loads(record.value)["starts_at"][:10] > after.isoformat()


def evening(day: date) -> datetime:
    return datetime.combine(day, time(22), tzinfo=UTC)


def sale(sku: str, location: str, day: date, quantity: int | str = 1) -> SaleRecorded:
    return SaleRecorded(
        tenant=TENANT, sku=sku, location=location, quantity=Decimal(quantity), business_date=day,
        sold_at=datetime.combine(day, time(12), tzinfo=UTC),
    )  # fmt: skip


def count(sku: str, location: str, day: date, quantity: int) -> StockCounted:
    at = datetime.combine(day, time(6), tzinfo=UTC)
    return StockCounted(
        tenant=TENANT, sku=sku, location=location, quantity=Decimal(quantity), business_date=day, counted_at=at
    )


def days(first: date, number: int) -> list[date]:
    return [first + timedelta(days=offset) for offset in range(number)]


@contextlib.asynccontextmanager
async def staged(
    ground: Ground, namespace: str, database: FreshDatabase, home: Path, *, sensing: bool = False
) -> AsyncIterator[Stage]:
    """A stage with the service not started yet; everything ends with the test."""
    producer = AIOKafkaProducer(bootstrap_servers=ground.kafka_bootstrap, acks="all", linger_ms=2)
    await producer.start()
    stage = Stage(ground, namespace, database, home, producer, sensing)
    try:
        yield stage
    finally:
        await producer.stop()
        await stage.stop()


__all__ = ["CATALOGUE", "PATIENCE_SECONDS", "TENANT", "Stage", "count", "days", "evening", "sale", "staged"]
