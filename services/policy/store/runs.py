"""Planning runs: one per business date and scope, cut into chunks that survive the process."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from kit.database import Transaction

EVERYTHING = "all"
LOCATION_PREFIX = "location:"
# Every item there is: what has a position or a forecast.
UNIVERSE = "(select sku, location from positions where tenant = $1 union select sku, location from forecasts where tenant = $1)"
# A scope is everything, a location, what a supplier delivers, or an ABC class (an item without one is planned as B).
SUPPLIER_PREFIX, CLASS_PREFIX = "supplier:", "class:"
IN_SCOPE = (
    "($2 = 'all' or starts_with($2, 'location:') and place.location = substr($2, 10)"
    " or starts_with($2, 'supplier:') and exists (select from terms_of_supply x where x.tenant = $1 and x.sku = place.sku"
    " and x.supplier = substr($2, 10) and x.location in (place.location, '*') and x.active)"
    " or starts_with($2, 'class:') and exists (select from products i where i.tenant = $1 and i.sku = place.sku"
    " and coalesce(i.abc_class, (select k.abc_class from item_classes k where k.tenant = $1 and k.sku = place.sku"
    " and k.location = place.location), 'B') = substr($2, 7)))"
)


async def business_date(tx: Transaction, tenant: str, scope: str) -> date | None:
    """The newest business date any location of the scope knows: closed, or forecast from."""
    location = scope.removeprefix(LOCATION_PREFIX) if scope.startswith(LOCATION_PREFIX) else None
    day: date | None = await tx.fetchval(
        "select max(day) from (select closed_on as day, location from closed_days where tenant = $1"
        " union all select origin, location from forecasts where tenant = $1) known"
        " where $2::text is null or location = $2",
        tenant,
        location,
    )
    return day


async def start(tx: Transaction, tenant: str, run_id: str, scope: str, day: date, requested_by: str) -> None:
    """Begin the run of this day and scope, or begin it again when it is finished; one that runs is left alone."""
    items = await tx.fetchval(f"select count(*) from {UNIVERSE} place where {IN_SCOPE}", tenant, scope)
    await tx.execute(
        "insert into runs as r (tenant, run_id, scope, business_date, state, attempt, requested_by, items, done, proposed,"
        " withheld, published) values ($1, $2, $3, $4, 'running', 1, $5, $6, 0, 0, 0, 0)"
        " on conflict (tenant, scope, business_date) do update set state = 'running', attempt = r.attempt + 1,"
        " requested_by = excluded.requested_by, items = excluded.items, done = 0, proposed = 0, withheld = 0, published = 0,"
        " rationed_at = null, scarce = null, started_at = clock_timestamp(), finished_at = null"
        " where r.state = 'finished'",
        tenant,
        run_id,
        scope,
        day,
        requested_by,
        items,
    )


async def count_items(tx: Transaction, tenant: str) -> int:
    """How many items a run of everything looks at."""
    return int(await tx.fetchval(f"select count(*) from {UNIVERSE} place", tenant))


async def lock_begun(tx: Transaction, tenant: str) -> Any:
    """The oldest run that is not cut yet and that no other process works on, locked; None when there is none."""
    return await tx.fetchrow(
        "select * from runs where tenant = $1 and state = 'running' and rationed_at is null order by started_at limit 1"
        " for update skip locked",
        tenant,
    )


@dataclass(frozen=True, slots=True)
class Chunk:
    """Items of a run between two keys, the first not included; without an end, all that come after."""

    run_id: str
    scope: str
    number: int
    after_sku: str
    after_location: str
    upto_sku: str | None
    upto_location: str | None


async def cut(tx: Transaction, tenant: str, run_id: str, scope: str, size: int) -> list[Chunk]:
    """Cut a run into chunks of so many items, in the order of their keys."""
    await tx.execute(
        "with cuts as (select sku, location, n / $4 as number from (select sku, location, row_number() over"
        f" (order by sku, location) as n from {UNIVERSE} place where {IN_SCOPE}) numbered where n % $4 = 0),"
        " starts as (select 0 as number, '' as sku, '' as location union all select * from (select number, sku, location from cuts) c)"
        " insert into run_chunks select $1, $3, s.number, s.sku, s.location, c.sku, c.location from starts s"
        " left join cuts c on c.number = s.number + 1",
        tenant,
        scope,
        run_id,
        size,
    )
    return await _chunks(tx, tenant, "and c.run_id = $2 order by c.number", run_id)


async def take_chunk(tx: Transaction, tenant: str) -> Chunk | None:
    """The next chunk of the oldest run that nobody else works on, locked until the transaction ends; None: there is none."""
    found = await _chunks(tx, tenant, "order by r.started_at, c.number limit 1 for update of c skip locked")
    return found[0] if found else None


async def _chunks(tx: Transaction, tenant: str, rest: str, *arguments: Any) -> list[Chunk]:
    rows = await tx.fetch(
        "select c.run_id, r.scope, c.number, c.after_sku, c.after_location, c.upto_sku, c.upto_location"
        f" from run_chunks c join runs r using (tenant, run_id) where c.tenant = $1 {rest}",
        tenant,
        *arguments,
    )
    return [Chunk(**dict(row)) for row in rows]


async def items_ahead(tx: Transaction, tenant: str, chunk_items: int) -> int:
    """About how many items of all runs are still to be planned: of chunks of so many, and of runs that are not cut yet."""
    return int(
        await tx.fetchval(
            "select $2 * (select count(*) from run_chunks where tenant = $1) + coalesce((select sum(items) from runs"
            " where tenant = $1 and state = 'running' and rationed_at is null), 0)",
            tenant,
            chunk_items,
        )
    )


async def items_of(tx: Transaction, tenant: str, chunk: Chunk) -> list[tuple[str, str]]:
    """The items of a chunk, in order; each side is read by its key from end to end, so a chunk costs the same anywhere."""
    ends: list[Any] = [chunk.after_sku, chunk.after_location]
    between = "(sku, location) > ($3, $4)"
    if chunk.upto_sku is not None:  # a bound that may be absent would not bound the reading of the key
        ends += [chunk.upto_sku, chunk.upto_location]
        between += " and (sku, location) <= ($5, $6)"
    side = f"(select sku, location from {{}} place where tenant = $1 and {IN_SCOPE} and {between})"
    rows = await tx.fetch(
        f"{side.format('positions')} union {side.format('forecasts')} order by sku, location",
        tenant,
        chunk.scope,
        *ends,
    )
    return [(row["sku"], row["location"]) for row in rows]


async def rationed(tx: Transaction, tenant: str, run_id: str, scarce: dict[str, Any] | None) -> None:
    """What is scarce is dealt out among the run's items, or nothing is; `scarce` is what people are told of it."""
    await tx.execute(
        "update runs set rationed_at = clock_timestamp(), scarce = $3::jsonb where tenant = $1 and run_id = $2",
        tenant,
        run_id,
        None if scarce is None else json.dumps(scarce),
    )


async def planned(tx: Transaction, tenant: str, chunk: Chunk, items: int, proposed: int, published: int) -> None:
    """Count a chunk and take it off the run. The run's row is locked last, as others count theirs beside it."""
    await tx.execute(
        "delete from run_chunks where tenant = $1 and run_id = $2 and number = $3", tenant, chunk.run_id, chunk.number
    )
    await tx.execute(
        "update runs set done = done + $3, items = greatest(items, done + $3), proposed = proposed + $4,"
        " withheld = withheld + $3 - $4, published = published + $5 where tenant = $1 and run_id = $2",
        tenant,
        chunk.run_id,
        items,
        proposed,
        published,
    )


async def finish(tx: Transaction, tenant: str) -> list[str]:
    """Finish the runs that have no chunk left; returns their ids."""
    rows = await tx.fetch(
        "update runs r set state = 'finished', finished_at = clock_timestamp() where tenant = $1 and state = 'running'"
        " and rationed_at is not null and not exists (select from run_chunks c where c.tenant = $1 and c.run_id = r.run_id)"
        " returning run_id",
        tenant,
    )
    return [row["run_id"] for row in rows]


async def get(tx: Transaction, tenant: str, run_id: str) -> dict[str, Any] | None:
    """One run."""
    row = await tx.fetchrow("select * from runs where tenant = $1 and run_id = $2", tenant, run_id)
    return None if row is None else dict(row)


async def newest(tx: Transaction, tenant: str, limit: int) -> list[dict[str, Any]]:
    """Runs, newest first."""
    rows = await tx.fetch("select * from runs where tenant = $1 order by started_at desc limit $2", tenant, limit)
    return [dict(row) for row in rows]


async def locations_to_plan(
    tx: Transaction, tenant: str, grace_seconds: float, quiet_seconds: float
) -> list[tuple[str, date]]:
    """Locations whose business day closed since their last run, and whose forecasts for it are there.

    There means: every item with a position has one from that day; or, `grace_seconds` after the close, at least one
    has come and none for `quiet_seconds` (an item that is no longer forecast must not hold up the others).
    """
    waiting = await tx.fetchval(
        "select true from closed_days where tenant = $1 and (planned_on is null or planned_on < closed_on) limit 1",
        tenant,
    )
    if not waiting:
        return []
    rows = await tx.fetch(
        "with due as (select location, closed_on, closed_at from closed_days"
        " where tenant = $1 and (planned_on is null or planned_on < closed_on)),"
        " ready as (select d.location, count(*) filter (where f.origin >= d.closed_on) as fresh, max(f.received_at) as newest"
        " from due d join forecasts f on f.tenant = $1 and f.location = d.location group by d.location),"
        " stocked as (select location, count(*) as items from positions where tenant = $1 group by location)"
        " select d.location, d.closed_on from due d join ready r using (location) left join stocked s using (location)"
        " where r.fresh > 0 and (r.fresh >= coalesce(s.items, 0)"
        " or d.closed_at < clock_timestamp() - make_interval(secs => $2)"
        " and r.newest < clock_timestamp() - make_interval(secs => $3)) order by d.location",
        tenant,
        grace_seconds,
        quiet_seconds,
    )
    return [(row["location"], row["closed_on"]) for row in rows]


async def mark_planned(tx: Transaction, tenant: str, location: str, day: date) -> None:
    """The location's run of this day is on its way."""
    await tx.execute(
        "update closed_days set planned_on = greatest(planned_on, $3) where tenant = $1 and location = $2",
        tenant,
        location,
        day,
    )
