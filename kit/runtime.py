"""What a service's `main` stands on: builds the plumbing, runs consumer, relay, jobs and HTTP, ends them in order.

On SIGTERM: stop fetching, finish the batch in flight, publish what is in the outbox, close. A second signal ends
at once.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import asyncpg
import uvicorn
import uvloop
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from kit import http, memory, rebuild, telemetry
from kit.clock import StoreClock
from kit.consumer import BatchConsumer
from kit.database import Database, SchemaMismatch
from kit.errors import TRANSIENT
from kit.identity import Verifier
from kit.relay import Relay
from kit.settings import ServiceSettings

log = telemetry.get_logger()
JOB_FAILURES = telemetry.counter("job_failures_total", "Runs of a repeated job that failed", ("job",))
JOB_SECONDS = telemetry.histogram("job_duration_seconds", "Runs of a repeated job", ("job",))
UP = telemetry.gauge("service_info", "1 for this service", ("service",))
# A reader or a relay that has not moved for this long is stuck: a batch takes seconds, and what is tried again because
# Kafka or Postgres is away counts as moving.
STILL_SECONDS_MAX = 120.0
WATCH_SECONDS = 5.0
CONNECT_RETRY_SECONDS = 1.0
CONNECT_ATTEMPTS = 60
# How often the database is asked for the time: steady clocks of two machines part by less than a millisecond meanwhile.
CLOCK_SECONDS = 30.0

DATABASE_FAULTS: tuple[type[BaseException], ...] = (*TRANSIENT, asyncpg.PostgresError)

Check = Callable[[], Awaitable[tuple[bool, Any]]]


class Stuck(RuntimeError):
    """A part of this process stands still for no reason that would pass; only a new process helps."""


class _Server(uvicorn.Server):
    """Signals are the runtime's business, not uvicorn's."""

    def capture_signals(self) -> Any:
        return nullcontext()


class Runtime:
    """Everything of one process. Make it with `Runtime.start`."""

    def __init__(self, service: str, settings: ServiceSettings, database: Database) -> None:
        self.service = service
        self.settings = settings
        self.database = database
        self.relay = Relay(settings, database)
        self.clock = StoreClock(lambda: database.pool.fetchval("select clock_timestamp()"))
        self.stop = asyncio.Event()
        self._consumer: BatchConsumer | None = None
        self._app: FastAPI | None = None
        self._jobs: list[tuple[str, Coroutine[Any, Any, None]]] = []
        self._checks: dict[str, Check] = {}
        self._closing: list[Callable[[], Awaitable[None]]] = []
        UP.labels(service).set(1)

    @staticmethod
    @asynccontextmanager
    async def start(service: str, settings: ServiceSettings) -> AsyncIterator["Runtime"]:
        """Telemetry, pool, migration check. Waits for Postgres; refuses a schema of another version at once."""
        telemetry.configure(
            service, level=settings.log_level, otlp_endpoint=settings.otlp_endpoint, namespace=settings.namespace
        )
        database = await _open(settings, service)
        try:
            await database.check_version()
            await rebuild.demand_finished(database)
            runtime = Runtime(service, settings, database)
            await runtime.clock.look()
            runtime.every(CLOCK_SECONDS, runtime.clock.look, "clock")
            yield runtime
            for close in reversed(runtime._closing):
                await close()
        finally:
            await database.close()
            telemetry.flush()

    def consumer(self) -> BatchConsumer:
        """The one consumer of this service; register handlers on it."""
        if self._consumer is None:
            self._consumer = BatchConsumer(self.settings, self.database, committed=self.relay.wake)
        return self._consumer

    def api(self, *, title: str | None = None, description: str = "", internal: bool = True) -> FastAPI:
        """The one HTTP app of this service, with probes and metrics; `internal`: callers need the gateway's token."""
        if self._app is None:
            self._app = http.create_app(
                self.service, title=title or f"Countersign {self.service}", description=description
            )
            if internal:
                public = self.settings.internal_public_key_file or self.settings.data_dir / "keys" / "internal.pub"
                self._app.state.verifier = Verifier(public, self.service, self.clock)
            self._app.state.runtime = self
            self._probes(self._app)
        return self._app

    def every(self, seconds: float, job: Callable[[], Awaitable[None]], name: str) -> None:
        """Run `job` again and again, `seconds` apart. A failure is logged and counted, and the job runs again."""
        JOB_FAILURES.labels(name)  # stands at 0 from the start: a series born at 1 shows no increase
        self._jobs.append((name, self._repeat(seconds, job, name)))

    def background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run `work` beside the rest; when it fails, the process ends."""
        self._jobs.append((name, work))

    def check(self, name: str, check: Check) -> None:
        """Add a part to readiness: `check` answers (is_ready, what to show)."""
        self._checks[name] = check

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        self._closing.append(close)

    async def serve(self) -> None:
        """Run until SIGTERM or SIGINT, or until a part fails for good (then it raises)."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        consumers = [asyncio.create_task(self._consumer.run(self.stop), name="consumer")] if self._consumer else []
        relay_stop = asyncio.Event()
        relay = asyncio.create_task(self.relay.run(relay_stop), name="relay")
        self.background(self._watch(), "watch")
        jobs = [asyncio.create_task(work, name=name) for name, work in self._jobs]
        server, serving = self._serve_http()
        stopping = asyncio.create_task(self.stop.wait(), name="stop")
        watched: Sequence[asyncio.Task[Any]] = [*consumers, relay, *jobs, serving, stopping]
        memory.spare_the_collector()
        log.info("service_started", http_port=self.settings.http_port, namespace=self.settings.namespace)
        pending = set(watched)
        failure: BaseException | None = None
        while not self.stop.is_set() and failure is None:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            failure = next(
                (task.exception() for task in done if not task.cancelled() and task.exception() is not None), None
            )
        if failure is not None:
            log.error("service_failed", error=f"{type(failure).__name__}: {failure}")
        self.stop.set()
        server.should_exit = True
        for job in jobs:
            job.cancel()
        await asyncio.wait([*consumers, serving], timeout=self.settings.shutdown_grace_seconds)
        self.relay.wake()
        relay_stop.set()
        await asyncio.wait([relay], timeout=self.settings.shutdown_grace_seconds)
        left = [task for task in watched if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*watched, return_exceptions=True)
        log.info("service_stopped", forced=[task.get_name() for task in left if task is not stopping])
        if failure is not None:
            raise failure

    def _signalled(self) -> None:
        if self.stop.is_set():
            raise SystemExit(130)
        self.stop.set()

    def _serve_http(self) -> tuple[_Server, asyncio.Task[None]]:
        config = uvicorn.Config(
            self.api(),
            host=self.settings.http_host,
            port=self.settings.http_port,
            log_config=None,
            access_log=False,
            # An open event stream must not hold up the end of the process.
            timeout_graceful_shutdown=3,
            lifespan="off",
        )
        server = _Server(config)
        return server, asyncio.create_task(server.serve(), name="http")

    async def _repeat(self, seconds: float, job: Callable[[], Awaitable[None]], name: str) -> None:
        while not self.stop.is_set():
            started = time.perf_counter()
            try:
                await job()
            except Exception as error:  # a repeated job outlives one bad run; the counter is alerted on
                JOB_FAILURES.labels(name).inc()
                expected = isinstance(error, TRANSIENT)
                log.warning("job_failed", job=name, error=f"{type(error).__name__}: {error}", exc_info=not expected)
            JOB_SECONDS.labels(name).observe(time.perf_counter() - started)
            try:
                await asyncio.wait_for(self.stop.wait(), seconds)
            except TimeoutError:
                continue

    def _probes(self, app: FastAPI) -> None:
        async def livez() -> Response:
            """Alive: the event loop turns, the reader and the relay move. Says nothing about Kafka or Postgres."""
            still = self.still()
            return Response(f"{still or 'ok'}\n", 503 if still else 200, media_type="text/plain")

        async def readyz() -> Any:
            """Ready: database answers, partitions are assigned. Shows lag and what waits in the outbox."""
            ready, document = await self.readiness()
            return JSONResponse(document, 200 if ready else 503)

        async def metrics(request: Request) -> Response:
            body, media_type = telemetry.exposition(request.headers.get("accept", ""))
            return Response(body, headers={"content-type": media_type})

        for path, endpoint in (("/livez", livez), ("/readyz", readyz), ("/metrics", metrics)):
            app.add_api_route(path, endpoint, methods=["GET"], include_in_schema=False)

    def still(self) -> str | None:
        """Which part has not moved for too long; None when all do."""
        now = time.monotonic()
        moved_at = {"relay": self.relay.moved_at} | ({"reader": self._consumer.polled_at} if self._consumer else {})
        longest = min(moved_at, key=lambda part: moved_at[part])
        age = now - moved_at[longest]
        return f"{longest} has not moved for {age:.0f} s" if age >= STILL_SECONDS_MAX else None

    async def _watch(self) -> None:
        """End the process when a part of it stands still, where no Kubernetes asks whether it lives. Only at the second
        look: a process that was stopped for minutes and goes on has not had its turn yet at the first."""
        before = None
        while True:
            still = self.still()
            if still and before:
                raise Stuck(f"{still}; the process ends, so that a new one takes over")
            before = still
            await asyncio.sleep(WATCH_SECONDS)

    async def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Whether this process can do its work now, and the facts behind it."""
        checks: dict[str, Any] = {}
        try:
            outbox = await self.database.pool.fetchval("select count(*) from relay_positions")
            checks["database"] = {"ready": outbox is not None}
        except DATABASE_FAULTS as error:
            checks["database"] = {"ready": False, "detail": f"{type(error).__name__}"}
        if self._consumer is not None:
            checks["consumer"] = {"ready": self._consumer.assigned, "lag": self._consumer.lag()}
        checks["relay"] = {"ready": True, "leading": self.relay.leading, "waiting": self.relay.waiting}
        for name, check in self._checks.items():
            ready, detail = await check()
            checks[name] = {"ready": ready, "detail": detail}
        ready = all(part["ready"] for part in checks.values()) and not self.stop.is_set()
        return ready, {"service": self.service, "pid": os.getpid(), "ready": ready, "checks": checks}


async def _open(settings: ServiceSettings, service: str) -> Database:
    for attempt in range(1, CONNECT_ATTEMPTS + 1):
        try:
            return await Database.open(
                settings.database_url.get_secret_value(), service, pool_max=settings.database_pool_max
            )
        except (
            asyncpg.InvalidPasswordError,
            asyncpg.InvalidCatalogNameError,
            asyncpg.InvalidAuthorizationSpecificationError,
        ) as error:
            raise SchemaMismatch(
                f"Postgres refuses {service}: {error}; run `./run migrate`, then check COUNTERSIGN_DATABASE_URL"
            ) from error
        except DATABASE_FAULTS as error:
            log.warning("database_unreachable", attempt=attempt, error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(CONNECT_RETRY_SECONDS)
    raise SchemaMismatch(
        f"Postgres did not answer in {CONNECT_ATTEMPTS} attempts; check COUNTERSIGN_DATABASE_URL and that it runs"
    )


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a service's `main` on uvloop, and end with exit code 1 and one log line when it cannot start."""
    memory.give_large_blocks_back()
    try:
        uvloop.run(main())
    except SchemaMismatch as error:
        log.error("service_refused_to_start", error=str(error))
        raise SystemExit(1) from error
