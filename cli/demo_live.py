"""The demo goes on living: one business day after the other through the API, orders taken, acknowledged and delivered.

A thread of its own beside the foreground command. Its only state is `lab.supply.replay.Physical`, kept in the data folder
before a day is sent, so that a demo that is ended in the middle of a day tells the rest of it in the same words.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

from cli import output
from countersign_client import ApiProblem, Client, Event, Unreachable
from lab.supply.replay import Physical, Replay
from lab.world.build import World
from lab.world.story import Event as Told

# A day's events go out in this many portions, so that the shops are seen selling and not jumping.
PORTIONS = 12


class Live:
    """Feeds days until told to stop or the receipts end. `pace_seconds`: how long a business day takes."""

    def __init__(
        self, world: World, state_file: Path, client: Client, *, bootstrap: str, topic: str, pace_seconds: float
    ) -> None:
        self._state_file = state_file
        self._replay = Replay(world, Physical.load(state_file, world))
        self._client = client
        self._orders = OrderReader(bootstrap, topic)
        self._pace_seconds = pace_seconds
        self._orders_taken = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        """Begin with the day after the last one that was lived."""
        self._orders.start()
        self._thread.start()

    def stop(self) -> None:
        """End after the request in flight."""
        self._stop.set()
        self._orders.stop()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._stop.is_set() and not self._replay.is_over:
            try:
                self._live_a_day()
            except (Unreachable, ApiProblem) as error:
                # The day is kept and told again; the services may just be restarting.
                output.warn(f"the live feed waits: {error}")
                self._stop.wait(5.0)
        if self._replay.is_over:
            output.say("the receipts of 2017 are told to the end; everything stays as it is for you to work with")

    def _live_a_day(self) -> None:
        replay = self._replay
        replay.begin_day()
        replay.state.save(self._state_file)
        events = list(replay.events_of_day())
        portion = max(1, -(-len(events) // PORTIONS))
        sent = iter(events)
        for _ in range(PORTIONS):
            self._send(islice(sent, portion))
            self._answer_orders()
            if self._stop.wait(self._pace_seconds / PORTIONS):
                return
        day = replay.business_date
        replay.end_day()
        replay.state.save(self._state_file)
        output.say(
            f"{day:%a %d %b %Y} is over: {len(events):,} events, {self._orders_taken} orders taken by the ERP,"
            f" {len(replay.state.deliveries)} deliveries on their way"
        )
        self._orders_taken = 0

    def _answer_orders(self) -> None:
        """Acknowledge and confirm the orders that came since the last look; they arrive on a later morning."""
        answers: list[Told] = []
        for order in self._orders.take():
            answered = self._replay.take_order(order)
            self._orders_taken += bool(answered)
            answers += answered
        if answers:
            self._send(answers)
            self._replay.state.save(self._state_file)

    def _send(self, events: Iterable[Told]) -> None:
        report = self._client.send(Event(one.id, one.source, one.type, one.time, one.data) for one in events)
        for rejected in report.rejected:
            output.warn(f"event {rejected.id} was rejected: {rejected.field} {rejected.reason}")


class OrderReader:
    """Reads released orders from Kafka in a thread, from the beginning: what is known already is skipped by its taker."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._found: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="orders", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: Kafka went away first, and the thread has ended
            self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(timeout=10)

    def take(self) -> Sequence[dict[str, Any]]:
        """Orders read since the last call."""
        with self._lock:
            found, self._found = self._found, []
        return found

    def _cancel(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._read())
        except asyncio.CancelledError:
            return
        finally:
            self._loop.close()

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            self._topic,
            bootstrap_servers=self._bootstrap,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            async for record in consumer:
                kind = dict(record.headers).get("ce_type", b"").decode()
                if kind == "order.released.v1":
                    with self._lock:
                        self._found.append(orjson.loads(record.value))
        finally:
            await consumer.stop()
