"""Scores what has come due, publishes it as metrics, and raises or resolves drift: the ledger's clockwork.

Runs beside the forecasting and after it, so that no forecast waits for its own school report.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

from kernel.ids import derived_id
from kit import outbox, telemetry
from kit.database import Database, Transaction
from kit.events import Outgoing, outgoing
from schemas.recommendations import ExceptionRaised, ExceptionResolved
from services.forecaster.domain.accuracy import DRIFT_DAYS, SCORED_LEVELS, Drift, Sums, drifts, measures
from services.forecaster.issuing import SERVICE
from services.forecaster.store import accuracy, drift, registry

log = telemetry.get_logger()
SCORED = telemetry.counter("forecast_windows_scored_total", "Forecast windows compared with what was sold")
ERROR = telemetry.gauge(
    "forecast_total_error_ratio", "Sum of absolute errors of totals over demand, last 28 days", ("horizon_days",)
)
BIAS = telemetry.gauge(
    "forecast_bias_ratio", "Expected less actual over actual demand, last 28 days", ("horizon_days",)
)
LOSS = telemetry.gauge("forecast_quantile_loss_ratio", "Weighted quantile loss, last 28 days", ("horizon_days",))
COVERED = telemetry.gauge(
    "forecast_coverage_ratio", "Share of totals at or below the quantile, last 28 days", ("horizon_days", "level")
)
ADDED = telemetry.gauge(
    "forecast_value_added_ratio", "Error avoided against repeating last week, last 28 days", ("horizon_days",)
)
DRIFTING = telemetry.gauge("forecast_drift_rules_broken", "Open drift flags over all tenants")
DRIFT_HORIZON_DAYS = 7  # a week: long enough for weekdays to even out, short enough to notice within the month
PUBLISHED_HORIZONS_DAYS = (1, 7, 28)


class Scorer:
    """`run_once` for the runtime's clockwork."""

    def __init__(self, database: Database, published: Callable[[], None]) -> None:
        self._database = database
        self._published = published

    async def run_once(self) -> None:
        """Score every tenant's due promises, in portions; look for drift where there was something to score."""
        scored = False
        for tenant in await self._database.tenants():
            fresh = 0
            while (count := await self._score(tenant)) > 0:
                fresh += count
                await asyncio.sleep(0)
            if fresh:
                scored = True
                SCORED.inc(fresh)
                await self._watch(tenant)
                log.info("forecasts_scored", tenant=tenant, windows=fresh)
        if scored:
            await self._publish()

    async def _score(self, tenant: str) -> int:
        async with self._database.transaction(tenant) as tx:
            return await accuracy.score(tx, tenant)

    async def _watch(self, tenant: str) -> None:
        """Raise what drifts now, resolve what does no more: one open exception per rule."""
        async with self._database.transaction(tenant) as tx:
            champion = await registry.champion(tx, tenant)
            if champion is None:
                return
            model_id = champion["model_id"]
            sums, days, newest = await accuracy.of_model(tx, tenant, model_id, DRIFT_HORIZON_DAYS, DRIFT_DAYS)
            if newest is None:
                return
            reference = registry.metrics_of(champion).get(f"wql_{DRIFT_HORIZON_DAYS}d")
            broken = drifts(sums, days, DRIFT_HORIZON_DAYS, reference)
            says = await changed_flags(tx, tenant, model_id, broken, newest)
            await outbox.enqueue(tx, says)
        if says:
            self._published()

    async def _publish(self) -> None:
        totals: dict[int, list[Sums]] = {horizon: [] for horizon in PUBLISHED_HORIZONS_DAYS}
        flags = 0
        for tenant in await self._database.tenants():
            async with self._database.transaction(tenant) as tx:
                for horizon, found in totals.items():
                    found.append(await accuracy.recent(tx, tenant, horizon, DRIFT_DAYS))
                flags += len(await drift.open_flags(tx, tenant))
        DRIFTING.set(flags)
        for horizon, found in totals.items():
            read = measures(added(found), horizon)
            gauges = ((ERROR, read.total_error), (BIAS, read.bias), (LOSS, read.loss), (ADDED, read.value_added))
            for gauge, value in gauges:
                if value is not None:
                    gauge.labels(str(horizon)).set(value)
            for one in read.coverage:
                COVERED.labels(str(horizon), str(one.level)).set(one.share)


async def changed_flags(
    tx: Transaction, tenant: str, model_id: str, broken: list[Drift], newest: date
) -> list[Outgoing]:
    """Keep the flags in step with the rules that are broken now; what to tell about the difference."""
    known = {row["rule"]: row for row in await drift.open_flags(tx, tenant)}
    says: list[Outgoing] = []
    for one in broken:
        held = known.pop(one.rule, None)
        if held is not None and held["model_id"] == model_id:
            continue
        if held is not None:
            says.append(await _resolve(tx, tenant, held, newest, "Another model speaks now."))
        exception_id = derived_id(SERVICE, "drift", tenant, model_id, one.rule, newest.isoformat())
        await drift.raise_flag(tx, tenant, exception_id, model_id, one, newest)
        raised = ExceptionRaised(
            tenant=tenant,
            exception_id=exception_id,
            kind="model_drift",
            subject=subject_of(one.rule),
            says=one.says,
            remedy="Look at Forecasts, by location and class, for where it comes from; train again if it stays.",
            raised_on=newest,
            details={"model_id": model_id, "rule": one.rule, "value": round(one.value, 6), "limit": one.limit},
        )
        says.append(outgoing(raised, service=SERVICE, cause=exception_id, time=_noon(newest)))
    says += [await _resolve(tx, tenant, held, newest, "Back within its limit.") for held in known.values()]
    return says


def subject_of(rule: str) -> str:
    """What the exception is about: the forecasts of a tenant, under one rule."""
    return f"forecasts: {rule.replace('_', ' ')}"


async def _resolve(tx: Transaction, tenant: str, held: Any, newest: date, why: str) -> Outgoing:
    await drift.resolve_flag(tx, tenant, held["exception_id"], newest)
    resolved = ExceptionResolved(
        tenant=tenant,
        exception_id=held["exception_id"],
        subject=subject_of(held["rule"]),
        resolved_on=newest,
        says=why,
    )
    return outgoing(resolved, service=SERVICE, cause=held["exception_id"], time=_noon(newest))


def _noon(day: date) -> datetime:
    """A business day as an instant: it names the day in event time, not the moment somebody looked."""
    return datetime.combine(day, time(12), tzinfo=UTC)


def added(parts: list[Sums]) -> Sums:
    """Sums of sums."""
    levels = range(len(SCORED_LEVELS))
    return Sums(
        sum(one.windows for one in parts),
        sum(one.hidden for one in parts),
        sum(one.actual for one in parts),
        sum(one.expected for one in parts),
        sum(one.model_expected for one in parts),
        sum(one.absolute_error for one in parts),
        sum(one.model_absolute_error for one in parts),
        sum(one.naive_absolute_error for one in parts),
        tuple(sum(one.losses[level] for one in parts) for level in levels),
        tuple(sum(one.below[level] for one in parts) for level in levels),
    )
