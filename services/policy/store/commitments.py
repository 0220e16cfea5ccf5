"""Which customer commitments somebody has told of. Nobody can release or serve another: such a movement waits."""

from collections.abc import Sequence
from typing import Any

from kit import names, references
from kit.database import Transaction
from kit.events import Received
from kit.identify import Unmade
from schemas.demand import StockMoved

# As many as are read at a glance; who types on is offered others.
ALIKE_MAX = 8


async def tell(tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> bool:
    """Keep the commitments these events make; true when one of them was new."""
    made = {made for one in events if type(one.body) is StockMoved and (made := one.body.commitment_made)}
    if not made:
        return False
    new = await tx.fetch(
        "insert into commitments (tenant, commitment_id) select $1, unnest($2::text[]) on conflict do nothing returning 1",
        tenant,
        sorted(made),
    )
    return bool(new)


async def made(tx: Transaction, tenant: str, codes: Sequence[str]) -> set[str]:
    """Those of these that somebody has told of."""
    rows = await tx.fetch(
        "select commitment_id from commitments where tenant = $1 and commitment_id = any($2::text[])", tenant, codes
    )
    return {row["commitment_id"] for row in rows}


async def alike(tx: Transaction, tenant: str, text: str) -> list[str]:
    """Those that begin like this, in order: they follow one another in the index, from the text itself on."""
    rows = await tx.fetch(
        "select commitment_id from (select commitment_id from commitments where tenant = $1 and commitment_id >= $2"
        " order by commitment_id limit $3) as next where commitment_id ^@ $2 order by commitment_id",
        tenant,
        text,
        ALIKE_MAX,
    )
    return [row["commitment_id"] for row in rows]


async def unknown(tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> Unmade:
    """Of these events, those that release or serve a commitment nobody has told of, and none by another code either."""
    serving = [(one, taken) for one in events if type(one.body) is StockMoved and (taken := one.body.commitment_served)]
    asked = [(taken, one.body.business_date, one.stored_at_ms) for one, taken in serving]
    means = await references.meanings(tx, tenant, names.COMMITMENT, asked, made)
    return {one.hash: meaning for (one, _), meaning in zip(serving, means, strict=True) if meaning.target is None}
