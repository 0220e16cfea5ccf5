"""The movement ledger and the positions that are its sum: one statement per batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from kit.columns import column
from kit.database import Transaction
from kit.hopeful import Hopeful
from services.policy.domain.movements import DIRECTIONS


class Movement(NamedTuple):
    """One ledger entry to be. A named tuple: one is made per event, and a batch becomes columns at once."""

    sku: str
    location: str
    event_hash: UUID
    kind: str
    quantity: Decimal
    occurred_at: datetime
    business_date: date
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """An absolute count of on hand."""

    sku: str
    location: str
    event_hash: UUID
    quantity: Decimal
    counted_at: datetime
    business_date: date


SALE = "sale"  # what nearly every movement is; DIRECTIONS says: one off the shelf for each, nothing else
# A movement that happened before the last count of its item is booked with no effect: the count has seen it already.
# Sorted by key, so that concurrent workers cannot deadlock. What sales have in common is not sent: their columns end before.
_BOOK = """
with incoming as (
  select sku, location, event_hash, quantity, occurred_at, business_date, order_id, coalesce(kind, 'sale') as kind,
         quantity * coalesce(on_hand, -1) as on_hand, quantity * coalesce(reserved, 0) as reserved,
         quantity * coalesce(backorders, 0) as backorders
  from unnest(string_to_array($2::text, E'\\x1f'), string_to_array($3::text, E'\\x1f'), $4::uuid[],
              string_to_array($5::text, E'\\x1f')::numeric[], $6::timestamptz[], $7::date[], $8::text[], $9::text[],
              $10::int[], $11::int[], $12::int[])
    as t(sku, location, event_hash, quantity, occurred_at, business_date, order_id, kind, on_hand, reserved, backorders)
), counted as materialized (
  select p.sku, p.location, p.counted_at from (select distinct sku, location from incoming) i
  join positions p on p.tenant = $1 and p.sku = i.sku and p.location = i.location
  where p.counted_at is not null
), booked as (
  insert into ledger (tenant, sku, location, event_hash, kind, quantity, on_hand, reserved, backorders, occurred_at,
                      business_date, order_id)
  select $1, i.sku, i.location, i.event_hash, i.kind, i.quantity,
         case when p.counted_at >= i.occurred_at then 0 else i.on_hand end,
         i.reserved, i.backorders, i.occurred_at, i.business_date, i.order_id
  from incoming i
  left join counted p on p.sku = i.sku and p.location = i.location
  order by i.sku, i.location, i.event_hash
  {if_known}
  returning sku, location, on_hand, reserved, backorders, occurred_at
), summed as (
  select sku, location, sum(on_hand) as on_hand, sum(reserved) as reserved, sum(backorders) as backorders,
         count(*) as movements, max(occurred_at) as moved_at
  from booked group by sku, location
)
insert into positions as p (tenant, sku, location, on_hand, reserved, backorders, movements, moved_at)
select $1, sku, location, on_hand, reserved, backorders, movements, moved_at from summed order by sku, location
on conflict (tenant, sku, location) do update set
  on_hand = p.on_hand + excluded.on_hand,
  reserved = p.reserved + excluded.reserved,
  backorders = p.backorders + excluded.backorders,
  movements = p.movements + excluded.movements,
  moved_at = greatest(p.moved_at, excluded.moved_at)
returning sku, location,
  (on_hand - reserved - backorders < replan_below or on_hand - reserved - backorders >= replan_at_or_above) as is_due
"""

BOOK = _BOOK.format(if_known="on conflict (tenant, sku, location, event_hash) do nothing")
# The inbox has let these events through, so that none of them should be in the ledger.
_hopeful = Hopeful(_BOOK.format(if_known=""))

LOCK_FOR_COUNT = """
insert into positions (tenant, sku, location, on_hand, reserved, backorders, movements, moved_at)
select $1, sku, location, 0, 0, 0, 0, counted_at from unnest($2::text[], $3::text[], $4::timestamptz[])
  as t(sku, location, counted_at) order by sku, location
on conflict (tenant, sku, location) do update set on_hand = positions.on_hand
"""

# On hand at the time of the count = on hand now - what happened after it; the entry brings it to what was counted.
# Only the newest count of an item matters: what is older than one that is known has no effect.
COUNT = """
with incoming as (
  select * from unnest($2::text[], $3::text[], $4::uuid[], $5::numeric[], $6::timestamptz[], $7::date[], $8::boolean[])
    as t(sku, location, event_hash, quantity, counted_at, business_date, is_newest)
), booked as (
  insert into ledger (tenant, sku, location, event_hash, kind, quantity, on_hand, reserved, backorders, occurred_at,
                      business_date)
  select $1, i.sku, i.location, i.event_hash, 'count', i.quantity,
         case when i.is_newest and (p.counted_at is null or i.counted_at > p.counted_at)
              then i.quantity - p.on_hand + case when p.moved_at > i.counted_at then coalesce((
                     select sum(l.on_hand) from ledger l
                     where l.tenant = $1 and l.sku = i.sku and l.location = i.location and l.occurred_at > i.counted_at
                   ), 0) else 0 end
              else 0 end,
         0, 0, i.counted_at, i.business_date
  from incoming i
  join positions p on p.tenant = $1 and p.sku = i.sku and p.location = i.location
  order by i.sku, i.location, i.event_hash
  on conflict (tenant, sku, location, event_hash) do nothing
  returning sku, location, on_hand, occurred_at
), summed as (
  select sku, location, sum(on_hand) as on_hand, count(*) as movements, max(occurred_at) as counted_at
  from booked group by sku, location
)
update positions p set
  on_hand = p.on_hand + s.on_hand,
  movements = p.movements + s.movements,
  counted_at = greatest(p.counted_at, s.counted_at),
  moved_at = greatest(p.moved_at, s.counted_at)
from summed s where p.tenant = $1 and p.sku = s.sku and p.location = s.location
returning p.sku, p.location,
  (p.on_hand - p.reserved - p.backorders < p.replan_below
   or p.on_hand - p.reserved - p.backorders >= p.replan_at_or_above) as is_due
"""


async def book(tx: Transaction, tenant: str, movements: Sequence[Movement]) -> list[tuple[str, str]]:
    """Book movements that are not in the ledger yet; returns the items whose plan may have to change."""
    if not movements:
        return []
    columns = _columns(movements)
    rows = await _hopeful.fetch(tx, len(movements), tenant, *columns)
    if rows is None:
        rows = await tx.fetch(BOOK, tenant, *columns)
    return [(row["sku"], row["location"]) for row in rows if row["is_due"]]


def _columns(movements: Sequence[Movement]) -> tuple[Any, ...]:
    """As the statement takes them, sales last. Numbers as text: the driver spends ten times as long on a decimal."""
    others = [one for one in movements if one.kind != SALE or one.order_id is not None]
    if others:
        movements = [*others, *(one for one in movements if one.kind == SALE and one.order_id is None)]
    skus, locations, hashes, _kinds, quantities, times, days, _orders = zip(*movements, strict=True)
    orders, kinds = [one.order_id for one in others], [one.kind for one in others]
    signs = list(zip(*(DIRECTIONS[kind] for kind in kinds), strict=True)) or [(), (), ()]
    return column(skus), column(locations), hashes, column(quantities), times, days, orders, kinds, *signs


async def times_of(
    tx: Transaction, tenant: str, entries: Sequence[tuple[str, str, UUID]]
) -> dict[tuple[str, str, UUID], datetime]:
    """When these entries (sku, location, event hash) happened, for those that are in the ledger."""
    rows = await tx.fetch(
        "select l.sku, l.location, l.event_hash, l.occurred_at from ledger l"
        " join unnest($2::text[], $3::text[], $4::uuid[]) as t(sku, location, event_hash) using (sku, location, event_hash)"
        " where l.tenant = $1",
        tenant,
        *(list(column) for column in zip(*entries, strict=True)),
    )
    return {(row["sku"], row["location"], row["event_hash"]): row["occurred_at"] for row in rows}


async def book_counts(tx: Transaction, tenant: str, counts: Sequence[Count]) -> list[tuple[str, str]]:
    """Book counts; returns the items whose plan may have to change.

    Movements of the same batch are booked first: the result is the same in whatever order they came, because a count
    speaks for everything up to its own time and for nothing after it.
    """
    if not counts:
        return []
    newest: dict[tuple[str, str], Count] = {}
    for one in counts:
        known = newest.get((one.sku, one.location))
        if known is None or one.counted_at >= known.counted_at:
            newest[(one.sku, one.location)] = one
    items = list(newest.values())
    await tx.execute(
        LOCK_FOR_COUNT,
        tenant,
        [one.sku for one in items],
        [one.location for one in items],
        [one.counted_at for one in items],
    )
    rows = await tx.fetch(
        COUNT,
        tenant,
        [one.sku for one in counts],
        [one.location for one in counts],
        [one.event_hash for one in counts],
        [one.quantity for one in counts],
        [one.counted_at for one in counts],
        [one.business_date for one in counts],
        [newest[(one.sku, one.location)] is one for one in counts],
    )
    return [(row["sku"], row["location"]) for row in rows if row["is_due"]]


async def close_days(tx: Transaction, tenant: str, days: Sequence[tuple[str, date]]) -> None:
    """Note closed business days; a day that closes again, or late, moves nothing back."""
    newest: dict[str, date] = {}
    for location, day in days:
        newest[location] = max(day, newest.get(location, day))
    await tx.execute(
        "insert into closed_days (tenant, location, closed_on) select $1, * from unnest($2::text[], $3::date[]) order by 2"
        " on conflict (tenant, location) do update set closed_on = excluded.closed_on, closed_at = clock_timestamp()"
        " where closed_days.closed_on < excluded.closed_on",
        tenant,
        list(newest),
        list(newest.values()),
    )


async def movements_page(
    tx: Transaction, tenant: str, sku: str, location: str, before: datetime | None, limit: int
) -> list[dict[str, object]]:
    """Ledger entries of an item, newest first."""
    rows = await tx.fetch(
        "select event_hash, kind, quantity, on_hand, reserved, backorders, occurred_at, business_date, order_id from ledger"
        " where tenant = $1 and sku = $2 and location = $3 and ($4::timestamptz is null or occurred_at < $4)"
        " order by occurred_at desc, event_hash limit $5",
        tenant,
        sku,
        location,
        before,
        limit,
    )
    return [dict(row) for row in rows]
