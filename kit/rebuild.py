"""Drops what a service derived from the topics and derives it again, up to where it had read, without a word to anyone.

The service stands still meanwhile. It reads exactly as far as it had read before: what lies behind is new to it, and
its next start handles it aloud. Killed in between, the next call goes on; the service refuses to start until it is done.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from kit import kafka
from kit.consumer import BatchConsumer
from kit.database import Database, SchemaMismatch, Transaction, scope
from kit.settings import ServiceSettings

POLL_MILLISECONDS = 500
PROGRESS_SECONDS = 1.0
# Emptying and comparing a year's tables takes longer than any statement of the running service may.
LONG_SECONDS = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose `columns` follow from the log; other columns are not compared.

    `reset` is how it is emptied for one tenant ($1); None keeps it, because its topic may have forgotten what it holds
    and every event is written over its own row. `where` says which rows count. `own` are columns of rows that stay which
    the service itself has written: an older copy does not take their place.
    """

    name: str
    columns: tuple[str, ...]
    reset: str | None = ""
    where: str = "true"
    own: tuple[str, ...] = ()

    @property
    def emptying(self) -> str | None:
        """The statement that resets it; an empty `reset` stands for deleting all rows."""
        return f"delete from {self.name} where tenant = $1" if self.reset == "" else self.reset


# What every service that reads names, or lets events wait, keeps of that. Topics forget earlier facts about names: they stay.
NAME_FACTS = Table(
    "name_facts", ("subject", "code", "scheme", "supplier", "target", "active", "valid_from"), reset=None
)
PARKED_EVENTS = Table("parked_events", ("record_key", "event_hash", "topic", "partition", "record_offset"))


@dataclass(frozen=True, slots=True)
class Derived:
    """What a service derives: its tables, tables that must get no new rows (`seq`), and how its handlers are attached.

    `has_snapshots` false: rows hold more than what is derived, so a copy of them must not take their place.
    """

    tables: tuple[Table, ...]
    attach: Callable[[BatchConsumer], None]
    quiet: tuple[str, ...] = ()
    has_snapshots: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """Digests by table before and after, records read, seconds it took."""

    before: dict[str, str]
    after: dict[str, str]
    records: int
    seconds: float

    @property
    def differing(self) -> list[str]:
        """Tables that came out otherwise."""
        return sorted(name for name in self.before if self.before[name] != self.after.get(name))


Say = Callable[[int, int], None]  # (records read, records in all)
# Puts older state and positions in the place of what was derived: (transaction, tenants).
Fill = Callable[[Transaction, Sequence[str]], Awaitable[None]]


async def demand_finished(database: Database) -> None:
    """Raise SchemaMismatch while a rebuild of this service is not done."""
    if await database.pool.fetchval("select exists (select from rebuilds)"):
        raise SchemaMismatch(
            f"a rebuild of {database.service} was interrupted; finish it with `./run rebuild {database.service}`"
        )


async def digest(database: Database, tables: Sequence[Table]) -> dict[str, str]:
    """One short text per table: number of rows, and a sum of row hashes that does not depend on their order."""
    found: dict[str, str] = {}
    tenants = await database.tenants()
    for table in tables:
        parts = []
        for tenant in tenants:
            async with database.transaction(tenant) as tx:
                await tx.execute("set local statement_timeout = 0")
                row = await tx.fetchrow(
                    f"select count(*) as n, coalesce(sum(hashtextextended(row({', '.join(table.columns)})::text, 0)), 0)"
                    f" as hash from {table.name} where tenant = $1 and {table.where}",
                    tenant,
                    timeout=LONG_SECONDS,
                )
            assert row is not None  # an aggregate without a group always answers
            parts.append(f"{tenant}:{row['n']}:{row['hash']}")
        rows = sum(int(part.split(":")[1]) for part in parts)
        found[table.name] = f"{rows} rows {hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:16]}"
    return found


async def rebuild(
    settings: ServiceSettings, database: Database, derived: Derived, say: Say, *, fill: Fill | None = None
) -> Outcome:
    """Derive everything again, or go on where an earlier call was interrupted; the digests tell whether it came out
    the same."""
    started = time.perf_counter()
    mark = await _mark(database)
    if mark is None:
        await _drop(database, derived, await digest(database, derived.tables), fill)
        mark = await _mark(database)
    assert mark is not None  # it was written just now
    until, quiet, before = mark
    records = await _replay(settings, database, derived, until, say)
    await _finish(database, until, quiet)
    after = await digest(database, derived.tables)
    return Outcome(before, after, records, time.perf_counter() - started)


_Mark = tuple[dict[TopicPartition, int], dict[str, int], dict[str, str]]


async def _mark(database: Database) -> _Mark | None:
    row = await database.pool.fetchrow("select until, quiet, digest from rebuilds")
    if row is None:
        return None
    places = {TopicPartition(topic, number): end for topic, number, end in json.loads(row["until"])}
    return places, json.loads(row["quiet"]), json.loads(row["digest"])


async def _drop(database: Database, derived: Derived, before: Mapping[str, str], fill: Fill | None) -> None:
    """In one transaction: note what is to be done, forget what was derived and what was read."""
    tenants = await database.tenants()
    async with database.transaction() as tx:
        await tx.execute("set local statement_timeout = 0")
        rows = await tx.fetch("select topic, partition, next_offset from consumed_positions order by 1, 2")
        quiet = {table: await _newest(tx, tenants, table) for table in derived.quiet}
        await tx.execute(
            "insert into rebuilds (until, quiet, digest) values ($1, $2, $3)",
            json.dumps([[row["topic"], row["partition"], row["next_offset"]] for row in rows]),
            json.dumps(quiet),
            json.dumps(before),
        )
        if fill is not None:
            await fill(tx, tenants)
            return
        for tenant in tenants:
            await scope(tx, tenant)
            for statement in [one.emptying for one in derived.tables if one.emptying is not None]:
                await tx.execute(statement, tenant, timeout=LONG_SECONDS)
            await tx.execute("delete from inbox where tenant = $1", tenant, timeout=LONG_SECONDS)
        await tx.execute("delete from consumed_positions")


async def _newest(tx: Transaction, tenants: Sequence[str], table: str) -> int:
    newest = 0
    for tenant in tenants:
        await scope(tx, tenant)
        newest = max(newest, int(await tx.fetchval(f"select coalesce(max(seq), 0) from {table}")))
    return newest


async def _replay(
    settings: ServiceSettings, database: Database, derived: Derived, until: Mapping[TopicPartition, int], say: Say
) -> int:
    batches = BatchConsumer(settings, database, silent=True)
    derived.attach(batches)
    consumer = kafka.plain_consumer(settings, f"{database.service}-rebuild")
    await consumer.start()
    try:
        leaders = batches.leaders()
        places = [place for place in until if batches.reads(place.topic)]
        begins = await consumer.beginning_offsets(places) if places else {}
        rows = await database.pool.fetch("select topic, partition, next_offset from consumed_positions")
        stored = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        start = {place: max(begins[place], stored.get(place, 0)) for place in places}
        total = sum(max(0, until[place] - start[place]) for place in places)
        done = 0
        for group in (
            [place for place in places if place.topic in leaders],
            [place for place in places if place.topic not in leaders],
        ):
            left = {place: start[place] for place in group if start[place] < until[place]}
            done = await _read(consumer, batches, settings.consumer_batch_records, left, until, done, total, say)
        return done
    finally:
        await consumer.stop()


async def _read(
    consumer: AIOKafkaConsumer,
    batches: BatchConsumer,
    batch_records: int,
    left: dict[TopicPartition, int],
    until: Mapping[TopicPartition, int],
    done: int,
    total: int,
    say: Say,
) -> int:
    """Handle these partitions from the given offsets up to where the service had read; returns records done by now."""
    if not left:
        return done
    consumer.assign(list(left))
    for place, offset in left.items():
        consumer.seek(place, offset)
    told = time.monotonic()
    while left:
        polled = await consumer.getmany(*left, timeout_ms=POLL_MILLISECONDS, max_records=batch_records)
        records = [one for place in sorted(polled) for one in polled[place] if one.offset < until[place]]
        if records:
            await batches.replay(records)
            done += len(records)
        for place in list(left):
            # Transaction markers use up offsets without being records, so ask where the reader stands.
            if await consumer.position(place) >= until[place]:
                del left[place]
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            say(done, total)
        await asyncio.sleep(0)
    say(done, total)
    return done


async def _finish(database: Database, until: Mapping[TopicPartition, int], quiet: Mapping[str, int]) -> None:
    """Stand where the service stood, take back what nobody is to hear twice, and let the service start again."""
    tenants = await database.tenants()
    async with database.transaction() as tx:
        await tx.execute(
            "insert into consumed_positions as c (topic, partition, next_offset)"
            " select * from unnest($1::text[], $2::int[], $3::bigint[]) on conflict (topic, partition)"
            " do update set next_offset = greatest(c.next_offset, excluded.next_offset)",
            [place.topic for place in until],
            [place.partition for place in until],
            list(until.values()),
        )
        for tenant in tenants:
            await scope(tx, tenant)
            for table, newest in quiet.items():
                await tx.execute(f"delete from {table} where tenant = $1 and seq > $2", tenant, newest)
        await tx.execute("delete from rebuilds")
