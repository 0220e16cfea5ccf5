"""Back-tests: asked of the forecaster, watched, cancelled, read; a link to one keeps working."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.deciding import IdempotencyKey, once, segment
from services.gateway.api.planning import OWNERS_ANSWER, Id
from services.gateway.api.shared import Parts, Who
from services.gateway.owners import passed

router = APIRouter(prefix="/v1", tags=["backtests"])
EXAMPLE: dict[str, Any] = {
    "strategies": ["lightgbm", "seasonal_naive"], "origins": 3, "step_days": 28, "location": "367", "abc_class": "A"
}  # fmt: skip


class Backtest(BaseModel):
    """Which items (nothing named: all), which strategies, at how many past days, how far apart."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})
    strategies: Annotated[list[Id], Field(min_length=1, max_length=6)]
    origins: Annotated[int, Field(ge=1, le=12)] = 3
    step_days: Annotated[int, Field(ge=1, le=91)] = 28
    skus: Annotated[list[Id], Field(max_length=200)] = []
    location: Id | None = None
    category: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    abc_class: Annotated[str, Field(pattern="^[ABC]$")] | None = None


@router.get("/strategies", summary="Ways of forecasting", responses=OWNERS_ANSWER)
async def strategies(who: Who, parts: Parts) -> Response:
    """Names a back-test may ask for."""
    return passed(await parts.owners.call("forecaster", "GET", "/strategies", who.principal))


@router.get("/backtests", summary="Back-tests", responses=OWNERS_ANSWER)
async def listed(who: Who, parts: Parts, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Response:
    """Newest first, without their results."""
    return passed(await parts.owners.call("forecaster", "GET", "/backtests", who.principal, params={"limit": limit}))


@router.post("/backtests", status_code=202, summary="Back-test strategies on past days", responses=OWNERS_ANSWER)
async def ask(body: Backtest, who: Who, parts: Parts, idempotency_key: IdempotencyKey = None) -> Response:
    """Every strategy speaks at every origin, having seen nothing later; one back-test runs at a time."""
    sent = body.model_dump(mode="json", exclude_none=True)
    answer = await parts.owners.call(
        "forecaster", "POST", "/backtests", who.principal, json=sent, headers=once(idempotency_key)
    )
    return passed(answer)


@router.get("/backtests/{backtest_id}", summary="One back-test", responses=OWNERS_ANSWER)
async def one(backtest_id: str, who: Who, parts: Parts) -> Response:
    """State and progress; when it is done: measures by horizon, coverage with its binomial band, bias, value added over
    repeating last week, by location and category, and the history of the largest items to lay the forecasts over."""
    return passed(
        await parts.owners.call("forecaster", "GET", f"/backtests/{segment(backtest_id, 'back-test')}", who.principal)
    )


@router.post("/backtests/{backtest_id}/cancel", summary="Cancel a back-test", responses=OWNERS_ANSWER)
async def cancel(backtest_id: str, who: Who, parts: Parts) -> Response:
    """Stops within a second; 409 when it is over already."""
    path = f"/backtests/{segment(backtest_id, 'back-test')}/cancel"
    return passed(await parts.owners.call("forecaster", "POST", path, who.principal))
