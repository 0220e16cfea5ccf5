"""The life of a line: which action leads from which state to which, and what each step writes down."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from services.approvals.domain import authority, ids, quantities, reasons
from services.approvals.domain.authority import Actor, Limits
from services.approvals.domain.line import HELD, LastStep, Line, State, value_of
from services.approvals.domain.refusals import Refusal

SNOOZE_DAYS_MAX = 366
RULE = "rule"
SYSTEM = "system"


class Action(StrEnum):
    """What can happen to a line. The first five are a person's; `recall` is a person's too, on the whole order."""

    APPROVE = "approve"
    AMEND = "amend"
    REJECT = "reject"
    SNOOZE = "snooze"
    UNDO = "undo"
    RECALL = "recall"
    PASS_BY_RULE = "pass_by_rule"
    ASK = "ask"
    KEEP_SNOOZED = "keep_snoozed"
    SUPERSEDE = "supersede"
    WITHDRAW = "withdraw"
    LAPSE = "lapse"
    WAKE = "wake"
    REOPEN = "reopen"
    RELEASE = "release"
    CLOSE = "close"


def _table() -> dict[tuple[State, Action], frozenset[State]]:
    s, a = State, Action
    table = {
        (s.PROPOSED, a.PASS_BY_RULE): {s.BY_RULE},
        (s.PROPOSED, a.ASK): {s.PENDING},
        (s.PROPOSED, a.KEEP_SNOOZED): {s.SNOOZED},
        (s.SNOOZED, a.WAKE): {s.PENDING},
        (s.RELEASED, a.RECALL): {s.CANCELLED},
        (s.RELEASED, a.CLOSE): {s.CLOSED},
    }
    for waiting in (s.PENDING, s.SNOOZED, s.AWAITING_SECOND):
        # The second of two signatures is the last one; the first of two leaves the line waiting for the other.
        table[waiting, a.APPROVE] = {s.APPROVED} if waiting is s.AWAITING_SECOND else {s.APPROVED, s.AWAITING_SECOND}
        table[waiting, a.AMEND] = {s.AMENDED, s.AWAITING_SECOND}
        table[waiting, a.REJECT] = {s.REJECTED}
        table[waiting, a.SNOOZE] = {s.SNOOZED}
        table[waiting, a.SUPERSEDE] = {s.PROPOSED}
        table[waiting, a.WITHDRAW] = {s.EXPIRED}
        table[waiting, a.LAPSE] = {s.EXPIRED}
    for undoable in (*HELD, s.AWAITING_SECOND, s.SNOOZED, s.REJECTED):
        table[undoable, a.UNDO] = {s.PENDING}
    for held in HELD:
        table[held, a.RELEASE] = {s.RELEASED}
    for over in (s.REJECTED, s.EXPIRED, s.RELEASED, s.CANCELLED, s.CLOSED):
        # A new need under an old line id: the next proposal starts a new life of the line.
        table[over, a.REOPEN] = {s.PROPOSED}
    return {key: frozenset(states) for key, states in table.items()}


TRANSITIONS = _table()


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asks for. `quantity` belongs to amend, `snooze_until` (a business date) to snooze."""

    action: Action
    quantity: Decimal | None = None
    reason: str | None = None
    note: str | None = None
    snooze_until: date | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """One step that is written down for ever. Signers are those of the line after the step."""

    decision_id: str
    line_id: str
    recommendation_id: str
    version: int
    verdict: str
    quantity_before: Decimal
    quantity: Decimal
    value: Decimal
    by: str
    role: str
    at: datetime
    limits: Limits
    reason: str | None = None
    note: str | None = None
    snoozed_until: date | None = None
    needs_second: bool = False
    first_signer: str | None = None
    second_signer: str | None = None
    amended_by: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """The line after a step, and what was decided."""

    line: Line
    decision: Decision


@dataclass(frozen=True, slots=True)
class Moment:
    """When and under which limits something is decided. `now` is the wall clock (a person's act), `business_date` the
    last closed day of the line's location (event time), `undo_window` how long an approval or rejection can be taken back."""

    now: datetime
    business_date: date
    limits: Limits
    undo_window: timedelta


def move(line: Line, action: Action, to: State) -> State:
    """The new state, if the table allows it. Raises Refusal: already_decided, not_possible."""
    if to in TRANSITIONS.get((line.state, action), frozenset()):
        return to
    told = f" by {line.last.by} at {line.last.at:%Y-%m-%d %H:%M:%S} UTC" if line.last else ""
    if action in {Action.APPROVE, Action.AMEND, Action.REJECT, Action.SNOOZE}:
        raise Refusal("already_decided", f"This line is {_words(line.state)} already{told}; look at it again before doing more.")
    raise Refusal("not_possible", f"A line that is {_words(line.state)} cannot take the step {_words(action)}{told}.")


def _words(code: str) -> str:
    return code.replace("_", " ")


def record(
    before: Line, after: Line, verdict: str, moment: Moment, *, by: str, role: str, reason: str | None = None, note: str | None = None
) -> Step:
    """Number the step, derive its id and write it down; every step makes a new version of the line."""
    version = before.version + 1
    decision_id = ids.decision_id(before.tenant, before.line_id, version)
    after = replace(after, version=version, last=LastStep(verdict, by, moment.now))
    if after.state in HELD:
        after = replace(after, decision_id=decision_id)
    return Step(
        after,
        Decision(
            decision_id=decision_id,
            line_id=before.line_id,
            recommendation_id=before.proposal.recommendation_id,
            version=version,
            verdict=verdict,
            quantity_before=before.quantity,
            quantity=after.quantity,
            value=after.value,
            by=by,
            role=role,
            at=moment.now,
            limits=moment.limits,
            reason=reason,
            note=note,
            snoozed_until=after.snoozed_until,
            needs_second=after.needs_second,
            first_signer=after.first_signer,
            second_signer=after.second_signer,
            amended_by=after.amended_by,
        ),
    )


def decide(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    """A person's decision on a waiting line. Raises Refusal from here, authority, quantities and reasons."""
    authority.may_decide(actor)
    handler = {Action.APPROVE: _approve, Action.AMEND: _amend, Action.REJECT: _reject, Action.SNOOZE: _snooze, Action.UNDO: _undo}
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
        return record(line, after, "first_signature", moment, by=actor.subject, role=actor.deciding_role, reason=command.reason, note=command.note)
    move(line, Action.APPROVE, State.APPROVED)
    return _hold(line, replace(signed, needs_second=False), State.APPROVED, command, actor, moment)


def _amend(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    move(line, Action.AMEND, State.AMENDED)
    if command.quantity is None:
        raise Refusal("quantity_missing", "To amend a line, give the quantity to order.", "quantity")
    proposal = line.proposal
    quantities.check(command.quantity, moq=proposal.moq, pack=proposal.pack, unit=proposal.unit)
    if command.quantity == line.quantity:
        raise Refusal("quantity_unchanged", f"The line already orders {quantities.plain(line.quantity)}; approve it instead.", "quantity")
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
    return record(line, after, "first_signature", moment, by=actor.subject, role=actor.deciding_role, reason=command.reason, note=command.note)


def _hold(before: Line, after: Line, state: State, command: Command, actor: Actor, moment: Moment) -> Step:
    after = replace(after, state=state, undo_until=moment.now + moment.undo_window)
    return record(before, after, state.value, moment, by=actor.subject, role=actor.deciding_role, reason=command.reason, note=command.note)


def _reject(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    state = move(line, Action.REJECT, State.REJECTED)
    reasons.check("reject", reasons.REJECT, command.reason, command.note, required=True)
    after = replace(unsigned(line), state=state, undo_until=moment.now + moment.undo_window)
    return record(line, after, "rejected", moment, by=actor.subject, role=actor.deciding_role, reason=command.reason, note=command.note)


def _snooze(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    state = move(line, Action.SNOOZE, State.SNOOZED)
    reasons.check("snooze", reasons.SNOOZE, command.reason, command.note, required=False)
    until = command.snooze_until
    if until is None:
        raise Refusal("snooze_until_missing", "To snooze a line, give the business date on which it comes back.", "snooze_until")
    if until <= moment.business_date:
        raise Refusal("snooze_in_past", f"Business day {moment.business_date} is closed already; snooze until a later day.", "snooze_until")
    if until > moment.business_date + timedelta(days=SNOOZE_DAYS_MAX):
        raise Refusal("snooze_too_long", f"A line can be snoozed for at most {SNOOZE_DAYS_MAX} days; reject it if it is not needed.", "snooze_until")
    after = replace(unsigned(line), state=state, snoozed_until=until)
    return record(line, after, "snoozed", moment, by=actor.subject, role=actor.deciding_role, reason=command.reason, note=command.note)


def _undo(line: Line, command: Command, actor: Actor, moment: Moment) -> Step:
    if line.state in {State.RELEASED, State.CLOSED, State.CANCELLED}:
        raise Refusal("undo_window_over", f"The order {line.order_id} is out; cancel the order instead.")
    state = move(line, Action.UNDO, State.PENDING)
    # A held line can be taken back for as long as its order is not out; a rejection publishes nothing later, so its window is its end.
    if line.state is State.REJECTED and line.undo_until is not None and moment.now > line.undo_until:
        raise Refusal("undo_window_over", "The time to take the rejection back is over; the next planning run looks at the item again.")
    after = replace(unsigned(line), state=state)
    return record(line, after, "undone", moment, by=actor.subject, role=actor.deciding_role, reason=command.reason, note=command.note)


def unsigned(line: Line) -> Line:
    """The line with the proposal's own quantity and nobody's signature: what signatures were given for is gone."""
    return replace(
        line,
        quantity=line.proposal.quantity,
        value=line.proposal.value,
        first_signer=None,
        second_signer=None,
        amended_by=None,
        needs_second=False,
        by_rule=False,
        snoozed_until=None,
        undo_until=None,
        decision_id=None,
    )


def recall(line: Line, actor: Actor, moment: Moment, *, reason: str | None, note: str | None) -> Step:
    """Take a released line back together with its whole order, which leaves as a cancel order. Raises Refusal."""
    authority.may_decide(actor)
    reasons.check("cancel", reasons.RECALL, reason, note, required=True)
    state = move(line, Action.RECALL, State.CANCELLED)
    return record(line, replace(line, state=state), "recalled", moment, by=actor.subject, role=actor.deciding_role, reason=reason, note=note)


def is_authorised(line: Line) -> bool:
    """Whether the line carries everything its release needs: the rule, or one signature, or two of different persons."""
    if line.decision_id is None:
        return False
    if line.by_rule:
        return line.first_signer is None
    if not line.needs_second:
        return line.first_signer is not None
    return None not in (line.first_signer, line.second_signer) and line.second_signer not in (line.first_signer, line.amended_by)


def release(line: Line, order_id: str) -> Line:
    """The line on its way to the ERP. That it is authorised is an invariant, not a question: crash rather than order."""
    if not is_authorised(line):
        raise AssertionError(f"line {line.line_id} reached release without the signatures it needs")
    return replace(line, state=move(line, Action.RELEASE, State.RELEASED), order_id=order_id)


def close(line: Line) -> Line:
    """The line whose goods are received."""
    return replace(line, state=move(line, Action.CLOSE, State.CLOSED))
