"""The ground tests stand on: one real Kafka and one real PostgreSQL per test session, a fresh corner of them per test.

`Ground.find()` uses configured addresses, or containers when asked for, or starts the embedded ones. The first worker
that needs it starts it, under a file lock; the session's controller stops what was started.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cli.errors import Trouble
from cli.platform import databases, topics
from cli.platform.databases import SERVICES, ServiceDatabase
from cli.platform.kafka import Kafka
from cli.platform.ownership import Ledger
from cli.platform.ports import any_free
from cli.platform.postgres import Postgres
from cli.platform.processes import ServiceProcess
from kit.identity import ensure_keys

T = TypeVar("T")
HOME_VARIABLE = "COUNTERSIGN_TEST_HOME"
KAFKA_VARIABLE = "COUNTERSIGN_KAFKA_BOOTSTRAP"
POSTGRES_VARIABLE = "COUNTERSIGN_DATABASE_ADMIN_URL"


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end from a synchronous fixture, in a thread of its own: a test's event loop is not disturbed."""
    result: list[T] = []
    failure: list[BaseException] = []

    def body() -> None:
        try:
            result.append(asyncio.run(work))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=body, name="fixture")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


@dataclass(frozen=True, slots=True)
class Ground:
    """Addresses of a real broker and a real server."""

    kafka_bootstrap: str
    database_admin_url: str

    @staticmethod
    def find() -> "Ground":
        """The configured ones, or the session's own, started when this is the first call."""
        bootstrap, admin_url = os.environ.get(KAFKA_VARIABLE), os.environ.get(POSTGRES_VARIABLE)
        if bootstrap and admin_url:
            return Ground(bootstrap, admin_url)
        home = Path(os.environ[HOME_VARIABLE])
        with _locked(home / "lock"):
            kafka, postgres = _embedded(home)
            if not bootstrap:
                kafka.start(_quiet)
            if not admin_url:
                postgres.start(_quiet)
        return Ground(bootstrap or kafka.bootstrap, admin_url or postgres.admin_url)

    def await_database(self, seconds: float) -> None:
        """Wait until the server takes connections. Raises the last refusal after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                databases.demand_server(ServiceDatabase(self.database_admin_url, "postgres"))
                return
            except Trouble:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


def prepare() -> None:
    """Choose the session's folder, once, in the controller; workers inherit it through the environment."""
    if HOME_VARIABLE not in os.environ:
        home = Path(tempfile.mkdtemp(prefix="countersign-test-"))
        home.chmod(0o755)  # the database server's unprivileged user must be able to walk in
        os.environ[HOME_VARIABLE] = str(home)


def clear() -> None:
    """Stop what the session started, remove its folder."""
    home = Path(os.environ.pop(HOME_VARIABLE))
    kafka, postgres = _embedded(home)
    postgres.stop()
    kafka.stop()
    postgres.remove()
    shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class FreshDatabase:
    """An empty database of one test. A service's schema is migrated when its address is first asked for."""

    target: ServiceDatabase
    _migrated: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """Its name on the server."""
        return self.target.name

    @property
    def admin_url(self) -> str:
        """Address as superuser, for looking behind the tenant wall."""
        return self.target.url

    def url(self, service: str) -> str:
        """Address as the role of `service`, its schema migrated."""
        if service not in self._migrated:
            wait_for(databases.ensure(self.target, [service]))
            self._migrated.add(service)
        return self.target.service_url(service)


@contextlib.contextmanager
def fresh_namespace(ground: Ground) -> Iterator[str]:
    """A topic and group prefix of its own, every topic of the catalogue made; deleted afterwards."""
    namespace = f"t-{uuid.uuid4().hex[:10]}"
    wait_for(topics.ensure(ground.kafka_bootstrap, namespace))
    try:
        yield namespace
    finally:
        wait_for(topics.remove(ground.kafka_bootstrap, namespace))


@contextlib.contextmanager
def fresh_database(ground: Ground) -> Iterator[FreshDatabase]:
    """A database of its own; dropped afterwards."""
    target = ServiceDatabase(ground.database_admin_url, f"t_{uuid.uuid4().hex[:10]}")
    wait_for(databases.ensure(target, []))
    try:
        yield FreshDatabase(target)
    finally:
        wait_for(databases.remove(target))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _embedded(home: Path) -> tuple[Kafka, Postgres]:
    """The session's own pair, on ports chosen once and written down for the other workers."""
    chosen = home / "ports"
    if not chosen.exists():
        chosen.write_text(" ".join(str(any_free()) for _ in range(3)))
    kafka_port, controller_port, postgres_port = (int(port) for port in chosen.read_text().split())
    ledger = Ledger(home / "run")
    kafka = Kafka(home / "kafka", kafka_port, controller_port, ledger, home / "logs" / "kafka.log")
    return kafka, Postgres(home / "postgres", postgres_port, ledger, max_connections=200)


@dataclass(slots=True)
class Services:
    """Starts real service processes for one test: its namespace, its database, ports and a data folder of its own."""

    ground: Ground
    namespace: str
    database: FreshDatabase
    folder: Path
    _ports: dict[str, int] = field(default_factory=dict)
    _running: list[ServiceProcess] = field(default_factory=list)

    def __call__(self, name: str, **settings: str) -> ServiceProcess:
        """Start service `name` and wait until it is ready. `settings` are environment variables, without prefix.

        Of what comes back: `.url`, `.log`, `.kill()` (SIGKILL), `.stop(grace_seconds=…)`, `.start()`, `.await_ready()`.
        """
        process = self.process(name, **settings)
        process.start()
        process.await_ready(seconds=60)
        return process

    def process(self, name: str, **settings: str) -> ServiceProcess:
        """The same, not started yet."""
        ensure_keys(self.folder)
        environment = {f"COUNTERSIGN_{other.upper()}_URL": f"http://127.0.0.1:{self.port(other)}" for other in SERVICES}
        environment |= {
            "COUNTERSIGN_NAMESPACE": self.namespace,
            "COUNTERSIGN_KAFKA_BOOTSTRAP": self.ground.kafka_bootstrap,
            "COUNTERSIGN_DATABASE_URL": self.database.url(name),
            "COUNTERSIGN_HTTP_PORT": str(self.port(name)),
            "COUNTERSIGN_DATA_DIR": str(self.folder),
        }
        environment |= {f"COUNTERSIGN_{key.upper()}": value for key, value in settings.items()}
        process = ServiceProcess(
            name, self.port(name), lambda: environment, Ledger(self.folder / "run"), self.folder / "logs"
        )
        self._running.append(process)
        return process

    def port(self, name: str) -> int:
        """The HTTP port of a service in this test, chosen once."""
        return self._ports.setdefault(name, any_free())

    def end(self) -> None:
        """Kill whatever still runs."""
        for process in self._running:
            process.kill()


def _quiet(_line: str) -> None:
    """Fixtures report through pytest, not on the terminal."""
