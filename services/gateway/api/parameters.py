"""Changing a policy parameter: the effect first, then a proposal, then another person's consent. Asked of the policy service."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from kit.http import Problem
from schemas.base import Text
from services.gateway.api import models
from services.gateway.api.deciding import IdempotencyKey, once, segment
from services.gateway.api.planning import OWNERS_ANSWER
from services.gateway.api.shared import Parts, Who
from services.gateway.owners import passed

router = APIRouter(prefix="/v1/policy", tags=["planning"])
# The one parameter that approvals keeps: what it asks of the waiting lines is theirs to say.
SIGNATURE_LIMIT = "second_signature_above"


class ParameterChange(BaseModel):
    """Parameters as they should be; those that are left out stay as they are."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"parameters": {"service_goal_a": "0.99"}}]}
    )
    parameters: Annotated[dict[str, Annotated[str, Field(max_length=40)]], Field(min_length=1, max_length=100)]


class ParameterProposal(ParameterChange):
    """The same, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"parameters": {"service_goal_a": "0.99"}, "reason": "class A ran empty twice in May"}]
        },
    )
    reason: Text


@router.get("/proposals", summary="Proposals to change the parameters", responses=OWNERS_ANSWER)
async def proposals(who: Who, parts: Parts) -> dict[str, Any]:
    """Newest first, each with the effect its author was shown; the parameters in force, defaults included; every version."""
    said = (await parts.owners.call("policy", "GET", "/policy", who.principal)).json()
    newest: dict[str, Any] = next((one for one in said["items"] if one["scope"] == "default"), {})
    return {
        "version": newest.get("version", 0),
        "parameters": said["defaults"] | newest.get("parameters", {}),
        "defaults": said["defaults"],
        "items": said["proposals"],
        "versions": said["items"],
    }


class WeightsSetting(models.View):
    """One setting, `service:cost:risk` or `in force`, and what it leads to: money a year, share of demand met, value of the
    stock at the levels. `like`: settings that lead to the same."""

    setting: str
    margin_lost_a_year: str
    holding_a_year: str
    risk_a_year: str
    fill_rate: str | None
    stock_value_at_level: str
    is_efficient: bool
    like: list[str] = []


class WeightsOfClass(models.View):
    """All items, or those of a class: the parameters in force, the settings that no other one beats in margin lost, holding
    and risk together, and which settings are better than the parameters in force in all three."""

    name: str
    in_force: WeightsSetting
    efficient: list[WeightsSetting]
    better_than_in_force: list[str]
    beaten: list[str]


_SETTING: dict[str, Any] = {
    "setting": "in force", "margin_lost_a_year": "1520.4", "holding_a_year": "803.1", "risk_a_year": "9204.77",
    "fill_rate": "0.9711", "stock_value_at_level": "4120.5", "is_efficient": True, "like": [],
}  # fmt: skip
_WEIGHED: dict[str, Any] = {
    "name": "all", "in_force": _SETTING, "efficient": [_SETTING | {"setting": "0.03:1:0.01", "like": ["0.03:1:0.01"]}],
    "better_than_in_force": ["0.03:1:0.01"], "beaten": ["1:1:0.1"],
}  # fmt: skip


class WeightsOnHistory(models.View):
    """The same settings, judged by what was really asked for from the first day to the last: each item ordered up to the levels
    that the newest forecasts ask for, at each of its reviews, and what was not there is lost."""

    first_day: str
    last_day: str
    items: int
    items_left_out: int
    all: WeightsOfClass
    by_class: list[WeightsOfClass]


class WeightsView(models.View):
    """What other weights of service, cost and risk would lead to, expected on the newest forecasts; nothing is kept. `history`:
    on the tenant's own sales; null while fewer than 28 days are known."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "version": 3, "items": 1200, "items_left_out": 14, "known_items": 1214, "currency": "EUR",
                "all": _WEIGHED, "by_class": [_WEIGHED | {"name": "AX"}],
                "history": {
                    "first_day": "2026-08-24", "last_day": "2026-11-22", "items": 1180, "items_left_out": 34,
                    "all": _WEIGHED, "by_class": [_WEIGHED | {"name": "AX"}],
                },
            }
        }
    )  # fmt: skip
    version: int
    items: int
    items_left_out: int
    known_items: int
    currency: str | None
    all: WeightsOfClass
    by_class: list[WeightsOfClass]
    history: WeightsOnHistory | None = None


@router.get("/weights", summary="What other weights of service, cost and risk would lead to", responses=OWNERS_ANSWER)
async def weights(who: Who, parts: Parts) -> WeightsView:
    """The Pareto report by the policy service's own code, for all items looked at and by class: those with an open line
    first, 2,000 at most."""
    return WeightsView(**(await parts.owners.call("policy", "GET", "/policy/weights", who.principal)).json())


@router.post("/preview", summary="What other parameters would change", responses=OWNERS_ANSWER)
async def preview(body: ParameterChange, who: Who, parts: Parts) -> dict[str, Any]:
    """Planned twice by the policy service, as things are and as they would be; nothing is kept. `signatures` is what the
    approvals service would ask of the lines that wait, where the limit of one signature changes."""
    sent = body.model_dump(mode="json")
    planned = parts.owners.call("policy", "POST", "/policy/preview", who.principal, json=sent)
    answer, signatures = await asyncio.gather(planned, _signatures(body, who, parts))
    effect: dict[str, Any] = answer.json()
    return effect | {"signatures": signatures}


async def _signatures(body: ParameterChange, who: Who, parts: Parts) -> Any:
    """None where the limit stays, or is no limit at all: then the policy service says what is wrong with it."""
    if SIGNATURE_LIMIT not in body.parameters:
        return None
    limit = {SIGNATURE_LIMIT: body.parameters[SIGNATURE_LIMIT]}
    try:
        return (await parts.owners.call("approvals", "POST", "/limits/effect", who.principal, json=limit)).json()
    except Problem as problem:
        if problem.status == 422:
            return None
        raise


@router.post("/proposals", status_code=201, summary="Propose other parameters", responses=OWNERS_ANSWER)
async def propose(body: ParameterProposal, who: Who, parts: Parts, idempotency_key: IdempotencyKey = None) -> Response:
    """Kept with its effect; another approver or administrator puts it in force."""
    return await _command(who, parts, "/policy/proposals", idempotency_key, body)


@router.post(
    "/proposals/{proposal_id}/approve", summary="Put another person's parameters in force", responses=OWNERS_ANSWER
)
async def approve(proposal_id: str, who: Who, parts: Parts, idempotency_key: IdempotencyKey = None) -> Response:
    """409 for one's own proposal, a decided one, and one reckoned from an older version. Everything is planned again."""
    return await _command(who, parts, f"/policy/proposals/{segment(proposal_id, 'proposal')}/approve", idempotency_key)


@router.post(
    "/proposals/{proposal_id}/end", summary="Withdraw one's own parameters, decline another's", responses=OWNERS_ANSWER
)
async def end(proposal_id: str, who: Who, parts: Parts, idempotency_key: IdempotencyKey = None) -> Response:
    """It stays on record."""
    return await _command(who, parts, f"/policy/proposals/{segment(proposal_id, 'proposal')}/end", idempotency_key)


async def _command(who: Who, parts: Parts, path: str, key: str | None, body: BaseModel | None = None) -> Response:
    sent: Any = body.model_dump(mode="json") if body is not None else None
    return passed(await parts.owners.call("policy", "POST", path, who.principal, json=sent, headers=once(key)))
