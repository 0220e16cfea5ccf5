"""Models, which of them speaks, and the jobs that train them."""

from datetime import date, datetime
from typing import Any

import orjson

from kit.database import Transaction

# One segment for now: all items of a tenant. Segments by class come with the choice of strategies.
ALL_ITEMS = "all"
# A running job reports every few seconds; silence for this long means its process is gone, and it starts again.
STALE_AFTER_SECONDS = 60


async def champion(tx: Transaction, tenant: str, segment: str = ALL_ITEMS) -> Any:
    """The model that speaks for a segment, or None."""
    return await tx.fetchrow(
        "select * from models where tenant = $1 and segment = $2 and state = 'champion'", tenant, segment
    )


async def promote(
    tx: Transaction,
    tenant: str,
    *,
    model_id: str,
    strategy: str,
    window: tuple[date, date],
    sha256: str,
    metrics: dict[str, float],
    reason: str,
    at: datetime,
) -> None:
    """Make this model the champion; the one before it retires in the same transaction, so there is always exactly one."""
    await tx.execute(
        "update models set state = 'retired' where tenant = $1 and segment = $2 and state = 'champion'",
        tenant,
        ALL_ITEMS,
    )
    await tx.execute(
        "insert into models (tenant, model_id, segment, strategy, state, window_from, window_to, artefact_sha256,"
        " metrics, reason, promoted_at) values ($1, $2, $3, $4, 'champion', $5, $6, $7, $8::jsonb, $9, $10)"
        " on conflict (tenant, model_id) do update set state = 'champion', promoted_at = excluded.promoted_at,"
        " reason = excluded.reason",
        tenant,
        model_id,
        ALL_ITEMS,
        strategy,
        *window,
        sha256,
        orjson.dumps(metrics).decode(),
        reason,
        at,
    )


def metrics_of(model: Any) -> dict[str, float]:
    """The metrics of a model's back-test, by name."""
    found: dict[str, float] = orjson.loads(model["metrics"])
    return found


async def models(tx: Transaction, tenant: str) -> list[Any]:
    """All models, newest first."""
    return list(await tx.fetch("select * from models where tenant = $1 order by promoted_at desc", tenant))


async def open_job(tx: Transaction, tenant: str, job_id: str, requested_by: str) -> tuple[Any, bool]:
    """The job of this id, or the one already open, or a new one; and whether it is new."""
    row = await tx.fetchrow(
        "select * from train_jobs where tenant = $1 and (job_id = $2 or state in ('queued', 'running'))"
        " order by job_id = $2 desc limit 1",
        tenant,
        job_id,
    )
    if row is not None:
        return row, False
    row = await tx.fetchrow(
        "insert into train_jobs (tenant, job_id, state, stage, share, requested_by, created_at, updated_at)"
        " values ($1, $2, 'queued', 'queued', 0, $3, now(), now()) on conflict do nothing returning *",
        tenant,
        job_id,
        requested_by,
    )
    if row is None:  # another request opened one between the two statements
        return await open_job(tx, tenant, job_id, requested_by)
    return row, True


async def job(tx: Transaction, tenant: str, job_id: str) -> Any:
    return await tx.fetchrow("select * from train_jobs where tenant = $1 and job_id = $2", tenant, job_id)


async def last_job(tx: Transaction, tenant: str) -> Any:
    return await tx.fetchrow("select * from train_jobs where tenant = $1 order by created_at desc limit 1", tenant)


async def has_failed(tx: Transaction, tenant: str) -> bool:
    """Whether the last training that ended did so without a model: nobody should wait for one then."""
    state = await tx.fetchval(
        "select state from train_jobs where tenant = $1 and state in ('done', 'failed') order by updated_at desc limit 1",
        tenant,
    )
    return bool(state == "failed")


async def take_job(tx: Transaction, tenant: str) -> Any:
    """A job to run: a queued one, or a running one whose process has fallen silent. None when there is none."""
    return await tx.fetchrow(
        "update train_jobs set state = 'running', stage = 'reading history', updated_at = now()"
        " where (tenant, job_id) = (select tenant, job_id from train_jobs where tenant = $1 and (state = 'queued'"
        " or (state = 'running' and updated_at < now() - make_interval(secs => $2))) limit 1 for update skip locked)"
        " returning *",
        tenant,
        float(STALE_AFTER_SECONDS),
    )


async def report(tx: Transaction, tenant: str, job_id: str, stage: str, share: float) -> None:
    await tx.execute(
        "update train_jobs set stage = $3, share = $4, updated_at = now() where tenant = $1 and job_id = $2",
        tenant,
        job_id,
        stage,
        share,
    )


async def finish(tx: Transaction, tenant: str, job_id: str, *, model_id: str | None, error: str | None) -> None:
    state = "done" if error is None else "failed"
    await tx.execute(
        "update train_jobs set state = $3, stage = $3, share = case when $3 = 'done' then 1 else share end,"
        " model_id = $4, error = $5, updated_at = now() where tenant = $1 and job_id = $2",
        tenant,
        job_id,
        state,
        model_id,
        error,
    )
