"""Orders as documents for who reads no Kafka: CSV of all that was filtered, and one order as UBL 2.1, X12 or CSV."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from kit.database import Transaction
from kit.http import Problem
from services.gateway.api.orders import OrderStatus
from services.gateway.api.shared import Code, Parts, Search, Who, not_found
from services.gateway.domain.order_papers import ubl, x12
from services.gateway.domain.order_papers.paper import Paper, PaperLine, PaperRefused
from services.gateway.domain.spreadsheet import write_rows
from services.gateway.store import order_codes, views
from services.gateway.store.rows import Row, day, instant, loaded, plain

router = APIRouter(prefix="/v1", tags=["orders"])
# An order has up to 1,000 lines; a file with more orders than these is taken in parts.
CSV_ORDERS_MAX = 2_000
CSV_TYPE = "text/csv"
CSV_COLUMNS = (
    "order_id", "kind", "status", "changes_order", "supplier", "supplier_name", "from_location", "location", "location_name",
    "order_on", "arrive_on", "released_at", "currency", "line_no", "sku", "item_name", "supplier_code", "gtin", "quantity", "unit",
    "unit_cost", "value", "recommendation_id", "decision_id",
)  # fmt: skip
Format = Annotated[
    Literal["ubl", "x12", "csv"],
    Query(description="ubl: UBL 2.1 Order or OrderChange; x12: 005010 850 or 860; csv: a row for each line"),
]
TYPES = {"ubl": (ubl.MEDIA_TYPE, "xml"), "x12": (x12.MEDIA_TYPE, "edi"), "csv": (CSV_TYPE, "csv")}
_FILE = {"schema": {"type": "string"}}
SPREADSHEET: dict[int | str, dict[str, Any]] = {
    200: {"description": "A row for each line of the orders.", "content": {CSV_TYPE: _FILE}},
    422: {"description": "More orders than one file takes."},
}
DOCUMENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The document.", "content": {media: _FILE for media, _ in TYPES.values()}},
    404: {"description": "There is no such order."},
    409: {"description": "The order cannot be said in that format; `errors` names what and why. CSV says every order."},
}


@router.get(
    "/orders.csv", summary="The filtered orders as a spreadsheet", response_class=Response, responses=SPREADSHEET
)
async def spreadsheet(
    who: Who,
    parts: Parts,
    status: OrderStatus | None = None,
    supplier: Code = None,
    location: Code = None,
    q: Search = None,
) -> Response:
    """A row for each line, newest order first; no cell can start a formula."""
    async with parts.reading(who) as tx:
        found = await views.orders(
            tx, who.tenant, status=status, supplier=supplier, location=location, text=q, after=None, limit=CSV_ORDERS_MAX + 1
        )  # fmt: skip
        if len(found) > CSV_ORDERS_MAX:
            detail = f"More than {CSV_ORDERS_MAX} orders fit; narrow them by status, supplier, location or q."
            raise Problem(422, "too_many_orders", "These are too many orders for one answer", detail)
        papers = list(zip(found, await papers_of(tx, who.tenant, found), strict=True))
    return _file(write_rows(CSV_COLUMNS, _rows(papers)), CSV_TYPE, "orders.csv")


@router.get(
    "/orders/{order_id}/document", summary="One order as a document", response_class=Response, responses=DOCUMENT
)
async def document(order_id: str, who: Who, parts: Parts, format: Format = "ubl") -> Response:  # noqa: A002 - its name in the query
    """The order as it was released, for an ERP or a supplier: the same bytes whenever it is asked for. Product codes are the
    buyer's, the supplier's and the GTIN, as far as the catalogue knows exactly one."""
    async with parts.reading(who) as tx:
        row = await views.order(tx, who.tenant, order_id)
        if row is None:
            raise not_found("order", order_id)
        (paper,) = await papers_of(tx, who.tenant, [row])
    media, ending = TYPES[format]
    try:
        content = _written(format, row, paper)
    except PaperRefused as refused:
        title = "The order cannot be said in that format"
        errors = [{"field": refused.field, "reason": refused.reason}]
        raise Problem(409, "order_not_in_format", title, f"{refused.reason}.", errors=errors) from refused
    return _file(content, media, f"{paper.order_id}.{ending}")


def _written(how: str, row: Row, paper: Paper) -> str | bytes:
    if how == "ubl":
        return ubl.write(paper)
    if how == "x12":
        return x12.write(paper)
    return write_rows(CSV_COLUMNS, _rows([(row, paper)]))


def _file(content: str | bytes, media: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=media, headers=headers)


async def papers_of(tx: Transaction, tenant: str, rows: list[Row]) -> list[Paper]:
    """The orders of these rows as papers, with what the catalogue knows of their items."""
    skus = sorted({entry["sku"] for row in rows for entry in loaded(row["lines"])})
    names = await views.item_names(tx, tenant, skus)
    suppliers = {row["supplier"] for row in rows if row["supplier"] is not None}
    codes = await order_codes.supplier_codes(tx, tenant, suppliers, skus)
    gtins = await order_codes.gtins(tx, tenant, skus)
    return [_paper(tenant, row, names, codes, gtins) for row in rows]


def _paper(
    tenant: str, row: Row, names: dict[str, str], codes: order_codes.SupplierCodes, gtins: dict[str, str]
) -> Paper:
    lines = tuple(
        PaperLine(
            line_no=entry["line_no"],
            sku=entry["sku"],
            name=names.get(entry["sku"]) or entry["sku"],
            quantity=Decimal(entry["quantity"]),
            unit=entry["unit"],
            unit_cost=Decimal(entry["unit_cost"]),
            value=Decimal(entry["value"]),
            gtin=gtins.get(entry["sku"]),
            supplier_code=order_codes.code_at(codes, row["supplier"], row["location"], entry["sku"]),
        )
        for entry in loaded(row["lines"])
    )
    same = (
        "order_id", "kind", "supplier", "supplier_name", "location", "location_name", "order_on", "arrive_on", "released_at",
        "currency", "value", "changes_order",
    )  # fmt: skip
    return Paper(buyer=tenant, lines=lines, **{name: row[name] for name in same})


def _rows(papers: list[tuple[Row, Paper]]) -> Iterator[dict[str, object]]:
    for row, paper in papers:
        head = {name: row[name] for name in CSV_COLUMNS if name in row}
        head |= {
            "order_on": day(paper.order_on),
            "arrive_on": day(paper.arrive_on),
            "released_at": instant(paper.released_at),
        }
        for line, entry in zip(paper.lines, loaded(row["lines"]), strict=True):
            yield head | {
                "line_no": line.line_no,
                "sku": line.sku,
                "item_name": line.name,
                "supplier_code": line.supplier_code,
                "gtin": line.gtin,
                "quantity": plain(line.quantity),
                "unit": line.unit,
                "unit_cost": plain(line.unit_cost),
                "value": plain(line.value),
                "recommendation_id": entry["recommendation_id"],
                "decision_id": entry["decision_id"],
            }
