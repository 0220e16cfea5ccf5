"""A stage for whole stories: the five services as real processes on a real Kafka and PostgreSQL, and a tiny world to play.

`Stage` is told in planner's words: sell, look at the position, look at the history, kill a service, wait until all is still.
"""

import asyncio
import os
import signal
import time
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from cli import demo_access
from cli.demo_access import Access
from cli.demo_history import behind
from cli.demo_progress import wait_until
from cli.local import PORT_FIELDS, LocalSettings
from cli.platform import databases, topics
from cli.platform.databases import SERVICES
from cli.platform.local import LocalPlatform
from cli.platform.ports import any_free
from countersign_client import Event
from kernel.ids import derived_id
from kit.settings import ServiceSettings
from lab.world.build import World, world
from lab.world.shape import TINY
from lab.world.story import Event as Told
from lab.world.wire import Record, feed, records
from schemas.topics import Topic
from tests.ground import Ground, wait_for

T = TypeVar("T")
TENANT = TINY.tenant
# Everything on two cores that other tests may share: generous, because only a fault uses it up.
STILL_SECONDS_MAX = 120.0
STILL_LOOKS = 3
# What stories need small: no training in the middle, orders out at once.
ENVIRONMENT = {
    "COUNTERSIGN_TRAIN_WHEN_READY": "false",
    "COUNTERSIGN_SENSING_ENABLED": "false",
    "COUNTERSIGN_UNDO_WINDOW_SECONDS": "0.5",
    "COUNTERSIGN_GROUP_WAIT_SECONDS_MAX": "0.5",
    "COUNTERSIGN_CONSUMER_SESSION_MILLISECONDS": "6000",
}


class Stage:
    """Five services, a tiny world, and the eyes to look at what became of it."""

    def __init__(self, local: LocalPlatform, access: Access, tiny: World) -> None:
        self.local = local
        self.access = access
        self.world = tiny
        self.client = access.machine(local.gateway_url)
        self.planner = access.person(local.gateway_url, "planner")
        self.settings = ServiceSettings(namespace=local.namespace, kafka_bootstrap=local.kafka_bootstrap)

    # What happens

    def tell(self, events: Iterable[Told]) -> dict[str, int]:
        """Straight to Kafka, as a POS system would; returns records by topic."""
        return asyncio.run(feed(self.settings, events))

    def send(self, *events: Told) -> Any:
        """Through the HTTP API."""
        return self.client.send(Event(one.id, one.source, one.type, one.time, one.data) for one in events)

    def produce(self, record: Record) -> None:
        """One record as it is, right or wrong. Raises what Kafka says when it refuses it."""
        asyncio.run(self._produce(record))

    async def _produce(self, record: Record) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.local.kafka_bootstrap, enable_idempotence=True, max_request_size=8_000_000
        )
        await producer.start()
        try:
            topic = record.topic.on(self.local.namespace)
            await producer.send_and_wait(
                topic, record.value, key=record.key, headers=record.headers, partition=record.partition
            )
        finally:
            await producer.stop()

    def kill(self, service: str) -> None:
        """kill -9, its children too: nothing is flushed, nothing is said."""
        owned = self.local.service(service).running()
        assert owned is not None, f"{service} does not run"
        process = owned.process()
        assert process is not None
        for child in process.children(recursive=True):
            child.kill()
        os.kill(owned.pid, signal.SIGKILL)
        wait_until(lambda: not owned.is_alive, seconds=10, every=0.02)

    def restart(self, service: str) -> None:
        """Start it again and wait until it is ready."""
        self.local.service(service).start()
        self.local.service(service).await_ready(seconds=STILL_SECONDS_MAX)

    # What can be seen

    def settle(self) -> None:
        """Wait until no service has anything left to handle, forecast or publish."""
        still = 0

        def is_still() -> bool:
            nonlocal still
            waits = [behind(self.local, name) for name in SERVICES]
            calm = all(count == 0 for count in waits) and self.client.get("/v1/training")["state"]["due"] == 0
            still = still + 1 if calm else 0
            return still >= STILL_LOOKS

        assert wait_until(is_still, seconds=STILL_SECONDS_MAX, every=0.15), {
            name: behind(self.local, name) for name in SERVICES
        }

    def panel(self, sku: str, location: str) -> dict[str, Any]:
        """The item as a planner sees it."""
        return self.planner.get(f"/v1/items/{sku}/{location}")

    def on_hand(self, sku: str, location: str) -> Decimal:
        """Units on hand, as the policy service says."""
        return Decimal(self.panel(sku, location)["position"]["on_hand"])

    def sold_on(self, sku: str, location: str, day: str) -> Decimal:
        """Demand of one business day as the forecaster keeps it."""
        rows = self.query(
            "select quantity from forecaster.daily_demand where tenant = $1 and sku = $2 and location = $3"
            " and business_date = $4::text::date",
            TENANT, sku, location, day,
        )  # fmt: skip
        return Decimal(rows[0]["quantity"]) if rows else Decimal(0)

    def query(self, text: str, *values: Any) -> list[Any]:
        """A look behind every wall, as the database's administrator."""

        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self.local.database.url)
            try:
                return list(await connection.fetch(text, *values))
            finally:
                await connection.close()

        return asyncio.run(ask())

    def records_on(self, topic: Topic, *, dead: bool = False) -> list[Any]:
        """Every committed record of a topic (or of its dead letters), in order of partition and offset."""
        name = topic.dead_on(self.local.namespace) if dead else topic.on(self.local.namespace)
        return asyncio.run(_read_all(self.local.kafka_bootstrap, name))

    def dead_letters(self, topic: Topic, value: bytes) -> list[dict[str, str]]:
        """Headers of the dead letters that keep exactly these bytes."""
        found = [record for record in self.records_on(topic, dead=True) if record.value == value]
        return [{name: raw.decode() for name, raw in record.headers} for record in found]


async def _read_all(bootstrap: str, topic: str) -> list[Any]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        partitions = await _partitions(consumer, topic)
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Any] = []
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            polled = await consumer.getmany(timeout_ms=200)
            found += [record for batch in polled.values() for record in batch]
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    await consumer._client.force_metadata_update()  # a topic made a moment ago
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        await consumer._client.add_topic(topic)
        numbers = consumer.partitions_for_topic(topic)
    return [TopicPartition(topic, number) for number in sorted(numbers or ())]


def sale(stage: Stage, item: int, quantity: int, name: str, *, day: str | None = None, sku: str | None = None) -> Told:
    """A sale of an item of the tiny world, at noon of a business day (default: the first day after its today)."""
    business_date = day or stage.world.day(stage.world.shape.history_days).isoformat()
    when = f"{business_date}T17:00:00Z"
    body = {
        "tenant": TENANT,
        "sku": sku or stage.world.skus[item],
        "location": stage.world.places[item],
        "quantity": str(quantity),
        "business_date": business_date,
        "sold_at": when,
    }
    return Told(derived_id("scenario", name), "pos/scenario", "sale.recorded.v1", when, body)


def record_of(event: Told) -> Record:
    """The one record of an event."""
    (record,) = records(event)
    return record


def changed(record: Record, **changes: Any) -> Record:
    """The record with something about it changed."""
    return replace(record, **changes)


@contextmanager
def open_stage(ground: Ground, folder: Path) -> Iterator[Stage]:
    """Start everything under names and ports of its own; stop and remove it afterwards."""
    name = f"s{time.time_ns():x}"[-12:]
    ports = {field: any_free() for field in PORT_FIELDS}
    settings = LocalSettings(
        data_dir=folder / "data",
        namespace=f"s-{name}",
        kafka_bootstrap=ground.kafka_bootstrap,
        database_admin_url=ground.database_admin_url,
        database_name=f"s_{name}",
        **ports,  # type: ignore[arg-type]  # all of them are ports
    )
    before = {variable: os.environ.get(variable) for variable in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    local = LocalPlatform(settings, lambda _line: None)
    try:
        local.start()
        access = demo_access.ensure(local, TENANT)
        stage = Stage(local, access, world(TINY, folder / "world"))
        try:
            yield stage
        finally:
            stage.client.close()
            stage.planner.close()
    finally:
        for variable, value in before.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value
        local.stop_started(grace_seconds=5.0)
        clear(local)


def clear(local: LocalPlatform) -> None:
    """Topics and database of a stage, when they were on a server that others use too."""
    wait_for(topics.remove(local.kafka_bootstrap, local.namespace))
    wait_for(databases.remove(local.database))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from a synchronous story."""
    return asyncio.run(work)
