"""Decisions: checked for form here, made by the approvals service, answered with the line as it is afterwards."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import httpx2
from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from kit.http import Problem
from services.gateway.api import models, present
from services.gateway.api.shared import Parts, Who
from services.gateway.context import Context
from services.gateway.store import queue
from services.gateway.store.rows import Row

router = APIRouter(prefix="/v1", tags=["decisions"])
BULK_LINES_MAX = 200

Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", max_length=64, description='the version you saw, as in ETag: "3"')
]
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", max_length=255, description="a fresh UUID for each new decision")
]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Decision(_In):
    """What to do with a line. Amend needs `quantity` and `reason` and may say `keep_until` which business date it outlives
    fresher numbers; reject needs `reason`; snooze needs `snooze_until` and may say what it `wakes_on` before that."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"verdict": "amend", "quantity": "200", "reason": "promotion_known"}]},
    )
    verdict: Literal["approve", "amend", "reject", "snooze"]
    quantity: Annotated[Decimal, Field(max_digits=30)] | None = None
    reason: Id | None = None
    note: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    snooze_until: date | None = None
    wakes_on: Literal["any_change", "sooner_stockout"] | None = None
    keep_until: date | None = None


class BulkLine(_In):
    recommendation_id: Id
    version: Annotated[int, Field(ge=0)]
    quantity: Annotated[Decimal, Field(max_digits=30)] | None = None


class BulkDecision(Decision):
    """The same decision about many lines; one that is refused does not hold up the others."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"verdict": "approve", "lines": [{"recommendation_id": "7f0c9b6e", "version": 0}]}]
        },
    )
    lines: Annotated[list[BulkLine], Field(min_length=1, max_length=BULK_LINES_MAX)]


class Cancellation(_In):
    """Why a released order is taken back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "ordered_in_error"}]})
    reason: Id
    note: Annotated[str, Field(min_length=1, max_length=200)] | None = None


def _version(if_match: str | None) -> dict[str, str]:
    """The version a command was decided on, passed on. Raises Problem 428 when it is missing."""
    if if_match is None:
        raise Problem(
            428,
            "version_missing",
            "If-Match is missing",
            'Send the version you decided on, for example If-Match: "0" from the ETag.',
        )
    return {"if-match": if_match}


def once(key: str | None) -> dict[str, str]:
    """The key that makes a command happen once, passed on. Raises Problem 400 when it is missing."""
    if key is None:
        raise Problem(
            400,
            "idempotency_key_missing",
            "Idempotency-Key is missing",
            "Send a fresh UUID with each new decision, and the same one when you try again.",
        )
    return {"idempotency-key": key}


async def _outcome(
    answer: httpx2.Response, who: Who, parts: Context, response: Response, known: Row | None = None
) -> models.DecisionOutcome:
    """The owner's answer with our line, as it will be once the decision has come round. `known`: that line, if it was read."""
    said = answer.json()
    row = known
    if row is None or row["line_id"] != said["line_id"]:
        row = await _listed(who, parts, line_id=said["line_id"])
    line = None
    if row is not None:
        line = present.line(row).model_copy(update=_as_decided(said))
    if "etag" in answer.headers:
        response.headers["ETag"] = answer.headers["etag"]
    return models.DecisionOutcome(
        recommendation_id=said["recommendation_id"],
        version=said["version"],
        status=said["status"],
        decision_id=said.get("decision_id"),
        undo_until=said.get("undo_until"),
        line=line,
    )


async def _listed(who: Who, parts: Context, **named: str) -> Row | None:
    """The line as a list shows it, by its own id or a recommendation's, among what this caller reads."""
    async with parts.reading(who) as tx:
        return await queue.one(tx, who.tenant, **named, whole=False)


def _as_decided(said: dict[str, Any]) -> dict[str, Any]:
    owner = said.get("line", {})
    return {
        "version": said["version"],
        "etag": present.etag(said["version"]),
        "status": said["status"],
        "quantity": owner.get("quantity", "0"),
        "value": owner.get("value", "0"),
        "decided_by": owner.get("decided_by"),
        "decided_at": owner.get("decided_at"),
        "snoozed_until": owner.get("snoozed_until"),
        "undo_until": said.get("undo_until"),
    }


@router.post("/recommendations/{recommendation_id}/decisions", summary="Decide one line")
async def decide(
    recommendation_id: str,
    body: Decision,
    who: Who,
    parts: Parts,
    response: Response,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> models.DecisionOutcome:
    """Missing If-Match 428, stale 412 with who, when and what; missing Idempotency-Key 400; refusals 403, 409, 422."""
    headers = _version(if_match) | once(idempotency_key)
    path = f"/lines/{segment(recommendation_id)}/decisions"
    # The owner takes much longer than this, and says what the decision changes of the line. Neither is cut off when the other
    # fails: a query that is cut off takes its connection out of the pool for a while.
    answer, known = await asyncio.gather(
        parts.owners.call("approvals", "POST", path, who.principal, json=_sent(body), headers=headers),
        _listed(who, parts, recommendation_id=recommendation_id),
        return_exceptions=True,
    )
    if isinstance(answer, BaseException):
        raise answer
    if isinstance(known, BaseException):
        raise known
    return await _outcome(answer, who, parts, response, known)


@router.post("/recommendations/{recommendation_id}/undo", summary="Take a decision back until its order is out")
async def undo(
    recommendation_id: str,
    who: Who,
    parts: Parts,
    response: Response,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> models.DecisionOutcome:
    """409 `undo_window_over` once the order is on its way; cancel the order then."""
    headers = _version(if_match) | (once(idempotency_key) if idempotency_key is not None else {})
    answer = await parts.owners.call(
        "approvals", "POST", f"/lines/{segment(recommendation_id)}/undo", who.principal, headers=headers
    )
    return await _outcome(answer, who, parts, response)


@router.post("/decisions:bulk", summary="Decide many lines, each on its own")
async def bulk(
    body: BulkDecision, who: Who, parts: Parts, idempotency_key: IdempotencyKey = None
) -> models.BulkOutcome:
    """200 with one result per line; a refused line carries its problem document."""
    headers = once(idempotency_key)
    answer = await parts.owners.call(
        "approvals", "POST", "/decisions:bulk", who.principal, json=_sent(body), headers=headers
    )
    said = answer.json()
    results = [
        models.BulkResult(**{name: one.get(name) for name in models.BulkResult.model_fields}) for one in said["results"]
    ]
    return models.BulkOutcome(results=results, succeeded=said["succeeded"], failed=said["failed"])


@router.post("/orders/{order_id}/cancel", summary="Take a released order back")
async def cancel(
    order_id: str, body: Cancellation, who: Who, parts: Parts, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Publishes a cancel order for the ERP; nothing is deleted."""
    headers = once(idempotency_key)
    answer = await parts.owners.call(
        "approvals",
        "POST",
        f"/orders/{segment(order_id, 'order')}/cancel",
        who.principal,
        json=_sent(body),
        headers=headers,
    )
    said: dict[str, Any] = answer.json()
    return {"order_id": said["order_id"], "status": said["status"]}


@router.get("/decision-reasons", summary="Coded reasons by verdict")
async def decision_reasons(who: Who, parts: Parts) -> dict[str, list[models.Coded]]:
    """The reasons the approvals service accepts, with their words."""
    answer = await parts.owners.call("approvals", "GET", "/decision-reasons", who.principal)
    return {
        verb: [models.Coded(code=one["code"], label=one["label"]) for one in reasons]
        for verb, reasons in answer.json().items()
    }


def _sent(body: BaseModel) -> Any:
    return body.model_dump(mode="json", exclude_none=True)


# As the owner says it of an id that it does not know.
NOT_THERE = {
    "line": ("line_not_found", "No such line"),
    "order": ("order_not_found", "No such order"),
    "proposal": ("proposal_not_found", "No such proposal"),
    "pin": ("unknown_pin", "There is no such pin"),
    "override": ("unknown_override", "There is no such override"),
    "back-test": ("unknown_backtest", "There is no such back-test"),
    "model": ("unknown_model", "There is no such model"),
}


def segment(name: str, what: str = "line") -> str:
    """The id of a thing (of `NOT_THERE`) as one path segment. Raises Problem 404 for what cannot be one."""
    if not name or len(name) > 64 or any(letter in "/?#%.\\" or not letter.isprintable() for letter in name):
        code, title = NOT_THERE[what]
        raise Problem(404, code, title, f"There is no {what} {name[:64]!r}.")
    return name
