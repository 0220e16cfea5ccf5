"""Do the ERP and we have the same orders: its list held against what was released."""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Self

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from kit.http import Problem
from services.gateway.api import models
from services.gateway.api.orders import in_full
from services.gateway.api.shared import Parts, Who
from services.gateway.domain.reconciling import Difference, Ours, Theirs, reconcile
from services.gateway.store import views
from services.gateway.store.rows import plain

router = APIRouter(prefix="/v1", tags=["orders"])
ORDERS_MAX = 5_000
TIME_MAX = timedelta(days=31)
Id = Annotated[str, Field(min_length=1, max_length=64)]
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    422: {"description": "The time is none, or more orders were released in it than one answer takes."}
}


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TheirLine(_In):
    """Units of a product on an order, as the ERP has them."""

    sku: Id
    quantity: Annotated[Decimal, Field(ge=0, max_digits=16, decimal_places=4)]


class TheirOrder(_In):
    """An order as the ERP has it. Without `lines` only its presence is looked at."""

    order_id: Id
    lines: Annotated[list[TheirLine], Field(max_length=1000)] | None = None


class Reconciliation(_In):
    """The ERP's orders, and the time of release (from, to before) in which all of ours should be among them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "released_from": "2017-11-06T00:00:00Z",
                    "released_before": "2017-11-07T00:00:00Z",
                    "orders": [{"order_id": "PO-1", "lines": [{"sku": "1029743", "quantity": "312"}]}],
                }
            ]
        },
    )
    released_from: AwareDatetime
    released_before: AwareDatetime
    orders: Annotated[list[TheirOrder], Field(max_length=ORDERS_MAX)]

    @model_validator(mode="after")
    def _is_a_time(self) -> Self:
        if not timedelta(0) < self.released_before - self.released_from <= TIME_MAX:
            raise ValueError(f"released_before lies after released_from, by {TIME_MAX.days} days at most")
        return self


@router.post("/orders:reconcile", summary="Hold an ERP's orders against ours", responses=DOCUMENTED)
async def reconcile_orders(body: Reconciliation, who: Who, parts: Parts) -> models.ReconciledView:
    """Changes nothing. Of a product that an order names twice, the units are added up."""
    named = sorted({one.order_id for one in body.orders})
    async with parts.reading(who) as tx:
        rows = await views.orders_between(tx, who.tenant, body.released_from, body.released_before, ORDERS_MAX + 1)
        if len(rows) > ORDERS_MAX:
            detail = f"More than {ORDERS_MAX} orders were released in that time; reconcile a shorter one."
            raise Problem(422, "too_many_orders", "These are too many orders for one answer", detail)
        there = {row["order_id"] for row in rows}
        rows += [row for row in await views.orders_named(tx, who.tenant, named) if row["order_id"] not in there]
        ours = {view.order_id: _ours(view) for view in await in_full(tx, who.tenant, rows)}
    found = reconcile([ours[order_id] for order_id in there], ours, [_theirs(one) for one in body.orders])
    return models.ReconciledView(
        missing=found.missing,
        unknown=found.unknown,
        repeated=found.repeated,
        differences=[_shown(one) for one in found.differences],
        equal=found.equal,
    )


def _ours(view: models.OrderView) -> Ours:
    ordered: dict[str, Decimal] = {}
    agreed: dict[str, Decimal] = {}
    for line in view.lines:
        ordered[line.sku] = ordered.get(line.sku, Decimal(0)) + Decimal(line.quantity)
        agreed[line.sku] = agreed.get(line.sku, Decimal(0)) + Decimal(line.expected_quantity)
    return Ours(view.order_id, view.status, ordered, agreed)


def _theirs(order: TheirOrder) -> Theirs:
    if order.lines is None:
        return Theirs(order.order_id)
    quantities: dict[str, Decimal] = {}
    for line in order.lines:
        quantities[line.sku] = quantities.get(line.sku, Decimal(0)) + line.quantity
    return Theirs(order.order_id, quantities)


def _shown(one: Difference) -> models.OrderDifference:
    return models.OrderDifference(
        order_id=one.order_id,
        sku=one.sku,
        ordered=plain(one.ordered),
        agreed=plain(one.agreed),
        theirs=plain(one.theirs),
    )
