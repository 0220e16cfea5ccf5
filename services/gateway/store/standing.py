"""Counts of how the business stands, of one tenant's read models."""

from datetime import datetime

from kit.database import Transaction

# The most critical that holds, of what the newest plan saw; `unknown`: no plan has seen the item's stock yet.
_STANDING = (
    "case when on_hand is null then 'unknown' when on_hand - coalesce(reserved, 0) <= 0 then 'out_of_stock'"
    " when inventory_position is null or reorder_point is null then 'unknown'"
    " when inventory_position < reorder_point then 'below_reorder_point' else 'covered' end"
)


async def items(tx: Transaction, tenant: str) -> dict[str, int]:
    """Items by standing: out_of_stock, below_reorder_point (with all that is on order), covered, unknown."""
    rows = await tx.fetch(
        f"select {_STANDING} as standing, count(*) as items from outcomes where tenant = $1 group by 1", tenant
    )
    return {row["standing"]: row["items"] for row in rows}


async def exceptions(tx: Transaction, tenant: str) -> dict[str, int]:
    """Open exceptions by kind."""
    rows = await tx.fetch(
        "select kind, count(*) as open from exceptions where tenant = $1 and resolved_on is null group by kind", tenant
    )
    return {row["kind"]: row["open"] for row in rows}


async def waiting(tx: Transaction, tenant: str) -> tuple[int, int, datetime | None]:
    """Lines that wait for a person; orders to suppliers nobody has answered, and when the oldest of them was released."""
    lines = await tx.fetchval(
        "select count(*) from lines where tenant = $1 and status in ('pending', 'awaiting_second')", tenant
    )
    row = await tx.fetchrow(
        "select count(*) as orders, min(released_at) as oldest from orders o where tenant = $1 and supplier is not null"
        " and not exists (select from order_updates u where u.tenant = $1 and u.order_id = o.order_id)",
        tenant,
    )
    assert row is not None
    return lines, row["orders"], row["oldest"]
