"""Planning runs in the background: chunk by chunk, each in its own transaction, so that a killed run goes on."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

import asyncpg

from kernel.ids import derived_id
from kit import telemetry
from kit.database import Database
from kit.relay import Relay
from services.policy import chunks, workers
from services.policy.settings import Settings
from services.policy.store import classes, runs

log = telemetry.get_logger()
RUNS = telemetry.counter("planning_runs_total", "Planning runs by what became of them", ("outcome",))
CHUNK_SECONDS = telemetry.histogram("planning_chunk_duration_seconds", "One chunk of a planning run")
# A process takes about a second to start: with less to do, the service is done before it has begun.
ITEMS_WORTH_WORKERS = 6_000


class Runner:
    """Starts runs and carries them on."""

    def __init__(self, database: Database, relay: Relay, settings: Settings) -> None:
        self._database = database
        self._relay = relay
        self._settings = settings
        self._wake = asyncio.Event()

    async def request(self, tenant: str, scope: str, day: date, requested_by: str) -> str:
        """Ask for the run of a day and scope; returns its one id. A finished run is made again, a running one goes on."""
        run_id = run_id_of(tenant, scope, day)
        async with self._database.transaction(tenant) as tx:
            await runs.start(tx, tenant, run_id, scope, day, requested_by)
        self._wake.set()
        return run_id

    async def work(self) -> None:
        """Carry on every unfinished run, and begin those that a closed business day asks for. Called again and again."""
        for tenant in await self._database.tenants():
            await self._classify(tenant)
            if self._settings.plan_after_close:
                await self._begin_due(tenant)
            async with self._crew(tenant) as crew:
                while await chunks.begin(self._database, tenant, self._settings.plan_chunk_items):
                    await asyncio.sleep(0)
                await self._carry_on(tenant, crew)
            for _run_id in await chunks.finish(self._database, tenant):
                RUNS.labels("finished").inc()

    async def run_forever(self) -> None:
        """`work` at every request and every `plan_poll_seconds`."""
        while True:
            self._wake.clear()
            try:
                await self.work()
            except Exception as error:
                # What is left of the run is in the database: the next round goes on where this one failed.
                log.warning("planning_interrupted", error=f"{type(error).__name__}: {error}", exc_info=True)
            try:
                await asyncio.wait_for(self._wake.wait(), self._settings.plan_poll_seconds)
            except TimeoutError:
                continue

    @asynccontextmanager
    async def _crew(self, tenant: str) -> AsyncIterator[workers.Crew | None]:
        """Processes to plan the tenant's runs, where there is much to plan; None where there is little."""
        async with self._database.transaction(tenant) as tx:
            items = await runs.items_ahead(tx, tenant, self._settings.plan_chunk_items)
        if self._settings.plan_workers == 1 or items < ITEMS_WORTH_WORKERS:
            yield None
            return
        async with workers.crew_of(self._settings.plan_workers) as crew:
            yield crew

    async def _carry_on(self, tenant: str, crew: workers.Crew | None) -> None:
        """Plan what is left of the tenant's runs: by its processes, or here."""
        if crew is not None:
            await crew.plan_all(self._settings.database_url.get_secret_value(), tenant, self._took)
            return
        began = time.perf_counter()
        while await chunks.plan_next(self._database, tenant):
            self._took(time.perf_counter() - began)
            await asyncio.sleep(0)  # live events get their turn between two chunks
            began = time.perf_counter()

    def _took(self, seconds: float) -> None:
        CHUNK_SECONDS.observe(seconds)
        self._relay.wake()

    async def _begin_due(self, tenant: str) -> None:
        async with self._database.transaction(tenant) as tx:
            due = await runs.locations_to_plan(
                tx, tenant, self._settings.plan_grace_seconds, self._settings.plan_quiet_seconds
            )
            for location, day in due:
                scope = f"{runs.LOCATION_PREFIX}{location}"
                await runs.start(tx, tenant, run_id_of(tenant, scope, day), scope, day, "countersign")
                await runs.mark_planned(tx, tenant, location, day)

    async def _classify(self, tenant: str) -> None:
        """The items' classes of a newly closed day, while its forecasts are still made. A run does not wait for classes that
        cannot be computed: the last ones stand."""
        try:
            async with self._database.transaction(tenant) as tx:
                await classes.refresh(tx, tenant)
        except (asyncpg.PostgresError, TimeoutError) as error:
            log.warning("classes_not_computed", tenant=tenant, error=f"{type(error).__name__}: {error}", exc_info=True)


def run_id_of(tenant: str, scope: str, day: date) -> str:
    """The one id of a day's run of a scope."""
    return derived_id("run", tenant, scope, day.isoformat())
