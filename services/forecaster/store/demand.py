"""Writing daily demand, stock days, closed days, and what is due because of them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from kit.columns import column
from kit.database import Transaction
from services.forecaster.domain.booking import Booking, Closing

# 500,000 entries are some 100 MB; beyond that the memory starts over.
KNOWN_ITEMS_MAX = 500_000


class KnownItems:
    """Items that are in the table for certain, so that the hot path need not ask again.

    An item enters when the database says it was there before this transaction: one inserted just now may still be
    rolled back.
    """

    def __init__(self) -> None:
        self._first: dict[str, dict[tuple[str, str], date]] = {}  # by tenant: item -> first day

    def missing(self, tenant: str, items: Mapping[tuple[str, str], tuple[int, date]]) -> list[tuple[str, str]]:
        """Keys, sorted, that are not known or seem to have begun earlier than known."""
        first = self._first.get(tenant, {}).get
        return sorted([key for key, (_, day) in items.items() if first(key, date.max) > day])

    def learn(self, tenant: str, rows: Sequence[tuple[str, str, int, date]], written: set[tuple[str, str]]) -> None:
        """Of the rows offered, those the database did not write were there, beginning no later."""
        if sum(map(len, self._first.values())) > KNOWN_ITEMS_MAX:
            self._first.clear()
        first = self._first.setdefault(tenant, {})
        for sku, location, _, day in rows:
            if (sku, location) not in written:
                first[(sku, location)] = day


async def closed_days(tx: Transaction, tenant: str, locations: Sequence[str]) -> dict[Closing, date]:
    """Last closed day of these locations, per partition of the sales topic (-1: the whole location)."""
    rows = await tx.fetch(
        "select location, partition, business_date from closed_days where tenant = $1 and location = any($2::text[])",
        tenant,
        list(locations),
    )
    return {(row["location"], row["partition"]): row["business_date"] for row in rows}


async def last_closes(tx: Transaction, tenant: str, locations: Sequence[str]) -> dict[str, tuple[date, datetime]]:
    """Last closed day of these locations over all partitions, and the event time of its close."""
    rows = await tx.fetch(
        "select distinct on (location) location, business_date, closed_at from closed_days"
        " where tenant = $1 and location = any($2::text[]) order by location, business_date desc, closed_at desc",
        tenant,
        list(locations),
    )
    return {row["location"]: (row["business_date"], row["closed_at"]) for row in rows}


async def add(tx: Transaction, tenant: str, booking: Booking, known: KnownItems, *, due: bool = True) -> None:
    """Add a batch to the tables; the caller's transaction makes it happen once. With `due`, closes ask for forecasts."""
    new = known.missing(tenant, booking.items)
    if new:
        await add_items(tx, tenant, [(*key, *booking.items[key]) for key in new], known)
    if booking.days:
        # Numbers travel as text: the driver spends ten times as long on a decimal, and this is the hot path.
        keys = sorted(booking.days)
        skus, locations, days = zip(*keys, strict=True)
        await tx.execute(
            "insert into daily_demand as d (tenant, sku, location, business_date, quantity)"
            " select $1, * from unnest(string_to_array($2::text, E'\\x1f'), string_to_array($3::text, E'\\x1f'), $4::date[],"
            " string_to_array($5::text, E'\\x1f')::numeric[])"
            " on conflict (tenant, sku, location, business_date) do update set quantity = d.quantity + excluded.quantity",
            tenant,
            column(skus),
            column(locations),
            days,
            column([booking.days[key].quantity for key in keys]),
        )
        await _add_rare(tx, tenant, booking)
    await _close(tx, tenant, booking, due=due)
    await _correct(tx, tenant, booking)


async def _add_rare(tx: Transaction, tenant: str, booking: Booking) -> None:
    """What most days have none of: returns, promoted units, corrections. The rows are there already."""
    keys = sorted([key for key, change in booking.days.items() if change.is_more_than_sales])
    if not keys:
        return
    changes = [booking.days[key] for key in keys]
    await tx.execute(
        "update daily_demand d set returned = d.returned + t.returned::numeric,"
        " restocked = d.restocked + t.restocked::numeric, promoted = d.promoted + t.promoted::numeric,"
        " revision = d.revision + t.late"
        " from unnest($2::text[], $3::text[], $4::date[], $5::text[], $6::text[], $7::text[], $8::int[])"
        " as t(sku, location, business_date, returned, restocked, promoted, late) where d.tenant = $1"
        " and d.sku = t.sku and d.location = t.location and d.business_date = t.business_date",
        tenant,
        [key[0] for key in keys],
        [key[1] for key in keys],
        [key[2] for key in keys],
        [str(change.returned) for change in changes],
        [str(change.restocked) for change in changes],
        [str(change.promoted) for change in changes],
        [change.late for change in changes],
    )


async def add_items(
    tx: Transaction, tenant: str, rows: Sequence[tuple[str, str, int, date]], known: KnownItems | None = None
) -> None:
    """Rows (sku, location, partition, first day), sorted by key; known items only move their first day back."""
    written = await tx.fetch(
        "insert into items as i (tenant, sku, location, partition, first_on)"
        " select $1, * from unnest($2::text[], $3::text[], $4::int[], $5::date[])"
        " on conflict (tenant, sku, location) do update set first_on = excluded.first_on"
        " where excluded.first_on < i.first_on returning sku, location",
        tenant,
        *(list(column) for column in zip(*rows, strict=True)),
    )
    if known is not None:
        known.learn(tenant, rows, {(row["sku"], row["location"]) for row in written})


async def _close(tx: Transaction, tenant: str, booking: Booking, *, due: bool) -> None:
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
    if due:
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
    if booking.corrected:
        await due_items(tx, tenant, booking.corrected)


async def due_items(tx: Transaction, tenant: str, items: Mapping[tuple[str, str], tuple[str, datetime]]) -> None:
    """Items (sku, location) to be forecast again, each with the event and event time that is why."""
    keys = sorted(items)
    await tx.execute(
        "insert into due_items (tenant, sku, location, cause, cause_at)"
        " select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[])"
        " on conflict (tenant, sku, location) do update set cause = excluded.cause,"
        " cause_at = excluded.cause_at, seq = default",
        tenant,
        [key[0] for key in keys],
        [key[1] for key in keys],
        [items[key][0] for key in keys],
        [items[key][1] for key in keys],
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
