"""What is hurt: an own Kafka and Postgres under an own folder and own ports, and the five services, each behind a proxy.

Faults ask the stand to kill, stop, start and hold; nothing here decides when. Nobody else's process is ever touched.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition

from cli.local import PORT_FIELDS, ROOT, LocalSettings
from cli.platform.databases import SERVICES
from cli.platform.kafka import Kafka, Listener
from cli.platform.local import LocalPlatform, Say
from cli.platform.ownership import Ledger, Owned
from cli.platform.ports import any_free, is_free
from cli.platform.processes import ServiceProcess
from schemas import topics as catalogue

# Small windows, so that a story of minutes holds many approvals; the shortest session that Kafka's members may have.
ENVIRONMENT = {
    "COUNTERSIGN_TRAIN_WHEN_READY": "false",
    "COUNTERSIGN_SENSING_ENABLED": "false",
    "COUNTERSIGN_SWEEP_SECONDS": "2",
    "COUNTERSIGN_UNDO_WINDOW_SECONDS": "0.5",
    "COUNTERSIGN_GROUP_WAIT_SECONDS_MAX": "0.5",
    "COUNTERSIGN_CONSUMER_SESSION_MILLISECONDS": "6000",
    "COUNTERSIGN_INGEST_DEADLINE_SECONDS": "5",
    "OMP_NUM_THREADS": "1",
}
READY_SECONDS_MAX = 120.0
# Below the default ports of the embedded stores, and below the range of `any_free`, which other stands draw from.
PORTS = (10_000, 15_000)
# A transaction ends with one marker; so many offsets hold a record unless many aborted ones follow each other.
TAIL_OFFSETS = 10


class Stand(LocalPlatform):
    """The local platform with a hand on every wire between services and stores."""

    def __init__(self, folder: Path, say: Say) -> None:
        # All at once, so that no two are the same: two dozen ports by chance among 12,000 would meet once in forty runs.
        free = iter(_distinct(len(PORT_FIELDS) + 3 * len(SERVICES)))
        ports = {name: next(free) for name in PORT_FIELDS}
        settings = LocalSettings(
            data_dir=folder,
            namespace="chaos",
            kafka_bootstrap=None,
            database_admin_url=None,
            database_name="chaos",
            **ports,  # type: ignore[arg-type]  # all of them are ports
        )
        super().__init__(settings, say)
        self.extra: dict[str, dict[str, str]] = {}
        self._listeners = {name: Listener(name.upper(), next(free), next(free)) for name in SERVICES}
        self.kafka = Kafka(
            self.kafka.home,
            self.kafka.port,
            self.kafka.controller_port,
            self.ledger,
            self.kafka.log,
            tuple(self._listeners.values()),
        )
        self._postgres_doors = {name: next(free) for name in SERVICES}
        self._proxy: subprocess.Popen[str] | None = None

    def environment(self, service: str) -> dict[str, str]:
        """As the platform has it, but by way of the proxy, and with what a fault wants of this service."""
        plain = super().environment(service) | ENVIRONMENT
        parts = urlsplit(plain["COUNTERSIGN_DATABASE_URL"])
        user, _, _ = parts.netloc.rpartition("@")
        through = parts._replace(netloc=f"{user}@127.0.0.1:{self._postgres_doors[service]}")
        plain["COUNTERSIGN_DATABASE_URL"] = urlunsplit(through)
        plain["COUNTERSIGN_KAFKA_BOOTSTRAP"] = f"127.0.0.1:{self._listeners[service].advertised}"
        return plain | self.extra.get(service, {})

    # Starting and ending

    def open(self) -> None:
        """Stores, proxy, topics, schemas, services."""
        self.folder.claim()
        self.start_stores()
        self._start_proxy()
        self.prepare()
        self.start_services()

    def close(self) -> None:
        """End everything that this stand started, however it is: what fails to end does not keep the rest alive."""
        with contextlib.ExitStack() as ends:
            ends.callback(self._end_proxy)
            ends.callback(self.kafka.stop, grace_seconds=15.0)
            ends.callback(self.postgres.stop, grace_seconds=10.0)
            for name in SERVICES:
                ends.callback(self.service(name).stop, grace_seconds=2.0)
                ends.callback(self.wake, name)

    def _end_proxy(self) -> None:
        if self._proxy is not None and self._proxy.stdin is not None:
            self._proxy.stdin.close()
            self._proxy.wait(timeout=10)
            if self._proxy.stdout is not None:
                self._proxy.stdout.close()

    def _start_proxy(self) -> None:
        pairs = [f"{one.advertised}:{one.port}" for one in self._listeners.values()]
        pairs += [f"{door}:{self.postgres.port}" for door in self._postgres_doors.values()]
        self._proxy = subprocess.Popen(
            [sys.executable, "-m", "lab.chaos.proxy", *pairs],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._proxy.stdout is not None
        self._proxy.stdout.readline()

    def link(self, service: str, store: str, mode: str, seconds: float = 0.0) -> None:
        """Set the wire between a service and `kafka` or `postgres` to a mode of `lab.chaos.proxy`."""
        assert self._proxy is not None and self._proxy.stdin is not None and self._proxy.stdout is not None
        door = self._listeners[service].advertised if store == "kafka" else self._postgres_doors[service]
        self._proxy.stdin.write(json.dumps({"link": door, "mode": mode, "seconds": seconds}) + "\n")
        self._proxy.stdin.flush()
        self._proxy.stdout.readline()

    # Processes

    def pid(self, service: str) -> int | None:
        """The process id of a service that lives."""
        owned = self.service(service).running()
        return None if owned is None else owned.pid

    def kill(self, service: str) -> None:
        """kill -9, its children too."""
        self.service(service).kill()

    def launch(self, service: str, **environment: str) -> None:
        """Start a service that does not run, with more environment; does not wait."""
        self.extra[service] = environment
        self.service(service).start()

    def await_ready(self, service: str) -> float:
        """Wait until it says that it is ready; seconds it took."""
        return self.service(service).await_ready(seconds=READY_SECONDS_MAX)

    def revive(self) -> None:
        """Start whatever does not run: stores first, then services. Does not wait for readiness."""
        self.revive_stores()
        for name in SERVICES:
            if self.service(name).running() is None:
                self.launch(name)

    def revive_stores(self) -> None:
        """Start a broker or a database that is gone, with patience: the old one's last breath may hold its files."""
        for _ in range(5):
            try:
                if self.kafka.running() is None:
                    self.kafka.start(self.say)
                if self.postgres.running() is None:
                    self.postgres.start(self.say)
                return
            except Exception as error:  # the next try tells whether it matters
                self.say(f"a store did not start: {error}")
                time.sleep(1.0)
        raise RuntimeError("a store does not start again; see kafka.log and server.log in the stand's folder")

    def second(self, service: str) -> ServiceProcess:
        """Another process of the same service, beside the first, on a port of its own."""
        port = any_free()
        environment = self.environment(service) | {"COUNTERSIGN_HTTP_PORT": str(port)}
        return ServiceProcess(
            service, port, lambda: environment, Ledger(self.folder.run / "second"), self.folder.logs / "second"
        )

    def pause(self, service: str) -> None:
        """SIGSTOP: it lives and does nothing, as in a long pause of a virtual machine."""
        self._signal(service, signal.SIGSTOP)

    def wake(self, service: str) -> None:
        """SIGCONT."""
        self._signal(service, signal.SIGCONT)

    def _signal(self, service: str, number: int) -> None:
        owned = self.ledger.find(service)
        process = owned.process() if isinstance(owned, Owned) else None
        if process is None:
            return
        for one in [process, *process.children(recursive=True)]:
            try:
                one.send_signal(number)
            except psutil.NoSuchProcess:
                continue

    # Looking, past every service and every proxy

    def query(self, text: str, *values: Any) -> list[Any]:
        """As the database's administrator."""

        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self.database.url, timeout=10)
            try:
                return list(await connection.fetch(text, *values))
            finally:
                await connection.close()

        return asyncio.run(ask())

    def ends(self) -> dict[tuple[str, int], int]:
        """Just behind the last record of every partition now: who has come this far has caught up with this moment."""
        names = {topic.on(self.namespace): topic.partitions for topic in catalogue.ALL}
        return asyncio.run(_ends(self.kafka_bootstrap, names))

    def waits_for(self, ends: Mapping[tuple[str, int], int]) -> list[str]:
        """Why the system has not caught up with `ends` yet; empty when it has."""
        reasons = []
        for name in SERVICES:
            ready, facts = self.service(name).readiness()
            if not ready:
                reasons.append(f"{name} is not ready: {json.dumps(facts)[:300]}")
        if reasons:
            return reasons
        parts = (
            f"select '{name}' as who, topic, partition, next_offset from {name}.consumed_positions" for name in SERVICES
        )
        rows = self.query(" union all ".join(parts))
        at = {(row["who"], row["topic"], row["partition"]): row["next_offset"] for row in rows}
        for topic in catalogue.ALL:
            for name in topic.consumers:
                for number in range(topic.partitions):
                    place = (topic.on(self.namespace), number)
                    if at.get((name, *place), 0) < ends[place]:
                        reasons.append(
                            f"{name} reads {topic.name}/{number} at {at.get((name, *place), 0)} of {ends[place]}"
                        )
        return reasons


def _distinct(count: int) -> list[int]:
    """So many different free ports, from a range that nobody else here draws from: they are bound a minute later."""
    chance = random.SystemRandom()
    found: set[int] = set()
    while len(found) < count:
        port = chance.randrange(*PORTS)
        if is_free(port):
            found.add(port)
    return list(found)


async def _ends(bootstrap: str, topics: Mapping[str, int]) -> dict[tuple[str, int], int]:
    """Markers of transactions use up offsets without being records, so the tail of each partition is read."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    await consumer.start()
    try:
        places = [TopicPartition(name, number) for name, count in topics.items() for number in range(count)]
        consumer.assign(places)
        last = await consumer.end_offsets(places)
        for place, end in last.items():
            consumer.seek(place, max(0, end - TAIL_OFFSETS))
        found = dict.fromkeys(((place.topic, place.partition) for place in places), 0)
        waiting = {place for place, end in last.items() if end > 0}
        while waiting:
            for place, batch in (await consumer.getmany(timeout_ms=200)).items():
                found[place.topic, place.partition] = batch[-1].offset + 1
            for place in list(waiting):
                if await consumer.position(place) >= last[place]:
                    waiting.discard(place)
        return found
    finally:
        await consumer.stop()
