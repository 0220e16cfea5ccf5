"""Which strategy speaks for which class of demand, and pins by planners; kept by the forecaster."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.deciding import IdempotencyKey, once, segment
from services.gateway.api.planning import OWNERS_ANSWER, Id
from services.gateway.api.shared import Parts, Who
from services.gateway.owners import passed

router = APIRouter(prefix="/v1", tags=["strategies"])
EXAMPLE: dict[str, Any] = {
    "strategy": "seasonal_mean", "sku": "1029743", "location": "367", "reason": "level_shift",
    "note": "The refit doubled the shelf; the model remembers the old one",
}  # fmt: skip


class Pin(BaseModel):
    """Which strategy shall forecast what is in the scope. Name a product, location, category or ABC class."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})
    strategy: Annotated[str, Field(min_length=1, max_length=64)]
    sku: Id | None = None
    location: Id | None = None
    category: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    abc_class: Annotated[str, Field(min_length=1, max_length=8)] | None = None
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
    note: Annotated[str, Field(min_length=1, max_length=200)] | None = None


@router.get(
    "/strategy-pins", summary="Which strategy speaks for what: the choice and the pins", responses=OWNERS_ANSWER
)
async def listed(who: Who, parts: Parts, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> Response:
    """`choice`: for each class of demand the strategy that the speaking model's back-test chose, with what each scored
    (quantile loss of 28-day totals at the service levels plus half of |bias|; lower is better). `items`: pins, those
    that hold first. `pinnable`: what may be pinned."""
    return passed(await parts.owners.call("forecaster", "GET", "/pins", who.principal, params={"limit": limit}))


@router.post("/strategy-pins", status_code=201, summary="Pin a strategy", responses=OWNERS_ANSWER)
async def add(body: Pin, who: Who, parts: Parts, idempotency_key: IdempotencyKey = None) -> Response:
    """Set once however often it is sent with one Idempotency-Key; its items are forecast again at once. A pin on a
    product beats one on a group, which beats the choice; a pin of the same scope is taken back by it."""
    sent = body.model_dump(mode="json", exclude_none=True)
    answer = await parts.owners.call(
        "forecaster", "POST", "/pins", who.principal, json=sent, headers=once(idempotency_key)
    )
    return passed(answer)


@router.post("/strategy-pins/{pin_id}/withdrawal", summary="Take a pin back", responses=OWNERS_ANSWER)
async def withdraw(pin_id: str, who: Who, parts: Parts) -> Response:
    """The choice by back-test speaks again; the pin stays on record."""
    path = f"/pins/{segment(pin_id, 'pin')}/withdrawal"
    return passed(await parts.owners.call("forecaster", "POST", path, who.principal))
