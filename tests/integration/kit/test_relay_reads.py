"""The relay beside a full outbox: it publishes values as they were said, and reads what waits, not what was published."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime

import asyncpg
import pytest
from aiokafka import TopicPartition
from pydantic import SecretStr

from kit import kafka
from kit.database import Database
from kit.events import Outgoing, outgoing
from kit.outbox import enqueue
from kit.packing import RECOMMENDATION, pack
from kit.relay import Relay
from kit.settings import ServiceSettings
from schemas.recommendations import RecommendationWithheld
from schemas.topics import RECOMMENDATIONS
from tests.ground import FreshDatabase, Ground

pytestmark = pytest.mark.integration
WHEN = datetime(2017, 11, 5, 12, tzinfo=UTC)
FEW, MANY = 12, 6_000


async def test_a_full_outbox_is_not_read_for_what_waits_and_values_go_out_as_they_were_said(
    platform: Ground, namespace: str, database: FreshDatabase
) -> None:
    settings = ServiceSettings(
        namespace=namespace, kafka_bootstrap=platform.kafka_bootstrap, database_url=SecretStr(database.url("policy"))
    )
    admin = await asyncpg.connect(database.admin_url)
    try:
        await admin.execute("analyze")  # nothing is there yet, and that is what PostgreSQL knows from now on
        opened = await Database.open(database.url("policy"), "policy")
        said = [_said(number, says="Enough. " * 40 * (number % 10)) for number in range(MANY)]
        async with _relaying(settings, opened):
            # One by one at first: what PostgreSQL finds best for an empty table, it goes on doing.
            for start in [*range(FEW), FEW]:
                async with opened.transaction("acme") as tx:
                    await enqueue(tx, said[start : start + 1] if start < FEW else said[FEW:])
                await _all_out(opened)
        await opened.close()  # which tells the statistics of its connections
        assert await _read_through(admin) == 0
    finally:
        await admin.close()
    assert sorted(await _published(settings, MANY)) == sorted(one.value for one in said)


def _said(number: int, says: str) -> Outgoing:
    body = RecommendationWithheld(
        tenant="acme", sku=f"s{number}", location="L1", recommendation_id=str(number), origin=date(2017, 11, 5),
        reason="enough_stock", says="Enough.",
    )  # fmt: skip
    value = body.wire()[:-1] + b',"more":"' + says.encode() + b'"}'
    packed = pack(value, RECOMMENDATION) if number % 2 else None
    return outgoing(body, service="policy", cause=str(number), time=WHEN, value=value, packed=packed)


@asynccontextmanager
async def _relaying(settings: ServiceSettings, database: Database) -> AsyncIterator[None]:
    """While a relay leads."""
    stop = asyncio.Event()
    task = asyncio.create_task(Relay(settings, database).run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def _all_out(database: Database) -> None:
    async with asyncio.timeout(30), database.transaction("acme") as tx:
        # By the index: this, too, must not read the table from end to end.
        await tx.execute("set local enable_seqscan = off")
        while await tx.fetchval("select exists (select from outbox where published_at is null)"):
            await asyncio.sleep(0.02)


async def _read_through(admin: "asyncpg.Connection[asyncpg.Record]") -> int:
    """Rows of the outbox that were met by reading it from end to end."""
    await admin.execute("select pg_stat_clear_snapshot()")
    return int(
        await admin.fetchval(
            "select seq_tup_read from pg_stat_user_tables where schemaname = 'policy' and relname = 'outbox'"
        )
    )


async def _published(settings: ServiceSettings, count: int) -> list[bytes]:
    consumer = kafka.plain_consumer(settings, "test-reader")
    await consumer.start()
    try:
        name = RECOMMENDATIONS.on(settings.namespace)
        consumer.assign([TopicPartition(name, number) for number in range(RECOMMENDATIONS.partitions)])
        found: list[bytes] = []
        async with asyncio.timeout(30):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=300)).values():
                    found += [record.value for record in records if record.value is not None]
        return found
    finally:
        await consumer.stop()
