"""Training as a job: queued in Postgres, run in a process of its own, judged by stated rules or by a person.

Consuming goes on meanwhile; a model is swapped by one row, so there is no moment without one. A job whose process died
is taken up again and, because everything is seeded, ends with the same bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from kernel.ids import derived_id
from kit import outbox, telemetry
from kit.database import Database, Transaction
from kit.events import Outgoing, outgoing
from schemas.forecasts import ModelPromoted
from schemas.recommendations import ExceptionRaised, ExceptionResolved
from services.forecaster.children import ChildFailed, ChildStopped, Nursery, Source, read_frame
from services.forecaster.domain.promotion import Judgement, Outcome, judge
from services.forecaster.issuing import SERVICE
from services.forecaster.model.artefacts import ArtefactStore
from services.forecaster.model.contest import on_same_days
from services.forecaster.model.gradient_boosting import GradientBoosting, is_readable
from services.forecaster.model.pipeline import DAYS_TO_TRAIN_MIN, HistoryTooShort, train
from services.forecaster.model.shelf import ArtefactDamaged, ArtefactUnreachable, Place
from services.forecaster.model.voices import choose
from services.forecaster.settings import Settings
from services.forecaster.store import demand, due, registry
from services.forecaster.store.registry import Trained

log = telemetry.get_logger()
TRAINED = telemetry.counter("trainings_total", "Training jobs by outcome", ("outcome",))
for _outcome in ("promoted", "kept_champion", "waiting", "failed"):
    TRAINED.labels(_outcome)  # stands at 0 from the start: a series born at 1 shows no increase
SHARE_OF_FITTING = 0.80  # of a job; then strategies are compared, and the rest is the contest with the champion
SHARE_OF_CHOOSING = 0.90
RULES = "rules"


@dataclass(frozen=True, slots=True)
class Champion:
    """The model that speaks, as the child needs it."""

    sha256: str
    window_to: date


@dataclass(frozen=True, slots=True)
class Result:
    """What a training came to: the new model, and how both did on days neither had seen."""

    trained: Trained
    contest: tuple[dict[str, float], dict[str, float]] | None


def train_tenant(source: Source, champion: Champion | None, progress: Callable[[str, float], None]) -> Result:
    """Read, fit, measure, save, compare: the work of the child."""
    progress("reading history", 0.02)
    frame = read_frame(source)
    if frame is None:
        raise HistoryTooShort("no business day is closed yet; send sales and a business-day close first")
    panel = frame.panel
    strategy = GradientBoosting(seed=source.seed, threads=source.threads)
    calibrated = train(panel, strategy, lambda stage, share: progress(stage, share * SHARE_OF_FITTING))
    assert calibrated.earlier is not None  # `train` always looks back
    progress("comparing strategies", SHARE_OF_FITTING)
    choice = choose(panel, calibrated.earlier)
    store = ArtefactStore(source.models.open())
    sha256 = store.save(
        calibrated,
        choice,
        window_from=panel.first_day.isoformat(),
        window_to=panel.last_day.isoformat(),
        items=len(panel.item_ids),
        seed=source.seed,
    )
    contest = None
    if champion is not None and champion.sha256 != sha256:
        progress("comparing with the champion", SHARE_OF_CHOOSING)
        try:
            speaker, manifest = store.load(champion.sha256, threads=source.threads)
            if is_readable(manifest.features):
                until = panel.column(champion.window_to)
                contest = on_same_days(panel, calibrated.earlier, speaker.forecaster, until)
        except ArtefactUnreachable:
            raise  # it may well be there: the job fails and says so, and the champion goes on speaking
        except (ArtefactDamaged, OSError, ValueError, KeyError):
            contest = None  # a champion that cannot be read any more defends nothing
    name = calibrated.forecaster.strategy
    trained = Trained(sha256, name, panel.first_day, panel.last_day, calibrated.metrics, choice.told())
    return Result(trained, contest)


class Trainer:
    """Runs queued jobs one at a time, and queues one when a tenant is ready for its first or next model."""

    def __init__(
        self,
        database: Database,
        models: Place,
        settings: Settings,
        wake: Callable[[], None],
        lag: Callable[[], int | None],
    ) -> None:
        self._database = database
        self._models = models
        self._settings = settings
        self._wake = wake
        self._lag = lag
        self._nursery = Nursery()
        self.close = self._nursery.close

    async def run_once(self) -> None:
        """Look for work in every tenant."""
        for tenant in await self._database.tenants():
            async with self._database.transaction(tenant) as tx:
                job = await registry.take_job(tx, tenant)
            if job is None:
                await self._queue_when_ready(tenant)
                continue
            await self._run(tenant, job["job_id"])

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
            newest, last = await registry.newest_window(tx, tenant), await registry.last_job(tx, tenant)
            age = timedelta(days=self._settings.retrain_after_days)
            if newest is not None and (not age or days["closed_on"] - newest < age):
                return
            job_id = derived_id(SERVICE, "train", tenant, days["closed_on"].isoformat())
            if last is not None and last["job_id"] == job_id:
                return  # it ran for this day already, whatever came of it
            await registry.open_job(tx, tenant, job_id, "schedule")

    async def _run(self, tenant: str, job_id: str) -> None:
        async def report(stage: str, share: float) -> bool:
            async with self._database.transaction(tenant) as tx:
                await registry.report(tx, tenant, job_id, stage, share)
            return True

        async with self._database.transaction(tenant) as tx:
            speaks = await registry.champion(tx, tenant)
        champion = Champion(speaks["artefact_sha256"], speaks["window_to"]) if speaks is not None else None
        settings = self._settings
        source = Source(
            tenant,
            settings.database_url.get_secret_value(),
            self._models,
            settings.history_days,
            settings.forecaster_seed,
            settings.forecaster_threads,
        )
        try:
            result: Result = await self._nursery.run(train_tenant, source, champion, report)
        except (ChildFailed, ChildStopped) as error:
            TRAINED.labels("failed").inc()
            log.warning("training_failed", tenant=tenant, job_id=job_id, error=str(error))
            async with self._database.transaction(tenant) as tx:
                await registry.finish(tx, tenant, job_id, model_id=None, error=str(error))
            return
        await self._judge(tenant, job_id, result)

    async def _judge(self, tenant: str, job_id: str, result: Result) -> None:
        """By rule: promote, keep the champion, or lay both before a person. One transaction, with what is told."""
        now = datetime.now(UTC)
        trained = result.trained
        async with self._database.transaction(tenant) as tx:
            champion = await registry.champion(tx, tenant)
            same = champion is not None and champion["artefact_sha256"] == trained.sha256
            judgement = judge(
                trained.metrics,
                result.contest,
                has_champion=champion is not None and not same,
                always_ask=self._settings.promotion == "ask",
            )
            if same:
                judgement = Judgement(Outcome.KEEP, "training again gave the same model, byte for byte")
            else:
                await registry.keep(tx, tenant, trained, judgement.reason, now)
            says = await decide(tx, tenant, trained.model_id, judgement, RULES, job_id, now)
            await registry.finish(tx, tenant, job_id, model_id=trained.model_id, error=None)
            await outbox.enqueue(tx, says)
        TRAINED.labels(judgement.outcome.value).inc()
        log.info("model_judged", tenant=tenant, model_id=trained.model_id, outcome=judgement.outcome.value,
                 reason=judgement.reason)  # fmt: skip
        self._wake()


async def decide(
    tx: Transaction, tenant: str, model_id: str, judgement: Judgement, by: str, cause: str, now: datetime
) -> list[Outgoing]:
    """Carry out a judgement about a kept model; what to tell others. Promoting makes every closing due again."""
    champion = await registry.champion(tx, tenant)
    champion_id = champion["model_id"] if champion is not None else None
    await registry.note(tx, tenant, model_id, judgement, champion_id, by, now)
    exception_id = derived_id(SERVICE, "promotion", tenant, model_id)
    subject = f"model {model_id}"
    if judgement.outcome is Outcome.ASK:
        await registry.set_state(tx, tenant, model_id, "waiting", judgement.reason)
        model = await registry.model(tx, tenant, model_id)
        raised = ExceptionRaised(
            tenant=tenant, exception_id=exception_id, kind="model_drift", subject=subject,
            says=f"A newly trained model waits for a decision: {judgement.reason}."[:400],
            remedy="Compare both under Forecasts, Models; then promote or reject it. Until then the champion speaks.",
            raised_on=model["window_to"], details={"model_id": model_id, "champion_id": champion_id},
        )  # fmt: skip
        return [outgoing(raised, service=SERVICE, cause=cause, time=now, name=model_id)]
    if judgement.outcome is Outcome.KEEP:
        if champion_id != model_id:
            await registry.set_state(tx, tenant, model_id, "rejected", judgement.reason)
        return []
    model = await registry.promote(tx, tenant, model_id, judgement.reason, now)
    closings = await demand.every_closing(tx, tenant)
    if closings:
        places, partitions, times = (list(column) for column in zip(*closings, strict=True))
        await demand.due_closings(tx, tenant, places, partitions, [model_id] * len(closings), times)
    promoted = ModelPromoted(
        tenant=tenant, model_id=model_id, segment=model["segment"], strategy=model["strategy"], promoted_at=now,
        window_from=model["window_from"], window_to=model["window_to"], artefact_sha256=model["artefact_sha256"],
        metrics=registry.metrics_of(model), reason=judgement.reason[:200],
    )  # fmt: skip
    return [outgoing(promoted, service=SERVICE, cause=cause, time=now, name=model_id)]


def settled(tenant: str, model_id: str, says: str, on: date, now: datetime) -> Outgoing:
    """A person has decided about a model that waited: its exception needs nobody any more."""
    resolved = ExceptionResolved(
        tenant=tenant, exception_id=derived_id(SERVICE, "promotion", tenant, model_id), subject=f"model {model_id}",
        resolved_on=on, says=says[:400],
    )  # fmt: skip
    return outgoing(resolved, service=SERVICE, cause=model_id, time=now, name=says)
