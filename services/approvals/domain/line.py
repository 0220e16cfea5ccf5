"""What is decided about: a proposal of the policy service and the line in the queue that carries its newest version."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

# Contracts carry money with at most four decimals; a line's value is rounded once, here, to that.
MONEY_STEP = Decimal("0.0001")
# Who answers for a line that nobody else does: everybody who plans.
TEAM = "planner"


class State(StrEnum):
    """Where a line is in its life. The three approved states are *held*: an undo window runs before their release."""

    PROPOSED = "proposed"
    PENDING = "pending"
    AWAITING_SECOND = "awaiting_second"
    SNOOZED = "snoozed"
    BY_RULE = "by_rule"
    APPROVED = "approved"
    AMENDED = "amended"
    REJECTED = "rejected"
    EXPIRED = "expired"
    RELEASED = "released"
    CANCELLED = "cancelled"
    CLOSED = "closed"


HELD = frozenset({State.BY_RULE, State.APPROVED, State.AMENDED})
# Here a person can still decide; here the line can be updated in place by a fresher recommendation.
WAITING = frozenset({State.PENDING, State.AWAITING_SECOND, State.SNOOZED})
# A person is asked now, and the clock of the answer runs.
ASKED = frozenset({State.PENDING, State.AWAITING_SECOND})
ORDERED = frozenset({State.RELEASED, State.CANCELLED, State.CLOSED})


@dataclass(frozen=True, slots=True)
class Proposal:
    """One version of what the policy service recommends. Quantities in stocking units, money in `currency`. `order_until`:
    the last moment at which it still counts for `order_on`; after it, order and arrival are the next ones."""

    recommendation_id: str
    line_id: str
    action: str
    origin: date
    sku: str
    location: str
    quantity: Decimal
    unit: str
    unit_cost: Decimal
    value: Decimal
    currency: str
    order_on: date
    arrive_on: date
    money_at_risk: Decimal
    approved_by_rule: bool
    supersedes: str | None = None
    supplier: str | None = None
    from_location: str | None = None
    changes_order: str | None = None
    moq: Decimal | None = None
    pack: Decimal | None = None
    stockout_on: date | None = None
    route_reasons: tuple[str, ...] = ()
    order_until: datetime | None = None
    next_order_on: date | None = None
    next_arrive_on: date | None = None


@dataclass(frozen=True, slots=True)
class Asleep:
    """What a person saw when they snoozed a line, so that it can say what changed when it comes back. `wakes_on`: what ends
    the snooze before its date: `any_change` of quantity, arrival or stock-out, or a `sooner_stockout`; None: nothing."""

    quantity: Decimal
    stockout_on: date | None
    wakes_on: str | None = None


@dataclass(frozen=True, slots=True)
class LastStep:
    """Who moved the line last, when and how: what somebody with a stale version is told."""

    verdict: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the queue. `version` counts the decisions made on it: 0 when it is fresh, one more with each step.

    `quantity` and `value` are what would be ordered now: the proposal's, or the amended ones. `first_signer` and
    `second_signer` belong to that quantity; whenever it changes, they fall. `keep_until` is the business date up to which
    an amendment outlives fresher recommendations. While a person is asked, `owner` answers for the line, from
    `pending_since` until `due_at`; then `escalate_to` does. `category` is the item's, as the catalogue says it now.
    """

    tenant: str
    line_id: str
    version: int
    state: State
    proposal: Proposal
    quantity: Decimal
    value: Decimal
    first_signer: str | None = None
    second_signer: str | None = None
    amended_by: str | None = None
    needs_second: bool = False
    by_rule: bool = False
    snoozed_until: date | None = None
    asleep: Asleep | None = None
    keep_until: date | None = None
    category: str | None = None
    owner: str = TEAM
    pending_since: datetime | None = None
    due_at: datetime | None = None
    escalate_to: str | None = None
    escalated: bool = False
    undo_until: datetime | None = None
    decision_id: str | None = None
    order_id: str | None = None
    last: LastStep | None = None


def value_of(quantity: Decimal, unit_cost: Decimal) -> Decimal:
    """What a quantity costs, in the currency of `unit_cost`, rounded half up to four decimals."""
    return (quantity * unit_cost).quantize(MONEY_STEP, ROUND_HALF_UP)
