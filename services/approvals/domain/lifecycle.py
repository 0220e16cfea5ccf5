"""The life of a line: which action leads from which state to which, and what each step writes down."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from services.approvals.domain import ids
from services.approvals.domain.authority import Limits
from services.approvals.domain.default_matrix import DEFAULT
from services.approvals.domain.line import ASKED, HELD, LastStep, Line, State
from services.approvals.domain.matrix import Demand, Matrix, Owner, deadline, owner_of
from services.approvals.domain.refusals import Refusal

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
    PASS_BY_RULE = "pass_by_rule"  # noqa: S105
    ASK = "ask"
    KEEP_SNOOZED = "keep_snoozed"
    KEEP_AMENDMENT = "keep_amendment"
    SUPERSEDE = "supersede"
    WITHDRAW = "withdraw"
    LAPSE = "lapse"
    WAKE = "wake"
    ESCALATE = "escalate"
    REOPEN = "reopen"
    RELEASE = "release"
    CLOSE = "close"


def _table() -> dict[tuple[State, Action], frozenset[State]]:
    s, a = State, Action
    table = {
        (s.PROPOSED, a.PASS_BY_RULE): {s.BY_RULE},
        (s.PROPOSED, a.ASK): {s.PENDING},
        (s.PROPOSED, a.KEEP_SNOOZED): {s.SNOOZED},
        # An amendment that waits for its second signature may outlive fresher numbers.
        (s.PROPOSED, a.KEEP_AMENDMENT): {s.AWAITING_SECOND},
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
    for asked in ASKED:
        table[asked, a.ESCALATE] = {asked}
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
    asked_by: tuple[str, ...] = ()
    matrix_version: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """The line after a step, and what was decided."""

    line: Line
    decision: Decision


@dataclass(frozen=True, slots=True)
class Moment:
    """When and under which limits something is decided. `now` is the wall clock (a person's act), `business_date` the
    last closed day of the line's location (event time), `undo_window` how long an approval or rejection can be taken back.
    `matrix` and `owners` are those in force; `signed_before` is the money of one-signature approvals for the line's
    supplier and order day so far."""

    now: datetime
    business_date: date
    limits: Limits
    undo_window: timedelta
    matrix: Matrix = DEFAULT
    owners: tuple[Owner, ...] = ()
    signed_before: Decimal = Decimal(0)


def move(line: Line, action: Action, to: State) -> State:
    """The new state, if the table allows it. Raises Refusal: already_decided, not_possible."""
    if to in TRANSITIONS.get((line.state, action), frozenset()):
        return to
    told = f" by {line.last.by} at {line.last.at:%Y-%m-%d %H:%M:%S} UTC" if line.last else ""
    if action in {Action.APPROVE, Action.AMEND, Action.REJECT, Action.SNOOZE}:
        raise Refusal(
            "already_decided", f"This line is {_words(line.state)} already{told}; look at it again before doing more."
        )
    raise Refusal("not_possible", f"A line that is {_words(line.state)} cannot take the step {_words(action)}{told}.")


def _words(code: str) -> str:
    return code.replace("_", " ")


def record(
    before: Line,
    after: Line,
    verdict: str,
    moment: Moment,
    *,
    by: str,
    role: str,
    reason: str | None = None,
    note: str | None = None,
    demand: Demand | None = None,
) -> Step:
    """Number the step, derive its id and write it down; every step makes a new version of the line."""
    version = before.version + 1
    after = attended(after, moment)
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
            asked_by=demand.codes if demand else (),
            matrix_version=moment.matrix.version,
        ),
    )


def attended(line: Line, moment: Moment) -> Line:
    """The line with its owner and deadline: set while a person is asked, gone when nobody is. Fresher numbers for a line
    that waits already do not start its clock anew, and what was escalated stays with whom it was escalated to."""
    if line.state not in ASKED:
        return replace(line, pending_since=None, due_at=None, escalate_to=None, escalated=False)
    since = line.pending_since or moment.now
    until = deadline(moment.matrix, line, since)
    return replace(
        line,
        owner=line.owner if line.escalated else owner_of(moment.owners, line),
        pending_since=since,
        due_at=until.due_at if until else None,
        escalate_to=until.escalate_to if until else None,
    )


def escalate(line: Line, moment: Moment) -> Step | None:
    """Whoever the line was left to did not decide in time: the next one answers for it. None while there is time."""
    if line.state not in ASKED or line.escalated or line.due_at is None or moment.now < line.due_at:
        return None
    told = f"{line.owner} had until {line.due_at:%Y-%m-%d %H:%M} UTC; {line.escalate_to} answers for it now"
    after = replace(
        line, state=move(line, Action.ESCALATE, line.state), owner=line.escalate_to or line.owner, escalated=True
    )
    return record(line, after, "escalated", moment, by=SYSTEM, role=SYSTEM, reason="deadline_over", note=told)


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
        asleep=None,
        keep_until=None,
        undo_until=None,
        decision_id=None,
    )


def is_authorised(line: Line) -> bool:
    """Whether the line carries everything its release needs: the rule, or one signature, or two of different persons."""
    if line.decision_id is None:
        return False
    if line.by_rule:
        return line.first_signer is None
    if not line.needs_second:
        return line.first_signer is not None
    return None not in (line.first_signer, line.second_signer) and line.second_signer not in (
        line.first_signer,
        line.amended_by,
    )


def release(line: Line, order_id: str) -> Line:
    """The line on its way to the ERP. That it is authorised is an invariant, not a question: crash rather than order."""
    if not is_authorised(line):
        raise AssertionError(f"line {line.line_id} reached release without the signatures it needs")
    return replace(line, state=move(line, Action.RELEASE, State.RELEASED), order_id=order_id)


def close(line: Line) -> Line:
    """The line whose goods are received."""
    return replace(line, state=move(line, Action.CLOSE, State.CLOSED))
