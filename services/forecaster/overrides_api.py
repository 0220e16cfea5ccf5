"""Overrides of forecasts: set, seen, taken back. Each is an event, so that the audit log holds who changed what and why."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kernel.distribution import DAYS
from kernel.ids import derived_id
from kit import outbox
from kit.database import Database
from kit.events import outgoing
from kit.http import Problem
from kit.identity import Principal, require
from schemas.forecasts import ForecastOverrideSet, ForecastOverrideWithdrawn
from services.forecaster.issuing import SERVICE
from services.forecaster.store import due, overrides
from services.forecaster.store.overrides import Entry
from services.forecaster.worker import Worker

Signed = Annotated[Principal, Depends(require())]
# Who may decide about orders may say what they know about demand; an administrator of machines may not.
Editor = Annotated[Principal, Depends(require("planner", "approver"))]
Name = Annotated[str, Field(min_length=1, max_length=64)]
# A person who knows more than this ahead changes the plan of the year, not a forecast.
PERIOD_DAYS_MAX = 366


class OverrideRequest(BaseModel):
    """What a person knows about demand. `units`: for the whole period, over all items of the scope."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["add", "replace"]
    sku: Name | None = None
    location: Name | None = None
    category: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    from_on: date
    to_on: date
    units: Annotated[Decimal, Field(max_digits=16, decimal_places=4, allow_inf_nan=False)]
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
    note: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    expires_on: date | None = None

    @model_validator(mode="after")
    def _is_sensible(self) -> "OverrideRequest":
        if self.to_on < self.from_on:
            raise ValueError("to_on lies before from_on: a period ends on or after the day it begins")
        if (self.to_on - self.from_on).days >= PERIOD_DAYS_MAX:
            raise ValueError(f"the period is longer than {PERIOD_DAYS_MAX} days; split it")
        if self.kind == "replace" and self.units < 0:
            raise ValueError("units: demand cannot be replaced by less than nothing; use add with negative units")
        if self.sku is None and self.location is None and self.category is None:
            raise ValueError("name a product, a location or a category: an override of everything is a policy")
        return self


def attach(app: FastAPI, database: Database, worker: Worker) -> None:
    """Add the routes; `worker` is woken so that the change is forecast at once."""
    app.include_router(_questions(database))
    app.include_router(_commands(database, worker))


def _questions(database: Database) -> APIRouter:
    routes = APIRouter()

    @routes.get("/overrides")
    async def listed(
        who: Signed, active: bool = False, limit: Annotated[int, Query(ge=1, le=500)] = 100
    ) -> dict[str, Any]:
        """Overrides, newest first, each with what it was worth so far; and the value of people by author and reason."""
        async with database.transaction(who.tenant) as tx:
            today = await due.last_closed(tx, who.tenant)
            rows = await overrides.listed(tx, who.tenant, only_active_on=today if active else None, limit=limit)
            totals = await overrides.totals(tx, who.tenant)
        return {
            "items": [_shown(row, today) for row in rows],
            "value": [
                {"created_by": row["created_by"], "reason": row["reason"], "overrides": row["overrides"]} | _value(row)
                for row in totals
            ],
        }

    @routes.get("/overrides/{override_id}")
    async def one(override_id: str, who: Signed) -> dict[str, Any]:
        """One override with what it was worth so far."""
        async with database.transaction(who.tenant) as tx:
            row = await overrides.one(tx, who.tenant, override_id)
            today = await due.last_closed(tx, who.tenant)
        if row is None:
            raise _unknown(override_id)
        return _shown(row, today)

    return routes


def _commands(database: Database, worker: Worker) -> APIRouter:
    routes = APIRouter()

    @routes.post("/overrides", status_code=201)
    async def add(
        request: OverrideRequest,
        who: Editor,
        response: Response,
        idempotency_key: Annotated[str, Header(min_length=1, max_length=200)],
    ) -> dict[str, Any]:
        """Set an override; the items it concerns are forecast again at once. Sent twice, it is set once."""
        now = datetime.now(UTC)
        override_id = derived_id(SERVICE, "override", who.tenant, who.subject, idempotency_key)
        async with database.transaction(who.tenant) as tx:
            await tx.execute("insert into tenants (tenant) values ($1) on conflict do nothing", who.tenant)
            today = await due.last_closed(tx, who.tenant)
            _check(request, today)
            entry = Entry(
                override_id=override_id,
                **request.model_dump(exclude={"expires_on"}),
                expires_on=request.expires_on or request.to_on + timedelta(days=1),
                created_by=who.subject,
                created_at=now,
            )
            is_new = await overrides.add(tx, who.tenant, entry)
            row = await overrides.one(tx, who.tenant, override_id)
            if is_new:
                count = await due.again(tx, who.tenant, row, override_id, due.event_time(today))
                if count == 0:
                    raise Problem(
                        422, "scope_empty", "No item is in this scope",
                        "Nothing known here has this product, location and category together; check the codes.",
                    )  # fmt: skip
                message = ForecastOverrideSet(
                    tenant=who.tenant, override_id=override_id, set_by=who.subject[:64], set_at=now,
                    **request.model_dump(exclude={"expires_on"}), expires_on=entry.expires_on,
                )  # fmt: skip
                await outbox.enqueue(tx, [outgoing(message, service=SERVICE, cause=override_id, time=now)])
        if is_new:
            worker.wake()
        else:
            response.status_code = 200
        return _shown(row, today)

    @routes.post("/overrides/{override_id}/withdrawal")
    async def withdraw(override_id: str, who: Editor) -> dict[str, Any]:
        """Take an override back; its items are forecast again without it. Asked twice, it is taken back once."""
        now = datetime.now(UTC)
        async with database.transaction(who.tenant) as tx:
            today = await due.last_closed(tx, who.tenant)
            row = await overrides.withdraw(tx, who.tenant, override_id, who.subject, now)
            if row is not None:
                cause = derived_id(SERVICE, "withdrawal", override_id)
                await due.again(tx, who.tenant, row, cause, due.event_time(today))
                message = ForecastOverrideWithdrawn(
                    tenant=who.tenant, override_id=override_id, withdrawn_by=who.subject[:64], withdrawn_at=now
                )
                await outbox.enqueue(tx, [outgoing(message, service=SERVICE, cause=cause, time=now)])
            known = await overrides.one(tx, who.tenant, override_id)
        if known is None:
            raise _unknown(override_id)
        worker.wake()
        return _shown(known, today)

    return routes


def _check(request: OverrideRequest, today: date | None) -> None:
    """Refuse what could not change any forecast."""
    if today is None:
        raise Problem(
            409, "nothing_closed", "There is no forecast to change yet",
            "Forecasts begin when the first business day is closed; set the override after that.",
        )  # fmt: skip
    if request.to_on <= today:
        raise Problem(
            422, "period_over", "The period is over", f"Days up to {today} are closed; choose days after that."
        )
    if request.from_on > today + timedelta(days=DAYS):
        raise Problem(
            422, "period_too_far", "The period lies beyond the horizon",
            f"Forecasts reach {DAYS} days ahead, up to {today + timedelta(days=DAYS)}; set it when it comes nearer.",
        )  # fmt: skip
    if request.expires_on is not None and request.expires_on <= today:
        raise Problem(422, "expired_already", "The override would be expired", f"Choose an expiry after {today}.")


def _unknown(override_id: str) -> Problem:
    return Problem(404, "unknown_override", "There is no such override", f"Override {override_id!r} is not known here.")


def _shown(row: Any, today: date | None) -> dict[str, Any]:
    names = ("override_id", "kind", "sku", "location", "category", "from_on", "to_on", "reason", "note", "expires_on",
             "created_by", "created_at", "withdrawn_by", "withdrawn_at")  # fmt: skip
    state = "active"
    if row["withdrawn_at"] is not None:
        state = "withdrawn"
    elif today is not None and row["to_on"] <= today:
        state = "over"
    elif today is not None and row["expires_on"] <= today:
        state = "expired"
    out = {name: row[name] for name in names} | {"units": format(row["units"], "f"), "state": state}
    return out | {"value": _value(row) if row["windows"] else None}


def _value(row: Any) -> dict[str, Any]:
    """What the override was worth: errors of totals with it and without it, in units; positive `added`: it helped."""
    with_it, without = row["absolute_error"], row["model_absolute_error"]
    return {
        "windows": int(row["windows"]),
        "actual": f"{row['actual']:.4f}",
        "error_with": f"{with_it:.4f}",
        "error_without": f"{without:.4f}",
        "added": None if not without else round(float(1 - with_it / without), 4),
    }
