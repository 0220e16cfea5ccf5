"""The queue: lines, their summary, one of them, and the same as a spreadsheet."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime

from kit.database import Transaction
from services.gateway.api import models, present
from services.gateway.api.same import UNCHANGED, same_for_all
from services.gateway.api.shared import PAGE_MAX, Code, Cursor, Limit, Parts, Search, Who, behind, following, not_found
from services.gateway.domain.lines import STATUSES, WAITING
from services.gateway.domain.spreadsheet import write_rows
from services.gateway.domain.wording import ROUTE_REASONS, label
from services.gateway.owners import path_of
from services.gateway.store import queue, views
from services.gateway.store.queue import Filters
from services.gateway.store.rows import Row, amount, plain

router = APIRouter(prefix="/v1", tags=["queue"])
# Policy gives a language model COUNTERSIGN_RATIONALE_SECONDS at most, and then answers without it.
RATIONALE_SECONDS_MAX = 65.0
# A spreadsheet with more rows than a person can review; the API pages through everything.
CSV_ROWS_MAX = 50_000
CSV_COLUMNS = (
    "item_name", "sku", "location_name", "location", "supplier_name", "supplier", "status", "action", "on_hand", "on_order",
    "days_of_cover", "stock_out_on", "stock_out_probability", "quantity", "recommended_quantity", "pack", "unit", "unit_cost", "value",
    "currency", "arrives_on", "margin_at_risk", "confidence", "reason_codes", "business_date", "recommendation_id", "version",
)  # fmt: skip
Status = Literal["all", "waiting", *STATUSES]  # type: ignore[valid-type]
Sort = Literal["risk", "value", "stock_out", "cover", "item", "issued", "asked", "due"]


def filters(
    status: Annotated[
        list[Status] | None, Query(description="default: what waits for a person (pending, awaiting_second)")
    ] = None,
    location: Code = None,
    supplier: Code = None,
    category: Annotated[str | None, Query(max_length=200)] = None,
    abc_class: Annotated[str | None, Query(pattern="^[ABC]$")] = None,
    reason: Code = None,
    action: Code = None,
    owner: Code = None,
    q: Search = None,
    min_value: Annotated[Decimal | None, Query(ge=0, max_digits=16)] = None,
    min_confidence: Annotated[float | None, Query(ge=0, le=1)] = None,
    max_confidence: Annotated[float | None, Query(ge=0, le=1)] = None,
    line_id: Annotated[
        list[Annotated[str, Query(max_length=64)]] | None, Query(max_length=PAGE_MAX, description="these lines only")
    ] = None,
    asked_before: Annotated[
        AwareDatetime | None, Query(description="a person is asked since before this moment; only what waits has one")
    ] = None,
) -> Filters:
    """The filters of the queue, from the query."""
    chosen: tuple[str, ...] = tuple(status or ("waiting",))
    if "all" in chosen:
        chosen = ()
    else:
        chosen = tuple(dict.fromkeys(one for name in chosen for one in (WAITING if name == "waiting" else (name,))))
    return Filters(
        chosen,
        location,
        supplier,
        category,
        abc_class,
        reason,
        action,
        owner,
        q,
        min_value,
        min_confidence,
        max_confidence,
        tuple(line_id or ()),
        asked_before,
    )


Chosen = Annotated[Filters, Depends(filters)]


@router.get(
    "/recommendations",
    summary="The queue, ranked by money at risk times urgency",
    response_model=models.Page[models.Line],
    responses=UNCHANGED,
)
async def lines(
    request: Request, response: Response, who: Who, parts: Parts, chosen: Chosen,
    sort: Sort = "risk", limit: Limit = 50, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """One page of lines. Its ETag stays as long as the page says the same."""
    query = f"recommendations {sort} {chosen}"
    kind = str if sort == "item" else float
    after = behind(query, cursor, (kind, str))

    async def found(tx: Transaction) -> models.Page[models.Line]:
        rows = await queue.page(tx, who.tenant, chosen, sort=sort, after=after, limit=limit)
        total = await queue.count(tx, who.tenant, chosen)
        next_cursor = following(query, rows, limit, lambda row: (row["sort_value"], row["line_id"]))
        return models.Page(items=[present.line(row) for row in rows], next_cursor=next_cursor, total=total)

    return await same_for_all(request, response, who, parts, found)


@router.get("/recommendations.csv", summary="The filtered queue as a spreadsheet", response_class=Response)
async def spreadsheet(who: Who, parts: Parts, chosen: Chosen, sort: Sort = "risk") -> Response:
    """Exactly the filtered rows; no cell can start a formula."""
    async with parts.reading(who) as tx:
        rows = await queue.page(tx, who.tenant, chosen, sort=sort, after=None, limit=CSV_ROWS_MAX)
    shown: list[dict[str, Any]] = []
    for row in rows:
        line = present.line(row).model_dump()
        shown.append(line | {"reason_codes": " ".join(reason["code"] for reason in line["reasons"])})
    headers = {"Content-Disposition": 'attachment; filename="recommendations.csv"', "Cache-Control": "no-store"}
    return Response(write_rows(CSV_COLUMNS, shown), media_type="text/csv; charset=utf-8", headers=headers)


@router.get(
    "/recommendations/summary",
    summary="Totals of the filtered queue",
    response_model=models.QueueSummary,
    responses=UNCHANGED,
)
async def summary(request: Request, response: Response, who: Who, parts: Parts, chosen: Chosen) -> Response:
    """Counts and money of the filtered lines, by reason, supplier, location and category."""

    async def found(tx: Transaction) -> models.QueueSummary:
        return _totals(await queue.summary(tx, who.tenant, chosen))

    return await same_for_all(request, response, who, parts, found)


def _totals(groups: dict[str, list[Row]]) -> models.QueueSummary:
    (all_of_them,), (by_rule,) = groups["all"], groups["by_rule"]
    return models.QueueSummary(
        waiting=all_of_them["count"],
        proposed_value=amount(all_of_them["value"]) or "0",
        margin_at_risk=amount(all_of_them["extra"]) or "0",
        currency=all_of_them["currency"],
        by_rule_today=by_rule["count"],
        by_reason=[
            models.Counted(code=row["code"], label=label(ROUTE_REASONS, row["code"]), count=row["count"])
            for row in groups.get("reason", ())
        ],
        by_status={row["code"]: row["count"] for row in groups.get("status", ())},
        by_supplier=[
            models.SupplierGroup(
                supplier=row["code"],
                supplier_name=row["name"],
                count=row["count"],
                value=amount(row["value"]) or "0",
                minimum_order_value=amount(row["extra"]),
                truck_volume_m3=plain(row["truck"]),
            )
            for row in groups.get("supplier", ())
        ],
        by_location=[
            models.LocationGroup(location=row["code"], location_name=row["name"], count=row["count"])
            for row in groups.get("location", ())
        ],
        by_category=[
            models.CategoryGroup(category=row["code"], count=row["count"]) for row in groups.get("category", ())
        ],
    )


@router.get("/recommendations/{recommendation_id}", summary="One line with its derivation and decisions")
async def one(recommendation_id: str, who: Who, parts: Parts, response: Response) -> models.RecommendationView:
    """The line that carries this recommendation now, even when a fresher one took its place; ETag is its version."""
    async with parts.reading(who) as tx:
        row = await queue.one(tx, who.tenant, recommendation_id=recommendation_id)
        if row is None:
            raise not_found("recommendation", recommendation_id)
        decisions = await views.decisions_of_line(tx, who.tenant, row["line_id"])
    response.headers["ETag"] = present.etag(row["version"])
    return models.RecommendationView(
        line=present.line(row),
        steps=present.steps(row),
        evidence=present.evidence(row, None),
        decisions=[present.decision(made) for made in decisions],
    )


@router.get("/recommendations/{recommendation_id}/rationale", summary="Its explanation in a language model's words")
async def rationale(recommendation_id: str, who: Who, parts: Parts) -> models.RationaleView:
    """404 `rationale_off` where no language model is configured: `explanation` says everything without one."""
    async with parts.reading(who) as tx:
        if await queue.one(tx, who.tenant, recommendation_id=recommendation_id) is None:
            raise not_found("recommendation", recommendation_id)
    path = path_of("recommendations", recommendation_id, "rationale")
    answer = await parts.owners.call("policy", "GET", path, who.principal, patience_seconds=RATIONALE_SECONDS_MAX)
    return models.RationaleView(**answer.json())
