"""What a recommendation that arrives does to the queue: a new line, a fresher version in place, a withdrawal, or too late."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from services.approvals.domain.authority import Limits
from services.approvals.domain.lifecycle import RULE, SYSTEM, Action, Moment, Step, move, record, unsigned
from services.approvals.domain.line import HELD, WAITING, Line, Proposal, State


def fresh(tenant: str, proposal: Proposal) -> Line:
    """A line nobody has decided about."""
    return Line(tenant, proposal.line_id, 0, State.PROPOSED, proposal, proposal.quantity, proposal.value)


def passes_by_rule(proposal: Proposal, limits: Limits) -> bool:
    """Whether nobody has to be asked: the policy service found no reason to, and the value is within the rule limit *as
    known here*; two services have to agree before money is spent without a person."""
    return proposal.approved_by_rule and not proposal.route_reasons and proposal.value <= limits.rule_value_limit


def route(line: Line, moment: Moment) -> tuple[Line, tuple[Step, ...]]:
    """Send a proposed line on: approved by rule (held like any approval), or to a person."""
    if not passes_by_rule(line.proposal, moment.limits):
        return replace(line, state=move(line, Action.ASK, State.PENDING)), ()
    held = replace(line, state=move(line, Action.PASS_BY_RULE, State.BY_RULE), by_rule=True)
    held = replace(held, undo_until=moment.now + moment.undo_window)
    step = record(line, held, "approved_by_rule", moment, by=RULE, role=RULE)
    return step.line, (step,)


class Place(StrEnum):
    """Where an arriving proposal ended up."""

    CURRENT = "current"  # it is what its line proposes now
    BEHIND = "behind"  # its line is held: it waits until the order leaves or the approval is undone
    TOO_LATE = "too_late"  # it changes nothing, and a step says so


@dataclass(frozen=True, slots=True)
class Arrival:
    """The line after a proposal arrived, the steps that were taken, and where the proposal is now."""

    line: Line
    steps: tuple[Step, ...]
    place: Place


def arrive(line: Line | None, tenant: str, proposal: Proposal, moment: Moment) -> Arrival:
    """Give an arriving proposal its place.

    Too late is what replaces a version that is ordered or rejected, or is older than what waits: it was computed before
    that was known, and acting on it would order twice or against a person's word. The policy service plans again when it
    sees the decision.
    """
    if line is None:
        return Arrival(*route(fresh(tenant, proposal), moment), Place.CURRENT)
    if line.state in HELD:
        return Arrival(line, (), Place.BEHIND)
    if line.state in WAITING:
        if proposal.origin < line.proposal.origin:
            return _too_late(line, proposal, moment)
        return Arrival(*_in_place(line, proposal, moment), Place.CURRENT)
    if proposal.supersedes == line.proposal.recommendation_id and line.state is not State.EXPIRED:
        return _too_late(line, proposal, moment)
    state = move(line, Action.REOPEN, State.PROPOSED)
    opened = replace(unsigned(replace(line, proposal=proposal)), state=state, order_id=None)
    return Arrival(*route(opened, moment), Place.CURRENT)


def _too_late(line: Line, proposal: Proposal, moment: Moment) -> Arrival:
    step = end_behind(line, proposal, moment)
    return Arrival(step.line, (step,), Place.TOO_LATE)


def end_behind(line: Line, proposal: Proposal, moment: Moment) -> Step:
    """Write down that a proposal ended without effect; the line stays where it is."""
    step = record(line, line, "expired", moment, by=SYSTEM, role=SYSTEM, reason="computed_before_decision")
    ended = replace(
        step.decision,
        recommendation_id=proposal.recommendation_id,
        quantity_before=proposal.quantity,
        quantity=proposal.quantity,
        value=proposal.value,
    )
    return Step(step.line, ended)


def _in_place(line: Line, proposal: Proposal, moment: Moment) -> tuple[Line, tuple[Step, ...]]:
    """Put fresher numbers on a waiting line. Signatures and an amendment were given for other numbers, so they fall, and
    the step says so; a snooze stays."""
    lost = (
        "amendment_replaced" if line.amended_by else "signature_void" if line.first_signer else "fresher_recommendation"
    )
    note = f"{line.amended_by or line.first_signer} signed other numbers" if line.first_signer else None
    proposed = replace(unsigned(replace(line, proposal=proposal)), state=move(line, Action.SUPERSEDE, State.PROPOSED))
    step = record(line, proposed, "superseded", moment, by=SYSTEM, role=SYSTEM, reason=lost, note=note)
    if line.state is not State.SNOOZED:
        routed, more = route(step.line, moment)
        return routed, (step, *more)
    # The fresher recommendation inherits the snooze, and a step of its own says so to whoever follows recommendations.
    snoozed = replace(
        step.line, state=move(step.line, Action.KEEP_SNOOZED, State.SNOOZED), snoozed_until=line.snoozed_until
    )
    kept = record(step.line, snoozed, "snoozed", moment, by=SYSTEM, role=SYSTEM, reason="still_snoozed")
    return kept.line, (step, kept)


def withdraw(line: Line, reason: str, moment: Moment) -> Step | None:
    """The policy service no longer sees the need: a waiting line expires with its reason; a held or ordered one stays."""
    if line.state not in WAITING:
        return None
    after = replace(unsigned(line), state=move(line, Action.WITHDRAW, State.EXPIRED))
    return record(line, after, "expired", moment, by=SYSTEM, role=SYSTEM, reason=reason)


def on_business_date(line: Line, moment: Moment, *, expires_after: timedelta) -> Step | None:
    """What the close of a business day does to a waiting line: a snooze ends, or a proposal nobody refreshed expires."""
    if line.state is State.SNOOZED and line.snoozed_until is not None and moment.business_date >= line.snoozed_until:
        after = replace(unsigned(line), state=move(line, Action.WAKE, State.PENDING))
        return record(line, after, "returned", moment, by=SYSTEM, role=SYSTEM, reason="snooze_over")
    if line.state in WAITING and moment.business_date > stale_on(line, expires_after):
        after = replace(unsigned(line), state=move(line, Action.LAPSE, State.EXPIRED))
        return record(line, after, "expired", moment, by=SYSTEM, role=SYSTEM, reason="not_refreshed")
    return None


def stale_on(line: Line, expires_after: timedelta) -> date:
    """The last business date on which the line's proposal is still fresh enough to decide on."""
    return max(line.proposal.origin + expires_after, line.snoozed_until or line.proposal.origin)
