"""The approval matrix and delegations, asked of the approvals service."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from schemas.base import Money, Text
from schemas.matrix import ApprovalRule, Coverage, Delegation
from services.gateway.api.deciding import IdempotencyKey, once, segment
from services.gateway.api.planning import OWNERS_ANSWER
from services.gateway.api.shared import Parts, Who
from services.gateway.owners import passed

router = APIRouter(prefix="/v1", tags=["approval matrix"])
_RULE: dict[str, Any] = {
    "code": "policy_exception",
    "says": "Outside what the policy allows: an approver agrees within a day.",
    "reasons": ["policy_exception"],
    "signatures": "approver",
    "sla_hours": 24,
    "escalate_to": "approver",
}


class Matrix(BaseModel):
    """Rules, who covers what, who stands in for whom, and from which sum a split order is seen. `limits_reading`: people and
    keys that are no auditor or administrator read only what they cover."""

    model_config = ConfigDict(extra="forbid")
    rules: Annotated[list[ApprovalRule], Field(max_length=200)] = []
    coverage: Annotated[list[Coverage], Field(max_length=1000)] = []
    delegations: Annotated[list[Delegation], Field(max_length=1000)] = []
    rolling_value_above: Money | None = None
    limits_reading: bool = False


class MatrixProposal(BaseModel):
    """The whole matrix as it should be, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"matrix": {"rules": [_RULE]}, "reason": "exceptions lie too long"}]},
    )
    matrix: Matrix
    reason: Text


class NewDelegation(BaseModel):
    """To whom, and on which days, both included."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"delegate": "ben", "starts": "2017-12-18", "ends": "2017-12-29", "reason": "holiday"}]
        },
    )
    delegate: Annotated[str, Field(min_length=1, max_length=64)]
    starts: date
    ends: date
    reason: Text


@router.get(
    "/approval-matrix", summary="The approval matrix in force, and proposals to change it", responses=OWNERS_ANSWER
)
async def in_force(who: Who, parts: Parts) -> Response:
    """Version 0 is what holds before a tenant puts its own in force."""
    return passed(await parts.owners.call("approvals", "GET", "/matrix", who.principal))


@router.post("/approval-matrix/proposals", status_code=201, summary="Propose another matrix", responses=OWNERS_ANSWER)
async def propose(body: MatrixProposal, who: Who, parts: Parts, idempotency_key: IdempotencyKey = None) -> Response:
    """Answers what it would change for the lines that wait now; another person puts it in force."""
    return await _command(who, parts, "/matrix/proposals", idempotency_key, body)


@router.post(
    "/approval-matrix/proposals/{proposal_id}/approve",
    summary="Put another person's proposal in force",
    responses=OWNERS_ANSWER,
)
async def approve(proposal_id: str, who: Who, parts: Parts, idempotency_key: IdempotencyKey = None) -> Response:
    """409 for one's own proposal, for one that is decided, and for one that an older version was the base of."""
    return await _command(who, parts, f"/matrix/proposals/{segment(proposal_id, 'proposal')}/approve", idempotency_key)


@router.post(
    "/approval-matrix/proposals/{proposal_id}/end",
    summary="Withdraw one's own proposal, decline another's",
    responses=OWNERS_ANSWER,
)
async def end(proposal_id: str, who: Who, parts: Parts, idempotency_key: IdempotencyKey = None) -> Response:
    """It stays on record."""
    return await _command(who, parts, f"/matrix/proposals/{segment(proposal_id, 'proposal')}/end", idempotency_key)


@router.post("/delegations", status_code=201, summary="Give one's own seat to another person", responses=OWNERS_ANSWER)
async def delegate(body: NewDelegation, who: Who, parts: Parts, idempotency_key: IdempotencyKey = None) -> Response:
    """In force at once, as a version of the matrix; it ends by itself."""
    return await _command(who, parts, "/delegations", idempotency_key, body)


async def _command(who: Who, parts: Parts, path: str, key: str | None, body: BaseModel | None = None) -> Response:
    sent: Any = body.model_dump(mode="json") if body is not None else None
    answer = await parts.owners.call("approvals", "POST", path, who.principal, json=sent, headers=once(key))
    return passed(answer)
