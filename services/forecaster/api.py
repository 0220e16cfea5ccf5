"""Questions to the forecaster and the training command; called by the gateway with an internal token."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, FastAPI, Header, Response
from pydantic import BaseModel, Field

from kernel.ids import derived_id
from kit import outbox
from kit.database import Database
from kit.http import Problem
from kit.identity import Principal, require
from schemas.forecasts import ForecastIssued, ForecastIssuedV2
from services.forecaster.domain.promotion import Judgement, Outcome
from services.forecaster.store import due, history, registry
from services.forecaster.training import decide, settled

Signed = Annotated[Principal, Depends(require())]
# Training costs minutes of processor time: planners and administrators may ask for it, and machines with the role.
Trainer = Annotated[Principal, Depends(require("planner", "approver", "admin"))]
# Which model speaks decides about stock: the people who answer for orders above the limit decide it.
Judge = Annotated[Principal, Depends(require("approver", "admin"))]


class TrainRequest(BaseModel):
    """What to train. Nothing to choose yet: one model for all items of the tenant."""

    reason: str = Field("asked for", max_length=200)


class ModelDecision(BaseModel):
    """What a person says about a model, and why."""

    verdict: Literal["promote", "reject"]
    reason: str = Field(min_length=3, max_length=150)


def attach(app: FastAPI, database: Database, wake: Callable[[], None]) -> None:
    """Add the routes; `wake` sets the worker going when another model speaks."""
    app.include_router(_history_routes(database))
    app.include_router(_model_routes(database, wake))


def _history_routes(database: Database) -> APIRouter:
    routes = APIRouter()

    @routes.get("/history/{sku}/{location}")
    async def item_history(sku: str, location: str, who: Signed, days: int = 400) -> dict[str, Any]:
        """Daily demand of the last `days` closed days, zeros included, with stock-out flags and revisions; and, while the
        item is young, the like items its last forecast was borrowed from."""
        async with database.transaction(who.tenant) as tx:
            known = await history.item(tx, who.tenant, sku, location)
            rows = await history.series(tx, who.tenant, sku, location) if known is not None else []
            alike = await due.likeness(tx, who.tenant, sku, location)
        if known is None:
            raise _unknown(sku, location)
        return _filled(sku, location, known, rows, min(max(days, 1), 3660)) | {"likeness": alike}

    @routes.get("/forecast/{sku}/{location}")
    async def item_forecast(sku: str, location: str, who: Signed) -> Response:
        """The last forecast of the item as it was published, its distribution in numbers."""
        async with database.transaction(who.tenant) as tx:
            row = await due.last(tx, who.tenant, sku, location)
        if row is None:
            raise Problem(
                404, "no_forecast", "There is no forecast for this item yet",
                f"{sku} at {location} gets one when its next business day closes.",
            )  # fmt: skip
        written = ForecastIssuedV2.model_validate_json(row["body"]).model_dump()
        plain = ForecastIssued.model_validate(written)
        return Response(plain.wire(), media_type="application/json")

    @routes.get("/status")
    async def status(who: Signed) -> dict[str, Any]:
        """Watermark (last closed day), items known, forecasts waiting and issued, the model that speaks, the last job."""
        async with database.transaction(who.tenant) as tx:
            facts = await tx.fetchrow(
                "select (select count(*) from items where tenant = $1) as items,"
                " (select min(business_date) from closed_days where tenant = $1) as watermark,"
                " (select max(business_date) from closed_days where tenant = $1) as newest_close,"
                " (select count(*) from forecasts where tenant = $1) as forecasts,"
                " (select count(*) from parked_events where tenant = $1) as parked",
                who.tenant,
            )
            assert facts is not None  # an aggregate without a group always answers
            waiting = await due.waiting(tx, who.tenant)
            champion = await registry.champion(tx, who.tenant)
            job = await registry.last_job(tx, who.tenant)
        return {
            **dict(facts),
            "due": waiting,
            "champion": _model(champion) if champion else None,
            "last_job": _job(job) if job else None,
        }

    return routes


def _model_routes(database: Database, wake: Callable[[], None]) -> APIRouter:
    routes = APIRouter()

    @routes.get("/models")
    async def models(who: Signed) -> dict[str, Any]:
        """All models of the tenant, newest first, with the metrics of their back-test."""
        async with database.transaction(who.tenant) as tx:
            return {"models": [_model(row) for row in await registry.models(tx, who.tenant)]}

    @routes.get("/promotions")
    async def promotions(who: Signed) -> dict[str, Any]:
        """What became of every trained model, newest first: promoted, kept back, waiting, rejected; by whom and why."""
        async with database.transaction(who.tenant) as tx:
            return {"items": [dict(row) for row in await registry.promotions(tx, who.tenant)]}

    @routes.post("/models/{model_id}/decision")
    async def decision(model_id: str, request: ModelDecision, who: Judge) -> dict[str, Any]:
        """Promote a model (one that waits, or an earlier one again), or turn down one that waits."""
        now = datetime.now(UTC)
        async with database.transaction(who.tenant) as tx:
            row = await registry.model(tx, who.tenant, model_id)
            if row is None:
                raise Problem(404, "unknown_model", "There is no such model", f"Model {model_id!r} is not known here.")
            wanted = Outcome.PROMOTE if request.verdict == "promote" else Outcome.KEEP
            allowed = ("waiting", "retired", "rejected") if wanted is Outcome.PROMOTE else ("waiting",)
            if row["state"] not in allowed:
                raise Problem(
                    409, "model_not_open", "This model does not wait for that decision",
                    f"It is {row['state']}; only a model that is {' or '.join(allowed)} can be"
                    f" {'promoted' if wanted is Outcome.PROMOTE else 'rejected'}.",
                )  # fmt: skip
            says = f"{'Promoted' if wanted is Outcome.PROMOTE else 'Rejected'} by {who.subject}: {request.reason}"
            judgement = Judgement(wanted, says)
            told = await decide(tx, who.tenant, model_id, judgement, who.subject, f"{model_id}-{now.isoformat()}", now)
            if row["state"] == "waiting":
                told.append(settled(who.tenant, model_id, says, row["window_to"], now))
            await outbox.enqueue(tx, told)
            fresh = await registry.model(tx, who.tenant, model_id)
        wake()
        return _model(fresh)

    @routes.post("/train", status_code=202)
    async def train(
        request: TrainRequest,
        who: Trainer,
        response: Response,
        idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    ) -> dict[str, Any]:
        """Queue a training. The same Idempotency-Key, or a job already open, answers with that job."""
        async with database.transaction(who.tenant) as tx:
            # A tenant may ask before its first event; jobs are looked for in the tenants this service has seen.
            await tx.execute("insert into tenants (tenant) values ($1) on conflict do nothing", who.tenant)
            key = idempotency_key or await _next_key(tx, who.tenant)
            job_id = derived_id("forecaster", "train", who.tenant, key)
            row, is_new = await registry.open_job(tx, who.tenant, job_id, who.subject)
        if not is_new:
            response.status_code = 200
        response.headers["location"] = f"/train/{row['job_id']}"
        return _job(row)

    @routes.get("/train/{job_id}")
    async def train_progress(job_id: str, who: Signed) -> dict[str, Any]:
        """State, stage and share done of a training job."""
        async with database.transaction(who.tenant) as tx:
            row = await registry.job(tx, who.tenant, job_id)
        if row is None:
            raise Problem(404, "unknown_job", "There is no such training job", f"Job {job_id} is not known.")
        return _job(row)

    return routes


async def _next_key(tx: Any, tenant: str) -> str:
    """Without a key every finished job makes room for a next one."""
    return f"run-{await tx.fetchval('select count(*) from train_jobs where tenant = $1', tenant)}"


def _unknown(sku: str, location: str) -> Problem:
    return Problem(
        404, "unknown_item", "This item is not known here", f"No event was ever booked for {sku} at {location}."
    )


def _filled(sku: str, location: str, known: Any, rows: list[Any], days: int) -> dict[str, Any]:
    """One entry per calendar day up to the last closed day; quantities as decimal strings."""
    closed_on, first_on = known["closed_on"], known["first_on"]
    recorded = {row["business_date"]: row for row in rows}
    series = []
    if closed_on is not None:
        start = max(first_on, closed_on - timedelta(days=days - 1))
        for offset in range((closed_on - start).days + 1):
            day = start + timedelta(days=offset)
            row = recorded.get(day)
            series.append({
                "date": day.isoformat(),
                "quantity": format(row["quantity"], "f") if row else "0",
                "returned": format(row["returned"], "f") if row else "0",
                "promoted": format(row["promoted"], "f") if row else "0",
                "revision": row["revision"] if row else 0,
                "censored": bool(row["censored"]) if row else False,
            })  # fmt: skip
    open_days = [day for day in recorded if closed_on is None or day > closed_on]
    return {
        "sku": sku,
        "location": location,
        "closed_on": closed_on.isoformat() if closed_on else None,
        "first_on": first_on.isoformat(),
        "days": series,
        "open_days": {day.isoformat(): format(recorded[day]["quantity"], "f") for day in open_days},
    }


def _model(row: Any) -> dict[str, Any]:
    return dict(row) | {"metrics": orjson.loads(row["metrics"]), "choice": orjson.loads(row["choice"])}


def _job(row: Any) -> dict[str, Any]:
    shown = ("job_id", "state", "stage", "share", "requested_by", "model_id", "error", "created_at", "updated_at")
    return {name: row[name] for name in shown}
