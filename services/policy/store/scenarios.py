"""Signals as they stand, the open lines they moved, and the items they are about."""

from datetime import date, timedelta
from typing import Any

import orjson

from kit.database import Transaction

# A signal that ended this long ago still explains an order that is on its way.
SHOWN_DAYS = 28
SIGNALS_MAX = 200


async def around(tx: Transaction, tenant: str, day: date) -> list[Any]:
    """Signals that are coming, under way or lately over at this business date, the newest start first."""
    return list(
        await tx.fetch(
            "select * from signals where tenant = $1 and ends_at::date >= $2"
            " order by advisory, starts_at desc, signal_id limit $3",
            tenant,
            day - timedelta(days=SHOWN_DAYS),
            SIGNALS_MAX,
        )
    )


async def one(tx: Transaction, tenant: str, signal_id: str) -> Any:
    """A signal, or None."""
    return await tx.fetchrow("select * from signals where tenant = $1 and signal_id = $2", tenant, signal_id)


async def moved_lines(tx: Transaction, tenant: str) -> list[dict[str, Any]]:
    """What each open line says about each signal that touched it: the scenario step of its derivation, as published."""
    rows = await tx.fetch(
        "select r.recommendation_id, r.sku, r.location, r.signals->>'unit_cost' as unit_cost,"
        " r.signals->>'currency' as currency, s.step"
        " from plans p join recommendations r on r.tenant = $1 and r.recommendation_id = p.recommendation_id"
        " cross join lateral jsonb_array_elements(r.signals->'steps') as s(step)"
        " where p.tenant = $1 and p.is_open and r.signals is not null order by r.sku, r.location",
        tenant,
    )
    return [dict(row) | {"step": orjson.loads(row["step"])} for row in rows]


async def items_in_scope(tx: Transaction, tenant: str, signal: Any, limit: int) -> tuple[list[tuple[str, str]], int]:
    """Planned items a signal is about, those with an open line first; and how many there are in all."""
    rows = await tx.fetch(
        "select p.sku, p.location, count(*) over () as known from plans p"
        " left join products i on i.tenant = $1 and i.sku = p.sku"
        " where p.tenant = $1 and p.outcome <> 'none' and ($2::text is null or p.sku = $2)"
        " and ($3::text is null or p.location = $3) and ($4::text is null or i.category = $4)"
        " and ($5::text is null or exists (select from terms_of_supply x where x.tenant = $1 and x.sku = p.sku"
        "  and x.supplier = $5 and x.location in (p.location, '*')))"
        " order by p.is_open desc, p.sku, p.location limit $6",
        tenant,
        signal["sku"],
        signal["location"],
        signal["category"],
        signal["supplier"],
        limit,
    )
    return [(row["sku"], row["location"]) for row in rows], int(rows[0]["known"]) if rows else 0
