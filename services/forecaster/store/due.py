"""Which forecasts are due, and the last one of every item."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson

from kit.database import Transaction
from schemas.forecasts import ForecastIssued
from services.forecaster.domain.likeness import Likeness

# Closings of one run: a hundred locations of four partitions close on the same evening, and one run reads the history
# once for all of them.
CLOSINGS_MAX = 1_000
ITEMS_MAX = 5_000


@dataclass(frozen=True, slots=True)
class DueClosing:
    """All items of one partition of a location (-1: of the location)."""

    location: str
    partition: int
    cause: str
    cause_at: datetime
    seq: int


@dataclass(frozen=True, slots=True)
class DueItem:
    """One corrected item."""

    sku: str
    location: str
    cause: str
    cause_at: datetime
    seq: int


async def read(tx: Transaction, tenant: str) -> tuple[list[DueClosing], list[DueItem]]:
    """What waits, oldest first."""
    closings = await tx.fetch(
        "select location, partition, cause, cause_at, seq from due_closings where tenant = $1 order by seq limit $2",
        tenant,
        CLOSINGS_MAX,
    )
    items = await tx.fetch(
        "select sku, location, cause, cause_at, seq from due_items where tenant = $1 order by seq limit $2",
        tenant,
        ITEMS_MAX,
    )
    return [DueClosing(*row) for row in closings], [DueItem(*row) for row in items]


async def done(tx: Transaction, tenant: str, closings: Sequence[DueClosing], items: Sequence[DueItem]) -> None:
    """Take these out, unless a newer cause has taken their place meanwhile."""
    for table, rows in (("due_closings", [one.seq for one in closings]), ("due_items", [one.seq for one in items])):
        if rows:
            await tx.execute(f"delete from {table} where tenant = $1 and seq = any($2::bigint[])", tenant, rows)


async def again(tx: Transaction, tenant: str, scope: Mapping[str, str | None], cause: str, at: datetime) -> int:
    """Make the items of a scope (sku, location, category, abc_class; absent or None: all) due for a new forecast, and
    nothing else; returns how many."""
    rows = await tx.fetch(
        "insert into due_items as d (tenant, sku, location, cause, cause_at)"
        " select $1, i.sku, i.location, $6, $7::timestamptz from items i"
        " left join catalogue_items c on c.tenant = i.tenant and c.sku = i.sku where i.tenant = $1"
        " and ($2::text is null or i.sku = $2) and ($3::text is null or i.location = $3)"
        " and ($4::text is null or c.category = $4) and ($5::text is null or c.abc_class = $5) order by i.sku, i.location"
        " on conflict (tenant, sku, location) do update set cause = excluded.cause, cause_at = excluded.cause_at,"
        " seq = default returning sku",
        tenant,
        scope.get("sku"),
        scope.get("location"),
        scope.get("category"),
        scope.get("abc_class"),
        cause,
        at,
    )
    return len(rows)


async def last_closed(tx: Transaction, tenant: str) -> date | None:
    """The last closed day of any location; None before the first."""
    day: date | None = await tx.fetchval("select max(business_date) from closed_days where tenant = $1", tenant)
    return day


def event_time(today: date | None) -> datetime:
    """Forecasts live in event time: one made because of a person belongs to the evening of the last closed day."""
    day = today or date(1970, 1, 1)
    return datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC)


async def waiting(tx: Transaction, tenant: str) -> int:
    """Closings and items that wait for a forecast."""
    return int(
        await tx.fetchval(
            "select (select count(*) from due_closings where tenant = $1)"
            " + (select count(*) from due_items where tenant = $1)",
            tenant,
        )
    )


async def keep(
    tx: Transaction, tenant: str, issued: Sequence[tuple[ForecastIssued, str, datetime, Likeness | None]]
) -> None:
    """Remember forecasts (message, its JSON, event time of its cause, whom it was borrowed from) as the last ones of their
    items."""
    rows = sorted(issued, key=lambda one: (one[0].sku, one[0].location))
    await tx.execute(
        "insert into forecasts (tenant, sku, location, forecast_id, origin, model_id, strategy, body, issued_at,"
        " likeness) select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::date[], $6::text[], $7::text[],"
        " $8::text[], $9::timestamptz[], $10::jsonb[]) on conflict (tenant, sku, location) do update set forecast_id = excluded.forecast_id,"
        " origin = excluded.origin, model_id = excluded.model_id, strategy = excluded.strategy, body = excluded.body,"
        " issued_at = excluded.issued_at, likeness = excluded.likeness",
        tenant,
        [one[0].sku for one in rows],
        [one[0].location for one in rows],
        [one[0].forecast_id for one in rows],
        [one[0].origin for one in rows],
        [one[0].model_id for one in rows],
        [one[0].strategy for one in rows],
        [one[1] for one in rows],
        [one[2] for one in rows],
        [None if one[3] is None else orjson.dumps(_plain(one[3])).decode() for one in rows],
    )


def _plain(likeness: Likeness) -> dict[str, Any]:
    """As people read it: amounts as decimals in text, with four places."""
    examples = [asdict(one) | {"per_day": f"{one.per_day:.4f}"} for one in likeness.examples]
    return asdict(likeness) | {
        "per_day": f"{likeness.per_day:.4f}", "share": f"{likeness.share:.4f}", "examples": examples,
    }  # fmt: skip


async def last(tx: Transaction, tenant: str, sku: str, location: str) -> Any:
    """The last forecast of an item: body (JSON) and event time of its cause; None when there is none."""
    return await tx.fetchrow(
        "select body, issued_at from forecasts where tenant = $1 and sku = $2 and location = $3", tenant, sku, location
    )


async def likeness(tx: Transaction, tenant: str, sku: str, location: str) -> Any:
    """Whom the last forecast of an item was borrowed from; None when it speaks for itself."""
    told = await tx.fetchval(
        "select likeness::text from forecasts where tenant = $1 and sku = $2 and location = $3", tenant, sku, location
    )
    return None if told is None else orjson.loads(told)
