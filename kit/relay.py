"""The relay: publishes the outbox of one service to Kafka, in order, from one process at a time.

One instance holds the advisory lock; its producer's transactional id fences any earlier one that still believes it is
the relay. What was sent but not yet marked when a relay died is found by reading the topics from the last marked
offset, so a restart publishes nothing twice.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from kit import failpoints, kafka, telemetry
from kit.clock import pause
from kit.database import Database, Transaction, role_of
from kit.errors import TRANSIENT
from kit.outbox import unpack_headers
from kit.packing import unpack
from kit.settings import ServiceSettings

log = telemetry.get_logger()
PUBLISHED = telemetry.counter("outbox_published_total", "Messages the relay published", ("topic",))
WAITING = telemetry.gauge("outbox_waiting_records", "Messages in the outbox that are not published yet")
OLDEST = telemetry.gauge("outbox_oldest_age_seconds", "Age of the oldest message that is not published yet")
LEADING = telemetry.gauge("outbox_relay_leading", "1 while this process is the relay")

BATCH_RECORDS = 2_000
# How long the relay sleeps when nobody wakes it: bounds the delay of rows another process wrote.
IDLE_SECONDS = 0.5
RETRY_SECONDS = 1.0
# A transaction whose broker went away waits for it without end: after this long it is begun anew.
BATCH_SECONDS_MAX = 30.0
# Published rows stay this long, for a person to look at; ids derived from causes keep replays from doubling within it.
KEEP_PUBLISHED = "7 days"
LOCK_CLASS = 7_203_115
# ProducerFenced is a KafkaError: another relay took over, and this one goes back to standing by.
FAULTS: tuple[type[BaseException], ...] = (*TRANSIENT, KafkaError, asyncpg.PostgresError)


class Relay:
    """`wake()` after a commit that wrote to the outbox; `run(stop)` until told to stop."""

    def __init__(self, settings: ServiceSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._service = database.service
        self._wake = asyncio.Event()
        self.waiting = 0
        self.leading = False
        self.moved_at = time.monotonic()

    def _moved(self) -> None:
        self.moved_at = time.monotonic()

    def wake(self) -> None:
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Lead when it can, stand by otherwise; survives faults of Kafka and Postgres."""
        while not stop.is_set():
            self._moved()
            try:
                await self._lead(stop)
            except UnknownTopicOrPartitionError as error:
                log.error("topic_missing", error=str(error), way_out="`./run topics` makes those of the catalogue")
            except FAULTS as error:
                log.warning("relay_interrupted", error=f"{type(error).__name__}: {error}")
            finally:
                self.leading = False
                LEADING.set(0)
            await pause(stop, RETRY_SECONDS)

    async def _lead(self, stop: asyncio.Event) -> None:
        # A connection of its own: the lock lives exactly as long as this session.
        async with self._database.pool.acquire() as connection:
            # What waits is found by its index, in order. Left to choose, PostgreSQL reads and sorts the whole outbox while it
            # believes it small, which is what it was when the plan was made: every batch of a long run read all that was there.
            await connection.execute(
                f"set role {role_of(self._service)}_relay; set plan_cache_mode = force_custom_plan; set enable_seqscan = off"
            )
            try:
                # Keyed by database and service: schemas of one database share the lock space.
                if not await connection.fetchval(
                    "select pg_try_advisory_lock($1, hashtext($2))", LOCK_CLASS, self._service
                ):
                    return
                producer = kafka.fenced_producer(self._settings, self._service)
                try:
                    async with asyncio.timeout(BATCH_SECONDS_MAX):
                        await producer.start()
                    failpoints.reach("relay.leading")
                    await self._mark_already_published(connection, producer)
                    self.leading = True
                    LEADING.set(1)
                    await self._publish_until(stop, connection, producer)
                finally:
                    await kafka.stop_producer(producer)
            finally:
                if not connection.is_closed():
                    await connection.execute("select pg_advisory_unlock_all()")
                    await connection.execute("reset role; reset plan_cache_mode; reset enable_seqscan")

    async def _publish_until(self, stop: asyncio.Event, connection: Transaction, producer: AIOKafkaProducer) -> None:
        rounds = 0
        while True:
            self._wake.clear()
            self._moved()
            async with asyncio.timeout(BATCH_SECONDS_MAX):
                sent = await self._publish_batch(connection, producer)
            if sent == BATCH_RECORDS:
                continue
            if stop.is_set():
                return
            if rounds % 20 == 0:
                await self._observe(connection)
            if rounds % 1200 == 1199:
                await connection.execute(f"delete from outbox where published_at < now() - interval '{KEEP_PUBLISHED}'")
            rounds += 1
            waiters = [asyncio.ensure_future(event.wait()) for event in (self._wake, stop)]
            await asyncio.wait(waiters, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for waiter in waiters:
                waiter.cancel()

    async def _publish_batch(self, connection: Transaction, producer: AIOKafkaProducer) -> int:
        rows = await connection.fetch(
            "select seq, topic, record_key, headers, value from outbox"
            " where published_at is null order by seq limit $1",
            BATCH_RECORDS,
        )
        self.waiting = len(rows)
        if not rows:
            return 0
        with telemetry.span("relay send", kind="producer", records=len(rows)):
            # Not as a context: its end would take back what failed, and wait for a broker that is away without end. What
            # is begun and not committed is taken back by the next producer of this name.
            await producer.begin_transaction()
            # `send` only queues; awaiting its future gives the offset once the broker has the record.
            futures = []
            for row in rows:
                name = f"{self._settings.namespace}.{row['topic']}"
                futures.append(
                    await producer.send(
                        name,
                        unpack(row["value"]),
                        key=row["record_key"].encode(),
                        headers=unpack_headers(row["headers"]),
                    )
                )
            records = await asyncio.gather(*futures)
            failpoints.reach("relay.sent")
            await producer.commit_transaction()
            failpoints.reach("relay.published")
        positions: dict[tuple[str, int], int] = {}
        for record in records:
            place = (record.topic, record.partition)
            positions[place] = max(positions.get(place, 0), record.offset + 1)
        await self._mark(connection, [row["seq"] for row in rows], positions)
        failpoints.reach("relay.marked")
        for row in rows:
            PUBLISHED.labels(row["topic"]).inc()
        self.waiting = 0
        return len(rows)

    async def _mark(self, connection: Transaction, numbers: list[int], positions: dict[tuple[str, int], int]) -> None:
        async with connection.transaction():
            await connection.execute(
                "update outbox set published_at = clock_timestamp() where seq = any($1::bigint[])", numbers
            )
            places = sorted(positions)
            await connection.execute(
                "insert into relay_positions (topic, partition, next_offset)"
                " select * from unnest($1::text[], $2::integer[], $3::bigint[])"
                " on conflict (topic, partition) do update"
                " set next_offset = greatest(relay_positions.next_offset, excluded.next_offset)",
                [topic for topic, _ in places],
                [partition for _, partition in places],
                [positions[place] for place in places],
            )

    async def _mark_already_published(self, connection: Transaction, producer: AIOKafkaProducer) -> None:
        """Mark what an earlier relay published but did not live to mark. Our producer has fenced it by now."""
        waiting: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for row in await connection.fetch(
            "select seq, topic, event_id::text as id from outbox where published_at is null"
        ):
            waiting[f"{self._settings.namespace}.{row['topic']}"][row["id"]].append(row["seq"])
        if not waiting:
            return
        known = {
            (row["topic"], row["partition"]): row["next_offset"]
            for row in await connection.fetch("select * from relay_positions")
        }
        consumer = kafka.plain_consumer(self._settings, f"{self._service}-relay-check")
        await consumer.start()
        try:
            for topic, ids in waiting.items():
                partitions = [TopicPartition(topic, number) for number in sorted(await producer.partitions_for(topic))]
                found, positions = await _read_tail(consumer, partitions, known, set(ids), self._moved)
                if found:
                    log.info("relay_found_published", topic=topic, records=len(found))
                await self._mark(connection, [seq for one in found for seq in ids[one]], positions)
        finally:
            await consumer.stop()

    async def _observe(self, connection: Transaction) -> None:
        row = await connection.fetchrow(
            "select count(*) as waiting,"
            " coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float as age"
            " from outbox where published_at is null"
        )
        if row is not None:
            WAITING.set(row["waiting"])
            OLDEST.set(row["age"])


async def _read_tail(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], known: dict[tuple[str, int], int], wanted: set[str],
    moved: Callable[[], None],
) -> tuple[set[str], dict[tuple[str, int], int]]:  # fmt: skip
    """Which of `wanted` event ids lie on the partitions from the known offsets on, and where their ends are."""
    found: set[str] = set()
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    for place in partitions:
        consumer.seek(place, known.get((place.topic, place.partition), 0))
    waiting = set(partitions)
    while waiting:
        moved()
        for records in (await consumer.getmany(timeout_ms=500)).values():
            for record in records:
                found.update(raw.decode() for name, raw in record.headers if name == "ce_id" and raw.decode() in wanted)
        for place in list(waiting):
            if await consumer.position(place) >= ends[place]:
                waiting.discard(place)
    return found, {(place.topic, place.partition): end for place, end in ends.items()}
