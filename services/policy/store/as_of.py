"""What is kept of an item's past: its ledger with the moments its events came, its supply, and its newest forecast."""

from datetime import datetime
from typing import Any

from kit.database import Transaction
from services.policy.domain.as_of import COUNT, PROMISES, Entry

# The inbox says when each event came; sought by its key, one by one, as a join would be free to read all of it.
# Of the shelf only what no count known by then has spoken for: an item's years of sales are not read for its last week.
_ENTRIES = """
with entries as (
  select l.event_hash, l.kind, l.quantity, l.occurred_at, l.order_id, l.on_hand <> 0 as took_effect,
    (select i.seen_at from inbox i where i.tenant = $1 and i.event_hash = l.event_hash) as received_at
  from ledger l where l.tenant = $1 and l.sku = $2 and l.location = $3 and l.occurred_at <= $4
), base as (
  select max(occurred_at) as moment from entries where kind = $6 and (received_at is null or received_at <= $5)
)
select e.* from entries e cross join base b
where b.moment is null or e.occurred_at >= b.moment or e.kind = $6 or e.kind = any($7::text[]) or e.order_id is not null
  or e.received_at > $5
order by e.occurred_at, e.event_hash
"""


async def first_moment(tx: Transaction, tenant: str, sku: str, location: str) -> datetime | None:
    """When the first movement happened that is known of an item."""
    found: datetime | None = await tx.fetchval(
        "select min(occurred_at) from ledger where tenant = $1 and sku = $2 and location = $3", tenant, sku, location
    )
    return found


async def entries(
    tx: Transaction, tenant: str, sku: str, location: str, at: datetime, known_at: datetime
) -> list[Entry]:
    """The ledger entries up to `at` that the position then and the one known at `known_at` follow from."""
    rows = await tx.fetch(_ENTRIES, tenant, sku, location, at, known_at, COUNT, list(PROMISES))
    return [
        Entry(
            str(row["event_hash"]),
            row["kind"],
            row["quantity"],
            row["occurred_at"],
            row["received_at"],
            row["order_id"],
            row["took_effect"],
        )
        for row in rows
    ]


async def supply(tx: Transaction, tenant: str, sku: str, location: str) -> list[dict[str, Any]]:
    """Every order that ever was to bring this item here or to take it away, with what it stands in for."""
    rows = await tx.fetch(
        "select order_id, recommendation_id, stands_in_for, false as leaves from supply"
        " where tenant = $1 and sku = $2 and location = $3 and order_id is not null"
        " union all select order_id, recommendation_id, stands_in_for, true from supply"
        " where tenant = $1 and from_location = $3 and sku = $2 and order_id is not null order by 1, 2",
        tenant,
        sku,
        location,
    )
    return [dict(row) for row in rows]


async def forecast(tx: Transaction, tenant: str, sku: str, location: str, at: datetime) -> dict[str, Any] | None:
    """The newest forecast, if it had come by `at`; what it replaced is not kept here."""
    row = await tx.fetchrow(
        "select forecast_id, origin, revision, strategy, model_id, received_at from forecasts"
        " where tenant = $1 and sku = $2 and location = $3 and received_at <= $4",
        tenant,
        sku,
        location,
        at,
    )
    return dict(row) if row else None
