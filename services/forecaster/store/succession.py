"""Which product replaces which, and what is due for a forecast because of it."""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from kit.database import Transaction
from schemas.catalogue import SupersessionDefined
from services.forecaster.domain.succession import Succession


async def define(
    tx: Transaction, tenant: str, told: Sequence[tuple[SupersessionDefined, str, datetime]], *, due: bool = True
) -> None:
    """Keep supersessions (message, event id, event time), the newest word for each predecessor; make both ends due."""
    await tx.executemany(
        "insert into successions as s (tenant, predecessor, successor, effective_on, ratio, active, defined_at)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant, predecessor) do update set"
        " successor = excluded.successor, effective_on = excluded.effective_on, ratio = excluded.ratio,"
        " active = excluded.active, defined_at = excluded.defined_at where excluded.defined_at >= s.defined_at",
        [
            (tenant, one.predecessor, one.successor, one.effective_on, one.ratio, one.active, one.defined_at)
            for one, _cause, _at in told
        ],
    )
    for one, cause, at in told if due else ():
        # The successor may have no record of its own yet: it is due wherever one of the two has been.
        await tx.execute(
            "insert into due_items (tenant, sku, location, cause, cause_at)"
            " select distinct $1, s.sku, i.location, $4, $5::timestamptz"
            " from items i cross join (values ($2::text), ($3::text)) as s(sku)"
            " where i.tenant = $1 and i.sku in ($2, $3) order by 2, 3"
            " on conflict (tenant, sku, location) do update set cause = excluded.cause, cause_at = excluded.cause_at,"
            " seq = default",
            tenant,
            one.predecessor,
            one.successor,
            cause,
            at,
        )


async def read(tx: Transaction, tenant: str) -> list[Succession]:
    """Supersessions that hold."""
    rows = await tx.fetch(
        "select predecessor, successor, effective_on, ratio from successions where tenant = $1 and active", tenant
    )
    return [
        Succession(row["predecessor"], row["successor"], row["effective_on"], Fraction(row["ratio"])) for row in rows
    ]
