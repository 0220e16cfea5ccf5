"""What a recommendation that arrives does to the queue: a new line, a fresher version in place, a withdrawal, or too late."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from services.approvals.domain import quantities
from services.approvals.domain.lifecycle import RULE, SYSTEM, Action, Moment, Step, attended, move, record, unsigned
from services.approvals.domain.line import HELD, WAITING, Asleep, Line, Proposal, State, value_of
from services.approvals.domain.matrix import Signatures, demand


def fresh(tenant: str, proposal: Proposal, category: str | None = None) -> Line:
    """A line nobody has decided about."""
    return Line(
        tenant, proposal.line_id, 0, State.PROPOSED, proposal, proposal.quantity, proposal.value, category=category
    )


def passes_by_rule(line: Line, moment: Moment) -> bool:
    """Whether nobody has to be asked: the policy service found no reason to, the value is within the rule limit *as known
    here*, and no rule of the matrix asks for more than one signature. Two services have to agree before money is spent
    without a person."""
    proposal = line.proposal
    return (
        proposal.approved_by_rule
        and not proposal.route_reasons
        and proposal.value <= moment.limits.rule_value_limit
        and demand(moment.matrix, moment.limits, line, proposal.value, Decimal(0)).signatures is Signatures.ONE
    )


def route(line: Line, moment: Moment) -> tuple[Line, tuple[Step, ...]]:
    """Send a proposed line on: approved by rule (held like any approval), or to a person."""
    if not passes_by_rule(line, moment):
        return attended(replace(line, state=move(line, Action.ASK, State.PENDING)), moment), ()
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


def arrive(line: Line | None, tenant: str, proposal: Proposal, moment: Moment, category: str | None = None) -> Arrival:
    """Give an arriving proposal its place; a line that is there knows its item's category already.

    Too late is what replaces a version that is ordered or rejected, or is older than what waits: it was computed before
    that was known, and acting on it would order twice or against a person's word. The policy service plans again when it
    sees the decision.
    """
    if line is None:
        return Arrival(*route(fresh(tenant, proposal, category), moment), Place.CURRENT)
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
    """Put fresher numbers on a waiting line. A snooze stays unless it was to end with a change like this one; an amendment
    stays until its stated day; any other signature was given for other numbers, so it falls, and the step says whose."""
    if _outlives(line, proposal):
        return _amendment_kept(line, proposal, moment)
    lost = (
        "amendment_replaced" if line.amended_by else "signature_void" if line.first_signer else "fresher_recommendation"
    )
    note = f"{line.amended_by or line.first_signer} signed other numbers" if line.first_signer else None
    proposed = replace(unsigned(replace(line, proposal=proposal)), state=move(line, Action.SUPERSEDE, State.PROPOSED))
    step = record(line, proposed, "superseded", moment, by=SYSTEM, role=SYSTEM, reason=lost, note=note)
    if line.state is not State.SNOOZED:
        since = replace(step.line, pending_since=line.pending_since, escalated=line.escalated, owner=line.owner)
        routed, more = route(since, moment)
        return routed, (step, *more)
    if wakes(line, proposal):
        woken = replace(step.line, state=move(step.line, Action.ASK, State.PENDING))
        told = changes(line.asleep, proposal)
        back = record(
            step.line, woken, "returned", moment, by=SYSTEM, role=SYSTEM, reason="changed_since_snooze", note=told
        )
        return back.line, (step, back)
    # The fresher recommendation inherits the snooze, and a step of its own says so to whoever follows recommendations.
    snoozed = replace(
        step.line,
        state=move(step.line, Action.KEEP_SNOOZED, State.SNOOZED),
        snoozed_until=line.snoozed_until,
        asleep=line.asleep,
    )
    kept = record(step.line, snoozed, "snoozed", moment, by=SYSTEM, role=SYSTEM, reason="still_snoozed")
    return kept.line, (step, kept)


def _outlives(line: Line, proposal: Proposal) -> bool:
    """Whether an amendment that waits for its second signature holds against these fresher numbers: its day is not over,
    and the supplier's terms still allow it."""
    if line.state is not State.AWAITING_SECOND or line.amended_by is None or line.keep_until is None:
        return False
    legal = quantities.nearest_legal(line.quantity, moq=proposal.moq, pack=proposal.pack) == line.quantity
    return legal and proposal.origin <= line.keep_until


def _amendment_kept(line: Line, proposal: Proposal, moment: Moment) -> tuple[Line, tuple[Step, ...]]:
    """Two steps, as with a snooze that stays: the older version is superseded, the fresher one inherits the amendment."""
    proposed = replace(line, proposal=proposal, state=move(line, Action.SUPERSEDE, State.PROPOSED))
    step = record(line, proposed, "superseded", moment, by=SYSTEM, role=SYSTEM, reason="amendment_kept")
    state = move(step.line, Action.KEEP_AMENDMENT, State.AWAITING_SECOND)
    after = replace(
        step.line,
        state=state,
        value=value_of(line.quantity, proposal.unit_cost),
        pending_since=line.pending_since,
        escalated=line.escalated,
    )
    was, now = quantities.plain(line.proposal.quantity), quantities.plain(proposal.quantity)
    kept = f"{line.amended_by} keeps {quantities.plain(line.quantity)} until {line.keep_until}"
    told = f"{kept}; recommended {was} before, {now} now"
    inherited = record(
        step.line, after, "first_signature", moment, by=SYSTEM, role=SYSTEM, reason="amendment_kept", note=told
    )
    return inherited.line, (step, inherited)


def wakes(line: Line, proposal: Proposal) -> bool:
    """Whether these fresher numbers are what the snooze was to end with."""
    asleep = line.asleep
    if asleep is None or asleep.wakes_on is None:
        return False
    if asleep.wakes_on == "sooner_stockout":
        return proposal.stockout_on is not None and (
            asleep.stockout_on is None or proposal.stockout_on < asleep.stockout_on
        )
    return changes(asleep, proposal) is not None


def changes(asleep: Asleep | None, proposal: Proposal) -> str | None:
    """What is different from what the person saw when they snoozed the line, as a sentence; None when nothing is."""
    if asleep is None:
        return None
    found = []
    if asleep.quantity != proposal.quantity:
        was, now = quantities.plain(asleep.quantity), quantities.plain(proposal.quantity)
        found.append(f"recommended {was} when snoozed, {now} now")
    if asleep.stockout_on != proposal.stockout_on:
        found.append(
            f"stock-out {asleep.stockout_on or 'not in sight'} when snoozed, {proposal.stockout_on or 'not in sight'} now"
        )
    return "; ".join(found) or None


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
        told = changes(line.asleep, line.proposal) or "nothing changed since"
        return record(line, after, "returned", moment, by=SYSTEM, role=SYSTEM, reason="snooze_over", note=told)
    if line.state in WAITING and moment.business_date > stale_on(line, expires_after):
        after = replace(unsigned(line), state=move(line, Action.LAPSE, State.EXPIRED))
        return record(line, after, "expired", moment, by=SYSTEM, role=SYSTEM, reason="not_refreshed")
    return None


def stale_on(line: Line, expires_after: timedelta) -> date:
    """The last business date on which the line's proposal is still fresh enough to decide on."""
    return max(line.proposal.origin + expires_after, line.snoozed_until or line.proposal.origin)
