"""What a person decides about a line: approve, amend, reject, snooze, undo; and taking a released one back."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from services.approvals.domain import authority, quantities, reasons
from services.approvals.domain.authority import Actor
from services.approvals.domain.lifecycle import Action, Moment, Step, move, record, unsigned
from services.approvals.domain.line import Line, State, value_of
from services.approvals.domain.refusals import Refusal

# A line that sleeps for more than a year is a line nobody wants.
SNOOZE_DAYS_MAX = 366


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asks for. `quantity` belongs to amend, `snooze_until` (a business date) to snooze."""

    action: Action
    quantity: Decimal | None = None
    reason: str | None = None
    note: str | None = None
    snooze_until: date | None = None


def decide(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    """A person's decision on a waiting line. Raises Refusal from here, authority, quantities and reasons."""
    authority.may_decide(actor)
    handler = {
        Action.APPROVE: _approve,
        Action.AMEND: _amend,
        Action.REJECT: _reject,
        Action.SNOOZE: _snooze,
        Action.UNDO: _undo,
    }
    return handler[command.action](line, command, actor, moment)


def _approve(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    if command.quantity is not None and command.quantity != line.quantity:
        raise Refusal("quantity_needs_amend", "To order another quantity, amend the line and say why.", "quantity")
    if line.state is State.AWAITING_SECOND:
        authority.may_give_second_signature(actor, line)
        move(line, Action.APPROVE, State.APPROVED)
        after = replace(line, second_signer=actor.subject)
        return _hold(line, after, State.APPROVED, command, actor, moment)
    signed = replace(line, first_signer=actor.subject, second_signer=None, amended_by=None, snoozed_until=None)
    if moment.limits.needs_second(line.value):
        state = move(line, Action.APPROVE, State.AWAITING_SECOND)
        after = replace(signed, state=state, needs_second=True)
        return record(
            line,
            after,
            "first_signature",
            moment,
            by=actor.subject,
            role=actor.deciding_role,
            reason=command.reason,
            note=command.note,
        )
    move(line, Action.APPROVE, State.APPROVED)
    return _hold(line, replace(signed, needs_second=False), State.APPROVED, command, actor, moment)


def _amend(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    move(line, Action.AMEND, State.AMENDED)
    if command.quantity is None:
        raise Refusal("quantity_missing", "To amend a line, give the quantity to order.", "quantity")
    proposal = line.proposal
    quantities.check(command.quantity, moq=proposal.moq, pack=proposal.pack, unit=proposal.unit)
    if command.quantity == line.quantity:
        raise Refusal(
            "quantity_unchanged",
            f"The line already orders {quantities.plain(line.quantity)}; approve it instead.",
            "quantity",
        )
    reasons.check("amend", reasons.AMEND, command.reason, command.note, required=True)
    value = value_of(command.quantity, proposal.unit_cost)
    amended = replace(
        line,
        quantity=command.quantity,
        value=value,
        amended_by=actor.subject,
        first_signer=actor.subject,
        second_signer=None,
        snoozed_until=None,
        needs_second=moment.limits.needs_second(value),
    )
    if not amended.needs_second:
        return _hold(line, amended, State.AMENDED, command, actor, moment)
    after = replace(amended, state=move(line, Action.AMEND, State.AWAITING_SECOND))
    return record(
        line,
        after,
        "first_signature",
        moment,
        by=actor.subject,
        role=actor.deciding_role,
        reason=command.reason,
        note=command.note,
    )


def _hold(before: Line, after: Line, state: State, command: Command, actor: Actor, moment: Moment) -> Step:
    after = replace(after, state=state, undo_until=moment.now + moment.undo_window)
    return record(
        before,
        after,
        state.value,
        moment,
        by=actor.subject,
        role=actor.deciding_role,
        reason=command.reason,
        note=command.note,
    )


def _reject(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    state = move(line, Action.REJECT, State.REJECTED)
    reasons.check("reject", reasons.REJECT, command.reason, command.note, required=True)
    after = replace(unsigned(line), state=state, undo_until=moment.now + moment.undo_window)
    return record(
        line,
        after,
        "rejected",
        moment,
        by=actor.subject,
        role=actor.deciding_role,
        reason=command.reason,
        note=command.note,
    )


def _snooze(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    state = move(line, Action.SNOOZE, State.SNOOZED)
    reasons.check("snooze", reasons.SNOOZE, command.reason, command.note, required=False)
    until = command.snooze_until
    if until is None:
        raise Refusal(
            "snooze_until_missing", "To snooze a line, give the business date on which it comes back.", "snooze_until"
        )
    if until <= moment.business_date:
        raise Refusal(
            "snooze_in_past",
            f"Business day {moment.business_date} is closed already; snooze until a later day.",
            "snooze_until",
        )
    if until > moment.business_date + timedelta(days=SNOOZE_DAYS_MAX):
        raise Refusal(
            "snooze_too_long",
            f"A line can be snoozed for at most {SNOOZE_DAYS_MAX} days; reject it if it is not needed.",
            "snooze_until",
        )
    after = replace(unsigned(line), state=state, snoozed_until=until)
    return record(
        line,
        after,
        "snoozed",
        moment,
        by=actor.subject,
        role=actor.deciding_role,
        reason=command.reason,
        note=command.note,
    )


def _undo(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    if line.state in {State.RELEASED, State.CLOSED, State.CANCELLED}:
        raise Refusal("undo_window_over", f"The order {line.order_id} is out; cancel the order instead.")
    state = move(line, Action.UNDO, State.PENDING)
    # A held line can be taken back for as long as its order is not out; a rejection publishes nothing later, so its window is its end.
    if line.state is State.REJECTED and line.undo_until is not None and moment.now > line.undo_until:
        raise Refusal(
            "undo_window_over",
            "The time to take the rejection back is over; the next planning run looks at the item again.",
        )
    after = replace(unsigned(line), state=state)
    return record(
        line,
        after,
        "undone",
        moment,
        by=actor.subject,
        role=actor.deciding_role,
        reason=command.reason,
        note=command.note,
    )


def recall(line: Line, actor: Actor, moment: Moment, *, reason: str | None, note: str | None) -> Step:
    """Take a released line back together with its whole order, which leaves as a cancel order. Raises Refusal."""
    authority.may_decide(actor)
    reasons.check("cancel", reasons.RECALL, reason, note, required=True)
    state = move(line, Action.RECALL, State.CANCELLED)
    return record(
        line,
        replace(line, state=state),
        "recalled",
        moment,
        by=actor.subject,
        role=actor.deciding_role,
        reason=reason,
        note=note,
    )
