"""Lines whose supplier's cut-off has passed are planned again for the next order day, without an event of their own.

Event time tells: the newest movement known of the location, whichever product moved.
"""

from kit.clock import on_clock
from kit.database import Database
from kit.outbox import enqueue
from kit.relay import Relay
from services.policy.domain.supply_calendar import is_over
from services.policy.planner import plan_items
from services.policy.store import cut_offs
from services.policy.store.cut_offs import OpenLine

# Items planned in one transaction, as in a run.
CHUNK_ITEMS = 500


async def pass_by(database: Database, relay: Relay) -> None:
    """Plan what missed its order day, tenant by tenant. A line that could not be planned again is found the next time."""
    for tenant in await database.tenants():
        async with database.transaction(tenant) as tx:
            missed = [one for one in await cut_offs.open_lines(tx, tenant) if _is_missed(one)]
            if missed:
                await cut_offs.keep(tx, tenant, {one.location: one.seen_at for one in missed})
        items = [(one.sku, one.location) for one in missed]
        for start in range(0, len(items), CHUNK_ITEMS):
            async with database.transaction(tenant) as tx:
                planned = await plan_items(tx, tenant, items[start : start + CHUNK_ITEMS])
                if planned.says:
                    await enqueue(tx, planned.says)
            relay.wake()


def _is_missed(line: OpenLine) -> bool:
    return is_over(line.order_on, line.cut_off, on_clock(line.seen_at, line.time_zone))
