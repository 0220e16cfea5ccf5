"""Training as a job: queued in Postgres, run in a process of its own, promoted by a stated rule.

Consuming goes on meanwhile; a model is swapped by one row, so there is no moment without one. A job whose process died
is taken up again and, because everything is seeded, ends with the same bytes.
"""

import asyncio
import multiprocessing
import os
from datetime import UTC, date, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from kit import outbox, telemetry
from kit.database import Database
from kit.events import derived_id, outgoing
from schemas.forecasts import ModelPromoted
from services.forecaster.domain.frame import Frame, build
from services.forecaster.domain.panel import DemandPanel
from services.forecaster.issuing import SERVICE
from services.forecaster.model.artefacts import ArtefactStore
from services.forecaster.model.gradient_boosting import GradientBoosting
from services.forecaster.model.pipeline import DAYS_TO_TRAIN_MIN, HistoryTooShort, train
from services.forecaster.settings import Settings
from services.forecaster.store import demand, due, history, registry

log = telemetry.get_logger()
TRAINED = telemetry.counter("trainings_total", "Training jobs by outcome", ("outcome",))
POLL_SECONDS = 0.5
NICE = 5  # training yields to consuming when both want the processor
STRATEGY = "lightgbm_tweedie"


def train_in_child(pipe: Connection, panel: DemandPanel, strategy: GradientBoosting, directory: Path) -> None:
    """The child's whole life: train, save, say so. Sends (kind, ...) tuples; never touches Kafka or Postgres."""
    os.nice(NICE)
    try:
        trained = train(panel, strategy, lambda stage, share: pipe.send(("progress", stage, share)))
        sha256 = ArtefactStore(directory).save(
            trained,
            window_from=panel.first_day.isoformat(),
            window_to=panel.last_day.isoformat(),
            items=len(panel.item_ids),
            seed=strategy.seed,
        )
        pipe.send(("done", sha256, trained.metrics))
    except Exception as error:  # the parent decides what a failure means; a traceback in a pipe helps nobody
        pipe.send(("failed", f"{type(error).__name__}: {error}"))


class Trainer:
    """Runs queued jobs one at a time, and queues one when a tenant is ready for its first or next model."""

    def __init__(self, database: Database, directory: Path, settings: Settings, wake: Any, lag: Any) -> None:
        self._database = database
        self._directory = directory
        self._settings = settings
        self._wake = wake
        self._lag = lag
        self._child: multiprocessing.process.BaseProcess | None = None

    async def run_once(self) -> None:
        """Look for work in every tenant."""
        for tenant in await self._database.tenants():
            async with self._database.transaction(tenant) as tx:
                job = await registry.take_job(tx, tenant)
            if job is None:
                await self._queue_when_ready(tenant)
                continue
            await self._run(tenant, job["job_id"])

    async def close(self) -> None:
        """End a training in progress; its job is taken up by the next process."""
        if self._child is not None and self._child.is_alive():
            self._child.terminate()

    async def _queue_when_ready(self, tenant: str) -> None:
        """The rule: no backlog, nothing due, enough days; no model yet, or one older than `retrain_after_days`."""
        if not self._settings.train_when_ready or self._lag() != 0:
            return
        async with self._database.transaction(tenant) as tx:
            days = await tx.fetchrow(
                "select (select min(first_on) from items where tenant = $1) as first_on,"
                " (select max(business_date) from closed_days where tenant = $1) as closed_on",
                tenant,
            )
            if days is None or days["first_on"] is None or days["closed_on"] is None:
                return
            if await due.waiting(tx, tenant) and not self._settings.await_first_model:
                return
            if (days["closed_on"] - days["first_on"]).days + 1 < DAYS_TO_TRAIN_MIN:
                return
            last, champion = await registry.last_job(tx, tenant), await registry.champion(tx, tenant)
            age = timedelta(days=self._settings.retrain_after_days)
            if champion is not None and (not age or days["closed_on"] - champion["window_to"] < age):
                return
            job_id = derived_id(SERVICE, "train", tenant, days["closed_on"].isoformat())
            if last is not None and last["job_id"] == job_id:
                return  # it ran for this day already, whatever came of it
            await registry.open_job(tx, tenant, job_id, "schedule")

    async def _run(self, tenant: str, job_id: str) -> None:
        async with self._database.transaction(tenant) as tx:
            records = await history.load(tx, tenant)
        frame = await asyncio.to_thread(build, records, history_days=self._settings.history_days)
        try:
            if frame is None:
                raise HistoryTooShort("no business day is closed yet; send sales and a business-day close first")
            sha256, metrics = await self._train(tenant, job_id, frame.panel)
            await self._promote(tenant, job_id, frame, sha256, metrics)
            TRAINED.labels("done").inc()
        except (HistoryTooShort, TrainingFailed) as error:
            TRAINED.labels("failed").inc()
            log.warning("training_failed", tenant=tenant, job_id=job_id, error=str(error))
            async with self._database.transaction(tenant) as tx:
                await registry.finish(tx, tenant, job_id, model_id=None, error=str(error))

    async def _train(self, tenant: str, job_id: str, panel: DemandPanel) -> tuple[str, dict[str, float]]:
        strategy = GradientBoosting(seed=self._settings.forecaster_seed, threads=self._settings.forecaster_threads)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(
            target=train_in_child, args=(theirs, panel, strategy, self._directory), name="train", daemon=True
        )
        self._child = child
        await asyncio.to_thread(child.start)
        theirs.close()
        stage, share = "starting", 0.01
        try:
            while True:
                if await asyncio.to_thread(ours.poll, POLL_SECONDS):
                    message = ours.recv()
                    if message[0] == "done":
                        return message[1], message[2]
                    if message[0] == "failed":
                        raise TrainingFailed(message[1])
                    _, stage, share = message
                async with self._database.transaction(tenant) as tx:
                    await registry.report(tx, tenant, job_id, stage, share)
        except EOFError as error:
            raise TrainingFailed("the training process ended without a word; is there enough memory?") from error
        finally:
            ours.close()
            if child.is_alive():
                child.join(timeout=1)
            self._child = None

    async def _promote(self, tenant: str, job_id: str, frame: Frame, sha256: str, metrics: dict[str, float]) -> None:
        now = datetime.now(UTC)
        model_id = f"lgbm-{sha256[:16]}"
        reason = verdict(metrics)
        window: tuple[date, date] = (frame.panel.first_day, frame.panel.last_day)
        async with self._database.transaction(tenant) as tx:
            await registry.promote(
                tx, tenant, model_id=model_id, strategy=STRATEGY, window=window, sha256=sha256, metrics=metrics,
                reason=reason, at=now,
            )  # fmt: skip
            closings = await demand.every_closing(tx, tenant)
            if closings:
                places, partitions, times = (list(column) for column in zip(*closings, strict=True))
                await demand.due_closings(tx, tenant, places, partitions, [model_id] * len(closings), times)
            promoted = ModelPromoted(
                tenant=tenant, model_id=model_id, segment=registry.ALL_ITEMS, strategy=STRATEGY, promoted_at=now,
                window_from=window[0], window_to=window[1], artefact_sha256=sha256, metrics=metrics, reason=reason,
            )  # fmt: skip
            await registry.finish(tx, tenant, job_id, model_id=model_id, error=None)
            await outbox.enqueue(tx, [outgoing(promoted, service=SERVICE, cause=job_id, time=now, name=model_id)])
        log.info("model_promoted", tenant=tenant, model_id=model_id, reason=reason)
        self._wake()


class TrainingFailed(RuntimeError):
    """The child could not train; args[0] is what it said."""


def verdict(metrics: dict[str, float]) -> str:
    """Why the model speaks, in a sentence a planner can read."""
    ours, naive = metrics.get("total_error_28d"), metrics.get("naive_total_error_28d")
    if ours is None or naive is None:
        return "first model; too little history to compare it with the seasonal naive"
    return f"28-day totals: error {ours:.3f} of demand, seasonal naive {naive:.3f}, on days the model had not seen"
