"""Products that end because another takes their place, and products that may stand in for others."""

from collections.abc import Sequence

from kit.database import Transaction
from schemas.catalogue import SubstituteDefined, SupersessionDefined

Items = list[tuple[str, str]]


async def define(tx: Transaction, tenant: str, told: Sequence[SupersessionDefined]) -> Items:
    """Keep the newest word for each predecessor; returns the items to be planned again."""
    await tx.executemany(
        "insert into successions as s (tenant, predecessor, successor, effective_on, ratio, active, defined_at)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant, predecessor) do update set"
        " successor = excluded.successor, effective_on = excluded.effective_on, ratio = excluded.ratio,"
        " active = excluded.active, defined_at = excluded.defined_at where excluded.defined_at >= s.defined_at",
        [
            (tenant, one.predecessor, one.successor, one.effective_on, one.ratio, one.active, one.defined_at)
            for one in told
        ],
    )
    rows = await tx.fetch(
        "select sku, location from positions where tenant = $1 and sku = any($2::text[]) order by 1, 2",
        tenant,
        sorted({sku for one in told for sku in (one.predecessor, one.successor)}),
    )
    return [(row["sku"], row["location"]) for row in rows]


async def define_substitutes(tx: Transaction, tenant: str, told: Sequence[SubstituteDefined]) -> None:
    """Keep which product may stand in for which; using one needs an approval of its own."""
    await tx.executemany(
        "insert into substitutes as s (tenant, sku, substitute, ratio, rank, active, defined_at)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant, sku, substitute) do update set ratio = excluded.ratio,"
        " rank = excluded.rank, active = excluded.active, defined_at = excluded.defined_at"
        " where excluded.defined_at >= s.defined_at",
        [(tenant, one.sku, one.substitute, one.ratio, one.rank, one.active, one.defined_at) for one in told],
    )
