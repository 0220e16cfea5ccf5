"""Lists and single things for the pages: items, forecasts, positions, orders, exceptions, policy, status."""

from datetime import date, datetime
from typing import Any

from kit.database import Transaction
from services.gateway.store.rows import Row, as_dicts, like

_NAMES = (
    " left join catalogue i on i.tenant = $1 and i.kind = 'item' and i.identity = o.sku"
    " left join catalogue p on p.tenant = $1 and p.kind = 'location' and p.identity = o.location"
)


def _search(text: str | None) -> str | None:
    return None if not text else like(text)


async def items(
    tx: Transaction,
    tenant: str,
    *,
    text: str | None,
    location: str | None,
    supplier: str | None,
    category: str | None,
    after: tuple[str, str] | None,
    limit: int,
) -> list[Row]:
    """Every planned item with its newest outcome, by sku and location."""
    rows = await tx.fetch(
        "select o.*, i.name as item_name, i.category, i.abc_class, p.name as location_name, l.status, l.version, l.supplier,"
        " s.name as supplier_name, coalesce(l.decided_quantity, l.quantity) as quantity, coalesce(l.decided_value, l.value) as value,"
        " l.currency"
        f" from outcomes o{_NAMES}"
        " left join lines l on l.tenant = $1 and l.line_id = o.line_id"
        " left join catalogue s on s.tenant = $1 and s.kind = 'supplier' and s.identity = l.supplier"
        " where o.tenant = $1 and ($2::text is null or i.name ilike $2 or o.sku ilike $2) and ($3::text is null or o.location = $3)"
        " and ($4::text is null or l.supplier = $4) and ($5::text is null or i.category = $5)"
        " and ($6::text is null or (o.sku, o.location) > ($6, $7)) order by o.sku, o.location limit $8",
        tenant,
        _search(text),
        location,
        supplier,
        category,
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )
    return as_dicts(rows)


async def outcome(tx: Transaction, tenant: str, sku: str, location: str) -> Row | None:
    row = await tx.fetchrow(
        "select * from outcomes where tenant = $1 and sku = $2 and location = $3", tenant, sku, location
    )
    return dict(row) if row else None


async def fact(tx: Transaction, tenant: str, kind: str, identity: str) -> Any | None:
    """The body of one master data fact, as JSON text; None when it is unknown or has ended."""
    return await tx.fetchval(
        "select body from catalogue where tenant = $1 and kind = $2 and identity = $3 and active",
        tenant,
        kind,
        identity,
    )


async def terms(tx: Transaction, tenant: str, sku: str, location: str) -> list[Any]:
    """Supplier terms of a product for one location, its own before those for all, best priority first."""
    rows = await tx.fetch(
        "select body from catalogue where tenant = $1 and kind = 'supplier-item' and active and body->>'sku' = $2"
        " and coalesce(body->>'location', $3) = $3 order by (body->>'location') is null, (body->>'priority')::integer, identity limit 5",
        tenant,
        sku,
        location,
    )
    return [row["body"] for row in rows]


async def forecasts(
    tx: Transaction, tenant: str, *, text: str | None, location: str | None, after: tuple[str, str] | None, limit: int
) -> list[Row]:
    rows = await tx.fetch(
        f"select o.*, i.name as item_name, p.name as location_name from forecasts o{_NAMES}"
        " where o.tenant = $1 and ($2::text is null or i.name ilike $2 or o.sku ilike $2) and ($3::text is null or o.location = $3)"
        " and ($4::text is null or (o.sku, o.location) > ($4, $5)) order by o.sku, o.location limit $6",
        tenant,
        _search(text),
        location,
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )
    return as_dicts(rows)


async def forecast(tx: Transaction, tenant: str, sku: str, location: str) -> Row | None:
    row = await tx.fetchrow(
        "select * from forecasts where tenant = $1 and sku = $2 and location = $3", tenant, sku, location
    )
    return dict(row) if row else None


async def decisions_of_item(tx: Transaction, tenant: str, sku: str, location: str, limit: int) -> list[Row]:
    """What was last decided about this item, newest first, with the order that followed and what came of it."""
    rows = await tx.fetch(
        "select d.*, l.origin, o.order_id, o.arrive_on, u.status as order_status, u.received_on, u.received"
        " from decisions d"
        " left join lines l on l.tenant = $1 and l.line_id = d.line_id and l.recommendation_id = d.recommendation_id"
        " left join order_lines n on n.tenant = $1 and n.decision_id = d.decision_id"
        " left join orders o on o.tenant = $1 and o.order_id = n.order_id"
        " left join lateral ("
        "   select (array_agg(x.status order by (x.status = 'cancelled') desc, x.updated_at desc))[1] as status,"
        "     max(coalesce(x.business_date, (x.updated_at at time zone 'UTC')::date)) filter (where x.status = 'received')"
        "       as received_on, sum(c.quantity) filter (where x.status = 'received') as received"
        "   from order_updates x left join lateral (select sum((e->>'quantity')::numeric) as quantity"
        "     from jsonb_array_elements(x.lines) e where e->>'sku' = d.sku) c on true"
        "   where x.tenant = $1 and x.order_id = o.order_id) u on true"
        " where d.tenant = $1 and d.sku = $2 and d.location = $3"
        " and d.verdict in ('approved', 'amended', 'rejected', 'snoozed', 'recalled', 'approved_by_rule')"
        " order by d.decided_at desc, d.line_id, d.version desc limit $4",
        tenant,
        sku,
        location,
        limit,
    )
    return as_dicts(rows)


async def comments_of_item(tx: Transaction, tenant: str, sku: str, location: str, limit: int) -> list[Row]:
    """What people last said about this item's lines, oldest first."""
    rows = await tx.fetch(
        "select * from (select * from comments where tenant = $1 and sku = $2 and location = $3"
        " order by commented_at desc, comment_id limit $4) newest order by commented_at, comment_id",
        tenant,
        sku,
        location,
        limit,
    )
    return as_dicts(rows)


async def decisions_of_line(tx: Transaction, tenant: str, line_id: str) -> list[Row]:
    rows = await tx.fetch(
        "select * from decisions where tenant = $1 and line_id = $2 order by version", tenant, line_id
    )
    return as_dicts(rows)


# How far an order came on its way: answers may come late and in any order, and it never goes back. It is received when each
# of its lines is, or was agreed not to come.
_REACHED = """
 select case when u.status = 'received' and exists (select from jsonb_array_elements(o.lines) l where
     not exists (select from order_updates r where r.tenant = $1 and r.order_id = o.order_id and r.status = 'received'
       and (r.lines = '[]' or r.lines @> jsonb_build_array(jsonb_build_object('sku', l->'sku'))))
     and not exists (select from orders c join order_updates y on y.tenant = $1 and y.order_id = c.order_id and y.status = 'confirmed'
       where c.tenant = $1 and c.changes_order = o.order_id and c.kind = 'cancel'
       and c.lines @> jsonb_build_array(jsonb_build_object('sku', l->'sku')))) then 'shipped' else u.status end as status
 from order_updates u where u.tenant = $1 and u.order_id = o.order_id"""
_WAY = "array['acknowledged', 'confirmed', 'shipped', 'failed', 'received', 'cancelled']"
_ORDERS = (
    "select * from (select o.*, coalesce(u.status, 'released') as status, s.name as supplier_name, p.name as location_name"
    " from orders o"
    f" left join lateral (select status from ({_REACHED}) u order by array_position({_WAY}, status) desc limit 1) u on true"
    " left join catalogue s on s.tenant = $1 and s.kind = 'supplier' and s.identity = o.supplier"
    " left join catalogue p on p.tenant = $1 and p.kind = 'location' and p.identity = o.location"
    " where o.tenant = $1) o"
)


async def orders(
    tx: Transaction,
    tenant: str,
    *,
    status: str | None,
    supplier: str | None,
    location: str | None,
    text: str | None,
    after: tuple[float, str] | None,
    limit: int,
) -> list[Row]:
    """Orders, newest first."""
    released = "extract(epoch from released_at)::double precision"
    rows = await tx.fetch(
        f"select *, {released} as sort_value from ({_ORDERS}"
        " where ($2::text is null or status = $2) and ($3::text is null or supplier = $3) and ($4::text is null or location = $4)"
        " and ($5::text is null or order_id ilike $5 or supplier_name ilike $5 or lines::text ilike $5)) o"
        f" where $6::double precision is null or {released} < $6 or ({released} = $6 and order_id > $7)"
        " order by released_at desc, order_id limit $8",
        tenant,
        status,
        supplier,
        location,
        _search(text),
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )
    return as_dicts(rows)


async def order(tx: Transaction, tenant: str, order_id: str) -> Row | None:
    row = await tx.fetchrow(f"{_ORDERS} where order_id = $2", tenant, order_id)
    return dict(row) if row else None


async def orders_between(tx: Transaction, tenant: str, start: datetime, end: datetime, limit: int) -> list[Row]:
    """Orders of goods released from `start` to before `end`; what changes or cancels one is none."""
    rows = await tx.fetch(
        f"{_ORDERS} where released_at >= $2 and released_at < $3 and changes_order is null order by released_at, order_id limit $4",
        tenant,
        start,
        end,
        limit,
    )
    return as_dicts(rows)


async def orders_named(tx: Transaction, tenant: str, order_ids: list[str]) -> list[Row]:
    """Those of these orders that there are."""
    return as_dicts(await tx.fetch(f"{_ORDERS} where order_id = any($2) order by order_id", tenant, order_ids))


async def changes_of(tx: Transaction, tenant: str, order_ids: list[str]) -> list[Row]:
    """The orders that change or cancel one of these, in the order they were released."""
    rows = await tx.fetch(f"{_ORDERS} where changes_order = any($2) order by released_at, order_id", tenant, order_ids)
    return as_dicts(rows)


async def order_updates(tx: Transaction, tenant: str, order_ids: list[str]) -> list[Row]:
    rows = await tx.fetch(
        "select * from order_updates where tenant = $1 and order_id = any($2) order by updated_at, event_id",
        tenant,
        order_ids,
    )
    return as_dicts(rows)


async def item_names(tx: Transaction, tenant: str, skus: list[str]) -> dict[str, str]:
    rows = await tx.fetch(
        "select identity, name from catalogue where tenant = $1 and kind = 'item' and identity = any($2)", tenant, skus
    )
    return {row["identity"]: row["name"] for row in rows}


async def exceptions(
    tx: Transaction,
    tenant: str,
    *,
    status: str,
    kind: str | None,
    owner: str | None = None,
    item: tuple[str, str] | None = None,
    after: tuple[float, str] | None = None,
    limit: int,
) -> list[Row]:
    """Exceptions, most money at stake first."""
    stake = "coalesce(o.money_at_stake, -1)::double precision"
    rows = await tx.fetch(
        f"select o.*, i.name as item_name, {stake} as sort_value from exceptions o"
        " left join catalogue i on i.tenant = $1 and i.kind = 'item' and i.identity = o.sku"
        " where o.tenant = $1 and ($2 = 'all' or ($2 = 'open') = (o.resolved_on is null)) and ($3::text is null or o.kind = $3)"
        " and ($4::text is null or (o.sku = $4 and o.location = $5))"
        f" and ($6::double precision is null or {stake} < $6 or ({stake} = $6 and o.exception_id > $7))"
        " and ($9::text is null or o.owner = $9)"
        f" order by {stake} desc, o.exception_id limit $8",
        tenant,
        status,
        kind,
        item[0] if item else None,
        item[1] if item else None,
        after[0] if after else None,
        after[1] if after else None,
        limit,
        owner,
    )
    return as_dicts(rows)


async def count_exceptions(tx: Transaction, tenant: str, *, status: str, kind: str | None, owner: str | None) -> int:
    return int(
        await tx.fetchval(
            "select count(*) from exceptions where tenant = $1 and ($2 = 'all' or ($2 = 'open') = (resolved_on is null))"
            " and ($3::text is null or kind = $3) and ($4::text is null or owner = $4)",
            tenant,
            status,
            kind,
            owner,
        )
    )


async def newest_business_date(tx: Transaction, tenant: str) -> date | None:
    """The newest day that was planned for or closed, as far as the plan has told."""
    day: date | None = await tx.fetchval("select max(origin) from outcomes where tenant = $1", tenant)
    return day


async def signals_of_item(tx: Transaction, tenant: str, sku: str, location: str, since: date) -> list[Row]:
    rows = await tx.fetch(
        "select body from signals where tenant = $1 and (sku = $2 or sku is null) and (location = $3 or location is null)"
        " and (sku is not null or location is not null) and ends_at >= $4 order by starts_at desc limit 20",
        tenant,
        sku,
        location,
        since,
    )
    return as_dicts(rows)


async def policies(tx: Transaction, tenant: str) -> list[Row]:
    rows = await tx.fetch("select * from policies where tenant = $1 order by scope, version desc", tenant)
    return as_dicts(rows)


async def models(tx: Transaction, tenant: str) -> list[Row]:
    return as_dicts(await tx.fetch("select * from models where tenant = $1 order by segment", tenant))


async def status(tx: Transaction, tenant: str) -> dict[str, Any]:
    """What stands above every page: how far planning is, and how much waits."""
    locations = await tx.fetch(
        "select o.location, o.business_date, p.name as location_name, p.body->>'time_zone' as time_zone from"
        " (select location, max(origin) as business_date from outcomes where tenant = $1 group by location) o"
        " left join catalogue p on p.tenant = $1 and p.kind = 'location' and p.identity = o.location order by o.location",
        tenant,
    )
    run = await tx.fetchrow("select * from runs where tenant = $1 order by finished_at desc, run_id limit 1", tenant)
    counts = await tx.fetchrow(
        "select (select count(*) from lines where tenant = $1 and status = 'pending') as waiting,"
        " (select count(*) from exceptions where tenant = $1 and resolved_on is null) as exceptions,"
        " (select count(*) from outcomes where tenant = $1) as items,"
        " (select count(*) from forecasts where tenant = $1) as forecasts,"
        " (select count(*) from orders o where o.tenant = $1 and not exists (select 1 from order_updates u where u.tenant = $1"
        "   and u.order_id = o.order_id and (u.status in ('received', 'cancelled', 'failed')"
        "   or (u.status = 'confirmed' and o.kind in ('change', 'cancel'))))) as orders_open",
        tenant,
    )
    checkpoint = await tx.fetchrow(
        "select log_id, size, signed_at from checkpoints where tenant = $1 order by size desc, log_id limit 1", tenant
    )
    return {
        "locations": as_dicts(locations),
        "run": dict(run) if run else None,
        "counts": dict(counts) if counts else {},
        "checkpoint": dict(checkpoint) if checkpoint else None,
    }
