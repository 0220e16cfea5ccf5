"""Lines beside an item's own order: changes of open orders. Each derives from its own evidence, as the order does."""

from services.policy.domain.evidence import Evidence
from services.policy.domain.order_changes import order_change
from services.policy.domain.outcome import Outcome


def beside(evidence: Evidence) -> Outcome:
    """What the line the evidence is about comes to."""
    assert evidence.about is not None  # the caller dispatches on it
    return order_change(evidence)
