"""Sales and stock events as ledger entries: which product, which place, what effect. Unclear names wait in the park."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from kit import parking
from kit.database import Transaction
from kit.errors import Rejected
from kit.events import Outgoing, Received
from kit.identify import Named, identify, unnamed
from kit.names import Names
from schemas.demand import (
    BusinessDayClosed,
    ReturnRecorded,
    SaleRecorded,
    SaleVoided,
    StockCounted,
    StockMoved,
)
from services.policy import unresolved
from services.policy.domain.movements import check_movement
from services.policy.domain.refusal import PolicyRefusal
from services.policy.store import ledger, supply
from services.policy.store.ledger import Count, Movement


@dataclass(frozen=True, slots=True)
class Booked:
    """What booking a batch led to: items to be planned again, and what to publish."""

    due: list[tuple[str, str]]
    says: list[Outgoing]


async def book(tx: Transaction, tenant: str, events: Sequence[Received[Any]], names: Names) -> Booked:
    """Book a batch. What is in the ledger already changes nothing; what names nobody knows waits, in order."""
    for one in events:
        _check(one)  # before it may be parked: what is freed later must be fit to be booked
    named, waiting = await identify(tx, tenant, events, names)
    due = await _enter(tx, tenant, named)
    says = await unresolved.open_for(tx, tenant, waiting) if waiting else []
    return Booked(due, says)


async def free(tx: Transaction, tenant: str, names: Names, *, cause: str) -> Booked:
    """Book the parked events whose names are clear by now, in the order they came; close exceptions nobody needs."""
    heads = await unnamed(tx, tenant, await parking.heads(tx, tenant), names)
    freed = await parking.release(tx, tenant, [one.event.envelope.key for one in heads if not one.unnamed])
    named, waiting = await identify(tx, tenant, freed, names)
    due = await _enter(tx, tenant, named)
    says = await unresolved.open_for(tx, tenant, waiting) if waiting else []
    left = [*waiting, *(one for one in heads if one.unnamed)]
    says += await unresolved.close_except(tx, tenant, left, freed, cause=cause)
    return Booked(due, says)


async def _enter(tx: Transaction, tenant: str, named: Sequence[Named]) -> list[tuple[str, str]]:
    """Write events of certain names into the ledger; returns the items whose plan may have to change."""
    movements: list[Movement] = []
    counts: list[Count] = []
    days: list[tuple[str, date]] = []
    for one, sku, location in named:
        body = one.body
        if isinstance(body, BusinessDayClosed):
            days.append((location, body.business_date))
        elif isinstance(body, StockCounted):
            counts.append(Count(sku, location, one.hash, body.quantity, body.counted_at, body.business_date))
        else:
            movements.append(_movement(one, sku, location))
    due = await ledger.book(tx, tenant, movements)
    due += await ledger.book_counts(tx, tenant, counts)
    order_ids = {one.order_id for one in movements if one.order_id is not None}
    if order_ids:
        due += await supply.receiving(tx, tenant, sorted(order_ids))
    if days:
        await ledger.close_days(tx, tenant, days)
    return due


def _check(one: Received[Any]) -> None:
    """Raises Rejected for a movement of no known kind, or of a negative quantity where that means nothing."""
    body = one.body
    if isinstance(body, BusinessDayClosed | StockCounted):
        return
    try:
        check_movement(KINDS[type(body)] or body.kind, body.quantity)
    except KeyError:
        raise Rejected(
            "event_unknown", f"{type(body).__name__} is no movement of stock; send it on its own topic"
        ) from None
    except PolicyRefusal as refusal:
        raise Rejected(
            refusal.code, f"{refusal.explanation}; correct the event and send it again", field="quantity"
        ) from None


# The kind of movement each event is; None: its own `kind` says.
KINDS: Mapping[type, str | None] = {
    SaleRecorded: "sale",
    ReturnRecorded: "return",
    SaleVoided: "void",
    StockMoved: None,
}


def _movement(one: Received[Any], sku: str, location: str) -> Movement:
    body = one.body
    order_id = None
    if isinstance(body, SaleRecorded):
        kind, occurred_at = "sale", body.sold_at
    elif isinstance(body, ReturnRecorded):
        kind, occurred_at = ("return" if body.restocked else "scrapped_return"), body.returned_at
    elif isinstance(body, SaleVoided):
        kind, occurred_at = "void", body.voided_at
    else:
        assert isinstance(body, StockMoved)
        kind, occurred_at, order_id = body.kind, body.moved_at, body.order_id
    return Movement(sku, location, one.hash, kind, body.quantity, occurred_at, body.business_date, order_id)
