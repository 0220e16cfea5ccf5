"""The policy parameters over HTTP: what is in force, what a change would do, proposals, and a second person's consent."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header
from pydantic import BaseModel, ConfigDict, Field

from kit.database import Database
from kit.identity import Principal, require
from kit.relay import Relay
from schemas.base import Text
from services.policy.domain.parameters import Parameters
from services.policy.governing import GOVERNS, PROPOSALS_SHOWN, Council
from services.policy.runner import Runner
from services.policy.store import policies, proposals, runs

Caller = Annotated[Principal, Depends(require())]
Governor = Annotated[Principal, Depends(require(*GOVERNS))]
Key = Annotated[str, Header(min_length=1, max_length=255, alias="Idempotency-Key")]
Changes = Annotated[dict[str, Annotated[str, Field(max_length=40)]], Field(min_length=1, max_length=100)]


class Preview(BaseModel):
    """Parameters as they should be; those that are absent stay as they are."""

    model_config = ConfigDict(extra="forbid")
    parameters: Changes


class Proposal(Preview):
    """The same, and why."""

    reason: Text


def attach(app: FastAPI, database: Database, runner: Runner, relay: Relay) -> None:
    """Put the routes on the service's app."""
    council = Council(database)
    app.include_router(_questions(database, council))
    app.include_router(_commands(database, council, runner, relay))


def _questions(database: Database, council: Council) -> APIRouter:
    routes = APIRouter()

    @routes.get("/policy")
    async def read_policy(caller: Caller) -> dict[str, Any]:
        """All versions of the parameters, newest first, the defaults for what a version leaves out, and proposals."""
        async with database.transaction(caller.tenant) as tx:
            found = await policies.versions(tx, caller.tenant)
            open_first = await proposals.newest(tx, caller.tenant, PROPOSALS_SHOWN)
        items = [one | {"valid_from": one["valid_from"].isoformat()} for one in found]
        return {"items": items, "defaults": Parameters().as_text(), "proposals": open_first}

    @routes.post("/policy/preview")
    async def preview(body: Preview, caller: Caller) -> dict[str, Any]:
        """What the next plan would say under these parameters, beside what it says now; changes nothing."""
        return await council.preview(caller.tenant, body.parameters)

    @routes.get("/policy/weights")
    async def weights(caller: Caller) -> dict[str, Any]:
        """The Pareto report: margin lost, holding and risk a year under other weights, and which settings none other beats."""
        return await council.weights(caller.tenant)

    return routes


def _commands(database: Database, council: Council, runner: Runner, relay: Relay) -> APIRouter:
    routes = APIRouter()

    @routes.post("/policy/proposals", status_code=201)
    async def propose(body: Proposal, caller: Governor, key: Key) -> dict[str, Any]:
        """Reckon the effect and keep both; sent twice with the same key, it is kept once."""
        effect = await council.preview(caller.tenant, body.parameters)
        async with database.transaction(caller.tenant) as tx:
            return await council.propose(tx, caller, body.parameters, effect, body.reason, key)

    @routes.post("/policy/proposals/{proposal_id}/approve")
    async def approve(proposal_id: str, caller: Governor) -> dict[str, Any]:
        """409 `own_proposal`, `proposal_decided`, `proposal_out_of_date`. Everything is planned again under it."""
        async with database.transaction(caller.tenant) as tx:
            published = await council.approve(tx, caller, proposal_id)
            day = await runs.business_date(tx, caller.tenant, runs.EVERYTHING)
        relay.wake()
        run_id = await runner.request(caller.tenant, runs.EVERYTHING, day, caller.subject) if day else None
        return published.model_dump(mode="json", exclude={"tenant"}) | {"run_id": run_id}

    @routes.post("/policy/proposals/{proposal_id}/end")
    async def end(proposal_id: str, caller: Governor) -> dict[str, Any]:
        """Withdraw one's own proposal, decline another's; it stays on record."""
        async with database.transaction(caller.tenant) as tx:
            return {"proposal_id": proposal_id, "state": await council.end(tx, caller, proposal_id)}

    return routes
