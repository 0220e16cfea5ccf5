"""The one pattern under fire: whatever repeats, dies or is not understood, every effect happens once."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic import SecretStr

from kit import kafka, telemetry
from kit import relay as relay_module
from kit.consumer import BatchConsumer, Check
from kit.database import Database, Transaction
from kit.errors import Rejected
from kit.events import Envelope, Outgoing, Received, headers_of, outgoing
from kit.relay import Relay
from kit.settings import ServiceSettings
from schemas.demand import SaleRecorded
from schemas.recommendations import RecommendationWithheld
from schemas.topics import RECOMMENDATIONS, SALES
from tests.ground import FreshDatabase, Ground

pytestmark = pytest.mark.integration
WHEN = datetime(2017, 11, 5, 12, tzinfo=UTC)


def sale(sku: str, quantity: str = "1", event_id: str | None = None) -> Outgoing:
    body = SaleRecorded(
        tenant="acme", sku=sku, location="L1", quantity=Decimal(quantity), business_date=date(2017, 11, 5), sold_at=WHEN
    )
    envelope = Envelope(
        id=event_id or str(uuid.uuid4()),
        source="pos/1",
        type=body.TYPE,
        time=WHEN,
        tenant="acme",
        key=body.record_key(),
    )
    return Outgoing(SALES.name, envelope, body.model_dump_json(exclude_none=True).encode())


class Bench:
    """A policy-like service in this process: counts sales by sku and says one thing about each."""

    def __init__(self, settings: ServiceSettings, database: Database, producer: AIOKafkaProducer) -> None:
        self.settings = settings
        self.database = database
        self.producer = producer
        self.handed_over = 0

    async def send(self, messages: Sequence[Outgoing]) -> None:
        for message in messages:
            name = f"{self.settings.namespace}.{message.topic}"
            await self.producer.send(
                name, message.value, key=message.envelope.key.encode(), headers=headers_of(message)
            )
        await self.producer.flush()

    async def count(self, tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> list[Outgoing]:
        says = []
        self.handed_over += len(events)
        for event in events:
            if event.body.sku == "poison":
                raise Rejected("poison", "this sku can never be handled", field="sku")
            if event.body.sku == "bug":
                raise ZeroDivisionError("a bug in a handler")
            await tx.execute(
                "insert into counted values ($1, $2, $3)"
                " on conflict (tenant, sku) do update set units = counted.units + $3",
                tenant,
                event.body.sku,
                event.body.quantity,
            )
            body = RecommendationWithheld(
                tenant=tenant,
                sku=event.body.sku,
                location="L1",
                recommendation_id=event.envelope.id,
                origin=event.body.business_date,
                reason="enough_stock",
                says="Enough.",
            )
            says.append(outgoing(body, service="policy", cause=event.envelope, time=event.envelope.time))
        return says

    async def run_until(self, records: int, *, timeout: float = 30.0, check: Check | None = None) -> None:
        """Consume until `records` sales lie behind the stored positions."""
        stop = asyncio.Event()
        consumer = BatchConsumer(self.settings, self.database)
        consumer.on((SALES,), self.count, check=check)
        task = asyncio.create_task(consumer.run(stop))
        try:
            async with asyncio.timeout(timeout):
                while await self.behind() < records:
                    assert not task.done(), task.exception()
                    await asyncio.sleep(0.05)
        finally:
            stop.set()
            await task

    async def behind(self) -> int:
        return int(await self.database.pool.fetchval("select coalesce(sum(next_offset), 0) from consumed_positions"))

    async def relay_once(self) -> None:
        """Let a relay lead until the outbox is empty."""
        stop = asyncio.Event()
        task = asyncio.create_task(Relay(self.settings, self.database).run(stop))
        async with asyncio.timeout(30):
            while await self.waiting():
                await asyncio.sleep(0.05)
        stop.set()
        await task

    async def waiting(self) -> int:
        async with self.database.transaction("acme") as tx:
            return int(await tx.fetchval("select count(*) from outbox where published_at is null"))

    async def counted(self) -> dict[str, Decimal]:
        async with self.database.transaction("acme") as tx:
            return {row["sku"]: row["units"] for row in await tx.fetch("select sku, units from counted")}

    async def written(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Where the partitions end, open transactions included."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka_bootstrap)
        await consumer.start()
        try:
            return dict(await consumer.end_offsets(places))
        finally:
            await consumer.stop()

    async def read(self, topic: str) -> list[dict[str, str]]:
        """Every committed record's headers on a topic."""
        name = f"{self.settings.namespace}.{topic}"
        places = [TopicPartition(name, number) for number in sorted(await self.producer.partitions_for(name))]
        consumer = kafka.plain_consumer(self.settings, "test-reader")
        await consumer.start()
        try:
            consumer.assign(places)
            # Up to the last record written, not the last one settled: a commit answers before its markers are there.
            ends = await self.written(places)
            found = []
            await consumer.seek_to_beginning(*places)
            while [place for place in places if await consumer.position(place) < ends[place]]:
                for records in (await consumer.getmany(timeout_ms=300)).values():
                    found += [
                        {name: raw.decode() for name, raw in record.headers}
                        | {"value": record.value.decode(errors="replace")}
                        for record in records
                    ]
            return found
        finally:
            await consumer.stop()


@pytest.fixture(scope="module", autouse=True)
def json_logs() -> None:
    """Logs as the services write them; structlog's default renders every local of a traceback, which takes seconds."""
    telemetry.configure("policy", level="INFO", otlp_endpoint=None, namespace="test")


@pytest.fixture
async def bench(platform: Ground, namespace: str, database: FreshDatabase) -> AsyncIterator[Bench]:
    url = database.url("policy")
    settings = ServiceSettings(
        namespace=namespace,
        kafka_bootstrap=platform.kafka_bootstrap,
        database_url=SecretStr(url),
        consumer_session_milliseconds=6000,
    )
    admin = await asyncpg.connect(database.admin_url)
    await admin.execute(
        "set role countersign_owner; set search_path to policy;"
        "create table counted (tenant text, sku text, units numeric not null, primary key (tenant, sku));"
        "select protect('counted')"
    )
    await admin.close()
    pool = await Database.open(url, "policy", pool_max=6)
    producer = kafka.idempotent_producer(settings, "test")
    await producer.start()
    yield Bench(settings, pool, producer)
    await producer.stop()
    await pool.close()


async def test_each_event_counts_once_however_often_it_is_delivered(bench: Bench) -> None:
    sales = [sale(f"s{number % 7}", event_id=f"e{number}") for number in range(300)]
    await bench.send(sales + sales[100:200] + sales[:50])
    await bench.run_until(450)
    assert sum((await bench.counted()).values()) == 300


async def test_a_reset_of_kafkas_own_offsets_changes_nothing(bench: Bench) -> None:
    await bench.send([sale("a") for _ in range(50)])
    await bench.run_until(50)
    consumer = kafka.group_consumer(bench.settings, "policy")
    await consumer.start()
    place = TopicPartition(SALES.on(bench.settings.namespace), 0)
    consumer.assign([place])
    await consumer.commit({place: 0})
    await consumer.stop()
    await bench.send([sale("a") for _ in range(10)])
    await bench.run_until(60)
    assert await bench.counted() == {"a": Decimal(60)}


async def test_an_event_that_cannot_be_handled_becomes_a_dead_letter_and_the_rest_goes_on(bench: Bench) -> None:
    good = [sale(f"s{number}") for number in range(200)]
    await bench.send([*good[:120], sale("poison"), *good[120:], sale("bug")])
    name = SALES.on(bench.settings.namespace)
    await bench.producer.send_and_wait(name, b"\xff\x00 not json", key=b"acme/x/y", headers=headers_of(sale("x")))
    await bench.producer.send_and_wait(name, b"{}", key=b"acme/x/y")
    await bench.run_until(204)
    assert len(await bench.counted()) == 200
    await bench.relay_once()
    # A record without any attribute belongs to no tenant, so the test's tenant-scoped count does not see it waiting.
    letters = await bench.read("sales.v1.dead")
    codes = sorted(letter["dead_code"] for letter in letters)
    assert codes == ["handler_failed", "invalid_body", "missing_attribute", "poison"]
    assert all(letter["dead_consumer"] == "policy" for letter in letters)
    assert next(letter for letter in letters if letter["dead_code"] == "poison")["original_ce_source"] == "pos/1"


async def test_the_same_id_with_another_content_is_a_conflict_not_a_repeat(bench: Bench) -> None:
    await bench.send([sale("a", "1", "same"), sale("a", "5", "same")])
    await bench.run_until(2)
    await bench.send([sale("a", "7", "same")])
    await bench.run_until(3)
    assert await bench.counted() == {"a": Decimal(1)}
    await bench.relay_once()
    assert [letter["dead_code"] for letter in await bench.read("sales.v1.dead")] == ["id_reused", "id_reused"]


async def test_a_relay_with_nothing_to_do_keeps_nothing_of_its_rounds(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night without events is some fifty thousand rounds."""
    monkeypatch.setattr(relay_module, "IDLE_SECONDS", 0.001)
    relay, stop = Relay(bench.settings, bench.database), asyncio.Event()
    task = asyncio.create_task(relay.run(stop))

    async def rounds(number: int) -> int:
        for _ in range(number):
            before = relay.moved_at
            while not relay.leading or relay.moved_at == before:
                await asyncio.sleep(0.001)
        return len(asyncio.all_tasks())

    try:
        async with asyncio.timeout(60):
            few = await rounds(10)
            assert await rounds(200) < few + 50
    finally:
        stop.set()
        await task


async def test_two_members_and_a_forced_change_of_owner_count_each_event_once(bench: Bench) -> None:
    await bench.send([sale(f"s{number % 40}") for number in range(2000)])
    stop_first, stop_second = asyncio.Event(), asyncio.Event()
    settings = bench.settings.model_copy(update={"consumer_batch_records": 50})
    first, second = BatchConsumer(settings, bench.database), BatchConsumer(settings, bench.database)
    for consumer in (first, second):
        consumer.on((SALES,), bench.count)
    one = asyncio.create_task(first.run(stop_first))
    async with asyncio.timeout(60):
        while await bench.behind() < 200:
            await asyncio.sleep(0.02)
        two = asyncio.create_task(second.run(stop_second))
        while not second.assigned:
            await asyncio.sleep(0.02)
        stop_first.set()
        while await bench.behind() < 2000:
            await asyncio.sleep(0.05)
    stop_second.set()
    await asyncio.gather(one, two)
    assert sum((await bench.counted()).values()) == 2000


async def test_a_batch_whose_partitions_go_to_another_member_meanwhile_counts_once_and_stops_nobody(
    bench: Bench,
) -> None:
    settings = bench.settings.model_copy(update={"consumer_batch_records": 200})
    first, second = BatchConsumer(settings, bench.database), BatchConsumer(settings, bench.database)
    stop, handed, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slowly(tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> list[Outgoing]:
        handed.set()
        await go_on.wait()
        return await bench.count(tx, tenant, events)

    await bench.send([sale(f"s{number % 40}") for number in range(400)])
    first.on((SALES,), slowly)
    second.on((SALES,), bench.count)
    tasks = [asyncio.create_task(first.run(stop))]
    async with asyncio.timeout(60):
        await handed.wait()
        tasks.append(asyncio.create_task(second.run(stop)))
        while not second.assigned:
            await asyncio.sleep(0.02)
        go_on.set()
        while await bench.behind() < 400:
            assert not any(task.done() for task in tasks)
            await asyncio.sleep(0.02)
    stop.set()
    await asyncio.gather(*tasks)
    assert sum((await bench.counted()).values()) == 400
    async with bench.database.transaction("acme") as tx:
        assert await tx.fetchval("select count(*) from dead_letters") == 0


async def test_a_relay_that_died_after_sending_publishes_nothing_twice(bench: Bench, database: FreshDatabase) -> None:
    await bench.send([sale(f"s{number}") for number in range(40)])
    await bench.run_until(40)
    await bench.relay_once()
    # As if the process had been killed between Kafka's commit and the one transaction that marks rows and positions.
    admin = await asyncpg.connect(database.admin_url)
    await admin.execute("update policy.outbox set published_at = null; delete from policy.relay_positions")
    await admin.close()
    await bench.relay_once()
    ids = [record["ce_id"] for record in await bench.read(RECOMMENDATIONS.name)]
    assert len(ids) == len(set(ids)) == 40


async def test_a_second_relay_waits_while_the_first_leads(bench: Bench) -> None:
    stop = asyncio.Event()
    first, second = Relay(bench.settings, bench.database), Relay(bench.settings, bench.database)
    tasks = [asyncio.create_task(first.run(stop))]
    async with asyncio.timeout(30):
        while not first.leading:
            await asyncio.sleep(0.02)
        tasks.append(asyncio.create_task(second.run(stop)))
        await bench.send([sale(f"s{number}") for number in range(30)])
        await bench.run_until(30)
        while await bench.waiting():
            await asyncio.sleep(0.02)
    assert not second.leading
    stop.set()
    await asyncio.gather(*tasks)
    assert len(await bench.read(RECOMMENDATIONS.name)) == 30


async def test_no_transaction_sees_rows_of_a_tenant_it_did_not_name(bench: Bench) -> None:
    await bench.send([sale("a")])
    await bench.run_until(1)
    for tenant, rows in (("acme", 1), ("other", 0), (None, 0)):
        async with bench.database.transaction(tenant) as tx:
            assert await tx.fetchval("select count(*) from counted") == rows
            assert await tx.fetchval("select count(*) from inbox") == rows
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with bench.database.transaction("other") as tx:
            await tx.execute("insert into counted values ('acme', 'b', 1)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with bench.database.transaction("acme") as tx:
            await tx.execute("truncate counted")


async def test_an_event_its_check_refuses_costs_the_others_of_its_batch_nothing(bench: Bench) -> None:
    def check(event: Received[Any]) -> None:
        if event.body.sku == "poison":
            raise Rejected("poison", "this sku can never be handled", field="sku")

    good = [sale(f"s{number}") for number in range(60)]
    await bench.send([*good[:20], sale("poison"), *good[20:40], sale("poison"), *good[40:]])
    await bench.run_until(62, check=check)
    assert len(await bench.counted()) == 60
    assert bench.handed_over == 60, "the handler saw an event twice: its batch was done again"
    await bench.relay_once()
    assert [one["dead_code"] for one in await bench.read(f"{SALES.name}.dead")] == ["poison", "poison"]
