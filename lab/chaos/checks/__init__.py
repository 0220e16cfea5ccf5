"""The invariants, one module each: pure functions from evidence to violations, each proven by a planted bug."""

from collections.abc import Callable, Sequence

from lab.chaos.checks import audit, durable, healed, ledger, lines, order, orders, stock, tenants
from lab.chaos.evidence import Evidence, Violation

Check = Callable[[Evidence], list[Violation]]
# Letter of RELIABILITY's matrix -> (what it promises, who checks it)
INVARIANTS: dict[str, tuple[str, Check]] = {
    "L": ("every event is in the ledger once, and nothing else is", ledger.check),
    "S": ("positions and daily demand are the sums of the events", stock.check),
    "E": ("every approved line is on one order, nothing unapproved is", orders.check),
    "M": ("only legal steps, each version of a line decided once", lines.check),
    "A": ("the audit log is gapless, signed, consistent and complete", audit.check),
    "O": ("versions of one key come in order, and everybody ends at the last", order.check),
    "T": ("no row, record or answer of one tenant under another", tenants.check),
    "H": ("caught up within the bound; dead letters are the injected bad events", healed.check),
    "D": ("what was acknowledged is there", durable.check),
}


def check(evidence: Evidence, letters: Sequence[str] = tuple(INVARIANTS)) -> list[Violation]:
    """All violations, invariant by invariant."""
    return [found for letter in letters for found in INVARIANTS[letter][1](evidence)]
