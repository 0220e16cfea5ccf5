"""Questions: the queue, one line with its decisions, orders, and the coded reasons."""

import base64
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse

from kit.database import Database
from kit.http import Problem
from kit.identity import Principal, require
from services.approvals.api import problems
from services.approvals.api.bodies import etag, line_document
from services.approvals.domain import reasons
from services.approvals.domain.line import WAITING, State
from services.approvals.domain.quantities import plain
from services.approvals.store import decisions, lines, orders, queue
from services.approvals.store.queue import Filter

Caller = Annotated[Principal, Depends(require())]
PAGE_MAX = 200
STATES = tuple(state.value for state in State if state is not State.PROPOSED)
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]


def _cursor(*parts: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode()


def _uncursor(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    try:
        first, second = orjson.loads(base64.urlsafe_b64decode(cursor))
        return str(first), str(second)
    except ValueError as error:
        raise Problem(
            400, "cursor_invalid", "The cursor is not one of ours", "Start again without a cursor."
        ) from error


def plain_row(row: Any, *left_out: str) -> dict[str, Any]:
    """A row as it is told: numbers as people write them."""
    return {
        name: plain(value) if isinstance(value, Decimal) else value
        for name, value in row.items()
        if name not in left_out
    }


def queue_router(database: Database) -> APIRouter:
    """The queue and its lines."""
    routes = APIRouter(tags=["queue"])

    @routes.get("/lines", summary="The queue, highest money at risk times urgency first")
    async def queue_page(
        principal: Caller,
        status: Annotated[list[str] | None, Query()] = None,
        location: str | None = None,
        supplier: str | None = None,
        reason: str | None = None,
        min_value: Annotated[Decimal, Query(ge=0)] | None = None,
        limit: Limit = 50,
        cursor: str | None = None,
    ) -> Response:
        """Without `status`: what waits for a person. `all` shows every state."""
        chosen = status or [state.value for state in WAITING if state is not State.SNOOZED]
        unknown = set(chosen) - {*STATES, "all"}
        if unknown:
            raise Problem(
                422,
                "status_unknown",
                "No such status",
                f"{sorted(unknown)[0]!r} is not one of all, {', '.join(STATES)}.",
                errors=[{"field": "status", "reason": "unknown"}],
            )
        wanted = Filter(STATES if "all" in chosen else tuple(chosen), location, supplier, reason, min_value)
        place = _uncursor(cursor)
        try:
            after = (Decimal(place[0]), place[1]) if place else None
        except InvalidOperation as error:
            raise Problem(
                400, "cursor_invalid", "The cursor is not one of ours", "Start again without a cursor."
            ) from error
        async with database.transaction(principal.tenant) as tx:
            rows = await queue.page(tx, principal.tenant, wanted, after, limit)
            total = await queue.count(tx, principal.tenant, wanted)
        items = [line_document(lines.line_of(row)) | {"rank_score": plain(row["rank_score"])} for row in rows]
        following = _cursor(str(rows[-1]["rank_score"]), rows[-1]["line_id"]) if len(rows) == limit else None
        return JSONResponse({"items": items, "next_cursor": following, "total": total})

    @routes.get("/lines/{line_id}", summary="One line and every decision made on it")
    async def one_line(line_id: str, principal: Caller) -> Response:
        """By the id of the line or of any of its recommendations."""
        async with database.transaction(principal.tenant) as tx:
            names = await lines.resolve(tx, principal.tenant, [line_id])
            line = await lines.find(tx, principal.tenant, names.get(line_id, ""))
            if line is None:
                raise problems.line_not_found(line_id)
            made = await decisions.of_line(tx, principal.tenant, line.line_id)
        body = {"line": line_document(line), "decisions": [plain_row(row) for row in made]}
        return Response(orjson.dumps(body), headers={"etag": etag(line.version)}, media_type="application/json")

    return routes


def orders_router(database: Database) -> APIRouter:
    """Orders, and the coded reasons."""
    routes = APIRouter(tags=["orders"])

    @routes.get("/orders", summary="Released orders, newest first")
    async def order_page(
        principal: Caller,
        status: str | None = None,
        supplier: str | None = None,
        location: str | None = None,
        limit: Limit = 50,
        cursor: str | None = None,
    ) -> Response:
        """With their lines, and who decided each."""
        place = _uncursor(cursor)
        try:
            before = (datetime.fromisoformat(place[0]), place[1]) if place else None
        except ValueError as error:
            raise Problem(
                400, "cursor_invalid", "The cursor is not one of ours", "Start again without a cursor."
            ) from error
        async with database.transaction(principal.tenant) as tx:
            rows = await orders.page(
                tx, principal.tenant, status=status, supplier=supplier, location=location, before=before, limit=limit
            )
            of_order: dict[str, list[Any]] = {}
            for row in await orders.lines_of(tx, principal.tenant, [row["order_id"] for row in rows]):
                of_order.setdefault(row["order_id"], []).append(plain_row(row, "tenant", "allows_order", "order_id"))
        items = [plain_row(row, "tenant") | {"lines": of_order[row["order_id"]]} for row in rows]
        following = _cursor(rows[-1]["released_at"].isoformat(), rows[-1]["order_id"]) if len(rows) == limit else None
        return Response(orjson.dumps({"items": items, "next_cursor": following}), media_type="application/json")

    @routes.get("/decision-reasons", summary="Coded reasons by verdict")
    async def decision_reasons(_principal: Caller) -> dict[str, list[dict[str, str]]]:
        """The codes are contract, the labels are for people."""
        known = {"amend": reasons.AMEND, "reject": reasons.REJECT, "snooze": reasons.SNOOZE, "cancel": reasons.RECALL}
        return {
            verb: [{"code": code, "label": label} for code, label in codes.items()] for verb, codes in known.items()
        }

    return routes
