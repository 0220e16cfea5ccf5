"""Lines beside an item's own order: changes of open orders, transfers. Each derives from its own evidence, as the order does."""

from services.policy.domain.evidence import Evidence
from services.policy.domain.order_changes import order_change
from services.policy.domain.outcome import Outcome
from services.policy.domain.transfer_lines import ALLOCATE, TRANSFER, transfer_line


def beside(evidence: Evidence) -> Outcome:
    """What the line the evidence is about comes to."""
    assert evidence.about is not None  # the caller dispatches on it
    return transfer_line(evidence) if evidence.about.kind in (TRANSFER, ALLOCATE) else order_change(evidence)
