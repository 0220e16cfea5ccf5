"""What a person decides about a line: approve, amend, reject, snooze, undo; and taking a released one back."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from services.approvals.domain import authority, matrix, quantities, reasons
from services.approvals.domain.authority import Actor
from services.approvals.domain.lifecycle import Action, Moment, Step, move, record, unsigned
from services.approvals.domain.line import Asleep, Line, State, value_of
from services.approvals.domain.matrix import Demand
from services.approvals.domain.refusals import Refusal

# A line that sleeps for more than a year is a line nobody wants.
SNOOZE_DAYS_MAX = 366
# How long an amendment outlives fresher recommendations unless its author says, and at most.
KEEP_DAYS, KEEP_DAYS_MAX = 7, 28
WAKES_ON = ("any_change", "sooner_stockout")


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asks for. `quantity` and `keep_until` (a business date) belong to amend, `snooze_until` (a business
    date) and `wakes_on` to snooze."""

    action: Action
    quantity: Decimal | None = None
    reason: str | None = None
    note: str | None = None
    snooze_until: date | None = None
    wakes_on: str | None = None
    keep_until: date | None = None


def decide(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    """A person's decision on a waiting line. Raises Refusal from here, authority, matrix, quantities and reasons."""
    authority.may_decide(actor)
    matrix.may_decide_on(moment.matrix, actor, line, moment.now.date())
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
        matrix.independent(moment.matrix, actor, line, moment.now.date())
        move(line, Action.APPROVE, State.APPROVED)
        after = replace(line, second_signer=actor.subject)
        return _hold(line, after, State.APPROVED, command, actor, moment)
    demand = _demand(line, line.value, moment)
    signed = replace(
        unsigned(line),
        quantity=line.quantity,
        value=line.value,
        first_signer=actor.subject,
        needs_second=demand.takes_two(actor),
    )
    if signed.needs_second:
        after = replace(signed, state=move(line, Action.APPROVE, State.AWAITING_SECOND))
        return _step(line, after, "first_signature", command, actor, moment, demand)
    move(line, Action.APPROVE, State.APPROVED)
    return _hold(line, signed, State.APPROVED, command, actor, moment, demand)


def _demand(line: Line, value: Decimal, moment: Moment) -> Demand:
    return matrix.demand(moment.matrix, moment.limits, line, value, moment.signed_before)


def _amend(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    move(line, Action.AMEND, State.AMENDED)
    if command.quantity is None:
        raise Refusal("quantity_missing", "To amend a line, give the quantity to order.", "quantity")
    proposal = line.proposal
    quantities.check(command.quantity, moq=proposal.moq, pack=proposal.pack, unit=proposal.unit)
    _may_amend(line, command.quantity)
    if command.quantity == line.quantity:
        raise Refusal(
            "quantity_unchanged",
            f"The line already orders {quantities.plain(line.quantity)}; approve it instead.",
            "quantity",
        )
    reasons.check("amend", reasons.AMEND, command.reason, command.note, required=True)
    value = value_of(command.quantity, proposal.unit_cost)
    demand = _demand(line, value, moment)
    amended = replace(
        unsigned(line),
        quantity=command.quantity,
        value=value,
        amended_by=actor.subject,
        first_signer=actor.subject,
        needs_second=demand.takes_two(actor),
    )
    if not amended.needs_second:
        return _hold(line, amended, State.AMENDED, command, actor, moment, demand)
    state = move(line, Action.AMEND, State.AWAITING_SECOND)
    after = replace(amended, state=state, keep_until=_keep_until(command.keep_until, moment))
    return _step(line, after, "first_signature", command, actor, moment, demand)


def _may_amend(line: Line, quantity: Decimal) -> None:
    """Refuse quantities that only another plan could stand for. Raises Refusal: change_not_amendable, more_than_can_be_spared."""
    proposal = line.proposal
    if proposal.changes_order is not None:
        raise Refusal(
            "change_not_amendable",
            f"This line changes order {proposal.changes_order}; approve or reject it. Another change is agreed with the supplier.",
            "quantity",
        )
    if proposal.from_location is not None and quantity > proposal.quantity:
        raise Refusal(
            "more_than_can_be_spared",
            f"{proposal.from_location} can spare {quantities.plain(proposal.quantity)}; send that much or less.",
            "quantity",
            quantities.plain(proposal.quantity),
        )


def _keep_until(asked: date | None, moment: Moment) -> date:
    """The business date up to which an amendment outlives fresher numbers. Raises Refusal: keep_until_out_of_range."""
    if asked is None:
        return moment.business_date + timedelta(days=KEEP_DAYS)
    last = moment.business_date + timedelta(days=KEEP_DAYS_MAX)
    if not moment.business_date < asked <= last:
        raise Refusal(
            "keep_until_out_of_range",
            f"An amendment can be kept until a business day after {moment.business_date} and up to {last}.",
            "keep_until",
        )
    return asked


def _step(
    before: Line,
    after: Line,
    verdict: str,
    command: Command,
    actor: Actor,
    moment: Moment,
    demand: Demand | None = None,
) -> Step:
    """A person's step, written down with what they said."""
    by, role = actor.subject, actor.deciding_role
    return record(
        before, after, verdict, moment, by=by, role=role, reason=command.reason, note=command.note, demand=demand
    )


def _hold(
    before: Line,
    after: Line,
    state: State,
    command: Command,
    actor: Actor,
    moment: Moment,
    demand: Demand | None = None,
) -> Step:
    after = replace(after, state=state, undo_until=moment.now + moment.undo_window)
    return _step(before, after, state.value, command, actor, moment, demand)


def _reject(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    state = move(line, Action.REJECT, State.REJECTED)
    reasons.check("reject", reasons.REJECT, command.reason, command.note, required=True)
    after = replace(unsigned(line), state=state, undo_until=moment.now + moment.undo_window)
    return _step(line, after, "rejected", command, actor, moment)


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
    if command.wakes_on is not None and command.wakes_on not in WAKES_ON:
        raise Refusal("wakes_on_unknown", f"{command.wakes_on[:64]!r} is not one of {', '.join(WAKES_ON)}.", "wakes_on")
    asleep = Asleep(line.proposal.quantity, line.proposal.stockout_on, command.wakes_on)
    after = replace(unsigned(line), state=state, snoozed_until=until, asleep=asleep)
    return _step(line, after, "snoozed", command, actor, moment)


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
    return _step(line, after, "undone", command, actor, moment)


def may_recall(actor: Actor, reason: str | None, note: str | None) -> None:
    """Refuse who may not take orders back, or does not say why. Raises Refusal: as `may_decide` and `reasons.check`."""
    authority.may_decide(actor)
    reasons.check("cancel", reasons.RECALL, reason, note, required=True)


def demand_open(order_id: str, status: str) -> None:
    """Refuse to take back an order of which nothing is to come. Raises Refusal: not_possible."""
    if status in ("received", "cancelled"):
        raise Refusal("not_possible", f"The order {order_id} is {status} already; nothing of it is to come.")


def recall(line: Line, actor: Actor, moment: Moment, *, reason: str | None, note: str | None) -> Step:
    """Take a released line back together with its whole order, which leaves as a cancel order. Raises Refusal."""
    may_recall(actor, reason, note)
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
