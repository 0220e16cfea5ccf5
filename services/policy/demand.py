"""Sales and stock events as ledger entries: which product, which place, what effect. Unclear names wait in the park."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from kit import parking
from kit.database import Transaction
from kit.errors import Rejected
from kit.events import Outgoing, Received, event_hash
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
from services.policy.store import commitments, ledger, order_codes, supply
from services.policy.store.deliveries import Came
from services.policy.store.ledger import Count, Movement


@dataclass(frozen=True, slots=True)
class Booked:
    """What booking a batch led to: items to be planned again, what to publish, and which orders' goods came."""

    due: list[tuple[str, str]]
    says: list[Outgoing]
    came: list[Came]

    def __add__(self, other: "Booked") -> "Booked":
        return Booked(self.due + other.due, self.says + other.says, self.came + other.came)


async def book(tx: Transaction, tenant: str, events: Sequence[Received[Any]], names: Names) -> Booked:
    """Book a batch. What is in the ledger already changes nothing; what names nobody knows waits, in order."""
    has_new = await commitments.tell(tx, tenant, events)
    named, waiting = await identify(tx, tenant, events, names, await commitments.unknown(tx, tenant, events))
    due, came = await _enter(tx, tenant, named)
    says = await unresolved.open_for(tx, tenant, waiting) if waiting else []
    booked = Booked(due, says, came)
    return booked + await free(tx, tenant, names, cause=events[-1].envelope.id) if has_new else booked


async def free(tx: Transaction, tenant: str, names: Names, *, cause: str) -> Booked:
    """Book the parked events whose names are clear by now, in the order they came; close exceptions nobody needs."""
    first = await parking.heads(tx, tenant)
    heads = await unnamed(tx, tenant, first, names, await commitments.unknown(tx, tenant, first))
    freed = await parking.release(tx, tenant, [one.event.envelope.key for one in heads if not one.unnamed])
    named, waiting = await identify(tx, tenant, freed, names, await commitments.unknown(tx, tenant, freed))
    due, came = await _enter(tx, tenant, named)
    says = await unresolved.open_for(tx, tenant, waiting) if waiting else []
    left = [*waiting, *(one for one in heads if one.unnamed)]
    says += await unresolved.close_except(tx, tenant, left, freed, cause=cause)
    return Booked(due, says, came)


async def _enter(tx: Transaction, tenant: str, named: Sequence[Named]) -> tuple[list[tuple[str, str]], list[Came]]:
    """Write events of certain names into the ledger; returns the items whose plan may have to change, and what came."""
    movements: list[Movement] = []
    counts: list[Count] = []
    days: list[tuple[str, date]] = []
    sold_at = await _times_of_voided(tx, tenant, named)
    for one, sku, location in named:
        body = one.body
        kind = type(body)  # `isinstance` asks pydantic's metaclass, which costs as much as the booking
        if kind is BusinessDayClosed:
            days.append((location, body.business_date))
        elif kind is StockCounted:
            counts.append(Count(sku, location, one.hash, body.quantity, body.counted_at, body.business_date))
        else:
            movements.append(_movement(one, sku, location, sold_at.get(one.hash) if sold_at else None))
    has_orders = any(one.order_id is not None for one in movements)
    if has_orders:
        stored_at_ms = {one.hash: one.stored_at_ms for one, _sku, _location in named}
        movements = await order_codes.of_movements(tx, tenant, movements, stored_at_ms)
    due = await ledger.book(tx, tenant, movements)
    due += await ledger.book_counts(tx, tenant, counts)
    of_orders = [(one.order_id, one) for one in movements if one.order_id is not None] if has_orders else []
    if of_orders:
        due += await supply.receiving(tx, tenant, sorted({order_id for order_id, _one in of_orders}))
    if days:
        await ledger.close_days(tx, tenant, days)
    return due, [(order_id, one.location, one.business_date) for order_id, one in of_orders if one.kind == "receipt"]


async def _times_of_voided(tx: Transaction, tenant: str, named: Sequence[Named]) -> dict[UUID, datetime]:
    """When the sales were made that these voids take back, by the void's hash, as far as that is known.

    A void means that the goods never left: a count after the sale has seen them, even one before the void.
    """
    voids = [
        (one, (sku, location, event_hash(one.envelope.source, one.body.sale_event_id)))
        for one, sku, location in named
        if type(one.body) is SaleVoided
    ]
    if not voids:
        return {}
    found = await ledger.times_of(tx, tenant, [sale for _, sale in voids])
    found |= {(sku, place, one.hash): one.body.sold_at for one, sku, place in named if type(one.body) is SaleRecorded}
    return {one.hash: one.body.sold_at or found[sale] for one, sale in voids if one.body.sold_at or sale in found}


def check(one: Received[Any]) -> None:
    """Raises Rejected for a movement of no known kind, or of a negative quantity where that means nothing.

    Asked before an event may be parked: what is freed later must be fit to be booked.
    """
    body = one.body
    if type(body) in NO_MOVEMENT:
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


NO_MOVEMENT = (BusinessDayClosed, StockCounted)
# The kind of movement each event is; None: its own `kind` says.
KINDS: Mapping[type, str | None] = {
    SaleRecorded: "sale",
    ReturnRecorded: "return",
    SaleVoided: "void",
    StockMoved: None,
}


_sale: Callable[[tuple[Any, ...]], Movement] = functools.partial(tuple.__new__, Movement)


def _movement(one: Received[Any], sku: str, location: str, sold_at: datetime | None) -> Movement:
    body = one.body
    order_id = None
    if type(body) is SaleRecorded:  # nearly every event: without the Python of a named tuple's constructor
        return _sale((sku, location, one.hash, ledger.SALE, body.quantity, body.sold_at, body.business_date, None))
    if isinstance(body, ReturnRecorded):
        kind, occurred_at = ("return" if body.restocked else "scrapped_return"), body.returned_at
    elif isinstance(body, SaleVoided):
        kind, occurred_at = "void", min(sold_at or body.voided_at, body.voided_at)
    else:
        assert isinstance(body, StockMoved)
        kind, occurred_at, order_id = body.kind, body.moved_at, body.order_id
    return Movement(sku, location, one.hash, kind, body.quantity, occurred_at, body.business_date, order_id)
