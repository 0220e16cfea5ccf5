"""Questions and commands the gateway passes on: positions, runs, evidence, what-if. The parameters: `parameters_api`."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kit.database import Database, Transaction
from kit.http import Problem
from kit.identity import Principal, require
from schemas.base import Code
from services.policy import planner
from services.policy.domain.comparison import without
from services.policy.domain.evidence import Evidence
from services.policy.domain.numbers import plain
from services.policy.domain.whatif import Changes, answer
from services.policy.runner import Runner
from services.policy.store import evidence as evidence_store
from services.policy.store import ledger, policies, runs

Caller = Annotated[Principal, Depends(require())]
Planner = Annotated[Principal, Depends(require("planner", "approver", "admin", "plan", "machine"))]
PAGE_MAX = 200


class RunRequest(BaseModel):
    """Ask for a planning run of a location, of what a supplier delivers, or of an ABC class; without any of them everything
    is planned. Without a date: for the newest closed day."""

    model_config = ConfigDict(extra="forbid")
    location: Code | None = None
    supplier: Code | None = None
    abc_class: Literal["A", "B", "C"] | None = None
    business_date: date | None = None

    @model_validator(mode="after")
    def _names_one_scope(self) -> "RunRequest":
        if sum(one is not None for one in (self.location, self.supplier, self.abc_class)) > 1:
            raise ValueError("a run has one scope: a location, a supplier or an ABC class")
        return self

    @property
    def scope(self) -> str:
        """The scope as the runs know it."""
        if self.location is not None:
            return f"{runs.LOCATION_PREFIX}{self.location}"
        if self.supplier is not None:
            return f"{runs.SUPPLIER_PREFIX}{self.supplier}"
        return f"{runs.CLASS_PREFIX}{self.abc_class}" if self.abc_class is not None else runs.EVERYTHING


class WhatIf(BaseModel):
    """A question about one item; what is absent stays as it is."""

    model_config = ConfigDict(extra="forbid")
    sku: Code
    location: Code
    quantity: Annotated[Decimal, Field(gt=0, max_digits=16, decimal_places=4)] | None = None
    lead_time_days: Annotated[int, Field(ge=0, le=56)] | None = None
    service_level: Annotated[Decimal, Field(gt=0, lt=1)] | None = None
    demand_multiplier: Annotated[Decimal, Field(ge=0, le=100)] | None = None
    without_signal: Code | None = None


def attach(app: FastAPI, database: Database, runner: Runner) -> None:
    """Put the routes on the service's app."""
    router = APIRouter()
    _runs(router, database, runner)
    _items(router, database)
    app.include_router(router)


def _runs(router: APIRouter, database: Database, runner: Runner) -> None:
    @router.post("/runs", status_code=202)
    async def start_run(body: RunRequest, caller: Planner) -> dict[str, Any]:
        """Start (or join, or make again) the one run of this day and scope."""
        scope = body.scope
        async with database.transaction(caller.tenant) as tx:
            day = body.business_date or await runs.business_date(tx, caller.tenant, scope)
        if day is None:
            raise Problem(
                409,
                "nothing_to_plan",
                "There is nothing to plan",
                "No business day has closed and no forecast came yet.",
            )
        run_id = await runner.request(caller.tenant, scope, day, caller.subject)
        return await read_run(run_id, caller)

    @router.get("/runs")
    async def list_runs(caller: Caller, limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50) -> dict[str, Any]:
        """Runs, newest first."""
        async with database.transaction(caller.tenant) as tx:
            found = await runs.newest(tx, caller.tenant, limit)
        return {"items": [_run_document(one) for one in found]}

    @router.get("/runs/{run_id}")
    async def read_run(run_id: str, caller: Caller) -> dict[str, Any]:
        """Progress and result of one run."""
        async with database.transaction(caller.tenant) as tx:
            found = await runs.get(tx, caller.tenant, run_id)
        if found is None:
            raise Problem(404, "run_unknown", "There is no such run", f"No run has the id {run_id}.")
        return _run_document(found)


def _run_document(run: dict[str, Any]) -> dict[str, Any]:
    names = (
        "run_id",
        "scope",
        "state",
        "attempt",
        "requested_by",
        "items",
        "done",
        "proposed",
        "withheld",
        "published",
    )
    times = {
        name: run[name].isoformat() if run[name] else None for name in ("started_at", "finished_at", "business_date")
    }
    scarce = None if run["scarce"] is None else json.loads(run["scarce"])
    return {name: run[name] for name in names} | times | {"scarce": scarce}


def _items(router: APIRouter, database: Database) -> None:
    @router.get("/positions/{sku}/{location}")
    async def read_position(
        sku: str,
        location: str,
        caller: Caller,
        before: datetime | None = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    ) -> dict[str, Any]:
        """The position of an item, what is on order, and a page of its movements (newest first, before an instant)."""
        async with database.transaction(caller.tenant) as tx:
            evidence = await _evidence(tx, caller.tenant, sku, location)
            moved = await ledger.movements_page(tx, caller.tenant, sku, location, before, limit)
        if evidence.stock.movements == 0 and evidence.forecast is None:
            raise Problem(404, "item_unknown", "Nothing is known of this item", f"{sku} has no movement at {location}.")
        return _position_document(evidence, moved, limit)

    @router.post("/what-if")
    async def what_if(body: WhatIf, caller: Caller) -> dict[str, Any]:
        """What the same code would recommend if this were different; changes nothing."""
        async with database.transaction(caller.tenant) as tx:
            evidence = await _evidence(tx, caller.tenant, body.sku, body.location)
        if body.without_signal is not None:
            (evidence,) = without([evidence], body.without_signal)
        changes = Changes(body.quantity, body.lead_time_days, body.service_level, body.demand_multiplier)
        return answer(evidence, changes)


async def _evidence(tx: Transaction, tenant: str, sku: str, location: str) -> Evidence:
    policy = await policies.current(tx, tenant) or planner.default_policy()
    found = await evidence_store.read(tx, tenant, [(sku, location)], policy)
    return found[0][0]


def _position_document(evidence: Evidence, moved: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    stock = evidence.stock
    coming = [one.quantity for one in evidence.open_orders if one.status != "failed"]
    on_order = sum((quantity for quantity in coming if quantity > 0), Decimal(0))
    # What leaves for another location is in the list below with a negative quantity.
    position = stock.on_hand + sum(coming, Decimal(0)) - stock.reserved - stock.backorders
    return {
        "sku": evidence.sku,
        "location": evidence.location,
        "on_hand": plain(stock.on_hand),
        "reserved": plain(stock.reserved),
        "backorders": plain(stock.backorders),
        "on_order": plain(on_order),
        "inventory_position": plain(position),
        "business_date": evidence.as_of.isoformat() if evidence.as_of else None,
        "watermark": stock.movements,
        "open_orders": [
            {
                "order_id": one.order_id,
                "quantity": plain(one.quantity),
                "expected_on": one.arrive_on.isoformat(),
                "status": one.status,
            }
            for one in evidence.open_orders
        ],
        "movements": [
            {
                "event_hash": str(one["event_hash"]),
                "kind": one["kind"],
                "quantity": plain(one["quantity"]),
                "on_hand": plain(one["on_hand"]),
                "reserved": plain(one["reserved"]),
                "backorders": plain(one["backorders"]),
                "occurred_at": one["occurred_at"].isoformat(),
                "business_date": one["business_date"].isoformat(),
                "order_id": one["order_id"],
            }
            for one in moved
        ],
        "next_before": moved[-1]["occurred_at"].isoformat() if len(moved) == limit else None,
    }
