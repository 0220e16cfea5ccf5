"""Supply on its way: from the approval through release and confirmation to receipt or cancellation."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from kernel.ids import derived_id
from kit.database import Transaction
from schemas.decisions import DecisionMade, OrderReleased, OrderUpdated
from services.policy.domain.supplier_answers import Ordered

NOTHING = Decimal(0)
Items = list[tuple[str, str]]
# What an update may follow: an order never goes back on its way.
PROGRESS = ("approved", "released", "acknowledged", "confirmed", "shipped")
STATUS_RANK = "array_position(array['approved','released','acknowledged','confirmed','shipped','failed','received','cancelled'], {})"


async def approve(tx: Transaction, tenant: str, decision: DecisionMade) -> Items:
    """An approved recommendation counts as on order at once, before its order is released.

    The arrival is the one that was recommended. When the order came first, nothing changes.
    """
    rows = await tx.fetch(
        "insert into supply as s (tenant, sku, location, recommendation_id, quantity, arrive_on, status, from_location,"
        " stands_in_for) select $1, r.sku, r.location, r.recommendation_id, $3, r.arrive_on, 'approved',"
        " case when r.action in ('transfer', 'allocate') then r.about end,"
        " case when r.action = 'substitute' then r.about end from recommendations r"
        " where r.tenant = $1 and r.recommendation_id = $2"
        " on conflict (tenant, sku, location, recommendation_id) do update set quantity = excluded.quantity, status = 'approved'"
        " where s.order_id is null returning sku, location",
        tenant,
        decision.recommendation_id,
        decision.quantity,
    )
    return _items(rows)


async def withdraw(tx: Transaction, tenant: str, recommendation_id: str) -> Items:
    """An approval was taken back before its order went out."""
    rows = await tx.fetch(
        "update supply set status = 'cancelled' where tenant = $1 and recommendation_id = $2 and order_id is null"
        " returning sku, location",
        tenant,
        recommendation_id,
    )
    return _items(rows)


async def release(tx: Transaction, tenant: str, order: OrderReleased) -> Items:
    """A released order: its lines are on order at its location, whether or not their decision was seen."""
    rows = await tx.fetch(
        "insert into supply as s (tenant, sku, location, recommendation_id, order_id, quantity, arrive_on, status, from_location,"
        " stands_in_for, supplier, promised_on, unit_cost, currency)"
        " select $1, t.sku, $2, t.recommendation_id, $3, t.quantity, $4, 'released', $8, r.about, $9, $4, t.unit_cost, $11"
        " from unnest($5::text[], $6::text[], $7::numeric[], $10::numeric[]) as t(sku, recommendation_id, quantity, unit_cost)"
        " left join recommendations r on r.tenant = $1 and r.recommendation_id = t.recommendation_id"
        " and r.action = 'substitute' order by 2, 4"
        " on conflict (tenant, sku, location, recommendation_id) do update set order_id = excluded.order_id,"
        " quantity = excluded.quantity, arrive_on = excluded.arrive_on, status = excluded.status,"
        " supplier = excluded.supplier, promised_on = excluded.promised_on, unit_cost = excluded.unit_cost,"
        " currency = excluded.currency"
        " where s.order_id is null returning sku, location",
        tenant,
        order.location,
        order.order_id,
        order.arrive_on,
        [one.sku for one in order.lines],
        [one.recommendation_id for one in order.lines],
        [one.quantity for one in order.lines],
        order.from_location,
        order.supplier,
        [one.unit_cost for one in order.lines],
        order.currency,
    )
    return _items(rows)


async def cancel(tx: Transaction, tenant: str, order_id: str) -> Items:
    """A released order was taken back."""
    rows = await tx.fetch(
        "update supply set status = 'cancelled' where tenant = $1 and order_id = $2 and status <> 'received'"
        " returning sku, location",
        tenant,
        order_id,
    )
    return _items(rows)


async def is_known(tx: Transaction, tenant: str, order_id: str) -> bool:
    """Whether this order was released, as far as this service has read."""
    found: bool | None = await tx.fetchval(
        "select true from supply where tenant = $1 and order_id = $2 limit 1", tenant, order_id
    )
    return bool(found)


async def update(tx: Transaction, tenant: str, event: OrderUpdated) -> Items:
    """What the supplier or ERP answered: status, and for its lines the confirmed quantity and date.

    Without lines it is about the whole order. `received` closes a line: its units come by the stock topic's receipt. Of a
    line that comes as another product nothing is on its way any more, its substitute is.
    """
    rank_old, rank_new = STATUS_RANK.format("s.status"), STATUS_RANK.format("$3")
    lines: Sequence[tuple[str | None, Decimal | None, date | None]] = _said(event) or [(None, None, None)]
    touched: Items = []
    for sku, confirmed, arrive_on in lines:
        rows = await tx.fetch(
            f"update supply s set status = case when {rank_new} >= {rank_old} then $3 else s.status end,"
            " confirmed = coalesce($5, s.confirmed), arrive_on = coalesce($6, s.arrive_on)"
            " where tenant = $1 and order_id = $2 and ($4::text is null or sku = $4)"
            " and status not in ('received', 'cancelled') returning sku, location",
            tenant,
            event.order_id,
            event.status,
            sku,
            confirmed,
            arrive_on,
        )
        touched += _items(rows)
    return touched + await _substitute(tx, tenant, event) if event.status == "confirmed" else touched


def _said(event: OrderUpdated) -> list[tuple[str | None, Decimal | None, date | None]]:
    """Sku, confirmed quantity and day of each line; of one that comes as another product, of both."""
    said: list[tuple[str | None, Decimal | None, date | None]] = []
    for one in event.lines:
        quantity = NOTHING if one.substitute_sku is not None else one.quantity
        said.append((one.sku, quantity if event.status == "confirmed" else None, one.arrive_on))
        if one.substitute_sku is not None and event.status != "confirmed":
            said.append((one.substitute_sku, None, one.arrive_on))
    return said


async def _substitute(tx: Transaction, tenant: str, event: OrderUpdated) -> Items:
    """Put on its way what comes instead of what was ordered, if the catalogue knows it; a line that comes as ordered after
    all takes its substitute back."""
    touched: Items = []
    for one in event.lines:
        identity = derived_id("substitute", tenant, event.order_id, one.sku)
        rows = await tx.fetch(
            "update supply set status = 'cancelled' where tenant = $1 and order_id = $2 and recommendation_id = $3"
            " and sku is distinct from $4 and status not in ('received', 'cancelled') returning sku, location",
            tenant,
            event.order_id,
            identity,
            one.substitute_sku,
        )
        touched += _items(rows)
        if one.substitute_sku is None:
            continue
        rows = await tx.fetch(
            "insert into supply as s (tenant, sku, location, recommendation_id, order_id, quantity, confirmed, arrive_on, status)"
            " select $1, p.sku, o.location, $3, o.order_id, $6, $6, coalesce($7, o.arrive_on), 'confirmed'"
            " from supply o join products p on p.tenant = $1 and p.sku = $5"
            " where o.tenant = $1 and o.order_id = $2 and o.sku = $4 and o.status not in ('received', 'cancelled')"
            " order by o.recommendation_id limit 1"
            " on conflict (tenant, sku, location, recommendation_id) do update set quantity = excluded.quantity,"
            " confirmed = excluded.confirmed, arrive_on = excluded.arrive_on, status = excluded.status"
            " where s.status <> 'received' returning sku, location",
            tenant,
            event.order_id,
            identity,
            one.sku,
            one.substitute_sku,
            one.quantity,
            one.arrive_on,
        )
        touched += _items(rows)
    return touched


async def ordered(tx: Transaction, tenant: str, order_id: str) -> dict[str, Ordered]:
    """The lines of an order to a supplier as they were ordered, by sku; none for another kind of order."""
    rows = await tx.fetch(
        "select sku, location, supplier, quantity, promised_on, unit_cost, currency from supply where tenant = $1 and order_id = $2"
        " and supplier is not null and promised_on is not null and unit_cost is not null order by sku",
        tenant,
        order_id,
    )
    return {row["sku"]: Ordered(*row) for row in rows}


async def known_items(tx: Transaction, tenant: str, skus: Sequence[str]) -> set[str]:
    """Which of these the catalogue knows."""
    if not skus:
        return set()
    rows = await tx.fetch("select sku from products where tenant = $1 and sku = any($2::text[])", tenant, list(skus))
    return {row["sku"] for row in rows}


async def receiving(tx: Transaction, tenant: str, order_ids: Sequence[str]) -> Items:
    """Items of orders for which a receipt was booked: what is still to come of them has changed."""
    rows = await tx.fetch(
        "select distinct sku, location from supply where tenant = $1 and order_id = any($2::text[]) order by 1, 2",
        tenant,
        list(order_ids),
    )
    return _items(rows)


def _items(rows: Sequence[object]) -> Items:
    return [(row["sku"], row["location"]) for row in rows]  # type: ignore[index]  # asyncpg records
