"""The approval matrix over HTTP: what is in force, proposals to change it, and delegations."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from kit.clock import Clock
from kit.database import Database, Transaction, savepoint
from kit.http import Problem
from kit.identity import Principal, require
from kit.relay import Relay
from schemas.base import Money, Text
from schemas.matrix import Delegation
from services.approvals.api import problems
from services.approvals.api.once import Outcome, idempotency_key, once, refused
from services.approvals.domain import authority
from services.approvals.domain.authority import Actor
from services.approvals.domain.refusals import Refusal
from services.approvals.governing import GOVERNS, Council
from services.approvals.matrix_messages import matrix_document
from services.approvals.settings import Settings
from services.approvals.store import matrices

Caller = Annotated[Principal, Depends(require())]
Governor = Annotated[Principal, Depends(require(*GOVERNS))]
SHOWN_MAX = 50


class ProposalIn(BaseModel):
    """The whole matrix as it should be, and why."""

    model_config = ConfigDict(extra="forbid")
    matrix: dict[str, Any]
    reason: Text


class LimitsIn(BaseModel):
    """Another limit of one signature."""

    model_config = ConfigDict(extra="forbid")
    second_signature_above: Money


class DelegationIn(BaseModel):
    """To whom, and on which days, both included."""

    model_config = ConfigDict(extra="forbid")
    delegate: Annotated[str, Field(min_length=1, max_length=64)]
    starts: str
    ends: str
    reason: Text


def router(database: Database, relay: Relay, settings: Settings, clock: Clock) -> APIRouter:
    """The routes of the matrix."""
    routes = APIRouter(tags=["matrix"])
    council = Council(settings, clock)

    async def once_only(principal: Principal, request: Request, work: Any) -> Response:
        return await once(database, relay, principal, request, idempotency_key(request), _refusing(work))

    @routes.get("/matrix", summary="The approval matrix in force, and proposals to change it")
    async def in_force(principal: Caller) -> dict[str, Any]:
        """Version 0 is what holds before a tenant publishes its own."""
        async with database.transaction(principal.tenant) as tx:
            newest = await matrices.newest(tx, principal.tenant)
            proposals = await matrices.proposals(tx, principal.tenant, SHOWN_MAX)
        document = matrix_document(newest)
        return {"matrix": document, "proposals": proposals}

    @routes.post("/limits/effect", summary="What another limit would ask of the lines that wait; changes nothing")
    async def effect(body: LimitsIn, principal: Caller) -> dict[str, Any]:
        """The parameters are the policy service's; whose consent they ask is decided here."""
        async with database.transaction(principal.tenant) as tx:
            return await council.effect_of_limits(tx, principal.tenant, body.second_signature_above)

    @routes.post("/matrix/proposals", summary="Propose another matrix")
    async def propose(body: ProposalIn, principal: Governor, request: Request) -> Response:
        """201 with what it would change for the lines that wait. Needs Idempotency-Key."""

        async def work(tx: Transaction) -> Outcome:
            key = idempotency_key(request)
            return 201, await council.propose(tx, principal, body.matrix, body.reason, key), None

        return await once_only(principal, request, work)

    @routes.post("/matrix/proposals/{proposal_id}/approve", summary="Put another person's proposal in force")
    async def approve(proposal_id: str, principal: Governor, request: Request) -> Response:
        """409 `own_proposal`, `proposal_decided`, `proposal_out_of_date`. Needs Idempotency-Key."""

        async def work(tx: Transaction) -> Outcome:
            published = await council.approve(tx, principal, proposal_id)
            return 200, matrix_document(published), None

        return await once_only(principal, request, work)

    @routes.post("/matrix/proposals/{proposal_id}/end", summary="Withdraw one's own proposal, decline another's")
    async def end(proposal_id: str, principal: Governor, request: Request) -> Response:
        """Needs Idempotency-Key."""

        async def work(tx: Transaction) -> Outcome:
            return 200, {"proposal_id": proposal_id, "state": await council.end(tx, principal, proposal_id)}, None

        return await once_only(principal, request, work)

    @routes.post("/delegations", summary="Give one's own seat to another person for some days")
    async def delegate(body: DelegationIn, principal: Caller, request: Request) -> Response:
        """In force at once, as a version of the matrix. Needs Idempotency-Key."""

        async def work(tx: Transaction) -> Outcome:
            authority.may_decide(Actor(principal.subject, principal.roles))
            given = _delegation(principal.subject, body)
            return 201, matrix_document(await council.delegate(tx, principal, given)), None

        return await once_only(principal, request, work)

    return routes


def _delegation(delegator: str, body: DelegationIn) -> Delegation:
    try:
        return Delegation.model_validate(body.model_dump() | {"delegator": delegator})
    except ValueError as error:
        raise Problem(
            422,
            "delegation_invalid",
            "This is not a delegation",
            f"{error}".splitlines()[-1][:200],
            errors=[
                {
                    "field": "delegate",
                    "reason": "another person, and days written as 2017-12-18, ends not before starts",
                }
            ],
        ) from error


def _refusing(work: Any) -> Any:
    """A refusal is an answer like any other: it is stored, and told again when the request is sent again."""

    async def run(tx: Transaction) -> Outcome:
        try:
            async with savepoint(tx):
                outcome: Outcome = await work(tx)
                return outcome
        except Refusal as refusal:
            return refused(problems.of_refusal(refusal))
        except Problem as problem:
            return refused(problem)

    return run
