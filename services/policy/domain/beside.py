"""Lines beside an item's own order: changes of open orders, transfers, substitutes. Each derives from its own evidence, as the order does."""

from services.policy.domain.evidence import Evidence
from services.policy.domain.order_changes import OPEN_ORDER, order_change
from services.policy.domain.outcome import Outcome
from services.policy.domain.substitution import SUBSTITUTE, substitute_line
from services.policy.domain.transfer_lines import ALLOCATE, TRANSFER, transfer_line

LINES = {OPEN_ORDER: order_change, TRANSFER: transfer_line, ALLOCATE: transfer_line, SUBSTITUTE: substitute_line}


def beside(evidence: Evidence) -> Outcome:
    """What the line the evidence is about comes to."""
    assert evidence.about is not None  # the caller dispatches on it
    return LINES[evidence.about.kind](evidence)
