"""A real gateway process on a real Kafka and PostgreSQL, with the accounts of two tenants."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from aiokafka import AIOKafkaProducer

from cli.platform.ports import any_free
from kit.events import Outgoing, headers_of, outgoing
from schemas.base import Message
from services.gateway.accounts import bootstrap
from tests.ground import FreshDatabase, Ground, wait_for
from tests.integration.gateway.messages import NOW

START_SECONDS = 40.0
OWNERS = ("forecaster", "policy", "approvals", "audit")


@dataclass(slots=True)
class Gateway:
    """One gateway process and what a test needs to talk to it."""

    platform: Ground
    namespace: str
    database: FreshDatabase
    data_dir: Path
    passwords: dict[tuple[str, str], str]
    port: int = field(default_factory=any_free)
    closed: int = field(default_factory=any_free)  # where the other services would be: nobody listens, nobody will
    more_env: dict[str, str] = field(default_factory=dict)
    sessions: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.data_dir / f"gateway-{self.port}.log"

    def start(self) -> "Gateway":
        """Start the process and wait until it is ready."""
        self.launch()
        eventually(self.is_ready, START_SECONDS, lambda: f"gateway not ready; log:\n{self.log.read_text()[-4000:]}")
        return self

    def launch(self) -> None:
        """Start the process."""
        nobody = {f"COUNTERSIGN_{owner.upper()}_URL": f"http://127.0.0.1:{self.closed}" for owner in OWNERS}
        env = (
            os.environ
            | nobody
            | {
                "COUNTERSIGN_NAMESPACE": self.namespace,
                "COUNTERSIGN_KAFKA_BOOTSTRAP": self.platform.kafka_bootstrap,
                "COUNTERSIGN_DATABASE_URL": self.database.url("gateway"),
                "COUNTERSIGN_HTTP_PORT": str(self.port),
                "COUNTERSIGN_DATA_DIR": str(self.data_dir),
                "COUNTERSIGN_CONSUMER_WAIT_MILLISECONDS": "20",
                "COUNTERSIGN_CONSUMER_SESSION_MILLISECONDS": "6000",
                "COUNTERSIGN_STREAM_HEARTBEAT_SECONDS": "1",
                "COUNTERSIGN_MEASURE_EVERY_SECONDS": "1",
                **self.more_env,
            }
        )
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.gateway.main"], env=env, stdout=log, stderr=log
            )

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"gateway ended:\n{self.log.read_text()[-4000:]}"
        try:
            return httpx2.get(f"{self.url}/readyz").status_code == 200
        except httpx2.HTTPError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(timeout=30)

    @contextmanager
    def held(self) -> Iterator[None]:
        """The process stands still meanwhile, its connections open."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def anonymous(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=20)

    def client(self, username: str, tenant: str = "acme", *, fresh: bool = False) -> httpx2.Client:
        """Signed in as one of the bootstrap accounts; a session of its own if `fresh` (a password check takes its time)."""
        cookies = None if fresh else self.sessions.get((tenant, username))
        if cookies is None:
            body = {"username": username, "password": self.passwords[tenant, username], "tenant": tenant}
            answer = httpx2.post(f"{self.url}/v1/session", json=body, timeout=20)
            assert answer.status_code == 200, answer.text
            cookies = dict(answer.cookies)
            if not fresh:
                self.sessions[tenant, username] = cookies
        return httpx2.Client(base_url=self.url, timeout=20, cookies=cookies)

    def machine(self, *scopes: str, tenant: str = "acme") -> httpx2.Client:
        """With a fresh API key of these scopes."""
        with self.client("admin", tenant) as admin:
            answer = admin.post("/v1/api-keys", json={"name": "test", "scopes": list(scopes)})
        assert answer.status_code == 201, answer.text
        headers = {"Authorization": f"Bearer {answer.json()['secret']}"}
        return httpx2.Client(base_url=self.url, timeout=20, headers=headers)

    def publish(self, *messages: Outgoing) -> None:
        """As the owner services would, straight to Kafka."""
        wait_for(publish(self.platform.kafka_bootstrap, self.namespace, messages))


async def publish(bootstrap_servers: str, namespace: str, messages: tuple[Outgoing, ...]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        sent = [
            await producer.send(
                f"{namespace}.{one.topic}", value=one.value, key=one.envelope.key.encode(), headers=headers_of(one)
            )
            for one in messages
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


def eventually(condition: Any, seconds: float = 20.0, why: Any = "condition not met") -> Any:
    """Poll a condition outside this process until it holds, and return what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, why() if callable(why) else why
        time.sleep(0.05)


def said(body: Message, service: str = "policy") -> Outgoing:
    """A message as `service` would publish it: another content has another id, the same content the same."""
    return outgoing(body, service=service, cause=body.model_dump_json(), time=NOW)


def make_gateway(platform: Ground, namespace: str, database: FreshDatabase, data_dir: Path) -> Gateway:
    passwords = {}
    for tenant in ("acme", "globex"):
        for made in wait_for(bootstrap(database.url("gateway"), tenant)):
            passwords[tenant, made.username] = made.password
    return Gateway(platform, namespace, database, data_dir, passwords)
