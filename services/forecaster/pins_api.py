"""Strategies: which one speaks for which class of demand and why, and pins by planners. Each pin is an event, so that the
audit log holds who wanted what and why."""

from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kernel.ids import derived_id
from kit import outbox
from kit.database import Database
from kit.events import outgoing
from kit.http import Problem
from kit.identity import Principal, require
from schemas.forecasts import StrategyPinSet, StrategyPinWithdrawn
from services.forecaster.domain.pins import Pin
from services.forecaster.issuing import SERVICE
from services.forecaster.model.extras import is_installed
from services.forecaster.model.pinnable import PINNABLE, PROPHET_ITEMS_MAX, available
from services.forecaster.model.strategies import OPTIONAL
from services.forecaster.store import due, pins, registry
from services.forecaster.worker import Worker

Signed = Annotated[Principal, Depends(require())]
Editor = Annotated[Principal, Depends(require("planner", "approver"))]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class PinRequest(BaseModel):
    """Which strategy shall forecast what is in the scope, and why."""

    model_config = ConfigDict(extra="forbid")
    strategy: Name
    sku: Name | None = None
    location: Name | None = None
    category: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    abc_class: Annotated[str, Field(min_length=1, max_length=8)] | None = None
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
    note: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _has_a_scope(self) -> "PinRequest":
        if not any((self.sku, self.location, self.category, self.abc_class)):
            raise ValueError("name a product, location, category or ABC class: for everything, choose another champion")
        return self


def attach(app: FastAPI, database: Database, worker: Worker) -> None:
    """Add the routes; `worker` is woken so that a pin speaks at once."""
    app.include_router(_questions(database))
    app.include_router(_commands(database, worker))


def _questions(database: Database) -> APIRouter:
    routes = APIRouter()

    @routes.get("/pins")
    async def listed(who: Signed, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> dict[str, Any]:
        """What the back-test of the speaking model chose for each class of demand, and the pins that beat it."""
        async with database.transaction(who.tenant) as tx:
            champion = await registry.champion(tx, who.tenant)
            rows = await pins.listed(tx, who.tenant, limit)
        choice = orjson.loads(champion["choice"]) if champion is not None else {}
        return {
            "model_id": champion["model_id"] if champion is not None else None,
            "choice": [{"class": kind} | told for kind, told in sorted(choice.items())],
            "pinnable": list(available()),
            "items": [_shown(row) for row in rows],
        }

    return routes


def _commands(database: Database, worker: Worker) -> APIRouter:
    routes = APIRouter()

    @routes.post("/pins", status_code=201)
    async def add(
        request: PinRequest,
        who: Editor,
        response: Response,
        idempotency_key: Annotated[str, Header(min_length=1, max_length=200)],
    ) -> dict[str, Any]:
        """Pin a strategy; what it concerns is forecast again at once. A pin of the same scope is taken back by it."""
        now = datetime.now(UTC)
        scope = request.model_dump(include=set(pins.SCOPE))
        pin = Pin(derived_id(SERVICE, "pin", who.tenant, who.subject, idempotency_key), request.strategy, **scope)
        async with database.transaction(who.tenant) as tx:
            demand_pinnable(request.strategy, has_model=await registry.champion(tx, who.tenant) is not None)
            is_new, replaced = await pins.add(
                tx, who.tenant, pin, reason=request.reason, note=request.note, by=who.subject, at=now
            )
            row = await pins.one(tx, who.tenant, pin.pin_id)
            if is_new:
                again = due.event_time(await due.last_closed(tx, who.tenant))
                demand_scope(request.strategy, await due.again(tx, who.tenant, scope, pin.pin_id, again))
                message = StrategyPinSet(
                    tenant=who.tenant, pin_id=pin.pin_id, strategy=pin.strategy, **scope, reason=request.reason,
                    note=request.note, set_by=who.subject[:64], set_at=now,
                )  # fmt: skip
                told = [outgoing(message, service=SERVICE, cause=pin.pin_id, time=now)]
                told += [_withdrawn(who, one["pin_id"], pin.pin_id, now) for one in replaced]
                await outbox.enqueue(tx, told)
        if is_new:
            worker.wake()
        else:
            response.status_code = 200
        return _shown(row)

    @routes.post("/pins/{pin_id}/withdrawal")
    async def withdraw(pin_id: str, who: Editor) -> dict[str, Any]:
        """Take a pin back; the choice by back-test speaks again. Asked twice, it is taken back once."""
        now = datetime.now(UTC)
        async with database.transaction(who.tenant) as tx:
            row = await pins.withdraw(tx, who.tenant, pin_id, who.subject, now)
            if row is not None:
                cause = derived_id(SERVICE, "pin withdrawal", pin_id)
                again = due.event_time(await due.last_closed(tx, who.tenant))
                await due.again(tx, who.tenant, pins.scope_of(row), cause, again)
                await outbox.enqueue(tx, [_withdrawn(who, pin_id, cause, now)])
            known = await pins.one(tx, who.tenant, pin_id)
        if known is None:
            raise Problem(404, "unknown_pin", "There is no such pin", f"Pin {pin_id!r} is not known here.")
        worker.wake()
        return _shown(known)

    return routes


def demand_pinnable(strategy: str, *, has_model: bool) -> None:
    """Refuse what could not speak tonight, with the reason."""
    if strategy not in PINNABLE:
        raise Problem(
            422, "strategy_not_pinnable", "This strategy cannot be pinned",
            f"There is no strategy {strategy!r} to pin; choose one of {', '.join(available())}.",
        )  # fmt: skip
    if strategy in OPTIONAL and not is_installed(strategy):
        raise Problem(
            422, "strategy_not_installed", "This strategy is not installed here",
            f"{strategy!r} is an extra of the forecaster: pip install '.[{strategy}]' where it runs, start it again, then"
            " pin.",
        )  # fmt: skip
    if strategy in OPTIONAL and not has_model:
        raise Problem(
            409, "no_model_yet", "No model is trained yet",
            f"{strategy!r} is calibrated on the days of the trained model, and there is none: train first, then pin.",
        )  # fmt: skip


def demand_scope(strategy: str, items: int) -> None:
    """Refuse a scope with nothing in it, and one that Prophet, which is fitted item by item, could not do every night."""
    if not items:
        raise Problem(
            422, "scope_empty", "No item is in this scope",
            "Nothing known here has this product, location, category and class together; check the codes.",
        )  # fmt: skip
    if strategy == "prophet" and items > PROPHET_ITEMS_MAX:
        raise Problem(
            422, "scope_too_wide", "The scope is too wide for this strategy",
            f"Prophet is fitted item by item every night and may be pinned on {PROPHET_ITEMS_MAX} items at once; this scope"
            f" has {items}. Name a product or a location too.",
        )  # fmt: skip


def _withdrawn(who: Principal, pin_id: str, cause: str, now: datetime) -> Any:
    message = StrategyPinWithdrawn(tenant=who.tenant, pin_id=pin_id, withdrawn_by=who.subject[:64], withdrawn_at=now)
    return outgoing(message, service=SERVICE, cause=cause, time=now)


def _shown(row: Any) -> dict[str, Any]:
    return {name: value for name, value in dict(row).items() if name != "tenant"} | {
        "state": "active" if row["withdrawn_at"] is None else "withdrawn"
    }
