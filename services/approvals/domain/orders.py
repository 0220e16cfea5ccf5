"""Approved lines become orders: one per supplier, destination and dates, when their undo window is over. A line whose order
day is over by then is ordered on the next one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from services.approvals.domain import ids
from services.approvals.domain.line import HELD, Line, Proposal

ORDER_KIND = {
    "buy": "purchase_order",
    "substitute": "purchase_order",
    "transfer": "transfer",
    "allocate": "allocation",
    "expedite": "change",
    "defer": "change",
    "reduce": "change",
    "cancel": "cancel",
}
# A clock further than this from the last closed business day tells nothing of the order day: history is being replayed.
CLOCK_TRUSTED_DAYS = 7
# An order is one record on the topic; at about 300 bytes a line this stays well under Kafka's megabyte.
LINES_MAX = 1000


@dataclass(frozen=True, slots=True)
class Order:
    """An order to release. All its lines share supplier, both locations, the order they change if they change one, order and
    arrival date, and currency. `missed_order_on`: the order day they were proposed for, when that was over."""

    order_id: str
    kind: str
    supplier: str | None
    from_location: str | None
    location: str
    order_on: date
    arrive_on: date
    currency: str
    value: Decimal
    lines: tuple[Line, ...]
    changes_order: str | None = None
    missed_order_on: date | None = None


GroupKey = tuple[str, str, str, str, str, date, date, str]
ClosedDays = Mapping[str, date]  # the last closed business day by location
NOWHERE: ClosedDays = {}


def is_missed(proposal: Proposal, now: datetime, closed_on: date | None) -> bool:
    """Whether the proposal's order day is over: its business day has closed, or the supplier's cut-off has passed by a clock
    that agrees with the business days. Without a next order day, or a closed day, nothing is known to be over."""
    if closed_on is None or proposal.next_order_on is None or proposal.next_arrive_on is None:
        return False
    if closed_on >= proposal.order_on:
        return True
    is_trusted = 0 <= (now.date() - closed_on).days <= CLOCK_TRUSTED_DAYS
    return is_trusted and proposal.order_until is not None and now > proposal.order_until


def group_key(line: Line, now: datetime, closed: ClosedDays = NOWHERE) -> GroupKey:
    """What lines of one order have in common. The arrival date is part of it: an order promises one date for all lines."""
    p = line.proposal
    order_on, arrive_on = p.order_on, p.arrive_on
    if p.next_order_on is not None and p.next_arrive_on is not None and is_missed(p, now, closed.get(p.location)):
        order_on, arrive_on = p.next_order_on, p.next_arrive_on
    return (
        ORDER_KIND[p.action],
        p.supplier or "",
        p.from_location or "",
        p.changes_order or "",
        p.location,
        order_on,
        arrive_on,
        p.currency,
    )


def due(
    lines: Iterable[Line], *, now: datetime, wait_at_most: timedelta, closed: ClosedDays = NOWHERE
) -> list[tuple[GroupKey, list[Line]]]:
    """The groups that can leave now.

    A group waits while the undo window of any of its lines runs, so that lines decided one after the other leave as one
    order; but no line waits longer than `wait_at_most` beyond its own window, then those that are past theirs leave alone.
    """
    groups: defaultdict[GroupKey, list[Line]] = defaultdict(list)
    for line in lines:
        if line.state in HELD and line.undo_until is not None:
            groups[group_key(line, now, closed)].append(line)
    leaving = []
    for key, group in sorted(groups.items()):
        over = [line for line in group if line.undo_until is not None and line.undo_until <= now]
        overdue = any(line.undo_until is not None and line.undo_until + wait_at_most <= now for line in over)
        if over and (len(over) == len(group) or overdue):
            leaving.append((key, sorted(over, key=lambda line: (line.proposal.sku, line.line_id))))
    return leaving


def order_of(key: GroupKey, group: list[Line]) -> Order:
    """The order of one group; its id follows from the decisions that allow its lines."""
    kind, supplier, from_location, changes_order, location, order_on, arrive_on, currency = key
    proposed_for = min(line.proposal.order_on for line in group)
    return Order(
        order_id=ids.order_id(group[0].tenant, kind, (line.decision_id or "" for line in group)),
        kind=kind,
        supplier=supplier or None,
        from_location=from_location or None,
        changes_order=changes_order or None,
        location=location,
        order_on=order_on,
        arrive_on=arrive_on,
        currency=currency,
        value=sum((line.value for line in group), Decimal(0)),
        lines=tuple(group),
        missed_order_on=proposed_for if proposed_for < order_on else None,
    )


def orders_due(
    lines: Iterable[Line], *, now: datetime, wait_at_most: timedelta, closed: ClosedDays = NOWHERE
) -> list[Order]:
    """Every order that can leave now, long groups cut into several orders."""
    return [
        order_of(key, group[start : start + LINES_MAX])
        for key, group in due(lines, now=now, wait_at_most=wait_at_most, closed=closed)
        for start in range(0, len(group), LINES_MAX)
    ]
