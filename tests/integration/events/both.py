"""Forecaster and policy side by side in this process, on a real broker and database: send events, see both states."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic import SecretStr

from kit import kafka, telemetry
from kit.consumer import BatchConsumer
from kit.database import Database
from kit.events import Envelope, Outgoing, headers_of
from kit.packing import unpack
from kit.settings import ServiceSettings
from schemas.base import Message
from schemas.catalogue import ItemDefined, LocationDefined
from schemas.decisions import OrderLine, OrderReleased
from schemas.demand import BusinessDayClosed, SaleRecorded, StockCounted, StockMoved
from schemas.topics import ALL, TOPIC_OF
from services.forecaster import stream as forecaster
from services.policy import stream as policy
from tests.ground import FreshDatabase, Ground

TENANT = "acme"
DAY = date(2024, 3, 5)
NOON = datetime(2024, 3, 5, 12, tzinfo=UTC)
SERVICES = ("forecaster", "policy")
PATIENCE_SECONDS = 60.0


class Both:
    """Two consumers on one namespace, for many tests: each has a tenant of its own.

    `send`, then `settled`, then look with `rows` and `said`.
    """

    def __init__(self, ground: Ground, namespace: str, database: FreshDatabase) -> None:
        self.tenant = TENANT
        self.namespace = namespace
        self.urls = {service: database.url(service) for service in SERVICES}
        self.settings = {
            service: ServiceSettings(
                namespace=namespace,
                kafka_bootstrap=ground.kafka_bootstrap,
                database_url=SecretStr(url),
                consumer_session_milliseconds=6000,
            )
            for service, url in self.urls.items()
        }
        self.databases: dict[str, Database] = {}
        self.intake = forecaster.Intake(lambda: None)
        self.handlers = policy.Stream()
        self._producer: AIOKafkaProducer | None = None
        self._reader: AIOKafkaConsumer | None = None
        self.consumers: dict[str, BatchConsumer] = {}
        self._running: dict[str, tuple[asyncio.Event, asyncio.Task[None]]] = {}

    async def open(self) -> None:
        """Connect."""
        telemetry.configure("test", level="WARNING", otlp_endpoint=None, namespace="test")
        for service, url in self.urls.items():
            self.databases[service] = await Database.open(url, service, pool_max=5)
        self._producer = kafka.idempotent_producer(self.settings["policy"], "test")
        await self._producer.start()

    async def close(self) -> None:
        """Stop what runs, disconnect."""
        for service in list(self._running):
            await self.halt(service)
        for client in (self._producer, self._reader):
            if client is not None:
                await client.stop()
        for database in self.databases.values():
            await database.close()

    async def begin(self) -> None:
        """A tenant of one's own, and both services running."""
        self.tenant = f"t{uuid.uuid4().hex[:8]}"
        self.start()

    def start(self, *services: str) -> None:
        """Let these services consume, unless they do; both when none is named."""
        for service in [one for one in services or SERVICES if one not in self._running]:
            stop = asyncio.Event()
            consumer = self.consumers[service] = BatchConsumer(self.settings[service], self.databases[service])
            if service == "forecaster":
                forecaster.attach(consumer, self.intake)
            else:
                policy.attach(consumer, self.handlers)
            self._running[service] = (stop, asyncio.create_task(consumer.run(stop)))

    async def halt(self, service: str) -> None:
        """Stop consuming, as a clean stop of the service would."""
        stop, task = self._running.pop(service)
        stop.set()
        await task

    async def send(self, *messages: Message, ids: Sequence[str] | None = None, at: datetime = NOON) -> None:
        """Put messages on their topics in order, each with a new id unless `ids` are given."""
        assert self._producer is not None
        for index, given in enumerate(messages):
            body = given.model_copy(update={"tenant": self.tenant})
            identity = ids[index] if ids else str(uuid.uuid4())
            envelope = Envelope(identity, "test/1", body.TYPE, at, body.tenant, body.record_key())
            out = Outgoing(TOPIC_OF[body.TYPE].name, envelope, body.model_dump_json(exclude_none=True).encode())
            await self.send_raw(out.topic, envelope.key.encode(), out.value, headers_of(out))

    async def define(self, *messages: Message) -> None:
        """As `send`, and wait until both know it: catalogue and sales have no order between them."""
        await self.send(*messages)
        await self.settled()

    async def send_raw(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Put one record on a topic as it is, and wait for the broker."""
        assert self._producer is not None
        await self._producer.send_and_wait(f"{self.namespace}.{topic}", value, key=key, headers=headers)

    async def settled(self) -> None:
        """Wait until every running service has handled all that was sent."""
        ends = await self._ends()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                behind = [
                    place
                    for service in self._running
                    for place, end in ends.items()
                    if self._reads(service, place) and await self._position(service, place) < end
                ]
                for _stop, task in self._running.values():
                    assert not task.done(), task.exception()
                if not behind:
                    return
                await asyncio.sleep(0.02)

    def _reads(self, service: str, place: TopicPartition) -> bool:
        return any(topic.on(self.namespace) == place.topic and service in topic.consumers for topic in ALL)

    async def _ends(self) -> dict[TopicPartition, int]:
        if self._reader is None:
            self._reader = AIOKafkaConsumer(bootstrap_servers=self.settings["policy"].kafka_bootstrap)
            await self._reader.start()
        places = [TopicPartition(one.on(self.namespace), n) for one in ALL for n in range(one.partitions)]
        return {place: end for place, end in (await self._reader.end_offsets(places)).items() if end}

    async def _position(self, service: str, place: TopicPartition) -> int:
        return int(
            await self.databases[service].pool.fetchval(
                "select coalesce(max(next_offset), 0) from consumed_positions where topic = $1 and partition = $2",
                place.topic,
                place.partition,
            )
        )

    async def rows(self, service: str, sql: str, *arguments: Any) -> list[Any]:
        """Ask a service's tables, behind the tenant wall."""
        async with self.databases[service].transaction(self.tenant) as tx:
            return list(await tx.fetch(sql, *arguments))

    async def said(self, service: str, topic: str) -> list[dict[str, Any]]:
        """What a service has put into its outbox for a topic, in order; dead letters carry their reason code."""
        rows = await self.rows(service, "select headers, value from outbox where topic = $1 order by seq", topic)
        found = []
        for row in rows:
            headers = {name: text for name, text, *_ in json.loads(row["headers"])}
            code = {"code": headers["dead_code"]} if "dead_code" in headers else {}
            found.append({"type": headers["ce_type"], **json.loads(unpack(row["value"])), **code})
        return found

    async def demand(self, sku: str, location: str = "L1") -> Decimal:
        """Units the forecaster counts as demanded of an item, over all days."""
        sql = "select coalesce(sum(quantity), 0) as n from daily_demand where sku = $1 and location = $2"
        found: Decimal = (await self.rows("forecaster", sql, sku, location))[0]["n"]
        return found

    async def position(self, sku: str, location: str = "L1") -> tuple[Decimal | int, ...]:
        """On hand, reserved and backorders of an item as policy knows them."""
        sql = "select on_hand, reserved, backorders from positions where sku = $1 and location = $2"
        rows = await self.rows("policy", sql, sku, location)
        return tuple(rows[0]) if rows else (0, 0, 0)


@asynccontextmanager
async def both(ground: Ground, namespace: str, database: FreshDatabase) -> AsyncIterator[Both]:
    """Both services, connected; `begin` starts them."""
    side = Both(ground, namespace, database)
    await side.open()
    try:
        yield side
    finally:
        await side.close()


def item(sku: str, at: datetime = NOON, **more: Any) -> ItemDefined:
    """A product."""
    return ItemDefined(tenant=TENANT, sku=sku, name=sku, defined_at=at, **more)


def place(location: str, at: datetime = NOON) -> LocationDefined:
    """A location."""
    return LocationDefined(tenant=TENANT, location=location, name=location, defined_at=at)


def sale(sku: str, units: int | str = 1, day: date = DAY, location: str = "L1", **more: Any) -> SaleRecorded:
    """A sale at noon of its day."""
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return SaleRecorded(
        tenant=TENANT, sku=sku, location=location, quantity=Decimal(units), business_date=day, sold_at=at, **more
    )


def moved(sku: str, kind: Any, units: int, day: date = DAY, location: str = "L1", **more: Any) -> StockMoved:
    """A stock movement at noon of its day."""
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return StockMoved(
        tenant=TENANT, sku=sku, location=location, kind=kind, quantity=Decimal(units), business_date=day, moved_at=at,
        **more,
    )  # fmt: skip


def counted(sku: str, units: int, at: datetime, location: str = "L1") -> StockCounted:
    """An absolute count."""
    return StockCounted(
        tenant=TENANT, sku=sku, location=location, quantity=Decimal(units), business_date=at.date(), counted_at=at
    )


def closed(day: date = DAY, location: str = "L1") -> BusinessDayClosed:
    """The whole location's day is over."""
    at = datetime(day.year, day.month, day.day, 22, tzinfo=UTC)
    return BusinessDayClosed(tenant=TENANT, location=location, business_date=day, closed_at=at)


def released(order_id: str = "PO-1", units: int = 12) -> OrderReleased:
    """An order of item A for L1, due in four days."""
    line = OrderLine(
        line_no=1, recommendation_id=f"r-{order_id}", decision_id="d", sku="A", quantity=Decimal(units), unit="each",
        unit_cost=Decimal(2), value=Decimal(24),
    )  # fmt: skip
    return OrderReleased(
        tenant=TENANT, order_id=order_id, kind="purchase_order", supplier="SUP", location="L1", order_on=DAY,
        arrive_on=DAY + timedelta(days=4), currency="USD", value=Decimal(24), released_at=NOON, lines=(line,),
    )  # fmt: skip
