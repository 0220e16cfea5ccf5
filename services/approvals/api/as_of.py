"""What lines proposed at a past moment and what had been decided about them, by the clock that decisions are made by."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from kit.database import Database
from kit.identity import Principal, require
from schemas.base import Instant
from services.approvals.api.bodies import Id
from services.approvals.api.reading import plain_row
from services.approvals.domain.as_of import Decided, Version, stood
from services.approvals.store import as_of

Caller = Annotated[Principal, Depends(require())]
LINES_MAX = 1000


class Asked(BaseModel):
    """Lines by their ids, and the moment."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    line_ids: Annotated[tuple[Id, ...], Field(max_length=LINES_MAX)]
    at: Instant


def router(database: Database) -> APIRouter:
    """The one route."""
    routes = APIRouter(tags=["queue"])

    @routes.post("/lines/as-of", summary="What lines proposed at a past moment, and what had been decided")
    async def lines_as_of(body: Asked, principal: Caller) -> Response:
        """Lines of which nothing had come by then are left out. Changes nothing: a POST because the ids may be many."""
        async with database.transaction(principal.tenant) as tx:
            versions = await as_of.versions(tx, principal.tenant, body.line_ids, body.at)
            decisions = await as_of.decisions(tx, principal.tenant, body.line_ids, body.at)
        found = [_line(body, line_id, versions, decisions) for line_id in sorted({row["line_id"] for row in versions})]
        return Response(orjson.dumps({"items": found}), media_type="application/json")

    return routes


def _line(body: Asked, line_id: str, versions: list[Any], decisions: list[Any]) -> dict[str, Any]:
    proposed = {row["recommendation_id"]: row for row in versions if row["line_id"] == line_id}
    decided = {row["decision_id"]: row for row in decisions if row["line_id"] == line_id}
    stands = stood(
        [Version(row["recommendation_id"], row["received_at"]) for row in proposed.values()],
        [
            Decided(row["decision_id"], row["recommendation_id"], row["verdict"], row["decided_at"], row["released_at"])
            for row in decided.values()
        ],
        body.at,
    )
    assert stands is not None  # a line is here because something of it had come
    recommendation_id, decision_id = stands
    decision = plain_row(decided[decision_id], "line_id", "recommendation_id") if decision_id is not None else None
    return plain_row(proposed[recommendation_id]) | {"decision": decision}
