"""Open lines whose supplier has a cut-off, and how late it is known to be at their locations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from kit.database import Transaction


@dataclass(frozen=True, slots=True)
class OpenLine:
    """An item with an open line, until when that counts for its order day, and the newest event known of its location."""

    sku: str
    location: str
    order_on: date
    cut_off: str
    time_zone: str
    seen_at: datetime


# A movement dated a week after the day a plan stands on tells of a wrong clock (`supply_calendar.first_order_day`); a day less, as
# the location's own calendar may be ahead. What a person put to sleep keeps its order day until it wakes.
OPEN = """
with waiting as (
  select p.sku, p.location, p.as_of, r.order_on, u.cut_off, l.time_zone
  from plans p join recommendations r on r.tenant = $1 and r.recommendation_id = p.recommendation_id
  join suppliers u on u.tenant = $1 and u.supplier = r.supplier and u.cut_off is not null
  join locations l on l.tenant = $1 and l.location = p.location
  where p.tenant = $1 and p.is_open and p.hold_until is null and r.order_on is not null
), clocks as (
  select s.location, max(s.moved_at) as seen_at from positions s
  join (select location, max(as_of) as as_of from waiting group by location) w using (location)
  where s.tenant = $1 and s.moved_at < (w.as_of + 7)::timestamptz group by s.location
)
select w.sku, w.location, w.order_on, w.cut_off, w.time_zone, c.seen_at from waiting w join clocks c using (location)
where w.order_on <= c.seen_at::date + 1 order by w.sku, w.location
"""


async def open_lines(tx: Transaction, tenant: str) -> list[OpenLine]:
    """Open lines whose order day has come, as far as their location's events tell, in the order of their items."""
    # Asked first, as most tenants have none: over tables that were filled a moment ago, and are not analysed yet, PostgreSQL
    # begins the search below with the lines, which took half of its time while 10,000 items were planned.
    if not await tx.fetchval("select exists (select from suppliers where tenant = $1 and cut_off is not null)", tenant):
        return []
    return [OpenLine(**dict(row)) for row in await tx.fetch(OPEN, tenant)]


async def keep(tx: Transaction, tenant: str, seen: Mapping[str, datetime]) -> None:
    """Keep how late it is at these locations; never earlier than before."""
    await tx.execute(
        "insert into location_clocks as k (tenant, location, seen_at)"
        " select $1, l, s from unnest($2::text[], $3::timestamptz[]) as t(l, s) order by l"
        " on conflict (tenant, location) do update set seen_at = greatest(k.seen_at, excluded.seen_at)",
        tenant,
        list(seen),
        list(seen.values()),
    )
