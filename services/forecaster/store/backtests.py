"""Back-tests people asked for: queued, running with progress, cancelled, done with their result."""

from collections.abc import Mapping
from typing import Any

import orjson

from kit.database import Transaction

# A running back-test reports twice a second; silence for this long means its process is gone, and it starts again.
STALE_AFTER_SECONDS = 30
_SHOWN = "backtest_id, request, state, stage, share, requested_by, created_at, updated_at, error"


async def add(tx: Transaction, tenant: str, backtest_id: str, request: Mapping[str, Any], by: str) -> bool:
    """Queue one; False when it is there already (the same request came twice)."""
    row = await tx.fetchrow(
        "insert into backtests (tenant, backtest_id, request, state, stage, share, requested_by, created_at, updated_at)"
        " values ($1, $2, $3::jsonb, 'queued', 'queued', 0, $4, now(), now()) on conflict do nothing returning 1",
        tenant,
        backtest_id,
        orjson.dumps(request).decode(),
        by,
    )
    return row is not None


async def waiting(tx: Transaction, tenant: str) -> int:
    """How many are queued or running."""
    return int(
        await tx.fetchval("select count(*) from backtests where tenant = $1 and state in ('queued', 'running')", tenant)
    )


async def one(tx: Transaction, tenant: str, backtest_id: str) -> Any:
    """One with its result, or None."""
    return await tx.fetchrow(
        f"select {_SHOWN}, result from backtests where tenant = $1 and backtest_id = $2", tenant, backtest_id
    )


async def listed(tx: Transaction, tenant: str, limit: int) -> list[Any]:
    """Newest first, without results."""
    return list(
        await tx.fetch(
            f"select {_SHOWN} from backtests where tenant = $1 order by created_at desc, backtest_id limit $2",
            tenant,
            limit,
        )
    )


async def take(tx: Transaction, tenant: str) -> Any:
    """The oldest queued one, or a running one whose process has fallen silent; None when there is none."""
    return await tx.fetchrow(
        "update backtests set state = 'running', stage = 'reading history', updated_at = now() where (tenant, backtest_id)"
        " = (select tenant, backtest_id from backtests where tenant = $1 and (state = 'queued' or (state = 'running' and"
        " updated_at < now() - make_interval(secs => $2))) order by created_at limit 1 for update skip locked)"
        " returning backtest_id, request",
        tenant,
        float(STALE_AFTER_SECONDS),
    )


async def report(tx: Transaction, tenant: str, backtest_id: str, stage: str, share: float) -> bool:
    """Tell how far it is; False when somebody cancelled it meanwhile."""
    row = await tx.fetchrow(
        "update backtests set stage = $3, share = $4, updated_at = now() where tenant = $1 and backtest_id = $2"
        " and state = 'running' returning 1",
        tenant,
        backtest_id,
        stage,
        share,
    )
    return row is not None


async def cancel(tx: Transaction, tenant: str, backtest_id: str) -> bool:
    """End one that is not over; False when it is over or unknown."""
    row = await tx.fetchrow(
        "update backtests set state = 'cancelled', stage = 'cancelled', updated_at = now()"
        " where tenant = $1 and backtest_id = $2 and state in ('queued', 'running') returning 1",
        tenant,
        backtest_id,
    )
    return row is not None


async def finish(
    tx: Transaction, tenant: str, backtest_id: str, result: Mapping[str, Any] | None, error: str | None
) -> None:
    """Keep what came out, unless somebody cancelled it meanwhile."""
    await tx.execute(
        "update backtests set state = case when $4::text is null then 'done' else 'failed' end,"
        " stage = case when $4::text is null then 'done' else 'failed' end,"
        " share = case when $4::text is null then 1 else share end, result = $3::jsonb, error = $4, updated_at = now()"
        " where tenant = $1 and backtest_id = $2 and state = 'running'",
        tenant,
        backtest_id,
        orjson.dumps(result).decode() if result is not None else None,
        error,
    )
