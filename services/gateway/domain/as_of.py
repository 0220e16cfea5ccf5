"""Orders as they stood at a past moment: what was still to come of one product, from the order, its answers, its changes and receipts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final

NOTHING = Decimal(0)
# How far an order is on its way: it never goes back. The last three bring nothing more.
WAY: Final = ("released", "acknowledged", "confirmed", "shipped", "failed", "received", "cancelled")
OPEN: Final = frozenset(WAY[:4])
# Until it is shipped, what goes to another location still lies here.
HERE: Final = frozenset(WAY[:3])
CHANGES: Final = frozenset({"change", "cancel"})


@dataclass(frozen=True, slots=True)
class Line:
    """What one line of an answer says: the quantity and day of a product, or of the one that comes in its place."""

    sku: str
    quantity: Decimal
    arrive_on: date | None = None
    substitute_sku: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to an order, or its cancellation; without lines it is about the whole order."""

    event_id: str
    status: str
    updated_at: datetime
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Ordered:
    """A released order, with what it ordered of the product in question. A change says what is still to come of another order."""

    order_id: str
    kind: str
    released_at: datetime
    arrive_on: date
    quantity: Decimal
    changes_order: str | None = None
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True, slots=True)
class Moved:
    """Goods of an order that came or left."""

    order_id: str
    event_hash: str
    kind: str
    quantity: Decimal
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """What was still to come (or, where it leaves, to go) of an order. The ids are of what that follows from."""

    order_id: str
    status: str
    ordered: Decimal
    open: Decimal
    arrive_on: date
    leaves: bool
    answers: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()


@dataclass(slots=True)
class _Stand:
    """An order while its story is told: `agreed` lies over what was ordered, `changed` over both until it is answered."""

    status: str
    arrive_on: date
    agreed: Decimal | None = None
    changed: tuple[str, Decimal, date] | None = None
    answers: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)

    def progress(self, status: str) -> None:
        self.status = max(self.status, status, key=WAY.index)


def open_orders(
    sku: str, orders: Iterable[Ordered], leaving: Mapping[str, bool], moved: Iterable[Moved], at: datetime
) -> list[OpenOrder]:
    """Orders that at `at` still were to bring this product here or to take it away (`leaving` by order id, of those that are about
    it), by arrival. What happened later is left out; an order that ended by then is not open."""
    known = [
        replace(one, answers=tuple(answer for answer in one.answers if answer.updated_at <= at))
        for one in orders
        if one.released_at <= at
    ]
    goods = [one for one in moved if one.occurred_at <= at]
    changes: dict[str, list[Ordered]] = {}
    for one in known:
        if one.kind in CHANGES and one.changes_order is not None:
            changes.setdefault(one.changes_order, []).append(one)
    found = [
        _open(
            sku, one, changes.get(one.order_id, []), [move for move in goods if move.order_id == one.order_id], leaves
        )
        for one in known
        if one.kind not in CHANGES and (leaves := leaving.get(one.order_id)) is not None
    ]
    stands = [one for one in found if one.open > 0 and one.status in (HERE if one.leaves else OPEN)]
    return sorted(stands, key=lambda one: (one.arrive_on, one.order_id))


def _open(sku: str, order: Ordered, changes: Sequence[Ordered], goods: Sequence[Moved], leaves: bool) -> OpenOrder:
    kinds = ("transfer_out",) if leaves else ("receipt", "transfer_in")
    came = [one for one in goods if one.kind in kinds]
    stand = _Stand("released", order.arrive_on)
    story: list[tuple[datetime, str, Ordered, Answer | None]] = [
        (one.updated_at, one.event_id, order, one) for one in order.answers
    ]
    for change in changes:
        story.append((change.released_at, "", change, None))
        story += [(one.updated_at, one.event_id, change, one) for one in change.answers]
    for moment, _, of, answer in sorted(story, key=lambda one: one[:2]):
        if of is order and answer is not None:
            _hear(sku, stand, answer)
        elif answer is None:
            before = sum((one.quantity for one in came if one.occurred_at <= moment), NOTHING)
            still = NOTHING if of.kind == "cancel" else of.quantity
            stand.changed = (of.order_id, before + still, of.arrive_on)
            stand.changes.append(of.order_id)
        elif stand.changed is not None and stand.changed[0] == of.order_id:
            _answer_change(stand, answer)
    wanted = stand.changed[1] if stand.changed else order.quantity if stand.agreed is None else stand.agreed
    return OpenOrder(
        order.order_id,
        stand.status,
        order.quantity,
        max(wanted - sum((one.quantity for one in came), NOTHING), NOTHING),
        stand.changed[2] if stand.changed else stand.arrive_on,
        leaves,
        tuple(stand.answers),
        tuple(stand.changes),
        tuple(one.event_hash for one in came),
    )


def _hear(sku: str, stand: _Stand, answer: Answer) -> None:
    """What an answer says of this product; one that speaks of other lines alone says nothing of it."""
    mine = [one for one in answer.lines if sku in (one.sku, one.substitute_sku)]
    if answer.lines and not mine:
        return
    stand.progress(answer.status)
    stand.answers.append(answer.event_id)
    for one in mine:
        stand.arrive_on = one.arrive_on or stand.arrive_on
        if answer.status == "confirmed":
            comes_as_other = one.substitute_sku is not None and one.substitute_sku != sku
            stand.agreed = NOTHING if comes_as_other else one.quantity


def _answer_change(stand: _Stand, answer: Answer) -> None:
    """Agreed: the change is the order's own. Failed or cancelled: the order stands as it was."""
    if stand.changed is None or answer.status not in ("confirmed", "received", "failed", "cancelled"):
        return
    if answer.status in ("confirmed", "received"):
        _, stand.agreed, stand.arrive_on = stand.changed
    stand.answers.append(answer.event_id)
    stand.changed = None
