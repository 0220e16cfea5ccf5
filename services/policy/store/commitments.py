"""Which customer commitments somebody has told of. Nobody can release or serve another: such a movement waits."""

from collections.abc import Sequence
from typing import Any

from kit.database import Transaction
from kit.events import Received
from schemas.demand import StockMoved


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


async def unknown(tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> frozenset[str]:
    """Of the commitments these events release or serve, those that nobody has told of."""
    taken = {taken for one in events if type(one.body) is StockMoved and (taken := one.body.commitment_served)}
    if not taken:
        return frozenset()
    rows = await tx.fetch(
        "select commitment_id from commitments where tenant = $1 and commitment_id = any($2::text[])",
        tenant,
        list(taken),
    )
    return frozenset(taken - {row["commitment_id"] for row in rows})
