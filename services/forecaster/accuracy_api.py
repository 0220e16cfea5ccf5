"""Questions about how forecasts turned out; asked by the gateway with an internal token."""

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Query

from kit.database import Database
from kit.identity import Principal, require
from services.forecaster.domain.accuracy import DRIFT_DAYS, SCORED_HORIZONS_DAYS, Measures, Sums, measures
from services.forecaster.store import accuracy, drift, registry
from services.forecaster.store.accuracy import Wanted

Signed = Annotated[Principal, Depends(require())]
Text = Annotated[str | None, Query(max_length=200)]
GroupBy = Literal["all", "item", "location", "category", "class", "model", "strategy", "horizon", "month"]
LINE_DAYS_MAX = 400


def attach(app: FastAPI, database: Database) -> None:
    """Add the routes."""
    routes = APIRouter()

    @routes.get("/accuracy")
    async def grouped(
        who: Signed,
        group_by: GroupBy = "all",
        horizon_days: Annotated[int | None, Query(ge=1, le=56)] = None,
        sku: Text = None,
        location: Text = None,
        category: Text = None,
        abc_class: Text = None,
        model_id: Text = None,
        since: date | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, Any]:
        """Measures by group, most error first. Without `horizon_days`: at the lead time of each item."""
        wanted = Wanted(group_by, horizon_days, sku, location, category, abc_class, model_id, since)
        async with database.transaction(who.tenant) as tx:
            rows = await accuracy.grouped(tx, who.tenant, wanted, limit)
        return {
            "group_by": group_by,
            "horizon_days": horizon_days,
            "horizons_days": list(SCORED_HORIZONS_DAYS),
            "rows": [
                {"name": name, **shown(sums, int(name) if group_by == "horizon" else horizon_days or 7)}
                for name, sums in rows
            ],
        }

    @routes.get("/accuracy/days")
    async def by_day(
        who: Signed,
        horizon_days: Annotated[int, Query(ge=1, le=56)] = 7,
        days: Annotated[int, Query(ge=1, le=LINE_DAYS_MAX)] = 90,
        location: Text = None,
    ) -> dict[str, Any]:
        """Measures of each closed day, oldest first: the line over time."""
        async with database.transaction(who.tenant) as tx:
            newest = await tx.fetchval("select max(due_on) from score_days where tenant = $1", who.tenant)
            since = (newest or date(1970, 1, 1)) - timedelta(days=days - 1)
            rows = await accuracy.by_day(tx, who.tenant, horizon_days, since, location)
        return {
            "horizon_days": horizon_days,
            "days": [{"date": day.isoformat(), **shown(sums, horizon_days)} for day, sums in rows],
        }

    @routes.get("/accuracy/drift")
    async def drifting(who: Signed) -> dict[str, Any]:
        """Rules of accuracy that were broken, newest first, and the figures of the model that speaks."""
        async with database.transaction(who.tenant) as tx:
            flags = await drift.flags(tx, who.tenant)
            champion = await registry.champion(tx, who.tenant)
            recent = await accuracy.recent(tx, who.tenant, 7, DRIFT_DAYS)
        return {
            "flags": [dict(row) | {"is_open": row["resolved_on"] is None} for row in flags],
            "champion": champion["model_id"] if champion else None,
            "recent": shown(recent, 7),
        }

    app.include_router(routes)


def shown(sums: Sums, overlap: int) -> dict[str, Any]:
    """Sums as measures, rounded for people: ratios to four places, units as decimal strings."""
    return as_json(measures(sums, overlap))


def as_json(read: Measures) -> dict[str, Any]:
    """Measures as an answer holds them; None stays None: unknown is not zero."""
    return {
        "windows": read.windows,
        "hidden": read.hidden,
        "actual": f"{read.actual:.4f}",
        "expected": f"{read.expected:.4f}",
        "total_error": _ratio(read.total_error),
        "bias": _ratio(read.bias),
        "quantile_loss": _ratio(read.loss),
        "value_added": _ratio(read.value_added),
        "people_added": _ratio(read.people_added),
        "coverage": [
            {"level": one.level, "share": round(one.share, 4), "low": round(one.low, 4), "high": round(one.high, 4)}
            for one in read.coverage
        ],
    }


def _ratio(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
