"""The exceptions inbox: until when each kind of exception is to be settled."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

# Calendar days from the business date it was raised on. What empties a shelf or stops events from counting is a matter of a
# day; a wrong price of a few; what only ties up money can wait for the week's review.
DAYS: Final[Mapping[str, int]] = {
    "stockout_risk": 1,
    "supplier_late": 1,
    "supplier_short": 1,
    "unresolved_identity": 1,
    "audit_conflict": 1,
    "anomaly": 2,
    "supplier_price": 3,
    "missing_master_data": 3,
    "overstock": 7,
    "model_drift": 7,
}
OTHER_DAYS: Final = 3


def due_on(kind: str, raised_on: date) -> date:
    """The last day on which an exception of this kind is settled in time."""
    return raised_on + timedelta(days=DAYS.get(kind, OTHER_DAYS))
