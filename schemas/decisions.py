"""Who decided what, the orders that follow, what ERP and suppliers answer, and the signed heads of the audit log."""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.base import (
    Code,
    Currency,
    Day,
    Instant,
    Message,
    Money,
    NaturalQuantity,
    Part,
    PositiveQuantity,
    Reason,
    Text,
)

Verdict = Literal[
    "approved_by_rule",
    "approved",  # the last signature that was needed
    "first_signature",  # one of two; the line still waits
    "amended",
    "rejected",
    "snoozed",
    "returned",  # a snooze ended
    "undone",
    "escalated",
    "expired",
    "superseded",
    "recalled",
]


# After these an order follows, unless the step is taken back before it goes out.
APPROVALS: frozenset[Verdict] = frozenset(("approved_by_rule", "approved", "amended"))


class DecisionMade(Message):
    """One step in the life of a recommendation. `version` counts 1, 2, 3 … per line without a gap, so that a missing
    decision is seen."""

    TYPE: ClassVar[str] = "decision.made.v1"
    decision_id: Code
    recommendation_id: Code
    line_id: Code
    version: Annotated[int, Field(ge=1)]
    verdict: Verdict
    sku: Code
    location: Code
    quantity_before: NaturalQuantity
    quantity: NaturalQuantity
    value: Money
    currency: Currency
    decided_by: Code
    role: Code
    decided_at: Instant
    reason_code: Reason | None = None
    note: Text | None = None
    snoozed_until: date | None = None
    limits: dict[str, str] = {}

    def record_key(self) -> str:
        return self.recommendation_id


class LineAssigned(Message):
    """Who answers for a line that waits for a person, until when, and whose consent it takes. It is said again when any of
    that changes; it decides nothing and counts no version. `asked_since`: when a person was first asked; fresher numbers do
    not begin it anew."""

    TYPE: ClassVar[str] = "line.assigned.v1"
    line_id: Code
    recommendation_id: Code
    version: Annotated[int, Field(ge=0)]
    owner: Code
    due_at: Instant | None = None
    escalate_to: Code | None = None
    escalated: bool = False
    signatures: Literal["one", "approver", "two"]
    asked_by: tuple[Reason, ...] = ()
    assigned_at: Instant
    asked_since: Instant | None = None

    def record_key(self) -> str:
        return self.recommendation_id


class LineCommented(Message):
    """What somebody said about a line. It decides nothing and counts no version. `mentions`: accounts whose attention it asks
    for, written as @name in the text."""

    TYPE: ClassVar[str] = "line.commented.v1"
    comment_id: Code
    line_id: Code
    recommendation_id: Code
    sku: Code
    location: Code
    text: Annotated[str, Field(min_length=1, max_length=1000)]
    commented_by: Code
    role: Code
    commented_at: Instant
    mentions: Annotated[tuple[Code, ...], Field(max_length=20)] = ()

    def record_key(self) -> str:
        return self.recommendation_id


class OrderLine(Part):
    """One line of an order and the decision that allows it."""

    line_no: Annotated[int, Field(ge=1)]
    recommendation_id: Code
    decision_id: Code
    sku: Code
    quantity: PositiveQuantity
    unit: Code
    unit_cost: Money
    value: Money


class OrderReleased(Message):
    """An approved order, what the ERP consumes. `order_id` is stable: letters, digits, `_` and `-` only.

    kind `change`: of the order `changes_order`, the lines' quantities are what is still to come, on `arrive_on`; `cancel`: the
    lines' quantities do not come any more. Both are answered under their own `order_id`: confirmed or failed.
    `missed_order_on`: the order day its lines were proposed for, when that was over at the release."""

    TYPE: ClassVar[str] = "order.released.v1"
    order_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    kind: Literal["purchase_order", "transfer", "allocation", "change", "cancel"]
    supplier: Code | None = None
    from_location: Code | None = None
    changes_order: Code | None = None
    location: Code
    order_on: date
    arrive_on: date
    missed_order_on: date | None = None
    currency: Currency
    value: Money
    released_at: Instant
    lines: Annotated[tuple[OrderLine, ...], Field(min_length=1)]

    def record_key(self) -> str:
        return self.order_id


class OrderCancelled(Message):
    """A released order that is taken back: never a silent delete."""

    TYPE: ClassVar[str] = "order.cancelled.v1"
    order_id: Code
    cancelled_by: Code
    cancelled_at: Instant
    reason_code: Reason
    note: Text | None = None

    def record_key(self) -> str:
        return self.order_id


class OrderLineUpdate(Part):
    """What the other side says about one line: the quantity, date and cost it confirms, ships or received. With
    `substitute_sku` the units come as that product, and none of the ordered one."""

    sku: Code
    quantity: NaturalQuantity
    arrive_on: date | None = None
    unit_cost: Money | None = None
    substitute_sku: Code | None = None


class OrderUpdated(Message):
    """An answer to an order. `status` confirmed carries the confirmed quantities and dates of its lines (short, late,
    other price are seen by comparison); received closes a line at the quantity received."""

    TYPE: ClassVar[str] = "order.updated.v1"
    order_id: Code
    status: Literal["acknowledged", "confirmed", "shipped", "received", "failed"]
    location: Code
    business_date: Day
    updated_at: Instant
    lines: tuple[OrderLineUpdate, ...] = ()
    note: Text | None = None

    def record_key(self) -> str:
        return self.order_id


class CheckpointSigned(Message):
    """A signed tree head: the note is C2SP text, its signature covers origin, size and root."""

    TYPE: ClassVar[str] = "checkpoint.signed.v1"
    log_id: Code
    origin: Text
    size: Annotated[int, Field(ge=0)]
    root: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]
    note: Annotated[str, Field(max_length=65535)]
    signed_at: Instant

    def record_key(self) -> str:
        return self.log_id
