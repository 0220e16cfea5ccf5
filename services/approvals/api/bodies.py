"""What callers may send and what they get: strict in, explicit out."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.approvals.domain.deciding import Command
from services.approvals.domain.lifecycle import Action
from services.approvals.domain.line import Line
from services.approvals.domain.quantities import plain

Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
Note = Annotated[str, Field(min_length=1, max_length=200)]
BULK_LINES_MAX = 200


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DecisionIn(_In):
    """A decision about one line. Amend needs `quantity` and `reason`, reject `reason`, snooze `snooze_until`."""

    verdict: Literal["approve", "amend", "reject", "snooze"]
    quantity: Annotated[Decimal, Field(max_digits=30)] | None = None
    reason: Id | None = None
    note: Note | None = None
    snooze_until: date | None = None
    wakes_on: Id | None = None
    keep_until: date | None = None

    def command(self, quantity: Decimal | None = None) -> Command:
        """As the rules understand it."""
        return Command(
            Action(self.verdict),
            quantity or self.quantity,
            self.reason,
            self.note,
            self.snooze_until,
            self.wakes_on,
            self.keep_until,
        )


class BulkLine(_In):
    """One line of a bulk decision at the version the person saw; `quantity` overrides that of the whole."""

    recommendation_id: Id
    version: Annotated[int, Field(ge=0)]
    quantity: Annotated[Decimal, Field(max_digits=30)] | None = None


class BulkIn(DecisionIn):
    """The same decision about many lines, each on its own: one that is refused does not hold up the others."""

    lines: Annotated[tuple[BulkLine, ...], Field(min_length=1, max_length=BULK_LINES_MAX)]


class CancelIn(_In):
    """Take a released order back."""

    reason: Id
    note: Note | None = None


def line_document(line: Line) -> dict[str, Any]:
    """A line as callers see it; money and quantities are decimal strings."""
    p = line.proposal
    return {
        "line_id": line.line_id,
        "recommendation_id": p.recommendation_id,
        "version": line.version,
        "status": line.state.value,
        "action": p.action,
        "sku": p.sku,
        "location": p.location,
        "supplier": p.supplier,
        "from_location": p.from_location,
        "quantity": plain(line.quantity),
        "recommended_quantity": plain(p.quantity),
        "unit": p.unit,
        "unit_cost": plain(p.unit_cost),
        "value": plain(line.value),
        "currency": p.currency,
        "moq": plain(p.moq) if p.moq is not None else None,
        "pack": plain(p.pack) if p.pack is not None else None,
        "order_on": p.order_on.isoformat(),
        "arrive_on": p.arrive_on.isoformat(),
        "stockout_on": p.stockout_on.isoformat() if p.stockout_on else None,
        "money_at_risk": plain(p.money_at_risk),
        "business_date": p.origin.isoformat(),
        "reasons": list(p.route_reasons),
        "needs_second": line.needs_second,
        "first_signer": line.first_signer,
        "second_signer": line.second_signer,
        "amended_by": line.amended_by,
        "snoozed_until": line.snoozed_until.isoformat() if line.snoozed_until else None,
        "wakes_on": line.asleep.wakes_on if line.asleep else None,
        "keep_until": line.keep_until.isoformat() if line.keep_until else None,
        "category": line.category,
        "owner": line.owner,
        "due_at": line.due_at.isoformat() if line.due_at else None,
        "escalate_to": line.escalate_to,
        "escalated": line.escalated,
        "undo_until": line.undo_until.isoformat() if line.undo_until else None,
        "decision_id": line.decision_id,
        "order_id": line.order_id,
        "decided_by": line.last.by if line.last else None,
        "decided_at": line.last.at.isoformat() if line.last else None,
        "last_verdict": line.last.verdict if line.last else None,
    }


def etag(version: int) -> str:
    """The version of a line as an entity tag."""
    return f'"{version}"'
