"""The whole local platform: broker, database, topics, schemas, keys and the five services, started and stopped together."""

import asyncio
import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cli.errors import Trouble
from cli.local import DataFolder, LocalSettings
from cli.platform import databases, topics
from cli.platform.databases import SERVICES, ServiceDatabase
from cli.platform.kafka import Kafka
from cli.platform.kafka import demand_answer as demand_kafka
from cli.platform.ownership import Ledger, stop_together
from cli.platform.ports import demand_free
from cli.platform.postgres import Postgres
from cli.platform.processes import READY_SECONDS_MAX, START_ORDER, ServiceProcess

Say = Callable[[str], None]
# The services' own grace is 10 s for the batch in flight and 10 s for the outbox.
SERVICE_GRACE_SECONDS = 25.0
STORE_GRACE_SECONDS = 30.0


class LocalPlatform:
    """Everything of one data folder. `start` remembers what it started; `stop_started` stops that and nothing else."""

    def __init__(self, settings: LocalSettings, say: Say) -> None:
        self.settings = settings
        self.say = say
        self.folder = DataFolder.of(settings)
        self.ledger = Ledger(self.folder.run)
        self.kafka = Kafka(
            self.folder.path / "kafka",
            settings.kafka_port,
            settings.kafka_controller_port,
            self.ledger,
            self.folder.logs / "kafka.log",
        )
        self.postgres = Postgres(self.folder.path / "postgres", settings.postgres_port, self.ledger)
        self._started: list[str] = []
        self._is_given_up = False

    @property
    def namespace(self) -> str:
        """Prefix of topics and groups."""
        return self.settings.namespace

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return self.folder.path

    @property
    def kafka_bootstrap(self) -> str:
        """The configured broker, or the embedded one."""
        return self.settings.kafka_bootstrap or self.kafka.bootstrap

    @property
    def database(self) -> ServiceDatabase:
        """The services' database on the configured server, or on the embedded one."""
        return ServiceDatabase(self.settings.database_admin_url or self.postgres.admin_url, self.settings.database_name)

    @property
    def gateway_url(self) -> str:
        """Where people and machines come in."""
        return self.service("gateway").url

    def service(self, name: str) -> ServiceProcess:
        """One of the five, with the environment it is started with."""
        return ServiceProcess(
            name, self.settings.service_port(name), lambda: self.environment(name), self.ledger, self.folder.logs
        )

    def environment(self, service: str) -> dict[str, str]:
        """Settings of one service process. The administrator's address is not among them."""
        urls = {f"COUNTERSIGN_{s.upper()}_URL": f"http://127.0.0.1:{self.settings.service_port(s)}" for s in SERVICES}
        return urls | {
            "COUNTERSIGN_NAMESPACE": self.namespace,
            "COUNTERSIGN_KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "COUNTERSIGN_DATABASE_URL": self.database.service_url(service),
            "COUNTERSIGN_HTTP_HOST": "127.0.0.1",
            "COUNTERSIGN_HTTP_PORT": str(self.settings.service_port(service)),
            "COUNTERSIGN_DATA_DIR": str(self.data_dir),
        }

    def start(self, services: Sequence[str] = START_ORDER, *, prepare: bool = True) -> dict[str, float]:
        """Start what does not run; returns seconds by stage. What was started before a failure is stopped again.

        `prepare`: also bring topics, schemas and keys to what this checkout needs.
        """
        seconds: dict[str, float] = {}
        try:
            self.folder.claim()
            with self.locked():
                self._demand_ports(services)
                self.folder.note_ports(self.settings)
                with _timed(seconds, "stores"):
                    self.start_stores()
                if prepare:
                    with _timed(seconds, "topics_and_schemas"):
                        self.prepare()
                with _timed(seconds, "services"):
                    self.start_services(services)
        except BaseException:
            self.stop_started()
            raise
        return seconds

    def start_stores(self) -> None:
        """Kafka and PostgreSQL, both at once; a configured one is asked whether it answers."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            starting = [pool.submit(self._start_kafka), pool.submit(self._start_postgres)]
            try:
                for work in starting:
                    work.result()
            except BaseException:
                self._is_given_up = True
                raise

    def prepare(self) -> None:
        """Topics, roles, schemas and the key between gateway and services; nothing changes when all is there."""
        made = asyncio.run(topics.ensure(self.kafka_bootstrap, self.namespace))
        if made.created:
            self.say(f"made {len(made.created)} topics under {self.namespace}.*")
        if made.corrected:
            self.say(f"corrected the settings of {', '.join(made.corrected)}")
        applied = databases.run(self.database)
        count = sum(len(names) for names in applied.values())
        if count:
            self.say(f"applied {count} migrations to database {self.database.name}")
        # Imported here: it brings the web framework, which `status` and `down` can do without.
        from kit.identity import ensure_keys

        ensure_keys(self.data_dir)

    def start_services(self, names: Sequence[str] = START_ORDER) -> None:
        """Start the named services together, and wait until each is ready."""
        chosen = [self.service(name) for name in START_ORDER if name in names]
        waiting = [service for service in chosen if service.running() is None]
        for service in waiting:
            self._started.append(service.name)  # first: an interruption of the start is to find it here
            service.start()
        if waiting:
            self.say(f"starting {', '.join(service.name for service in waiting)}")
        deadline = time.monotonic() + READY_SECONDS_MAX
        for service in chosen:
            service.await_ready(seconds=max(1.0, deadline - time.monotonic()))

    def stop_started(self, *, grace_seconds: float = SERVICE_GRACE_SECONDS) -> list[str]:
        """Stop what this object started, services first; names of what was stopped."""
        try:
            return self._stop([name for name in self.ledger.names() if name in self._started], grace_seconds)
        finally:
            self._started = []

    def stop_all(self, *, grace_seconds: float = SERVICE_GRACE_SECONDS) -> list[str]:
        """Stop whatever this data folder started, from whichever terminal; names of what was stopped."""
        with self.locked():
            return self._stop(self.ledger.names(), grace_seconds)

    @property
    def started(self) -> list[str]:
        """Names of what this object started and is to stop."""
        return list(self._started)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One start or stop at a time per data folder. Raises Trouble: platform_busy."""
        self.folder.run.mkdir(parents=True, exist_ok=True)
        with (self.folder.run / "lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Trouble(
                    "platform_busy",
                    f"Another command is just starting or stopping the platform in {self.data_dir}.",
                    why="it holds the folder's lock",
                    way_out="wait for it, then try again; or use another folder with --data-dir",
                ) from error
            yield

    @property
    def is_busy(self) -> bool:
        """Whether another command is just starting or stopping something here."""
        try:
            with self.locked():
                return False
        except Trouble:
            return True

    def _stop(self, names: Sequence[str], grace_seconds: float) -> list[str]:
        """Services together, then the database and the broker they stand on.

        An interruption (Ctrl-C the second time) kills what is being waited for; the rest is stopped all the same.
        """
        services = [owned for name in names if name in SERVICES and (owned := self.ledger.find(name)) is not None]
        stopped: list[str] = []
        with contextlib.ExitStack() as rest:
            rest.callback(self._forget_ports_of_nothing)
            for name, store in (("kafka", self.kafka), ("postgres", self.postgres)):
                if name in names:
                    rest.callback(self._stop_store, name, store, min(grace_seconds + 5.0, STORE_GRACE_SECONDS), stopped)
            for owned in services:
                rest.callback(self.ledger.forget, owned.name)
            stopped += stop_together(services, grace_seconds=grace_seconds, on_kill=self.say)
        return stopped

    def _stop_store(self, name: str, store: Kafka | Postgres, grace_seconds: float, stopped: list[str]) -> None:
        if store.stop(grace_seconds=grace_seconds, say=self.say):
            stopped.append(name)

    def _forget_ports_of_nothing(self) -> None:
        if not self.ledger.names():
            self.folder.forget_ports()

    def _demand_ports(self, services: Sequence[str]) -> None:
        """Before anything starts: every port we shall need is free, or already ours."""
        for name in services:
            if self.service(name).running() is None:
                setting = f"COUNTERSIGN_{name.upper()}_PORT"
                demand_free(self.settings.service_port(name), what=f"the {name} service", setting=setting)

    def _start_kafka(self) -> None:
        if self.settings.kafka_bootstrap:
            demand_kafka(self.settings.kafka_bootstrap)
        elif self.kafka.running() is None:
            self._started.append("kafka")
            self.kafka.start(self.say, is_wanted=lambda: not self._is_given_up)

    def _start_postgres(self) -> None:
        if self.settings.database_admin_url is None and self.postgres.running() is None:
            self._started.append("postgres")
            self.postgres.start(self.say)


@contextlib.contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[stage] = round(time.monotonic() - started, 2)


@contextlib.contextmanager
def running(settings: LocalSettings, say: Say) -> Iterator[LocalPlatform]:
    """The platform for the length of a `with` block; what it had to start is stopped at the end."""
    local = LocalPlatform(settings, say)
    local.start()
    try:
        yield local
    finally:
        local.stop_started()
