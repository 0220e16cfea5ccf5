"""What it was worth that people amended or refused what was recommended: policy reckons the lines, here they are summed."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import ConfigDict

from services.gateway.api import models
from services.gateway.api.planning import OWNERS_ANSWER
from services.gateway.api.shared import PAGE_MAX, Code, Parts, Who
from services.gateway.domain.decision_values import Judged, Sum, by_month, by_person, by_reason, in_all, summed
from services.gateway.store import overruled
from services.gateway.store.rows import Row, instant, plain

router = APIRouter(prefix="/v1", tags=["performance"])
# What a person waits for: two seconds of reckoning, in calls of so many lines as the policy service takes at once.
LINES_MAX = 2_000
CALL_LINES = 200
Days = Annotated[int, Query(ge=1, le=730, description="decided in the last so many days")]
Month = Annotated[str | None, Query(pattern=r"^[0-9]{4}-[0-9]{2}$", description="lines of this business month only")]
MONEY = ("value", "holding", "lost_margin", "ordering", "low", "high", "so_far")


class DecisionValueSum(models.View):
    """Lines of one currency. Money above zero: better than what was proposed. `value`, and its parts holding, margin lost and
    ordering: of settled lines. `low`, `high`: of settled and censored ones. `so_far`: of the open ones alone."""

    name: str
    currency: str
    lines: int
    settled: int
    censored: int
    open: int
    unvalued: int
    value: str
    holding: str
    lost_margin: str
    ordering: str
    low: str
    high: str
    so_far: str


class DecisionValueLine(models.View):
    """One line. `origin`: the closed day its evidence stands on, `days_known`: closed days since, `met_on`: when both worlds
    were the same again, `days_out`: days out of stock on which more may have been asked for. `value` and its parts are null
    where there is none to tell: `censored` (low and high are told), `unvalued` (`unvalued_because` says why)."""

    recommendation_id: str
    line_id: str
    decision_id: str
    evidence_sha256: str | None
    sku: str
    name: str | None
    location: str
    verdict: Literal["amended", "rejected"]
    decided_by: str
    reason_code: str
    decided_at: str
    month: str
    proposed: str | None
    decided: str
    currency: str
    status: Literal["settled", "censored", "open", "unvalued"]
    unvalued_because: Literal["not_ours", "not_an_order", "evidence_incomplete"] | None
    value: str | None
    holding: str | None
    lost_margin: str | None
    ordering: str | None
    low: str | None
    high: str | None
    origin: str | None
    order_on: str | None
    days_known: int | None
    met_on: str | None
    days_out: int | None


class DecisionValuesView(models.View):
    """Sums of all lines of the time, and the lines asked for, those of most money first. `decisions_left_out`: older ones,
    where there are more than can be judged at once; `lines_left_out`: not shown here, but in the sums."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "totals": [
                    {
                        "name": "all", "currency": "USD", "lines": 1, "settled": 1, "censored": 0, "open": 0, "unvalued": 0,
                        "value": "-7.00", "holding": "1.00", "lost_margin": "-6.00", "ordering": "-2.00", "low": "-7.00",
                        "high": "-7.00", "so_far": "0.00",
                    }
                ],
                "by_person": [], "by_reason": [], "by_month": [], "lines": [], "lines_left_out": 0, "decisions_left_out": 0,
            }
        }
    )  # fmt: skip
    totals: list[DecisionValueSum]
    by_person: list[DecisionValueSum]
    by_reason: list[DecisionValueSum]
    by_month: list[DecisionValueSum]
    lines: list[DecisionValueLine]
    lines_left_out: int
    decisions_left_out: int


@router.get("/decision-values", summary="What amending and refusing was worth, in money", responses=OWNERS_ANSWER)
async def decision_values(
    who: Who, parts: Parts, days: Days = 90, decided_by: Code = None, reason_code: Code = None, month: Month = None
) -> DecisionValuesView:
    """Cost of what was proposed less cost of what was decided, on what was really sold afterwards; reckoned when asked for.
    `decided_by`, `reason_code` and `month` (of the order day) choose lines; the sums are of all."""
    after = parts.clock.now().date() - timedelta(days=days)
    async with parts.reading(who) as tx:
        rows, total = await overruled.lines(tx, who.tenant, after, LINES_MAX)
    said: list[dict[str, Any]] = []
    for start in range(0, len(rows), CALL_LINES):
        asked = [
            {"recommendation_id": row["recommendation_id"], "quantity": str(row["quantity"])}
            for row in rows[start : start + CALL_LINES]
        ]
        answer = await parts.owners.call("policy", "POST", "/decision-values", who.principal, json={"lines": asked})
        said += answer.json()["lines"]
    pairs = [(line, _judged(line, told)) for line, told in _told(rows, said)]
    judged = [one for _line, one in pairs]
    wanted = [
        (line, one)
        for line, one in pairs
        if decided_by in (None, one.decided_by)
        and reason_code in (None, one.reason_code)
        and month in (None, one.month)
    ]
    wanted.sort(key=lambda pair: (-max(abs(pair[1].low), abs(pair[1].high)), pair[0].recommendation_id))
    return DecisionValuesView(
        totals=_shown(summed(judged, in_all)),
        by_person=_shown(summed(judged, by_person)),
        by_reason=_shown(summed(judged, by_reason)),
        by_month=_shown(summed(judged, by_month)),
        lines=[line for line, _one in wanted[:PAGE_MAX]],
        lines_left_out=max(len(wanted) - PAGE_MAX, 0),
        decisions_left_out=total - len(rows),
    )


def _told(rows: Sequence[Row], said: Sequence[dict[str, Any]]) -> list[tuple[DecisionValueLine, dict[str, Any]]]:
    """Each line beside what policy said of it; without those of which in the end just what was proposed was ordered."""
    told = []
    for row, one in zip(rows, said, strict=True):
        proposed = one.get("proposed")
        if proposed is None or Decimal(proposed) != row["quantity"]:
            told.append((_line(row, one), one))
    return told


def _line(row: Row, said: dict[str, Any]) -> DecisionValueLine:
    is_valued, is_exact = said["status"] != "unvalued", said["status"] in ("settled", "open")
    order_on = said.get("order_on")
    return DecisionValueLine(
        **{name: row[name] for name in ("recommendation_id", "line_id", "decision_id", "sku", "name", "location")},
        **{name: row[name] for name in ("verdict", "decided_by", "reason_code", "currency")},
        **{
            name: said.get(name)
            for name in ("evidence_sha256", "proposed", "origin", "order_on", "days_known", "met_on")
        },
        **{name: said[name] if is_exact else None for name in ("value", "holding", "lost_margin", "ordering")},
        **{name: said[name] if is_valued else None for name in ("low", "high", "days_out")},
        status=said["status"],
        unvalued_because=said.get("reason"),
        decided=plain(row["quantity"]) or "0",
        decided_at=instant(row["decided_at"]) or "",
        month=order_on[:7] if order_on else "unknown",
    )


def _judged(line: DecisionValueLine, said: dict[str, Any]) -> Judged:
    names = ("holding", "lost_margin", "ordering", "low", "high") if line.status != "unvalued" else ()
    money = {name: Decimal(said[name]) for name in names}
    return Judged(line.decided_by, line.reason_code, line.month, line.currency, line.status, **money)


def _shown(sums: Sequence[Sum]) -> list[DecisionValueSum]:
    return [DecisionValueSum(**asdict(one) | {name: f"{getattr(one, name):.2f}" for name in MONEY}) for one in sums]
