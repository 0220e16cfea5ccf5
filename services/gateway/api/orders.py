"""Orders and exceptions, from the read models."""

from collections import defaultdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from kit.database import Transaction
from services.gateway.api import models, present
from services.gateway.api.same import UNCHANGED, same_for_all
from services.gateway.api.shared import Code, Cursor, Limit, Parts, Search, Who, behind, following, not_found
from services.gateway.store import views
from services.gateway.store.rows import Row, loaded

router = APIRouter(prefix="/v1", tags=["orders"])
OrderStatus = Literal["released", "acknowledged", "confirmed", "shipped", "received", "failed", "cancelled"]


@router.get(
    "/orders",
    summary="Released orders, newest first",
    response_model=models.Page[models.OrderView],
    responses=UNCHANGED,
)
async def orders(
    request: Request,
    response: Response,
    who: Who,
    parts: Parts,
    status: OrderStatus | None = None,
    supplier: Code = None,
    location: Code = None,
    q: Search = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Orders with their lines and what came back from the ERP and the supplier."""
    query = f"orders {status} {supplier} {location} {q}"
    after = behind(query, cursor, (float, str))

    async def found(tx: Transaction) -> models.Page[models.OrderView]:
        rows = await views.orders(
            tx, who.tenant, status=status, supplier=supplier, location=location, text=q, after=after, limit=limit
        )
        next_cursor = following(query, rows, limit, lambda row: (row["sort_value"], row["order_id"]))
        return models.Page(items=await in_full(tx, who.tenant, rows), next_cursor=next_cursor)

    return await same_for_all(request, response, who, parts, found, is_kept=cursor is None)


@router.get("/orders/{order_id}", summary="One order", response_model=models.OrderView, responses=UNCHANGED)
async def order(order_id: str, request: Request, response: Response, who: Who, parts: Parts) -> Response:
    """404 when there is none."""

    async def found(tx: Transaction) -> models.OrderView:
        row = await views.order(tx, who.tenant, order_id)
        if row is None:
            raise not_found("order", order_id)
        (shown,) = await in_full(tx, who.tenant, [row])
        return shown

    return await same_for_all(request, response, who, parts, found, is_kept=False)


async def in_full(tx: Transaction, tenant: str, rows: list[Row]) -> list[models.OrderView]:
    """Orders with what was answered to them, and with the orders that change them."""
    ids = [row["order_id"] for row in rows]
    updates, changes = defaultdict(list), defaultdict(list)
    for one in await views.order_updates(tx, tenant, ids):
        updates[one["order_id"]].append(one)
    for one in await views.changes_of(tx, tenant, ids):
        changes[one["changes_order"]].append(one)
    names = await views.item_names(tx, tenant, [entry["sku"] for row in rows for entry in loaded(row["lines"])])
    return [present.order(row, updates[row["order_id"]], changes[row["order_id"]], names) for row in rows]


@router.get(
    "/exceptions",
    summary="What a person has to look at, most money at stake first",
    response_model=models.ExceptionPage,
    responses=UNCHANGED,
)
async def exceptions(
    request: Request,
    response: Response,
    who: Who,
    parts: Parts,
    status: Annotated[Literal["open", "resolved", "all"], Query()] = "open",
    kind: Code = None,
    owner: Code = None,
    day: Annotated[bool, Query(description="only as many as one person can settle in a day")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """One page of exceptions. With `day` there is one page only, of `cap` rows; the rest waits until these are settled."""
    query = f"exceptions {status} {kind} {owner}"
    after = behind(query, cursor, (float, str))
    cap = parts.settings.exceptions_per_day
    wanted = cap if day else limit

    async def found(tx: Transaction) -> models.ExceptionPage:
        rows = await views.exceptions(tx, who.tenant, status=status, kind=kind, owner=owner, after=after, limit=wanted)
        total = await views.count_exceptions(tx, who.tenant, status=status, kind=kind, owner=owner)
        today = await views.newest_business_date(tx, who.tenant)
        more = None if day else following(query, rows, wanted, lambda row: (row["sort_value"], row["exception_id"]))
        items = [present.exception(row, today) for row in rows]
        return models.ExceptionPage(items=items, next_cursor=more, total=total, cap=cap)

    return await same_for_all(request, response, who, parts, found, is_kept=cursor is None)
