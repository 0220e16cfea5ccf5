"""How each line of an order ended: what came, what was agreed not to come, what was never answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Ending = Literal["open", "received", "short", "cancelled", "failed", "agreed"]
# Orders that change another one: they are done when the other side agrees, and nothing is received of them.
CHANGING = frozenset({"change", "cancel"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side, or a cancellation of ours, said to an order. `quantities` by sku; none named: the whole order."""

    status: str
    quantities: Mapping[str, Decimal]

    def is_about(self, sku: str) -> bool:
        return not self.quantities or sku in self.quantities


@dataclass(frozen=True, slots=True)
class Change:
    """An order that changes this one: quantities still to come (`change`), or not to come any more (`cancel`), by sku."""

    kind: str
    status: str
    quantities: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class LineEnd:
    """`expected`: units to come as last agreed; `received`: units that came, None before any did or said how many."""

    ending: Ending
    expected: Decimal
    received: Decimal | None


def line_end(kind: str, sku: str, ordered: Decimal, answers: Sequence[Answer], changes: Sequence[Change]) -> LineEnd:
    """The end of an order's line of `ordered` units. Answers in the order of their time; goods may come in several parts."""
    agreed = [change for change in changes if change.status == "confirmed" and sku in change.quantities]
    expected = ordered
    for change in agreed:
        expected = change.quantities[sku] if change.kind == "change" else Decimal(0)
    said = [answer for answer in answers if answer.is_about(sku)]
    came = [answer for answer in said if answer.status == "received"]
    counted = [answer.quantities[sku] for answer in came if sku in answer.quantities]
    received = sum(counted, Decimal(0)) if counted else expected if came else None
    return LineEnd(_ending(kind, {answer.status for answer in said}, expected, received, agreed), expected, received)


def _ending(kind: str, said: set[str], expected: Decimal, received: Decimal | None, agreed: Sequence[Change]) -> Ending:
    if kind in CHANGING and "confirmed" in said:
        return "agreed"
    if received is not None:
        return "short" if received < expected else "received"
    if "cancelled" in said or any(change.kind == "cancel" for change in agreed):
        return "cancelled"
    return "failed" if "failed" in said else "open"
