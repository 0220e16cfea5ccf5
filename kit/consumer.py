"""Exactly-once effects: micro-batches from Kafka, one Postgres transaction each.

In that one transaction: the next offset of every partition in the batch under a row lock, the inbox, what the handlers
do, and the outbox rows of what they want to say. All of it happens, or none. On assignment reading starts at the stored
offsets; what Kafka believes about this group is only a hint. A handler never commits and never publishes.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from kit import deadletters, failpoints, inbox, kafka, memory, positions, telemetry
from kit.clock import pause
from kit.database import Database, Transaction, scope
from kit.errors import TRANSIENT, Rejected
from kit.events import Outgoing, Received, decode
from kit.settings import ServiceSettings
from schemas.topics import Topic

log = telemetry.get_logger()
HANDLED = telemetry.counter("messages_handled_total", "Messages by what became of them", ("topic", "outcome"))
DURATION = telemetry.histogram("handling_duration_seconds", "One micro-batch, from poll to commit")
LAG_RECORDS = telemetry.gauge(
    "consumer_lag_records", "Records on the broker that are not handled yet", ("topic", "partition")
)
LAG_SECONDS = telemetry.gauge(
    "consumer_lag_seconds", "Age of the newest handled record while others wait, else 0", ("topic", "partition")
)

# (transaction, tenant, fresh events in order) -> what to publish
Handler = Callable[[Transaction, str, Sequence[Received[Any]]], Awaitable[Sequence[Outgoing]]]
# Raises Rejected for an event that no handler could ever take, before anything of its batch is written.
Check = Callable[[Received[Any]], None]
# (transaction, records as they are, in order within each partition) -> what to publish; for readers of bytes, such as
# the audit log
RawHandler = Callable[[Transaction, Sequence[ConsumerRecord]], Awaitable[Sequence[Outgoing]]]
RETRY_SECONDS_FIRST, RETRY_SECONDS_MAX = 0.2, 5.0
# A lone event whose handler fails for a reason we do not know is tried this often before it becomes a dead letter.
ATTEMPTS_UNKNOWN_ERROR = 3
HINT_SECONDS = 5.0
# With a backlog, a transaction takes so many times the records: what one costs beside them is paid less often. More would
# only lengthen the time for which the others wait behind one that must be halved to find a bad record.
BACKLOG_FACTOR = 8
FAULTS: tuple[type[BaseException], ...] = (*TRANSIENT, KafkaError)


@dataclass(frozen=True, slots=True)
class Route:
    """Topics that share a handler. `dedupe` false: the handler's own unique keys drop what was seen (a ledger)."""

    topics: tuple[Topic, ...]
    handler: Handler
    dedupe: bool
    first: bool


class BatchConsumer:
    """`on(...)` for each handler, then `run(stop)`. `committed` is called after every commit."""

    def __init__(
        self, settings: ServiceSettings, database: Database, committed: Callable[[], None] = lambda: None, *,
        silent: bool = False,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._database = database
        self.committed = committed
        self._silent = silent  # a rebuild: everything was said before
        self._routes: list[Route] = []
        self._topics: dict[str, Topic] = {}
        self._raw: dict[str, RawHandler] = {}
        self._checks: dict[str, Check] = {}
        self._positions: dict[TopicPartition, int] = {}
        # Where the reader stands: transaction markers use up offsets without being records, so it may be further on.
        self._reached: dict[TopicPartition, int] = {}
        self._seen_tenants: set[str] = set()
        self._holding = False
        self._has_backlog = False
        self._consumer: AIOKafkaConsumer | None = None
        self.polled_at = time.monotonic()
        self.assigned = False

    def on(
        self, topics: Sequence[Topic], handler: Handler, *, dedupe: bool = True, first: bool = False,
        check: Check | None = None,
    ) -> None:  # fmt: skip
        """Send topics' events to `handler`, what `check` refuses to the dead letters. Those `first` lead after a start."""
        for topic in topics:
            self._add(topic)
            if check is not None:
                self._checks[topic.name] = check
        self._routes.append(Route(tuple(topics), handler, dedupe, first))

    def on_raw(self, topics: Sequence[Topic], handler: RawHandler) -> None:
        """Send these topics' records to `handler` undecoded, whatever they hold. It names tenants (`scope`) itself."""
        for topic in topics:
            self._add(topic)
            self._raw[topic.on(self._settings.namespace)] = handler

    def _add(self, topic: Topic) -> None:
        kafka.check_consumes(self._database.service, topic)
        if topic.on(self._settings.namespace) in self._topics:
            raise ValueError(f"{topic.name} has a handler already; one handler per topic keeps the order clear")
        self._topics[topic.on(self._settings.namespace)] = topic
        # A series that is born at 1 shows no increase: counters that alerts watch have to stand at 0 before.
        for outcome in ("handled", "dead"):
            HANDLED.labels(topic.name, outcome)
        inbox.CONFLICTS.labels(topic.name)

    def lag(self) -> int | None:
        """Records not handled yet over all assigned partitions; None while that is not known."""
        if self._consumer is None or not self.assigned:
            return None
        total = 0
        for place, position in self._positions.items():
            if (end := self._end_of(place)) is None:
                return None
            total += max(0, end - max(position, self._reached.get(place, 0)))
        return total

    def _end_of(self, place: TopicPartition) -> int | None:
        """Where a partition ends as the last fetch told; None when it told nothing, or another member has it by now."""
        if self._consumer is None or place not in self._consumer.assignment():
            return None
        end: int | None = self._consumer.last_stable_offset(place)
        return end if end is not None and end >= 0 else None

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop; faults of Kafka and Postgres are waited out, never skipped."""
        consumer = kafka.group_consumer(self._settings, self._database.service)
        while not stop.is_set():
            self.polled_at = time.monotonic()
            try:
                await consumer.start()
                break
            except (*TRANSIENT, KafkaError) as error:
                log.warning("kafka_unreachable", bootstrap=self._settings.kafka_bootstrap, error=str(error))
                await asyncio.sleep(RETRY_SECONDS_FIRST)
        self._consumer = consumer
        consumer.subscribe(list(self._topics), listener=_Assignment(self))
        hinted_at = time.monotonic()
        try:
            while not stop.is_set():
                self.polled_at = time.monotonic()
                records = await self._poll(consumer)
                if records:
                    failpoints.reach("consumer.polled")
                    await self._carry(records, stop)
                await self._look_around(consumer, was_idle=not records)
                if time.monotonic() - hinted_at > HINT_SECONDS:
                    hinted_at = time.monotonic()
                    await self._hint()
                    if not self._has_backlog:
                        memory.tidy()
        finally:
            await self._hint()
            await consumer.stop()
            self.assigned = False

    async def _look_around(self, consumer: AIOKafkaConsumer, *, was_idle: bool) -> None:
        """What is to be done between batches; a partition that goes to another member meanwhile is looked at no more."""
        try:
            if was_idle:
                self._reached = {place: await consumer.position(place) for place in consumer.assignment()}
            await self._release_others()
        except (KafkaError, AssertionError) as error:
            log.info("partitions_moved", error=f"{type(error).__name__}: {error}")

    async def _poll(self, consumer: AIOKafkaConsumer) -> list[ConsumerRecord]:
        """The next records, those of one partition together and in order; more of them after a full batch."""
        usual = self._settings.consumer_batch_records
        wanted = usual * BACKLOG_FACTOR if self._has_backlog else usual
        polled = await consumer.getmany(timeout_ms=self._settings.consumer_wait_milliseconds, max_records=wanted)
        records = [record for place in sorted(polled, key=self._order) for record in polled[place]]
        self._has_backlog = len(records) >= usual
        return records

    def _order(self, place: TopicPartition) -> tuple[int, int]:
        return list(self._topics).index(place.topic), place.partition

    async def assign(self, places: Sequence[TopicPartition]) -> None:
        """Start each partition where Postgres says."""
        assert self._consumer is not None
        if places:
            # Nothing is read before it is known from where, and which topics have to wait for the leading ones: the
            # fetcher would use the time in which this method waits for Postgres.
            self._consumer.pause(*places)
        rows = await self._database.pool.fetch("select topic, partition, next_offset from consumed_positions")
        stored = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        beginnings = await self._consumer.beginning_offsets(list(places)) if places else {}
        self._positions, self._reached = {}, {}
        for place in places:
            offset = stored.get(place, beginnings.get(place, 0))
            self._consumer.seek(place, offset)
            self._positions[place] = offset
        leaders = self.leaders()
        others = [place for place in places if place.topic not in leaders]
        self._holding = bool(leaders) and bool(others)
        flowing = [place for place in places if not self._holding or place.topic in leaders]
        if flowing:
            self._consumer.resume(*flowing)
        self.assigned = True
        log.info("partitions_assigned", partitions=len(places), holding=self._holding)

    def leaders(self) -> set[str]:
        """Names on the broker of the topics that are read first after a start."""
        return {topic.on(self._settings.namespace) for route in self._routes if route.first for topic in route.topics}

    async def _release_others(self) -> None:
        """Let the other topics flow once the leading ones are caught up."""
        if not self._holding or self._consumer is None:
            return
        leaders = self.leaders()
        mine = [place for place in self._positions if place.topic in leaders]
        ends = await self._consumer.end_offsets(mine) if mine else {}
        # Transaction markers use up offsets without being records, so compare with where the reader stands.
        if not any([await self._consumer.position(place) < ends[place] for place in mine]):
            self._consumer.resume(*[place for place in self._positions if place.topic not in leaders])
            self._holding = False

    async def _hint(self) -> None:
        """Tell Kafka where we are, for dashboards; nothing depends on it."""
        if self._consumer is None or not self._positions:
            return
        try:
            hints = {place: at for place, at in self._positions.items() if place in self._consumer.assignment()}
            # While no broker answers it would be tried again and again, and nothing else be done meanwhile.
            await asyncio.wait_for(self._consumer.commit(hints), HINT_SECONDS)
        except (KafkaError, ValueError, AssertionError, TimeoutError) as error:
            log.debug("offset_hint_failed", error=str(error))
        for place, offset in self._positions.items():
            if (end := self._end_of(place)) is not None:
                topic = place.topic.removeprefix(f"{self._settings.namespace}.")
                LAG_RECORDS.labels(topic, place.partition).set(max(0, end - max(offset, self._reached.get(place, 0))))

    async def _carry(self, records: Sequence[ConsumerRecord], stop: asyncio.Event) -> None:
        """Handle records: whole, or halved until the ones that cannot be handled are found."""
        delay, unknown_errors = RETRY_SECONDS_FIRST, 0
        while True:
            self.polled_at = time.monotonic()
            try:
                started = time.perf_counter()
                await self._commit(records, None)
                DURATION.observe(time.perf_counter() - started)
                return
            except TRANSIENT as error:
                log.warning("batch_retried", error=f"{type(error).__name__}: {error}", records=len(records))
                if stop.is_set():
                    return
                await pause(stop, delay)
                delay = min(delay * 2, RETRY_SECONDS_MAX)
            except Exception as error:  # the destination of an unknown failure is a dead letter, see below
                if len(records) > 1:
                    middle = len(records) // 2
                    await self._carry(records[:middle], stop)
                    await self._carry(records[middle:], stop)
                    return
                unknown_errors += 1
                if isinstance(error, Rejected) or unknown_errors >= ATTEMPTS_UNKNOWN_ERROR:
                    log.error(
                        "event_rejected",
                        error=str(error),
                        topic=records[0].topic,
                        exc_info=not isinstance(error, Rejected),
                    )
                    await self._commit(records, error)
                    return

    async def _commit(self, records: Sequence[ConsumerRecord], refused: BaseException | None) -> None:
        """One transaction for these records. With `refused`, the only record becomes a dead letter instead."""
        parts = positions.by_partition(records)
        ends = {place: part[-1].offset + 1 for place, part in parts.items()}
        async with self._database.transaction() as tx:
            start = await positions.lock(tx, list(ends))
            failpoints.reach("consumer.positions-locked")
            # Nearly always all of it: a partition's records are in order, so its first tells.
            batch = {
                place: part if part[0].offset >= start[place] else [one for one in part if one.offset >= start[place]]
                for place, part in parts.items()
            }
            decoded, raw, says = self._read(batch, refused)
            with telemetry.span(
                "process batch",
                kind="consumer",
                parents=[one.envelope.traceparent for one in decoded[: telemetry.LINKS_MAX]],
                records=len(records),
            ):
                says += await self._handle(tx, decoded)
                for handler, untouched in raw.items():
                    says += await handler(tx, untouched)
            failpoints.reach("consumer.handled")
            if says and not self._silent:
                await deadletters.enqueue(tx, says)
                failpoints.reach("consumer.outbox-filled")
            await positions.advance(tx, {place: max(end, start[place]) for place, end in ends.items()})
            failpoints.reach("consumer.positions-moved")
        failpoints.reach("consumer.committed")
        for place, end in ends.items():
            if place in self._positions:  # it may have gone to another member meanwhile
                self._positions[place] = max(end, start[place])
        self._observe_age({place: part[-1].timestamp for place, part in parts.items()})
        self.committed()

    def _read(
        self, batch: Mapping[TopicPartition, Sequence[ConsumerRecord]], refused: BaseException | None
    ) -> tuple[list[Received[Any]], dict[RawHandler, list[ConsumerRecord]], list[Outgoing]]:
        """Events for the handlers, records for the raw handlers, and dead letters for what cannot be read."""
        decoded: list[Received[Any]] = []
        raw: dict[RawHandler, list[ConsumerRecord]] = defaultdict(list)
        letters: list[Outgoing] = []
        for place, part in batch.items():
            topic, raw_handler = self._topics[place.topic], self._raw.get(place.topic)
            check = self._checks.get(topic.name)
            if raw_handler is not None and refused is None:
                raw[raw_handler] += part
                continue
            for record in part:
                try:
                    if refused is not None:
                        unknown = Rejected("handler_failed", f"{type(refused).__name__}: {refused}")
                        raise refused if isinstance(refused, Rejected) else unknown
                    key, value, headers = record.key, record.value, record.headers
                    one = decode(topic, place.partition, record.offset, key, value, headers, record.timestamp)
                    if check is not None:
                        check(one)
                    decoded.append(one)
                except Rejected as error:
                    letters.append(deadletters.of(record, topic, self._database.service, error))
                    HANDLED.labels(topic.name, "dead").inc()
        return decoded, raw, letters

    async def _handle(self, tx: Transaction, decoded: Sequence[Received[Any]]) -> list[Outgoing]:
        says: list[Outgoing] = []
        tenants: dict[str, dict[str, list[Received[Any]]]] = defaultdict(lambda: defaultdict(list))
        for one in decoded:
            tenants[one.envelope.tenant][one.topic.name].append(one)
        for tenant, mine in tenants.items():
            await scope(tx, tenant)
            if tenant not in self._seen_tenants:
                await tx.execute("insert into tenants (tenant) values ($1) on conflict do nothing", tenant)
            for route in self._routes:
                events = [one for topic in route.topics for one in mine.get(topic.name, ())]
                if not events:
                    continue
                if route.dedupe:
                    events, conflicts = await inbox.fresh(tx, tenant, events)
                    says += [deadletters.conflict(one, self._database.service) for one in conflicts]
                if events:
                    says += await route.handler(tx, tenant, events)
                    for name, count in Counter([one.topic.name for one in events]).items():
                        HANDLED.labels(name, "handled").inc(count)
        self._seen_tenants.update(tenants)
        return says

    def reads(self, topic: str) -> bool:
        """Whether a topic, by its name on the broker, has a handler."""
        return topic in self._topics

    async def replay(self, records: Sequence[ConsumerRecord]) -> None:
        """Handle records that somebody else has read."""
        await self._carry(records, asyncio.Event())

    async def handle_again(self, tx: Transaction, event: Received[Any]) -> list[Outgoing]:
        """Give one event to its handler as if it had just been read; for replaying dead letters."""
        check = self._checks.get(event.topic.name)
        if check is not None:
            check(event)
        return await self._handle(tx, [event])

    def _observe_age(self, newest: dict[TopicPartition, int]) -> None:
        for place, stamp in newest.items():
            end = self._end_of(place)
            behind = end is not None and end > self._positions.get(place, end)
            topic = place.topic.removeprefix(f"{self._settings.namespace}.")
            LAG_SECONDS.labels(topic, place.partition).set(max(0.0, time.time() - stamp / 1000) if behind else 0.0)


class _Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, owner: BatchConsumer) -> None:
        self._owner = owner

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self._owner.assigned = False

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        while True:
            try:
                await self._owner.assign(list(assigned))
                return
            except FAULTS as error:  # the positions are in Postgres: without them nothing may be read
                log.warning("assignment_retried", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(RETRY_SECONDS_FIRST)
