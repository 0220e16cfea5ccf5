"""The life of a queue line as the gateway shows it, and how lines are ranked. The approvals service decides; this only
reads its decisions."""

from datetime import date
from typing import Final

PENDING: Final = "pending"
AWAITING_SECOND: Final = "awaiting_second"
# What waits for a person today.
WAITING: Final = (PENDING, AWAITING_SECOND)
STATUSES: Final = (
    PENDING,
    AWAITING_SECOND,
    "snoozed",
    "approved",
    "amended",
    "by_rule",
    "rejected",
    "released",
    "recalled",
    "expired",
    "superseded",
    "withheld",
)

# What a line is after each verdict of `schemas.decisions.Verdict`. An ended snooze, an undo and an escalation
# leave it waiting for somebody.
STATUS_AFTER: Final[dict[str, str]] = {
    "approved_by_rule": "by_rule",
    "approved": "approved",
    "first_signature": AWAITING_SECOND,
    "amended": "amended",
    "rejected": "rejected",
    "snoozed": "snoozed",
    "returned": PENDING,
    "undone": PENDING,
    "escalated": PENDING,
    "expired": "expired",
    "superseded": "superseded",
    "recalled": "recalled",
}


def urgency(*, origin: date, arrive_on: date, stockout_on: date | None) -> float:
    """How much a day counts for this line, from 1 (no stock-out in sight) to 2 (empty before an order can arrive).

    Between the two it falls with the days to the stock-out `d`: 1 + L / d, `L` the days until an order arrives.
    """
    if stockout_on is None:
        return 1.0
    lead_days = max((arrive_on - origin).days, 1)
    days_left = max((stockout_on - origin).days, 0)
    return 2.0 if days_left <= lead_days else 1.0 + lead_days / days_left


def rank_score(
    *, money_at_risk: float, stockout_probability: float, origin: date, arrive_on: date, stockout_on: date | None
) -> float:
    """Money at risk × urgency: the order of the queue, highest first. Unit: money.

    `money_at_risk` is already an expectation, so the probability only breaks ties among lines that risk the same.
    """
    weight = urgency(origin=origin, arrive_on=arrive_on, stockout_on=stockout_on)
    return round(money_at_risk * weight + stockout_probability * 1e-3, 4)
