"""One step of a planning run: cut it into chunks, or plan one of them. Each step is a transaction, done by whoever is free."""

from kit import telemetry
from kit.database import Database, Transaction
from kit.outbox import enqueue
from services.policy.planner import current_policy, plan_items
from services.policy.rationing import prepare
from services.policy.store import runs
from services.policy.store.runs import Chunk

log = telemetry.get_logger()


async def begin(database: Database, tenant: str, chunk_items: int) -> bool:
    """Deal out what is scarce among all items of the next begun run, and cut it; False when no run has begun."""
    async with database.transaction(tenant) as tx:
        run = await runs.lock_begun(tx, tenant)
        if run is None:
            return False
        policy, says = await current_policy(tx, tenant)
        chunks = await runs.cut(tx, tenant, run["run_id"], run["scope"], chunk_items)
        scarce = await prepare(tx, tenant, run["business_date"], policy, chunks)
        await runs.rationed(tx, tenant, run["run_id"], scarce)
        if says:
            await enqueue(tx, says)
        return True


async def plan_next(database: Database, tenant: str) -> bool:
    """Plan a chunk that nobody else works on; False when there is none."""
    async with database.transaction(tenant) as tx:
        chunk = await runs.take_chunk(tx, tenant)
        if chunk is not None:
            await _plan(tx, tenant, chunk)
        return chunk is not None


async def _plan(tx: Transaction, tenant: str, chunk: Chunk) -> None:
    items = await runs.items_of(tx, tenant, chunk)
    planned = await plan_items(tx, tenant, items, run_id=chunk.run_id)
    if planned.says:
        await enqueue(tx, planned.says)
    await runs.planned(tx, tenant, chunk, len(items), planned.proposed, planned.published)


async def finish(database: Database, tenant: str) -> list[str]:
    """Finish the runs of which nothing is left to plan; returns their ids."""
    async with database.transaction(tenant) as tx:
        finished = await runs.finish(tx, tenant)
    for run_id in finished:
        log.info("run_finished", run_id=run_id)
    return finished
