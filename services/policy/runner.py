"""Planning runs in the background: chunk by chunk, each in its own transaction, so that a killed run goes on."""

import asyncio
from datetime import date

import asyncpg

from kit import telemetry
from kit.database import Database, Transaction
from kit.events import derived_id
from kit.outbox import enqueue
from kit.relay import Relay
from services.policy.planner import current_policy, plan_items
from services.policy.rationing import prepare
from services.policy.settings import Settings
from services.policy.store import classes, runs

log = telemetry.get_logger()
RUNS = telemetry.counter("planning_runs_total", "Planning runs by what became of them", ("outcome",))
CHUNK_SECONDS = telemetry.histogram("planning_chunk_duration_seconds", "One chunk of a planning run")


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
            while await self._chunk(tenant):
                self._relay.wake()
                await asyncio.sleep(0)  # live events get their turn between two chunks

    async def run_forever(self) -> None:
        """`work` at every request and every `plan_poll_seconds`."""
        while True:
            self._wake.clear()
            try:
                await self.work()
            except Exception as error:
                # The run's cursor is in the database: the next round goes on where this one failed.
                log.warning("planning_interrupted", error=f"{type(error).__name__}: {error}", exc_info=True)
            try:
                await asyncio.wait_for(self._wake.wait(), self._settings.plan_poll_seconds)
            except TimeoutError:
                continue

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

    async def _chunk(self, tenant: str) -> bool:
        """One chunk of the tenant's oldest unfinished run; False when there is none."""
        with CHUNK_SECONDS.time():
            async with self._database.transaction(tenant) as tx:
                run = await runs.lock_next(tx, tenant)
                if run is None:
                    return False
                if run["rationed_at"] is None:
                    await self._ration(tx, tenant, run)
                else:
                    await self._plan_next(tx, tenant, run)
                return True

    async def _ration(self, tx: Transaction, tenant: str, run: asyncpg.Record) -> None:
        """The run's first transaction: deal out what is scarce among all its items."""
        policy, says = await current_policy(tx, tenant)
        scarce = await prepare(tx, tenant, run, policy, self._settings.plan_chunk_items)
        await runs.rationed(tx, tenant, run["run_id"], scarce)
        if says:
            await enqueue(tx, says)

    async def _plan_next(self, tx: Transaction, tenant: str, run: object) -> None:
        items = await runs.next_items(tx, tenant, run, self._settings.plan_chunk_items)
        run_id: str = run["run_id"]  # type: ignore[index]  # asyncpg record
        planned = await plan_items(tx, tenant, items, run_id=run_id)
        await runs.advance(tx, tenant, run_id, items, planned.proposed, planned.published)
        if planned.says:
            await enqueue(tx, planned.says)
        if not items:
            RUNS.labels("finished").inc()
            log.info("run_finished", run_id=run_id)


def run_id_of(tenant: str, scope: str, day: date) -> str:
    """The one id of a day's run of a scope."""
    return derived_id("run", tenant, scope, day.isoformat())
