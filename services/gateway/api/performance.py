"""Suppliers' scorecard, and what people do with recommendations: both counted from what was published."""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.gateway.api import models
from services.gateway.api.shared import Parts, Who
from services.gateway.store import performance
from services.gateway.store.rows import amount, day

router = APIRouter(prefix="/v1", tags=["performance"])
# A year, and the month that has begun.
MONTHS_METERED = 13
Days = Annotated[int, Query(ge=1, le=730, description="how many days back")]


class SupplierView(models.View):
    """One supplier's promises and what became of them. Shares are of received lines; days may be fractions, and are counted
    from the order's business day. `otif`: on time and in full."""

    supplier: str
    name: str | None
    minimum_order_value: str | None
    orders: int
    lines: int
    value: str
    received: int
    in_time: float | None
    in_full: float | None
    otif: float | None
    fill_rate: float | None
    days_late: float | None
    lead_time: float | None
    lead_time_deviation: float | None
    promised_lead_time: float | None
    confirmed_short: int
    confirmed_late: int
    dearer: int
    cancelled: int


class VerdictsOfDay(models.View):
    """Decisions of one day (UTC) with one verdict."""

    day: str
    verdict: str
    lines: int
    value: str
    currency: str


class PersonView(models.View):
    """What a person decided, and the median hours a line had waited for them."""

    decided_by: str
    approved: int
    amended: int
    rejected: int
    snoozed: int
    undone: int
    median_hours: float | None


class ReasonView(models.View):
    """Why people decided otherwise. `median_change`: of the quantity, as a share of what was recommended."""

    verdict: str
    reason_code: str
    lines: int
    median_change: float | None


class MeteredMonth(models.View):
    """Units of one month (UTC). None of them changes once the month is over and its events are in."""

    month: str
    decisions: int
    orders: int
    order_lines: int
    answers: int


class UsageView(models.View):
    """`touched`: share of decided lines in which a person changed or refused what was recommended; `by_rule`: share that
    nobody had to look at. `metered`: units counted in this tenant's log; `metered_by_month`: of the last 13 months, newest
    first."""

    by_day: list[VerdictsOfDay]
    people: list[PersonView]
    reasons: list[ReasonView]
    by_rule: float | None
    touched: float | None
    metered: dict[str, int]
    metered_by_month: list[MeteredMonth]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _number(value: Decimal | float | None) -> float | None:
    return None if value is None else float(value)


@router.get("/suppliers", summary="What suppliers kept of their promises")
async def suppliers(who: Who, parts: Parts, days: Days = 90) -> models.Listed[SupplierView]:
    """Every supplier with an order in the time, largest value first. Shares are null until a line was received."""
    async with parts.reading(who) as tx:
        newest = await tx.fetchval("select max(order_on) from orders where tenant = $1", who.tenant)
        rows = await performance.suppliers(tx, who.tenant, newest - timedelta(days=days)) if newest else []
    return models.Listed(items=[_supplier(row) for row in rows])


def _supplier(row: dict[str, Any]) -> SupplierView:
    shares = {name: _share(row[name], row["received"]) for name in ("in_time", "in_full", "otif")}
    numbers = ("fill_rate", "days_late", "lead_time", "lead_time_deviation", "promised_lead_time")
    return SupplierView(
        **{name: row[name] for name in ("supplier", "name", "minimum_order_value", "orders", "lines", "received")},
        **{name: row[name] for name in ("confirmed_short", "confirmed_late", "dearer", "cancelled")},
        **{name: _number(row[name]) for name in numbers},
        **shares,
        value=amount(row["value"]) or "0",
    )


@router.get("/usage", summary="What people do with what is recommended")
async def usage(who: Who, parts: Parts, days: Days = 30) -> UsageView:
    """Counted from the decisions; nobody is measured who did not decide."""
    after = parts.clock.now().date() - timedelta(days=days)
    async with parts.reading(who) as tx:
        by_day = await performance.decided_by_day(tx, who.tenant, after)
        people = await performance.decided_by_person(tx, who.tenant, after)
        reasons = await performance.override_reasons(tx, who.tenant, after)
        metered = await performance.metered(tx, who.tenant)
        by_month = await performance.metered_by_month(tx, who.tenant, MONTHS_METERED)
    of = {
        verdict: sum(row["lines"] for row in by_day if row["verdict"] == verdict)
        for verdict in {r["verdict"] for r in by_day}
    }
    by_rule, accepted = of.get("approved_by_rule", 0), of.get("approved", 0)
    changed = of.get("amended", 0) + of.get("rejected", 0)
    return UsageView(
        by_day=[
            VerdictsOfDay(
                day=day(row["day"]) or "",
                verdict=row["verdict"],
                lines=row["lines"],
                value=amount(row["value"]) or "0",
                currency=row["currency"],
            )
            for row in by_day
        ],
        people=[PersonView(**row | {"median_hours": _number(row["median_hours"])}) for row in people],
        reasons=[ReasonView(**row | {"median_change": _number(row["median_change"])}) for row in reasons],
        by_rule=_share(by_rule, by_rule + accepted + changed),
        touched=_share(changed, accepted + changed),
        metered=metered,
        metered_by_month=[MeteredMonth(**row) for row in by_month],
    )
