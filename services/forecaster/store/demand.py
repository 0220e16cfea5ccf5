"""Writing daily demand, stock days, closed days, and what is due because of them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from kit.database import Transaction
from services.forecaster.domain.booking import Booking, Closing


async def closed_days(tx: Transaction, tenant: str, locations: Sequence[str]) -> dict[Closing, date]:
    """Last closed day of these locations, per partition of the sales topic (-1: the whole location)."""
    rows = await tx.fetch(
        "select location, partition, business_date from closed_days where tenant = $1 and location = any($2::text[])",
        tenant,
        list(locations),
    )
    return {(row["location"], row["partition"]): row["business_date"] for row in rows}


async def add(tx: Transaction, tenant: str, booking: Booking) -> None:
    """Add a batch to the tables; the caller's transaction makes it happen once."""
    await _add_items(tx, tenant, booking)
    keys = sorted(booking.days)
    changes = [booking.days[key] for key in keys]
    if keys:
        await tx.execute(
            "insert into daily_demand as d"
            " (tenant, sku, location, business_date, quantity, returned, restocked, promoted, revision)"
            " select $1, * from unnest($2::text[], $3::text[], $4::date[], $5::numeric[], $6::numeric[],"
            " $7::numeric[], $8::numeric[], $9::int[])"
            " on conflict (tenant, sku, location, business_date) do update set"
            " quantity = d.quantity + excluded.quantity, returned = d.returned + excluded.returned,"
            " restocked = d.restocked + excluded.restocked, promoted = d.promoted + excluded.promoted,"
            " revision = d.revision + excluded.revision",
            tenant,
            [key[0] for key in keys],
            [key[1] for key in keys],
            [key[2] for key in keys],
            [change.quantity for change in changes],
            [change.returned for change in changes],
            [change.restocked for change in changes],
            [change.promoted for change in changes],
            [change.late for change in changes],
        )
    await _close(tx, tenant, booking)
    await _correct(tx, tenant, booking)


async def _add_items(tx: Transaction, tenant: str, booking: Booking) -> None:
    keys = sorted(booking.items)
    if keys:
        await add_items(tx, tenant, [(*key, *booking.items[key]) for key in keys])


async def add_items(tx: Transaction, tenant: str, rows: Sequence[tuple[str, str, int, date]]) -> None:
    """Rows (sku, location, partition, first day), sorted by key; known items only move their first day back."""
    await tx.execute(
        "insert into items as i (tenant, sku, location, partition, first_on)"
        " select $1, * from unnest($2::text[], $3::text[], $4::int[], $5::date[])"
        " on conflict (tenant, sku, location) do update set first_on = excluded.first_on"
        " where excluded.first_on < i.first_on",
        tenant,
        *(list(column) for column in zip(*rows, strict=True)),
    )


async def _close(tx: Transaction, tenant: str, booking: Booking) -> None:
    closes = [booking.closes[key] for key in sorted(booking.closes)]
    if not closes:
        return
    columns = ([one.location for one in closes], [one.partition for one in closes])
    await tx.execute(
        "insert into closed_days as c (tenant, location, partition, business_date, closed_at)"
        " select $1, * from unnest($2::text[], $3::int[], $4::date[], $5::timestamptz[])"
        " on conflict (tenant, location, partition) do update set business_date = excluded.business_date,"
        " closed_at = excluded.closed_at where excluded.business_date > c.business_date",
        tenant,
        *columns,
        [one.business_date for one in closes],
        [one.cause_at for one in closes],
    )
    await due_closings(tx, tenant, *columns, [one.cause for one in closes], [one.cause_at for one in closes])


async def due_closings(
    tx: Transaction,
    tenant: str,
    locations: Sequence[str],
    partitions: Sequence[int],
    causes: Sequence[str],
    times: Sequence[datetime],
) -> None:
    """Forecast all items of these closings; keys sorted. A newer cause takes the place of a waiting one."""
    await tx.execute(
        "insert into due_closings (tenant, location, partition, cause, cause_at)"
        " select $1, * from unnest($2::text[], $3::int[], $4::text[], $5::timestamptz[])"
        " on conflict (tenant, location, partition) do update set cause = excluded.cause,"
        " cause_at = excluded.cause_at, seq = default",
        tenant,
        locations,
        partitions,
        causes,
        times,
    )


async def every_closing(tx: Transaction, tenant: str) -> list[tuple[str, int, datetime]]:
    """All closings of a tenant with the event time of their last close, sorted by key."""
    rows = await tx.fetch(
        "select location, partition, closed_at from closed_days where tenant = $1 order by location, partition", tenant
    )
    return [(row["location"], row["partition"], row["closed_at"]) for row in rows]


async def _correct(tx: Transaction, tenant: str, booking: Booking) -> None:
    keys = sorted(booking.corrected)
    if keys:
        causes = [booking.corrected[key] for key in keys]
        await tx.execute(
            "insert into due_items (tenant, sku, location, cause, cause_at)"
            " select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[])"
            " on conflict (tenant, sku, location) do update set cause = excluded.cause,"
            " cause_at = excluded.cause_at, seq = default",
            tenant,
            [key[0] for key in keys],
            [key[1] for key in keys],
            [cause[0] for cause in causes],
            [cause[1] for cause in causes],
        )


async def move_stock(tx: Transaction, tenant: str, net: Mapping[tuple[str, str, date], Decimal]) -> None:
    """Add net movements by day."""
    keys = sorted(net)
    if keys:
        await tx.execute(
            "insert into stock_days as d (tenant, sku, location, business_date, net)"
            " select $1, * from unnest($2::text[], $3::text[], $4::date[], $5::numeric[])"
            " on conflict (tenant, sku, location, business_date) do update set net = d.net + excluded.net",
            tenant,
            [key[0] for key in keys],
            [key[1] for key in keys],
            [key[2] for key in keys],
            [net[key] for key in keys],
        )


async def count_stock(
    tx: Transaction, tenant: str, counts: Mapping[tuple[str, str, date], tuple[Decimal, datetime, bool]]
) -> None:
    """Keep the latest count of each day: (quantity, counted at, whether before the day's business)."""
    keys = sorted(counts)
    if keys:
        await tx.execute(
            "insert into stock_counts as c (tenant, sku, location, business_date, quantity, counted_at, at_opening)"
            " select $1, * from unnest($2::text[], $3::text[], $4::date[], $5::numeric[], $6::timestamptz[], $7::bool[])"
            " on conflict (tenant, sku, location, business_date) do update set quantity = excluded.quantity,"
            " counted_at = excluded.counted_at, at_opening = excluded.at_opening"
            " where excluded.counted_at >= c.counted_at",
            tenant,
            [key[0] for key in keys],
            [key[1] for key in keys],
            [key[2] for key in keys],
            *(list(column) for column in zip(*(counts[key] for key in keys), strict=True)),
        )
