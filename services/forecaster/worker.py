"""Forecasts what is due: reads a snapshot, computes in a thread, publishes and ticks off in one transaction.

Killed anywhere, what was due is still due and the same ids come out again; consumers drop what they have seen.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from kit import outbox, telemetry
from kit.database import Database
from services.forecaster import ledger
from services.forecaster.domain.booking import WHOLE_LOCATION
from services.forecaster.domain.frame import Frame
from services.forecaster.domain.known_ahead import Told, lay
from services.forecaster.domain.overrides import Override, change
from services.forecaster.domain.pins import Pin, pinned
from services.forecaster.issuing import BASELINE_ID, NO_MODEL, Issued, Speaker, issue_all, tasks
from services.forecaster.model import pinnable
from services.forecaster.model.artefacts import ArtefactStore, Manifest
from services.forecaster.model.gradient_boosting import is_readable, known_names
from services.forecaster.model.pipeline import Calibrated, baseline
from services.forecaster.model.shelf import ArtefactDamaged, ArtefactUnreachable
from services.forecaster.model.strategies import SIMPLE
from services.forecaster.model.voices import Voices
from services.forecaster.settings import Settings
from services.forecaster.store import accuracy, catalogue, due, history, overrides, pins, registry, signals

log = telemetry.get_logger()
FORECASTS = telemetry.counter("forecasts_issued_total", "Forecasts published", ("strategy",))
RUN_SECONDS = telemetry.histogram("forecast_run_seconds", "One run over what was due, from reading to commit")
# Held-back forecasts are not held back for ever: a broker that is fed faster than we read must not silence them.
HOLD_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class People:
    """What people said about the days ahead, and which products the catalogue calls discontinued."""

    overrides: Sequence[Override]
    discontinued: frozenset[str]
    pins: Sequence[Pin]


class Worker:
    """`run_once` for the runtime's clockwork; `wake` sets it going before its turn."""

    def __init__(
        self,
        database: Database,
        artefacts: ArtefactStore,
        settings: Settings,
        lag: Callable[[], int | None],
        published: Callable[[], None],
    ) -> None:
        self._database = database
        self._artefacts = artefacts
        self._settings = settings
        self._lag = lag
        self._published = published
        self._woken = asyncio.Event()
        self._loaded: dict[str, tuple[Calibrated, Manifest]] = {}
        self._calibrated: dict[tuple[str, str, str], Calibrated] = {}
        self._held_since: float | None = None

    def wake(self) -> None:
        self._woken.set()

    async def wait(self, seconds: float) -> None:
        """Until woken, or so long. A wake comes just before its transaction commits, hence the moment of patience."""
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
            await asyncio.sleep(0.05)
        except TimeoutError:
            pass
        self._woken.clear()

    async def run_once(self) -> None:
        """Forecast everything that is due, unless a backlog of events says that newer days are about to close."""
        lag = self._lag()
        if lag is not None and lag > self._settings.catch_up_records:
            self._held_since = self._held_since or time.monotonic()
            if time.monotonic() - self._held_since < HOLD_SECONDS_MAX:
                return
        self._held_since = None
        for tenant in await self._database.tenants():
            while await self._tenant(tenant):
                pass
        await self.wait(0.5)

    async def _tenant(self, tenant: str) -> bool:
        """One run; says whether there was work."""
        started = time.perf_counter()
        async with self._database.transaction(tenant) as tx:
            closings, items = await due.read(tx, tenant)
            if not closings and not items:
                return False
            champion = await registry.champion(tx, tenant)
            if champion is None and self._settings.await_first_model and not await registry.has_failed(tx, tenant):
                return False
            frame = await history.frame(tx, tenant, history_days=self._settings.history_days)
            people = People(
                await overrides.active(tx, tenant),
                await overrides.discontinued(tx, tenant),
                await pins.active(tx, tenant),
            )
            lead_times = await accuracy.lead_times(tx, tenant)
            told = Told(await signals.known(tx, tenant), await catalogue.places(tx, tenant))
        speaker = await asyncio.to_thread(self._speaker, champion)
        issued: list[Issued] = []
        if frame is not None:
            issued = await asyncio.to_thread(self._compute, tenant, frame, speaker, people, told, closings, items)
        promised = await asyncio.to_thread(ledger.promises, frame, issued, lead_times) if frame is not None else []
        async with self._database.transaction(tenant) as tx:
            await due.keep(
                tx, tenant, [(one.message, one.outgoing.value.decode(), one.caused_at, one.likeness) for one in issued]
            )
            if frame is not None and issued:
                await self._save_censored(tx, tenant, frame, issued)
                await accuracy.keep(tx, tenant, promised)
            await due.done(tx, tenant, closings, items)
            await outbox.enqueue(tx, [one.outgoing for one in issued])
        self._published()
        seconds = time.perf_counter() - started
        RUN_SECONDS.observe(seconds)
        for one in issued:
            FORECASTS.labels(one.message.strategy).inc()
        log.info(
            "forecasts_issued",
            tenant=tenant,
            items=len(issued),
            closings=len(closings),
            corrections=len(items),
            model_id=speaker.model_id,
            seconds=round(seconds, 3),
        )
        return True

    def _speaker(self, champion: Any) -> Speaker:
        """The champion, ready to use; the baseline, with its reason, where there is none or it cannot be read."""
        if champion is None:
            return Speaker(None, BASELINE_ID, NO_MODEL)
        sha256 = champion["artefact_sha256"]
        if sha256 not in self._loaded:
            try:
                found = self._artefacts.load(sha256, threads=self._settings.forecaster_threads)
            except ArtefactUnreachable:
                raise  # what is due stays due and is tried again; the baseline must not speak because of an outage
            except (ArtefactDamaged, OSError, ValueError) as error:
                log.error("model_unreadable", model_id=champion["model_id"], error=f"{type(error).__name__}: {error}")
                return Speaker(None, BASELINE_ID, "model_unreadable")
            if not is_readable(found[1].features):
                log.error("model_outdated", model_id=champion["model_id"], says="it knows other features; train again")
                return Speaker(None, BASELINE_ID, "model_outdated")
            self._loaded = {**dict(list(self._loaded.items())[-3:]), sha256: found}
        calibrated, manifest = self._loaded[sha256]
        return Speaker(
            calibrated,
            champion["model_id"],
            choice=manifest.choice,
            window_to=champion["window_to"],
            known_names=known_names(manifest.features),
        )

    def _compute(
        self,
        tenant: str,
        frame: Frame,
        speaker: Speaker,
        people: People,
        told: Told,
        closings: Sequence[due.DueClosing],
        items: Sequence[due.DueItem],
    ) -> list[Issued]:
        frame = lay(frame, told, speaker.known_names)
        work = tasks(
            frame,
            [(one.location, one.partition, one.cause, one.cause_at) for one in closings],
            [(one.sku, one.location, one.cause, one.cause_at) for one in items],
            WHOLE_LOCATION,
        )
        held, silent = pinnable.heeded(pinned(people.pins, frame.items), has_model=speaker.window_to is not None)
        if silent:
            log.error("pins_not_heeded", strategies=silent, says="install their extra, or take the pins back")
        return issue_all(
            tenant,
            frame,
            work,
            speaker,
            lambda origin, rows: self._voices(tenant, frame, speaker, origin).speak(frame.panel, origin, rows, held),
            lambda said, origin, rows: change(said, people.overrides, frame, origin, rows, people.discontinued),
        )

    def _voices(self, tenant: str, frame: Frame, speaker: Speaker, origin: int) -> Voices:
        panel = frame.panel
        preferred = speaker.calibrated or baseline(panel, origin)

        def calibrated(name: str) -> Calibrated:
            """A pinned strategy is calibrated as of the model's last day, so that every night reads it the same."""
            if speaker.window_to is None:
                return baseline(panel, origin, SIMPLE[name])
            key = (tenant, speaker.model_id, name)
            if key not in self._calibrated:
                kept = [item for item in self._calibrated.items() if item[0][:2] == key[:2] or item[0][0] != tenant]
                until = min(panel.days - 1, max(0, panel.column(speaker.window_to)))
                settings = self._settings
                found = pinnable.calibrated(
                    name, panel, until, seed=settings.forecaster_seed, threads=settings.forecaster_threads
                )
                self._calibrated = dict(kept) | {key: found}
            return self._calibrated[key]

        return Voices(preferred, speaker.choice, calibrated)

    async def _save_censored(self, tx: Any, tenant: str, frame: Frame, issued: Sequence[Issued]) -> None:
        keys = sorted({(one.message.sku, one.message.location) for one in issued})
        rows = {(item.sku, item.location): row for row, item in enumerate(frame.items)}
        days: list[tuple[str, str, date]] = []
        for sku, location in keys:
            hidden = frame.censored[rows[(sku, location)]].nonzero()[0].tolist()
            days += [(sku, location, frame.panel.day(column)) for column in hidden]
        await history.save_censored(tx, tenant, keys, days)
