"""From the table of live events to open pages: one reader for all of a tenant's streams, woken by Postgres after commits."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from kit import telemetry
from kit.database import Database, Transaction
from kit.errors import TRANSIENT
from services.gateway.store import live

log = telemetry.get_logger()
OPEN_STREAMS = telemetry.gauge("live_streams", "Open live streams")
# A page that does not read is dropped behind this many events; it comes back with its Last-Event-ID.
QUEUE_MAX = 1_000
READ_AT_ONCE = 500
# Notifications can be lost with their connection; then the table is looked at after this long anyway.
LOOK_SECONDS = 2.0
RECONNECT_SECONDS = 1.0
# What is committed within this time goes out in one write per page: a busy morning commits more often than anybody can
# see, and fifty pages are fifty writes.
GATHER_SECONDS = 0.25

Reading = Callable[[], AbstractAsyncContextManager[Transaction]]
FAULTS: tuple[type[BaseException], ...] = (*TRANSIENT, asyncpg.PostgresError)


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its number (0: it has no place in the order) and the lines that tell it, written once for all pages."""

    seq: int
    lines: bytes

    @staticmethod
    def of(seq: int, name: str, data: str) -> "Event":
        # `closing` and other events without a place carry no id: a browser resumes from the last event it really had.
        place = f"id: {seq}\n" if seq else ""
        return Event(seq, f"{place}event: {name}\ndata: {data}\n\n".encode())


class Subscription:
    """One open page: events come in order; `lost` when it did not keep up."""

    def __init__(self) -> None:
        self._waiting: list[Event] = []
        self._some = asyncio.Event()
        self.lost = False

    def offer(self, events: Sequence[Event]) -> None:
        if len(self._waiting) + len(events) > QUEUE_MAX:
            self.lost = True
        else:
            self._waiting += events
        self._some.set()

    async def take(self, seconds: float) -> list[Event]:
        """All that waits; nothing when nothing came for `seconds`."""
        try:
            await asyncio.wait_for(self._some.wait(), seconds)
        except TimeoutError:
            return []
        self._some.clear()
        taken, self._waiting = self._waiting, []
        return taken


class Broadcaster:
    """Reads new events of every tenant that somebody watches."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watching: dict[str, set[Subscription]] = defaultdict(set)
        self._sent: dict[str, int] = {}
        self._woken = asyncio.Event()
        self.stopping = asyncio.Event()

    @contextmanager
    def subscribe(self, tenant: str) -> Any:
        """A subscription that gets every event committed from now on."""
        one = Subscription()
        self._watching[tenant].add(one)
        OPEN_STREAMS.inc()
        try:
            yield one
        finally:
            OPEN_STREAMS.dec()
            self._watching[tenant].discard(one)
            if not self._watching[tenant]:
                del self._watching[tenant]
                self._sent.pop(tenant, None)

    def newest(self, tenant: str) -> int:
        """The number of the newest event that was passed on; 0 while nobody watches."""
        return self._sent.get(tenant, 0)

    async def follow(
        self, tenant: str, after: int | None, heartbeat_seconds: float, limited: Reading | None = None
    ) -> AsyncIterator[list[Event]]:
        """Events behind `after` (None: from now on), then live ones, as many as wait; none: a heartbeat is due. A first
        event `reset`: load afresh. `limited`: transactions that see only the events this page may be told."""
        reading = limited or (lambda: self._database.transaction(tenant))
        with self.subscribe(tenant) as mine:
            async with self._database.transaction(tenant) as tx:
                last = await live.head(tx, tenant)
                oldest = await live.oldest(tx, tenant)
            reached = last if after is None else after
            if after is not None and (after > last or (oldest is not None and after < oldest - 1)):
                yield [Event.of(last, "reset", '{"reason":"too_old"}')]
                reached = last
            while reached < last:
                async with reading() as tx:
                    missed = await live.after(tx, tenant, reached, READ_AT_ONCE)
                if not missed:
                    break
                yield [Event.of(*one) for one in missed]
                reached = missed[-1][0]
            while not self.stopping.is_set() and not mine.lost:
                came = await mine.take(heartbeat_seconds)
                fresh = [event for event in came if event.seq > reached or not event.seq]
                reached = max([reached, *(event.seq for event in fresh)])
                if fresh and limited is not None:
                    async with limited() as tx:
                        seen = await live.among(tx, tenant, [event.seq for event in fresh])
                    fresh = [event for event in fresh if event.seq in seen or not event.seq]
                if fresh or not came:
                    yield fresh

    async def run(self) -> None:
        """Listen and pass on until cancelled."""
        while True:
            try:
                async with self._database.pool.acquire() as connection:
                    await connection.add_listener(live.CHANNEL, self._on_notice)
                    try:
                        while not connection.is_closed():
                            await self._pass_on()
                            await self._wait()
                    finally:
                        if not connection.is_closed():
                            await connection.remove_listener(live.CHANNEL, self._on_notice)
            except FAULTS as error:
                log.warning("live_stream_paused", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(RECONNECT_SECONDS)

    def _on_notice(self, *_: object) -> None:
        self._woken.set()

    async def _wait(self) -> None:
        looked = time.monotonic()
        try:
            await asyncio.wait_for(self._woken.wait(), LOOK_SECONDS)
        except TimeoutError:
            pass  # look anyway
        await asyncio.sleep(looked + GATHER_SECONDS - time.monotonic())
        self._woken.clear()

    async def _pass_on(self) -> None:
        for tenant in list(self._watching):
            async with self._database.transaction(tenant) as tx:
                if tenant not in self._sent:
                    # Streams catch up by themselves to the head they saw; from just before it everything is passed on.
                    self._sent[tenant] = max(0, await live.head(tx, tenant) - READ_AT_ONCE)
                rows = await live.after(tx, tenant, self._sent[tenant], READ_AT_ONCE)
            if rows:
                events = [Event.of(*row) for row in rows]
                for one in self._watching.get(tenant, ()):
                    one.offer(events)
                self._sent[tenant] = rows[-1][0]
            if len(rows) == READ_AT_ONCE:
                self._woken.set()

    def close(self) -> None:
        """End all streams; their pages come back to the next process."""
        self.stopping.set()
        for streams in self._watching.values():
            for one in streams:
                one.offer([Event.of(0, "closing", "{}")])
