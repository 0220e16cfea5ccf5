"""Models, which of them speaks, and the jobs that train them."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import orjson

from kit.database import Transaction
from services.forecaster.domain.promotion import Judgement

# One segment for now: all items of a tenant. Segments by class come with the choice of strategies.
ALL_ITEMS = "all"
# A running job reports twice a second; silence for this long means its process is gone, and it starts again.
STALE_AFTER_SECONDS = 30


async def champion(tx: Transaction, tenant: str, segment: str = ALL_ITEMS) -> Any:
    """The model that speaks for a segment, or None."""
    return await tx.fetchrow(
        "select * from models where tenant = $1 and segment = $2 and state = 'champion'", tenant, segment
    )


@dataclass(frozen=True, slots=True)
class Trained:
    """A model in the artefact store: SHA-256 of its manifest, the days it was fitted on, its back-test's metrics."""

    sha256: str
    strategy: str
    window_from: date
    window_to: date
    metrics: dict[str, float]
    # By class of demand: who speaks for it, and what each strategy scored.
    choice: dict[str, dict[str, object]] = field(default_factory=dict)

    @property
    def model_id(self) -> str:
        return f"lgbm-{self.sha256[:16]}"


async def keep(tx: Transaction, tenant: str, trained: Trained, reason: str, at: datetime) -> None:
    """Remember a trained model, speaking or not."""
    await tx.execute(
        "insert into models (tenant, model_id, segment, strategy, state, window_from, window_to, artefact_sha256,"
        " metrics, reason, promoted_at, choice)"
        " values ($1, $2, $3, $4, 'retired', $5, $6, $7, $8::jsonb, $9, $10, $11::jsonb)"
        " on conflict (tenant, model_id) do nothing",
        tenant,
        trained.model_id,
        ALL_ITEMS,
        trained.strategy,
        trained.window_from,
        trained.window_to,
        trained.sha256,
        orjson.dumps(trained.metrics).decode(),
        reason,
        at,
        orjson.dumps(trained.choice).decode(),
    )


async def promote(tx: Transaction, tenant: str, model_id: str, reason: str, at: datetime) -> Any:
    """Make a kept model the champion; the one before it retires in the same transaction, so there is always exactly one."""
    await tx.execute(
        "update models set state = 'retired' where tenant = $1 and segment = $2 and state = 'champion'",
        tenant,
        ALL_ITEMS,
    )
    return await tx.fetchrow(
        "update models set state = 'champion', promoted_at = $3, reason = $4 where tenant = $1 and model_id = $2"
        " returning *",
        tenant,
        model_id,
        at,
        reason,
    )


async def set_state(tx: Transaction, tenant: str, model_id: str, state: str, reason: str) -> None:
    """A model waits for a person, or was turned down. A waiting one that came before it need not be decided any more."""
    if state == "waiting":
        await tx.execute(
            "update models set state = 'rejected' where tenant = $1 and state = 'waiting' and model_id <> $2",
            tenant,
            model_id,
        )
    await tx.execute(
        "update models set state = $3, reason = $4 where tenant = $1 and model_id = $2", tenant, model_id, state, reason
    )


async def model(tx: Transaction, tenant: str, model_id: str) -> Any:
    """One model, locked until the transaction ends; None when it is unknown."""
    return await tx.fetchrow("select * from models where tenant = $1 and model_id = $2 for update", tenant, model_id)


async def note(
    tx: Transaction, tenant: str, model_id: str, judgement: Judgement, champion_id: str | None, by: str, at: datetime
) -> None:
    """One more line in the history of promotions."""
    await tx.execute(
        "insert into promotions (tenant, model_id, verdict, champion_id, reason, decided_by, decided_at)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        tenant,
        model_id,
        judgement.outcome.value,
        champion_id,
        judgement.reason,
        by,
        at,
    )


async def promotions(tx: Transaction, tenant: str, limit: int = 100) -> list[Any]:
    """The history of promotions, newest first."""
    return list(await tx.fetch("select * from promotions where tenant = $1 order by seq desc limit $2", tenant, limit))


async def newest_window(tx: Transaction, tenant: str) -> date | None:
    """The last day any trained model knows: a model that was turned down is not trained again the next second."""
    day: date | None = await tx.fetchval("select max(window_to) from models where tenant = $1", tenant)
    return day


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
