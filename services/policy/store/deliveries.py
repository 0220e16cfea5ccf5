"""When orders came: written by releases, confirmations and receipts in any order, read as how late they were."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from kit.database import Transaction
from schemas.decisions import OrderReleased, OrderUpdated
from services.policy.domain.lead_times import LATENESS_MAX_DAYS, RECEIPTS_MAX, Deliveries

# (order id, location, business date) of goods that came.
Came = tuple[str, str, date]


async def ordered(tx: Transaction, tenant: str, orders: Sequence[OrderReleased]) -> None:
    """Keep what was promised for orders to suppliers; transfers teach nothing about them."""
    bought = {one.order_id: one for one in orders if one.kind == "purchase_order" and one.supplier is not None}
    if not bought:
        return
    rows = [bought[order_id] for order_id in sorted(bought)]
    await tx.execute(
        "insert into deliveries as d (tenant, order_id, location, supplier, ordered_on, promised_on)"
        " select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::date[], $6::date[])"
        " on conflict (tenant, order_id, location) do update set supplier = excluded.supplier,"
        " ordered_on = excluded.ordered_on, promised_on = excluded.promised_on",
        tenant,
        [one.order_id for one in rows],
        [one.location for one in rows],
        [one.supplier for one in rows],
        [one.order_on for one in rows],
        [one.arrive_on for one in rows],
    )


async def answered(tx: Transaction, tenant: str, updates: Sequence[OrderUpdated]) -> None:
    """Keep the day a supplier confirmed (the latest of the order's lines), and the day it says that the goods came."""
    for one in sorted(updates, key=lambda each: each.order_id):
        days = [line.arrive_on for line in one.lines if line.arrive_on is not None]
        if one.status in ("confirmed", "shipped") and days:
            await tx.execute(
                "insert into deliveries (tenant, order_id, location, confirmed_on) values ($1, $2, $3, $4)"
                " on conflict (tenant, order_id, location) do update set confirmed_on = excluded.confirmed_on",
                tenant,
                one.order_id,
                one.location,
                max(days),
            )
    await came(
        tx, tenant, [(one.order_id, one.location, one.business_date) for one in updates if one.status == "received"]
    )


async def came(tx: Transaction, tenant: str, receipts: Iterable[Came]) -> None:
    """Keep the first day goods of an order came. The last rows a transaction locks, in the order of their keys."""
    first: dict[tuple[str, str], date] = {}
    for order_id, location, day in receipts:
        first[(order_id, location)] = min(day, first.get((order_id, location), day))
    if not first:
        return
    keys = sorted(first)
    await tx.execute(
        "insert into deliveries as d (tenant, order_id, location, received_on)"
        " select $1, * from unnest($2::text[], $3::text[], $4::date[])"
        " on conflict (tenant, order_id, location) do update set received_on = excluded.received_on"
        " where d.received_on is null or d.received_on > excluded.received_on",
        tenant,
        [order_id for order_id, _location in keys],
        [location for _order_id, location in keys],
        [first[key] for key in keys],
    )


async def came_under_codes(tx: Transaction, tenant: str, codes: Sequence[str], receipts: Iterable[Came]) -> None:
    """As `came`, for goods that were noted under other codes of their orders; there, they came of nothing."""
    if not codes:
        return
    await tx.execute(
        "delete from deliveries where tenant = $1 and order_id = any($2::text[]) and ordered_on is null", tenant, codes
    )
    await came(tx, tenant, receipts)


NEWEST = """
select t.supplier, t.location,
  array_agg(n.received_on - n.promised_on order by n.received_on, n.order_id) as after_promise,
  array_agg(n.received_on - n.confirmed_on order by n.received_on, n.order_id)
    filter (where abs(n.received_on - n.confirmed_on) <= $4) as after_confirmation
from unnest($2::text[], $3::text[]) as t(supplier, location)
cross join lateral (
  select d.order_id, d.promised_on, d.confirmed_on, d.received_on from deliveries d
  where d.tenant = $1 and d.supplier = t.supplier and d.location = t.location and d.received_on >= d.ordered_on
    and abs(d.received_on - d.promised_on) <= $4
  order by d.received_on desc, d.order_id desc limit $5
) n
group by t.supplier, t.location
"""


async def of_suppliers(
    tx: Transaction, tenant: str, pairs: Iterable[tuple[str, str]]
) -> Mapping[tuple[str, str], Deliveries]:
    """How late the newest orders of each (supplier, location) came; absent where none has come yet.

    A receipt before its order, or further from its promise than any delivery, names the wrong order and is left out.
    """
    chosen = sorted(set(pairs))
    if not chosen:
        return {}
    rows = await tx.fetch(
        NEWEST,
        tenant,
        [supplier for supplier, _location in chosen],
        [location for _supplier, location in chosen],
        LATENESS_MAX_DAYS,
        RECEIPTS_MAX,
    )
    return {
        (row["supplier"], row["location"]): Deliveries(
            tuple(row["after_promise"]), tuple(row["after_confirmation"] or ())
        )
        for row in rows
    }
