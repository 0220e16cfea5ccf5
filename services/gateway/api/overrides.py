"""Overrides of forecasts by people, kept by the forecaster."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.deciding import IdempotencyKey, once, segment
from services.gateway.api.planning import OWNERS_ANSWER, Id
from services.gateway.api.shared import Parts, Who
from services.gateway.owners import passed

router = APIRouter(prefix="/v1", tags=["overrides"])
EXAMPLE: dict[str, Any] = {
    "kind": "add", "sku": "1029743", "location": "367", "from_on": "2017-11-24", "to_on": "2017-11-30",
    "units": "120", "reason": "customer_order", "note": "Catering order of the town hall",
}  # fmt: skip
# Why people know better, as the pages offer it; any code of this form is taken.
REASONS = {
    "promotion": "Promotion or campaign",
    "customer_order": "A customer's order",
    "event": "Local event",
    "competitor": "Competitor opens, closes or acts",
    "listing": "Listed or delisted",
    "price": "Price change",
    "season": "Season or weather",
    "data_wrong": "The history is wrong",
    "other": "Another reason (say it in the note)",
}


class Override(BaseModel):
    """What a person knows about demand: `units` for the whole period, over all items of the scope together."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})
    kind: Literal["add", "replace"]
    sku: Id | None = None
    location: Id | None = None
    category: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    from_on: date
    to_on: date
    units: Annotated[Decimal, Field(max_digits=16, decimal_places=4, allow_inf_nan=False)]
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
    note: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    expires_on: date | None = None


@router.get("/overrides", summary="Overrides of forecasts, and what they were worth", responses=OWNERS_ANSWER)
async def listed(
    who: Who, parts: Parts, active: bool = False, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> Response:
    """Newest first. `value.added` is the share of error an override avoided on the windows scored so far; negative: it
    made the forecast worse. `value` of the answer sums by author and reason."""
    wanted = {"active": str(active).lower(), "limit": limit}
    return passed(await parts.owners.call("forecaster", "GET", "/overrides", who.principal, params=wanted))


@router.get("/override-reasons", summary="Reasons for an override")
async def reasons(who: Who) -> dict[str, Any]:
    """Codes with their words."""
    return {"items": [{"code": code, "label": label} for code, label in REASONS.items()]}


@router.post("/overrides", status_code=201, summary="Override a forecast", responses=OWNERS_ANSWER)
async def add(body: Override, who: Who, parts: Parts, idempotency_key: IdempotencyKey = None) -> Response:
    """Set once however often it is sent with one Idempotency-Key. Kept through every new forecast until it is taken
    back, expires, or its period is over; split over a group in proportion to what its items sell, discontinued ones
    left out."""
    sent = body.model_dump(mode="json", exclude_none=True)
    answer = await parts.owners.call(
        "forecaster", "POST", "/overrides", who.principal, json=sent, headers=once(idempotency_key)
    )
    return passed(answer)


@router.get("/overrides/{override_id}", summary="One override", responses=OWNERS_ANSWER)
async def one(override_id: str, who: Who, parts: Parts) -> Response:
    """With what it was worth so far."""
    return passed(
        await parts.owners.call("forecaster", "GET", f"/overrides/{segment(override_id, 'override')}", who.principal)
    )


@router.post("/overrides/{override_id}/withdrawal", summary="Take an override back", responses=OWNERS_ANSWER)
async def withdraw(override_id: str, who: Who, parts: Parts) -> Response:
    """The next forecasts are the model's own again; the override stays on record."""
    path = f"/overrides/{segment(override_id, 'override')}/withdrawal"
    return passed(await parts.owners.call("forecaster", "POST", path, who.principal))
