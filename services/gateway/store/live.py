"""The bounded table behind the live stream: what open pages are told, numbered in commit order."""

from collections.abc import Sequence
from typing import Any

import orjson

from kit.database import Transaction

# What a page that was away this long can still catch up on; longer, and it loads afresh.
EVENTS_KEPT = 2_000
CHANNEL = "gateway_live"


async def tell(tx: Transaction, tenant: str, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Number and keep events, and wake the streams once this transaction has committed.

    The head row is locked until then, so numbers become visible in order and a reader behind one misses none.
    """
    if not events:
        return
    last = await tx.fetchval(
        "insert into live_heads (tenant, last_seq) values ($1, $2)"
        " on conflict (tenant) do update set last_seq = live_heads.last_seq + $2 returning last_seq",
        tenant,
        len(events),
    )
    first = last - len(events) + 1
    await tx.execute(
        "insert into live_events (tenant, seq, event, data)"
        " select $1, $2 + n - 1, event, data::jsonb from unnest($3::text[], $4::text[]) with ordinality as t(event, data, n)",
        tenant,
        first,
        [name for name, _ in events],
        [orjson.dumps(data).decode() for _, data in events],
    )
    await tx.execute("delete from live_events where tenant = $1 and seq <= $2", tenant, last - EVENTS_KEPT)
    await tx.execute("select pg_notify($1, $2)", CHANNEL, tenant)


async def touch(tx: Transaction, tenant: str) -> None:
    """Count what pages show of a tenant as changed, in the transaction that changes it."""
    await tx.execute(
        "insert into live_heads (tenant, last_seq, revision) values ($1, 0, 1)"
        " on conflict (tenant) do update set revision = live_heads.revision + 1",
        tenant,
    )


async def revision(tx: Transaction, tenant: str) -> int:
    """How often it was changed; an answer found at this number holds as long as the number stays."""
    return await tx.fetchval("select revision from live_heads where tenant = $1", tenant) or 0


async def head(tx: Transaction, tenant: str) -> int:
    """The number of the newest event; 0 before the first."""
    return await tx.fetchval("select last_seq from live_heads where tenant = $1", tenant) or 0


async def after(tx: Transaction, tenant: str, seq: int, limit: int) -> list[tuple[int, str, str]]:
    """Events behind `seq`, oldest first: number, name, data as JSON text."""
    rows = await tx.fetch(
        "select seq, event, data::text from live_events where tenant = $1 and seq > $2 order by seq limit $3",
        tenant,
        seq,
        limit,
    )
    return [(row["seq"], row["event"], row["data"]) for row in rows]


async def among(tx: Transaction, tenant: str, seqs: Sequence[int]) -> frozenset[int]:
    """Which of these events this transaction sees."""
    rows = await tx.fetch("select seq from live_events where tenant = $1 and seq = any($2)", tenant, seqs)
    return frozenset(row["seq"] for row in rows)


async def oldest(tx: Transaction, tenant: str) -> int | None:
    found: int | None = await tx.fetchval("select min(seq) from live_events where tenant = $1", tenant)
    return found
