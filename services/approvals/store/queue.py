"""The queue as people read it: filtered, ranked by money at risk times urgency, in pages."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kit.database import Transaction
from services.approvals.store.lines import SELECT


@dataclass(frozen=True, slots=True)
class Filter:
    """What to show; an absent part means all."""

    states: tuple[str, ...]
    location: str | None = None
    supplier: str | None = None
    reason: str | None = None
    min_value: Decimal | None = None


async def page(
    tx: Transaction, tenant: str, wanted: Filter, after: tuple[Decimal, str] | None, limit: int
) -> list[Any]:
    """Lines from behind (rank, line id) `after` on, highest rank first."""
    return await tx.fetch(
        f"{SELECT} where l.tenant = $1 and l.state = any($2::text[]) and ($3::text is null or l.location = $3)"
        " and ($4::text is null or r.supplier = $4) and ($5::text is null or $5 = any(r.route_reasons))"
        " and ($6::numeric is null or l.value >= $6) and ($7::numeric is null or (-l.rank_score, l.line_id) > (-$7::numeric, $8))"
        " order by -l.rank_score, l.line_id limit $9",
        tenant,
        list(wanted.states),
        wanted.location,
        wanted.supplier,
        wanted.reason,
        wanted.min_value,
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )


async def count(tx: Transaction, tenant: str, wanted: Filter) -> int:
    """How many lines the filter shows in all."""
    return int(
        await tx.fetchval(
            "select count(*) from lines l join recommendations r on r.tenant = l.tenant and r.recommendation_id = l.recommendation_id"
            " where l.tenant = $1 and l.state = any($2::text[]) and ($3::text is null or l.location = $3)"
            " and ($4::text is null or r.supplier = $4) and ($5::text is null or $5 = any(r.route_reasons))"
            " and ($6::numeric is null or l.value >= $6)",
            tenant,
            list(wanted.states),
            wanted.location,
            wanted.supplier,
            wanted.reason,
            wanted.min_value,
        )
    )


async def counts(tx: Transaction, tenant: str) -> dict[str, int]:
    """Lines by state."""
    rows = await tx.fetch("select state, count(*) as n from lines where tenant = $1 group by state", tenant)
    return {row["state"]: row["n"] for row in rows}
