"""Planning runs, what-if, training and the policy parameters: asked of their owners, or read from what they published."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from kit.database import Transaction
from schemas.base import Day
from services.gateway.api import models
from services.gateway.api.covered import must_cover_item
from services.gateway.api.same import UNCHANGED, same_for_all
from services.gateway.api.shared import Parts, Who
from services.gateway.owners import passed
from services.gateway.store import views
from services.gateway.store.rows import Row, instant, loaded

router = APIRouter(prefix="/v1", tags=["planning"])
Id = Annotated[str, Field(min_length=1, max_length=64)]
OWNERS_ANSWER: dict[int | str, dict[str, Any]] = {
    503: {"description": "The owner service cannot be reached; nothing was changed."}
}


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WhatIf(_In):
    """One item with something changed; what is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"sku": "1029743", "location": "367", "quantity": "240"}]}
    )
    sku: Id
    location: Id
    quantity: Annotated[Decimal, Field(ge=0, max_digits=16, decimal_places=4)] | None = None
    lead_time_days: Annotated[int, Field(ge=0, le=730)] | None = None
    service_level: Annotated[Decimal, Field(gt=0, lt=1, max_digits=8)] | None = None
    demand_multiplier: Annotated[Decimal, Field(gt=0, le=100, max_digits=8)] | None = None
    without_signal: Id | None = None


class PlanningRun(_In):
    """What to plan: one location, what one supplier delivers, or one ABC class; nothing named: everything. At the last
    closed business day unless another is named."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}, {"supplier": "S-102"}]})
    location: Id | None = None
    supplier: Id | None = None
    abc_class: Literal["A", "B", "C"] | None = None
    business_date: Day | None = None


class Training(_In):
    """Train now; nothing to choose yet."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})


@router.post("/whatif", summary="The same policy with something changed", responses=OWNERS_ANSWER)
async def whatif(body: WhatIf, who: Who, parts: Parts) -> Response:
    """Computed by the policy service with the code that plans; nothing is kept."""
    await must_cover_item(parts, who, body.sku, body.location)
    return passed(
        await parts.owners.call(
            "policy", "POST", "/what-if", who.principal, json=body.model_dump(mode="json", exclude_none=True)
        )
    )


@router.post("/planning-runs", status_code=202, summary="Plan now", responses=OWNERS_ANSWER)
async def start_run(body: PlanningRun, who: Who, parts: Parts) -> Response:
    """Starts a run of the policy service."""
    return passed(
        await parts.owners.call(
            "policy", "POST", "/runs", who.principal, json=body.model_dump(mode="json", exclude_none=True)
        )
    )


@router.get("/planning-runs", summary="Planning runs", responses=OWNERS_ANSWER)
async def runs(who: Who, parts: Parts) -> Response:
    """As the policy service knows them, newest first."""
    return passed(await parts.owners.call("policy", "GET", "/runs", who.principal))


@router.post("/training", status_code=202, summary="Train the forecast models now", responses=OWNERS_ANSWER)
async def train(body: Training, who: Who, parts: Parts) -> Response:
    """Starts a training run of the forecaster."""
    return passed(
        await parts.owners.call("forecaster", "POST", "/train", who.principal, json=body.model_dump(mode="json"))
    )


@router.get("/training", summary="Forecast models and training runs", responses=OWNERS_ANSWER)
async def training(who: Who, parts: Parts) -> dict[str, Any]:
    """The forecaster's registry, and how far it is: forecasts still due, the last job, the days it knows."""
    models_known = await parts.owners.call("forecaster", "GET", "/models", who.principal)
    state = await parts.owners.call("forecaster", "GET", "/status", who.principal)
    return {"models": models_known.json()["models"], "state": state.json()}


@router.get(
    "/policy",
    summary="The policy parameters, every published version",
    response_model=models.Listed[models.PolicyView],
    responses=UNCHANGED,
)
async def policy(request: Request, response: Response, who: Who, parts: Parts) -> Response:
    """`current` marks the newest version of each scope."""

    async def found(tx: Transaction) -> models.Listed[models.PolicyView]:
        return _published(await views.policies(tx, who.tenant))

    return await same_for_all(request, response, who, parts, found)


def _published(rows: list[Row]) -> models.Listed[models.PolicyView]:
    newest: dict[str, int] = {}
    for row in rows:
        newest[row["scope"]] = max(newest.get(row["scope"], 0), row["version"])
    return models.Listed(
        items=[
            models.PolicyView(
                scope=row["scope"],
                version=row["version"],
                current=row["version"] == newest[row["scope"]],
                parameters=loaded(row["parameters"]),
                effective_from=row["valid_from"].isoformat(),
                published_at=instant(row["published_at"]) or "",
                published_by=row["published_by"],
                reason=row["reason"],
            )
            for row in rows
        ]
    )
