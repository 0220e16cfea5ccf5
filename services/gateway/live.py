"""From the table of live events to open pages: one reader for all of a tenant's streams, woken by Postgres after commits."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from kit import telemetry
from kit.database import Database
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

FAULTS: tuple[type[BaseException], ...] = (*TRANSIENT, asyncpg.PostgresError)

Event = tuple[int, str, str]


class Subscription:
    """One open page: events come in order; `lost` when it did not keep up."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_MAX)
        self.lost = False

    def offer(self, event: Event) -> None:
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            self.lost = True


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

    async def follow(self, tenant: str, after: int | None, heartbeat_seconds: float) -> AsyncIterator[Event | None]:
        """Events behind `after` (None: from now on), then live ones; None is a heartbeat. Event 0 `reset`: load afresh."""
        with self.subscribe(tenant) as mine:
            async with self._database.transaction(tenant) as tx:
                last = await live.head(tx, tenant)
                oldest = await live.oldest(tx, tenant)
            reached = last if after is None else after
            if after is not None and (after > last or (oldest is not None and after < oldest - 1)):
                yield (last, "reset", '{"reason":"too_old"}')
                reached = last
            while reached < last:
                async with self._database.transaction(tenant) as tx:
                    missed = await live.after(tx, tenant, reached, READ_AT_ONCE)
                for event in missed:
                    yield event
                    reached = event[0]
                if not missed:
                    break
            while not self.stopping.is_set() and not mine.lost:
                try:
                    event = await asyncio.wait_for(mine.queue.get(), heartbeat_seconds)
                except TimeoutError:
                    yield None
                    continue
                if event[0] > reached:
                    reached = event[0]
                    yield event

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
        try:
            await asyncio.wait_for(self._woken.wait(), LOOK_SECONDS)
        except TimeoutError:
            pass  # look anyway
        self._woken.clear()

    async def _pass_on(self) -> None:
        for tenant in list(self._watching):
            async with self._database.transaction(tenant) as tx:
                if tenant not in self._sent:
                    # Streams catch up by themselves to the head they saw; from just before it everything is passed on.
                    self._sent[tenant] = max(0, await live.head(tx, tenant) - READ_AT_ONCE)
                events = await live.after(tx, tenant, self._sent[tenant], READ_AT_ONCE)
            for event in events:
                for one in self._watching.get(tenant, ()):
                    one.offer(event)
            if events:
                self._sent[tenant] = events[-1][0]
            if len(events) == READ_AT_ONCE:
                self._woken.set()

    def close(self) -> None:
        """End all streams; their pages come back to the next process."""
        self.stopping.set()
        for streams in self._watching.values():
            for one in streams:
                one.offer((0, "closing", "{}"))
