"""The order of the queue: money at risk times how soon it hurts."""

from datetime import date
from decimal import Decimal

URGENT = Decimal(2)
# Where no stock-out is in sight the money is still at risk, but it can wait: a quarter of what is urgent at once.
CALM = Decimal("0.5")
STEP = Decimal("0.0001")


def urgency(*, origin: date, arrive_on: date, stockout_on: date | None) -> Decimal:
    """2 when stock runs out before an order placed now would arrive, then falling with the days left, never under 0.5."""
    if stockout_on is None:
        return CALM
    lead_days = max((arrive_on - origin).days, 1)
    days_left = max((stockout_on - origin).days, 1)
    return max(CALM, min(URGENT, URGENT * lead_days / days_left)).quantize(STEP)


def score(money_at_risk: Decimal, *, origin: date, arrive_on: date, stockout_on: date | None) -> Decimal:
    """The rank of a line: higher is reviewed first."""
    return (money_at_risk * urgency(origin=origin, arrive_on=arrive_on, stockout_on=stockout_on)).quantize(STEP)
