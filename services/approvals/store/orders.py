"""Orders that left, and what the other side answered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kit.database import Transaction
from services.approvals.domain.orders import Order


async def add(tx: Transaction, tenant: str, orders: Sequence[Order], released_at: datetime) -> None:
    """Keep orders and their lines; the schema refuses a line without the decision that allows it."""
    await tx.executemany(
        "insert into orders (tenant, order_id, kind, status, supplier, from_location, location, order_on, arrive_on, currency, value,"
        " released_at, updated_at, changes_order, missed_order_on)"
        " values ($1,$2,$3,'released',$4,$5,$6,$7,$8,$9,$10,$11,$11,$12,$13)",
        [
            (
                tenant,
                o.order_id,
                o.kind,
                o.supplier,
                o.from_location,
                o.location,
                o.order_on,
                o.arrive_on,
                o.currency,
                o.value,
                released_at,
                o.changes_order,
                o.missed_order_on,
            )
            for o in orders
        ],
    )
    await tx.executemany(
        "insert into order_lines (tenant, order_id, line_no, line_id, recommendation_id, decision_id, sku, quantity, unit, unit_cost, value)"
        " values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
        [
            (
                tenant,
                order.order_id,
                number,
                line.line_id,
                line.proposal.recommendation_id,
                line.decision_id,
                line.proposal.sku,
                line.quantity,
                line.proposal.unit,
                line.proposal.unit_cost,
                line.value,
            )
            for order in orders
            for number, line in enumerate(order.lines, 1)
        ],
    )


async def made(tx: Transaction, tenant: str, codes: Sequence[str]) -> set[str]:
    """Those of these that were released here."""
    rows = await tx.fetch("select order_id from orders where tenant = $1 and order_id = any($2::text[])", tenant, codes)
    return {row["order_id"] for row in rows}


async def lock(tx: Transaction, tenant: str, order_id: str) -> Any:
    """Status, kind and changed order of an order, locked; None when there is no such order."""
    return await tx.fetchrow(
        "select status, kind, changes_order from orders where tenant = $1 and order_id = $2 for update",
        tenant,
        order_id,
    )


async def set_status(tx: Transaction, tenant: str, order_id: str, status: str, at: datetime) -> None:
    """Where the order is now."""
    await tx.execute(
        "update orders set status = $3, updated_at = $4 where tenant = $1 and order_id = $2",
        tenant,
        order_id,
        status,
        at,
    )


async def skus_of(tx: Transaction, tenant: str, order_id: str) -> set[str]:
    """What was ordered."""
    rows = await tx.fetch("select sku from order_lines where tenant = $1 and order_id = $2", tenant, order_id)
    return {row["sku"] for row in rows}


async def end_lines(
    tx: Transaction, tenant: str, order_id: str, skus: Sequence[str], how: str, at: datetime
) -> dict[str, str]:
    """Write down how these lines of an order ended, where nothing says so yet; how each ended line of it did, by sku."""
    await tx.execute(
        "insert into order_line_ends (tenant, order_id, sku, how, ended_at) select $1, $2, sku, $4, $5"
        " from unnest($3::text[]) as sku on conflict do nothing",
        tenant,
        order_id,
        skus,
        how,
        at,
    )
    rows = await tx.fetch("select sku, how from order_line_ends where tenant = $1 and order_id = $2", tenant, order_id)
    return {row["sku"]: row["how"] for row in rows}


async def page(
    tx: Transaction,
    tenant: str,
    *,
    status: str | None,
    supplier: str | None,
    location: str | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Any]:
    """Orders, newest first, from `before` (release time, id) on."""
    return await tx.fetch(
        "select * from orders where tenant = $1 and ($2::text is null or status = $2) and ($3::text is null or supplier = $3)"
        " and ($4::text is null or location = $4) and ($5::timestamptz is null or (released_at, order_id) < ($5, $6))"
        " order by released_at desc, order_id desc limit $7",
        tenant,
        status,
        supplier,
        location,
        before[0] if before else None,
        before[1] if before else None,
        limit,
    )


async def lines_of(tx: Transaction, tenant: str, order_ids: Sequence[str]) -> list[Any]:
    """The lines of these orders, in order."""
    return await tx.fetch(
        "select o.*, d.decided_by from order_lines o join decisions d on d.tenant = o.tenant and d.decision_id = o.decision_id"
        " where o.tenant = $1 and o.order_id = any($2::text[]) order by o.order_id, o.line_no",
        tenant,
        list(order_ids),
    )
