"""Changes of open orders on their way: from the approval through the change's own order to the other side's answer."""

from collections.abc import Sequence
from typing import Any

from kit.database import Transaction
from schemas.decisions import DecisionMade, OrderReleased, OrderUpdated

Items = list[tuple[str, str]]
CHANGES = frozenset({"expedite", "defer", "reduce", "cancel"})
# What came of the order already; a change speaks of what is still to come.
RECEIVED = (
    "coalesce((select sum(l.quantity) from ledger l where l.tenant = s.tenant and l.order_id = s.order_id and l.sku = s.sku"
    " and l.location = s.location and l.kind = 'receipt'), 0)"
)


async def approve(tx: Transaction, tenant: str, decision: DecisionMade) -> Items:
    """An approved change counts at once, before it is sent: quantity still to come and date as recommended."""
    rows = await tx.fetch(
        f"update supply s set change_id = r.recommendation_id, change_arrive_on = r.arrive_on, change_quantity = {RECEIVED}"
        " + case when r.action = 'cancel' then 0 else $3 end from recommendations r where r.tenant = $1"
        " and r.recommendation_id = $2 and s.tenant = $1 and s.order_id = r.about and s.sku = r.sku"
        " and s.location = r.location returning s.sku, s.location",
        tenant,
        decision.recommendation_id,
        decision.quantity,
    )
    return _items(rows)


async def withdraw(tx: Transaction, tenant: str, recommendation_id: str) -> Items:
    """The approval of a change was taken back: the order stands as it was."""
    rows = await tx.fetch(f"{_UNDO} where tenant = $1 and change_id = $2 {_TOUCHED}", tenant, recommendation_id)
    return _items(rows)


_UNDO = "update supply set change_id = null, change_quantity = null, change_arrive_on = null"
_TOUCHED = "returning sku, location"


async def release(tx: Transaction, tenant: str, order: OrderReleased) -> Items:
    """The change was sent under an order id of its own, by which the other side answers."""
    rows = await tx.fetch(
        f"update supply s set change_id = t.recommendation_id, change_order_id = $2, change_arrive_on = $3, change_quantity = {RECEIVED}"
        " + case when $4 = 'cancel' then 0 else t.quantity end"
        " from unnest($5::text[], $6::text[], $7::numeric[]) as t(sku, recommendation_id, quantity)"
        " where s.tenant = $1 and s.order_id = $8 and s.sku = t.sku and s.location = $9 returning s.sku, s.location",
        tenant,
        order.order_id,
        order.arrive_on,
        order.kind,
        [one.sku for one in order.lines],
        [one.recommendation_id for one in order.lines],
        [one.quantity for one in order.lines],
        order.changes_order,
        order.location,
    )
    return _items(rows)


async def cancel(tx: Transaction, tenant: str, order_id: str) -> Items:
    """A change that was sent is taken back."""
    rows = await tx.fetch(f"{_UNDO} where tenant = $1 and change_order_id = $2 {_TOUCHED}", tenant, order_id)
    return _items(rows)


async def answer(tx: Transaction, tenant: str, event: OrderUpdated) -> Items:
    """Agreed: the changed quantity and date are the order's own. Failed: the order stands as it was."""
    if event.status == "failed":
        return await cancel(tx, tenant, event.order_id)
    if event.status not in ("confirmed", "received"):
        return []
    rows = await tx.fetch(
        f"update supply s set confirmed = change_quantity, arrive_on = change_arrive_on, status = case when change_quantity <= {RECEIVED}"
        " then 'cancelled' else status end, change_id = null, change_quantity = null, change_arrive_on = null"
        f" where tenant = $1 and change_order_id = $2 and change_id is not null {_TOUCHED}",
        tenant,
        event.order_id,
    )
    return _items(rows)


def _items(rows: Sequence[Any]) -> Items:
    return [(row["sku"], row["location"]) for row in rows]
