"""The audit service as a real process, with a producer in front of it and a database administrator behind it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import orjson
from aiokafka import AIOKafkaProducer, TopicPartition
from pydantic import SecretStr

from cli.platform.ports import any_free
from kit import kafka
from kit.events import Envelope, Outgoing, headers_of
from kit.identity import Mint, Principal, ensure_keys
from kit.settings import ServiceSettings
from schemas.topics import ALL, CHECKPOINTS, TOPIC_OF
from tests.ground import FreshDatabase, Ground
from tests.unit.audit.story import TENANT, WHEN, Event

ROOT = Path(__file__).resolve().parents[3]
WAIT_SECONDS = 60.0


@dataclass(slots=True)
class AuditBench:
    """Start, kill and question one audit service."""

    settings: ServiceSettings
    database_url: str
    admin: "asyncpg.Connection[asyncpg.Record]"
    producer: AIOKafkaProducer
    port: int
    extra: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data_dir(self) -> Path:
        return self.settings.data_dir

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "COUNTERSIGN_NAMESPACE": self.settings.namespace,
            "COUNTERSIGN_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "COUNTERSIGN_DATABASE_URL": self.database_url,
            "COUNTERSIGN_DATA_DIR": str(self.data_dir),
            "COUNTERSIGN_HTTP_PORT": str(self.port),
            "COUNTERSIGN_AUDIT_URL": f"http://127.0.0.1:{self.port}",
            "COUNTERSIGN_CONSUMER_SESSION_MILLISECONDS": "6000",
            **self.extra,
        }

    async def start(self) -> None:
        self.spawn()
        await self.until(self.is_ready, "the audit service to be ready")

    def spawn(self) -> None:
        with (self.data_dir / "audit.log").open("ab") as log:
            command = [sys.executable, "-m", "services.audit.main"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment(), stdout=log, stderr=log)

    async def is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"audit ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        try:
            async with httpx2.AsyncClient() as client:
                return bool((await client.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2)).status_code == 200)
        except httpx2.HTTPError:
            return False

    def log(self) -> str:
        return (self.data_dir / "audit.log").read_text("utf-8", "replace")

    def kill(self) -> None:
        """kill -9: no chance to finish anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)
        self.process = None

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not await condition():
            assert time.monotonic() < deadline, f"waited {WAIT_SECONDS:.0f} s for {what}\n{self.log()[-3000:]}"
            await asyncio.sleep(0.05)

    async def send(self, events: Sequence[Event]) -> None:
        for event in events:
            envelope = Envelope(event.id, "test", event.body.TYPE, WHEN, event.body.tenant, event.body.record_key())
            await self.send_raw(Outgoing(TOPIC_OF[event.body.TYPE].name, envelope, event.value))
        await self.producer.flush()

    async def send_raw(self, message: Outgoing) -> None:
        name = f"{self.settings.namespace}.{message.topic}"
        await self.producer.send(name, message.value, key=message.envelope.key.encode(), headers=headers_of(message))

    async def caught_up(self) -> None:
        """Wait until everything on the consumed topics is in the log, and the log is signed."""
        names = [topic.on(self.settings.namespace) for topic in ALL if topic is not CHECKPOINTS]
        consumer = kafka.plain_consumer(self.settings, "test-ends")
        await consumer.start()
        try:
            wanted = [
                TopicPartition(t.on(self.settings.namespace), n)
                for t in ALL
                if t is not CHECKPOINTS
                for n in range(t.partitions)
            ]

            async def done() -> bool:
                ends = await consumer.end_offsets(wanted)
                rows = await self.admin.fetch(
                    "select topic, partition, next_offset from audit.consumed_positions where topic = any($1)", names
                )
                at = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
                unsigned = await self.admin.fetchval("select count(*) from audit.heads where size > last_signed_size")
                for place, end in ends.items():
                    start = at.get(place, 0)
                    if start < end and await self._holds_records(consumer, place, start):
                        return False
                return bool(unsigned == 0)

            await self.until(done, "the log to take in and sign everything")
        finally:
            await consumer.stop()

    async def _holds_records(self, consumer: Any, place: TopicPartition, start: int) -> bool:
        """Whether records lie from `start` on: transaction markers use up offsets too and are no record."""
        consumer.assign([place])
        consumer.seek(place, start)
        return bool(any((await consumer.getmany(timeout_ms=300)).values()))

    def headers(self, *roles: str, tenant: str = TENANT) -> dict[str, str]:
        private, _ = ensure_keys(self.data_dir)
        token = Mint(private).token(Principal(tenant, "test", frozenset(roles or ("auditor",))), "audit")
        return {"authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, *roles: str, tenant: str = TENANT, **more: Any) -> httpx2.Response:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as client:
            return await client.request(method, path, headers=self.headers(*roles, tenant=tenant), **more)

    def verify(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """The offline verifier, as the command a person types."""
        command = [sys.executable, "-m", "services.audit.verify.command", "--json", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment(), capture_output=True, timeout=120, check=False)
        assert done.stdout, done.stderr.decode()
        return done.returncode, orjson.loads(done.stdout)

    async def entries(self, tenant: str = TENANT) -> list[dict[str, Any]]:
        rows = await self.admin.fetch("select entry from audit.entries where tenant = $1 order by seq", tenant)
        return [orjson.loads(row["entry"]) for row in rows]


@asynccontextmanager
async def audit_bench(
    ground: Ground, namespace: str, database: FreshDatabase, data_dir: Path
) -> AsyncIterator[AuditBench]:
    ensure_keys(data_dir)
    url = database.url("audit")
    settings = ServiceSettings(
        namespace=namespace, kafka_bootstrap=ground.kafka_bootstrap, database_url=SecretStr(url), data_dir=data_dir
    )
    admin = await asyncpg.connect(database.admin_url)
    producer = kafka.idempotent_producer(settings, "test")
    await producer.start()
    bench = AuditBench(settings, url, admin, producer, any_free())
    try:
        yield bench
    finally:
        bench.kill()
        await producer.stop()
        await admin.close()
