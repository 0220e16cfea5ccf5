"""Back-tests: ask for one, watch it, cancel it, read what came out. Called by the gateway with an internal token."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from kernel.ids import derived_id
from kit.database import Database
from kit.http import Problem
from kit.identity import Principal, require
from services.forecaster.issuing import SERVICE
from services.forecaster.model.strategies import NAMES
from services.forecaster.store import backtests

Signed = Annotated[Principal, Depends(require())]
# Minutes of processor time: those who may train may back-test.
Asker = Annotated[Principal, Depends(require("planner", "approver", "admin"))]
OPEN_MAX = 5  # one runs at a time; a longer queue is a mistake somebody should see


class BacktestRequest(BaseModel):
    """Which items, which strategies, at how many origins, how far apart."""

    model_config = ConfigDict(extra="forbid")
    strategies: Annotated[list[str], Field(min_length=1, max_length=6)] = [
        "lightgbm",
        "seasonal_mean",
        "seasonal_naive",
    ]
    origins: Annotated[int, Field(ge=1, le=12)] = 3
    step_days: Annotated[int, Field(ge=1, le=91)] = 28
    skus: Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=200)] = []
    location: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    category: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    abc_class: Annotated[str, Field(pattern="^[ABC]$")] | None = None

    @field_validator("strategies")
    @classmethod
    def _are_known(cls, value: list[str]) -> list[str]:
        unknown = [name for name in value if name not in NAMES]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no strategy here; there are {', '.join(NAMES)}")
        return list(dict.fromkeys(value))


def attach(app: FastAPI, database: Database) -> None:
    """Add the routes."""
    routes = APIRouter()

    @routes.get("/strategies")
    async def strategies(who: Signed) -> dict[str, Any]:
        """Names a back-test may ask for."""
        return {"items": list(NAMES)}

    @routes.get("/backtests")
    async def listed(who: Signed, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> dict[str, Any]:
        """Newest first, without their results."""
        async with database.transaction(who.tenant) as tx:
            return {"items": [_shown(row) for row in await backtests.listed(tx, who.tenant, limit)]}

    @routes.post("/backtests", status_code=202)
    async def ask(
        request: BacktestRequest,
        who: Asker,
        response: Response,
        idempotency_key: Annotated[str, Header(min_length=1, max_length=200)],
    ) -> dict[str, Any]:
        """Queue a back-test. Sent twice with one Idempotency-Key, it runs once."""
        backtest_id = derived_id(SERVICE, "backtest", who.tenant, who.subject, idempotency_key)
        async with database.transaction(who.tenant) as tx:
            await tx.execute("insert into tenants (tenant) values ($1) on conflict do nothing", who.tenant)
            known = await backtests.one(tx, who.tenant, backtest_id)
            if known is None and await backtests.waiting(tx, who.tenant) >= OPEN_MAX:
                raise Problem(
                    429, "backtests_waiting", "Too many back-tests wait",
                    f"{OPEN_MAX} are queued or running; wait for one, or cancel one.", headers={"Retry-After": "30"},
                )  # fmt: skip
            if known is None:
                await backtests.add(tx, who.tenant, backtest_id, request.model_dump(mode="json"), who.subject)
            row = await backtests.one(tx, who.tenant, backtest_id)
        if known is not None:
            response.status_code = 200
        response.headers["location"] = f"/backtests/{backtest_id}"
        return _shown(row)

    @routes.get("/backtests/{backtest_id}")
    async def one(backtest_id: str, who: Signed) -> dict[str, Any]:
        """State, progress, and what came out."""
        async with database.transaction(who.tenant) as tx:
            row = await backtests.one(tx, who.tenant, backtest_id)
        if row is None:
            raise _unknown(backtest_id)
        return _shown(row) | {"result": orjson.loads(row["result"]) if row["result"] else None}

    @routes.post("/backtests/{backtest_id}/cancel")
    async def cancel(backtest_id: str, who: Asker) -> dict[str, Any]:
        """End one that is queued or running; the computation stops within a second."""
        async with database.transaction(who.tenant) as tx:
            ended = await backtests.cancel(tx, who.tenant, backtest_id)
            row = await backtests.one(tx, who.tenant, backtest_id)
        if row is None:
            raise _unknown(backtest_id)
        if not ended and row["state"] != "cancelled":
            raise Problem(409, "backtest_over", "It is over already", f"The back-test is {row['state']}.")
        return _shown(row)

    app.include_router(routes)


def _unknown(backtest_id: str) -> Problem:
    return Problem(
        404, "unknown_backtest", "There is no such back-test", f"Back-test {backtest_id!r} is not known here."
    )


def _shown(row: Any) -> dict[str, Any]:
    names = ("backtest_id", "state", "stage", "share", "requested_by", "created_at", "updated_at", "error")
    return {name: row[name] for name in names} | {"request": orjson.loads(row["request"])}
