"""How forecasts turned out, what drifts, and which model speaks: asked of the forecaster."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.deciding import segment
from services.gateway.api.planning import OWNERS_ANSWER
from services.gateway.api.shared import Parts, Who
from services.gateway.owners import passed

router = APIRouter(prefix="/v1", tags=["accuracy"])
GroupBy = Literal["all", "item", "location", "category", "class", "model", "strategy", "horizon", "month"]
Filter = Annotated[str | None, Query(max_length=200)]
Days = Annotated[int | None, Query(ge=1, le=56, description="days ahead; left out: each item's own lead time")]


class ModelDecision(BaseModel):
    """Promote a model that waits, or an earlier one again; or reject one that waits."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"verdict": "promote", "reason": "Better on our slow sellers"}]}
    )
    verdict: Literal["promote", "reject"]
    reason: Annotated[str, Field(min_length=3, max_length=150)]


@router.get("/accuracy", summary="Accuracy of published forecasts", responses=OWNERS_ANSWER)
async def accuracy(
    who: Who,
    parts: Parts,
    group_by: GroupBy = "all",
    horizon_days: Days = None,
    sku: Filter = None,
    location: Filter = None,
    category: Filter = None,
    abc_class: Filter = None,
    model_id: Filter = None,
    since: date | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    """Every forecast is scored when the last day it speaks of closes. `total_error`, `bias` and `quantile_loss` are
    shares of demand; `value_added` is the share of error avoided against repeating last week, `people_added` by
    overrides; `coverage` comes with the band that chance alone explains. Most error first."""
    wanted = {
        "group_by": group_by, "horizon_days": horizon_days, "sku": sku, "location": location, "category": category,
        "abc_class": abc_class, "model_id": model_id, "since": since.isoformat() if since else None, "limit": limit,
    }  # fmt: skip
    return passed(await parts.owners.call("forecaster", "GET", "/accuracy", who.principal, params=wanted))


@router.get("/accuracy/days", summary="Accuracy day by day", responses=OWNERS_ANSWER)
async def days(
    who: Who,
    parts: Parts,
    horizon_days: Annotated[int, Query(ge=1, le=56)] = 7,
    days: Annotated[int, Query(ge=1, le=400)] = 90,
    location: Filter = None,
) -> Response:
    """One entry per closed day, oldest first."""
    wanted = {"horizon_days": horizon_days, "days": days, "location": location}
    return passed(await parts.owners.call("forecaster", "GET", "/accuracy/days", who.principal, params=wanted))


@router.get("/accuracy/drift", summary="What drifts", responses=OWNERS_ANSWER)
async def drift(who: Who, parts: Parts) -> Response:
    """Rules of accuracy that are or were broken, and the last 28 days at seven days ahead."""
    return passed(await parts.owners.call("forecaster", "GET", "/accuracy/drift", who.principal))


@router.get("/training/promotions", summary="History of promotions", responses=OWNERS_ANSWER)
async def promotions(who: Who, parts: Parts) -> Response:
    """What became of every trained model, newest first: by whom and why."""
    return passed(await parts.owners.call("forecaster", "GET", "/promotions", who.principal))


@router.post("/training/models/{model_id}/decision", summary="Decide which model speaks", responses=OWNERS_ANSWER)
async def decide(model_id: str, body: ModelDecision, who: Who, parts: Parts) -> Response:
    """409 when the model does not wait for that decision. The next forecasts come from the promoted model."""
    path = f"/models/{segment(model_id, 'model')}/decision"
    return passed(await parts.owners.call("forecaster", "POST", path, who.principal, json=body.model_dump(mode="json")))
