"""What decided quantities were worth against the proposed ones, over HTTP: asked line by line, kept nowhere."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field

from kit.database import Database
from kit.identity import Principal, require
from services.policy.domain.decided_line import afterwards
from services.policy.domain.decision_value import value_of
from services.policy.store.afterwards import Known, known

Caller = Annotated[Principal, Depends(require())]
# Of one call: less than a tenth of a second of reckoning, so that planning beside it never waits long for the processor.
LINES_MAX = 200


class Decided(BaseModel):
    """A recommendation, and the quantity that was ordered of it (0: none)."""

    model_config = ConfigDict(extra="forbid", strict=True)
    recommendation_id: str = Field(min_length=1, max_length=64)
    quantity: Annotated[Decimal, Field(ge=0, max_digits=16, decimal_places=4, strict=False)]


class Asked(BaseModel):
    """Lines to be judged."""

    model_config = ConfigDict(extra="forbid")
    lines: Annotated[list[Decided], Field(min_length=1, max_length=LINES_MAX)]


def attach(app: FastAPI, database: Database) -> None:
    """Put the route on the service's app."""
    routes = APIRouter()

    @routes.post("/decision-values")
    async def judged(asked: Asked, caller: Caller) -> dict[str, Any]:
        """The lines in the order they were asked for; reckoned away from the event loop."""
        async with database.transaction(caller.tenant) as tx:
            found = await known(tx, caller.tenant, [one.recommendation_id for one in asked.lines])
        return {"lines": await asyncio.to_thread(_judged, asked.lines, found)}

    app.include_router(routes)


def _judged(lines: Sequence[Decided], found: dict[str, Known]) -> list[dict[str, Any]]:
    return [_one(line, found.get(line.recommendation_id)) for line in lines]


def _one(line: Decided, ours: Known | None) -> dict[str, Any]:
    """Money as text to the cent; `reason` says why a line has no value."""
    said: dict[str, Any] = {"recommendation_id": line.recommendation_id}
    if ours is None:
        return said | {"status": "unvalued", "reason": "not_ours"}
    document = ours.document
    said |= {name: document[name] for name in ("origin", "order_on", "arrive_on", "evidence_sha256")}
    said |= {"proposed": document["quantity"], "days_known": len(ours.days)}
    facts = afterwards(document, ours.days)
    if isinstance(facts, str):
        return said | {"status": "unvalued", "reason": facts}
    valued = value_of(facts, Decimal(document["quantity"]), line.quantity)
    met_on = None if valued.met is None else date.fromisoformat(document["origin"]) + timedelta(days=valued.met)
    parts = {name: str(getattr(valued.parts, name)) for name in ("holding", "lost_margin", "ordering", "value")}
    told = {"status": valued.status, "low": str(valued.low), "high": str(valued.high), "days_out": valued.days_out}
    return said | told | parts | {"met_on": None if met_on is None else met_on.isoformat()}
