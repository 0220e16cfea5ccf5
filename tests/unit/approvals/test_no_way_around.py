"""Model check: every state, every role, every action, exhaustively: no path reaches release without the signatures it needs.

The oracle is not the code's own flags but the history: who said yes to exactly the quantity that leaves, since it last changed.
"""

from collections import deque
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from services.approvals.domain import arrivals, deciding, lifecycle
from services.approvals.domain.arrivals import Place
from services.approvals.domain.authority import Actor
from services.approvals.domain.deciding import Command, decide
from services.approvals.domain.lifecycle import Step
from services.approvals.domain.line import HELD, Line, State
from services.approvals.domain.refusals import Refusal
from tests.unit.approvals.lines import (
    ADA,
    ANN,
    APPROVE,
    BEN,
    DAY,
    EVA,
    IDA,
    LIMITS,
    MOMENT,
    ODA,
    REJECT,
    SNOOZE,
    TWO_HATS,
    UNDO,
    amend,
    worth,
)

PEOPLE = (ANN, BEN, EVA, IDA, ADA, ODA, TWO_HATS)
DECIDERS = {"ann": False, "ben": False, "eva": True, "ida": True}  # subject -> is an approver
COMMANDS = (APPROVE, amend(30), amend(300), REJECT, SNOOZE, UNDO)
LATER = replace(MOMENT, business_date=DAY + timedelta(days=4))
ARRIVING = (
    worth(2000, 2, supersedes="rec-1"),
    worth(80, 3, approved_by_rule=True, route_reasons=(), supersedes="rec-1"),
    worth(2000, 4),
)


@dataclass(frozen=True)
class Seen:
    """The line and, from the history alone, who said yes to what it orders now."""

    line: Line
    said_yes: tuple[str, ...]


def key_of(seen: Seen) -> object:
    """A line without what only counts up, so that the search ends."""
    last_gone = replace(seen.line, version=0, last=None, decision_id="set" if seen.line.decision_id else None)
    return last_gone, seen.said_yes


def yes_after(before: Seen, after: Line, command: Command, actor: Actor) -> tuple[str, ...]:
    """The oracle's own book-keeping: a changed quantity or any state but approval wipes it, a yes adds the person."""
    if command is APPROVE:
        return (*before.said_yes, actor.subject)
    if command.quantity is not None:
        return (actor.subject,)
    return ()


def successors(seen: Seen) -> list[Seen]:
    found = []
    for actor in PEOPLE:
        for command in COMMANDS:
            try:
                step = decide(seen.line, command, actor, MOMENT)
            except Refusal:
                continue
            assert actor.subject in DECIDERS, f"{actor} moved a line"
            found.append(Seen(step.line, yes_after(seen, step.line, command, actor)))
    for arriving in ARRIVING:
        arrival = arrivals.arrive(seen.line, "demo", arriving, MOMENT)
        if arrival.line != seen.line:
            found.append(Seen(arrival.line, () if arrival.place is Place.CURRENT else seen.said_yes))
    for system in (
        arrivals.withdraw(seen.line, "enough_stock", MOMENT),
        arrivals.on_business_date(seen.line, LATER, expires_after=timedelta(days=7)),
    ):
        if isinstance(system, Step):
            found.append(Seen(system.line, ()))
    if seen.line.state in HELD:
        released = lifecycle.release(seen.line, "PO-1")
        found.append(Seen(released, seen.said_yes))
    if seen.line.state is State.RELEASED:
        found.append(
            Seen(deciding.recall(seen.line, ANN, MOMENT, reason="demand_changed", note=None).line, seen.said_yes)
        )
        found.append(Seen(lifecycle.close(seen.line), seen.said_yes))
    return found


def check_release(seen: Seen) -> None:
    """The rules, said again from the outside."""
    line, people = seen.line, set(seen.said_yes)
    if not people:
        assert line.proposal.approved_by_rule and not line.proposal.route_reasons, "nobody said yes, and no rule did"
        assert line.value <= LIMITS.rule_value_limit and line.quantity == line.proposal.quantity
        return
    if line.value > LIMITS.second_signature_above:
        assert len(people) >= 2, f"{seen.said_yes} alone released {line.value}"
        assert DECIDERS[seen.said_yes[-1]], "the last signature above the limit is an approver's"
        assert seen.said_yes[-1] not in seen.said_yes[:-1]
        assert line.amended_by is None or seen.said_yes[0] == line.amended_by
    assert line.quantity * Decimal(10) == line.value, "what was signed is what leaves"


@pytest.mark.parametrize(
    "first", [worth(500), worth(2000), worth(80, approved_by_rule=True, route_reasons=())], ids=["one", "two", "rule"]
)
def test_no_path_reaches_release_without_the_required_approval(first: object) -> None:
    start = Seen(arrivals.arrive(None, "demo", first, MOMENT).line, ())  # type: ignore[arg-type]
    queue, known, released = deque([start]), {key_of(start)}, 0
    while queue:
        seen = queue.popleft()
        if seen.line.state is State.RELEASED:
            check_release(seen)
            released += 1
        for following in successors(seen):
            if (key := key_of(following)) not in known:
                known.add(key)
                queue.append(following)
    assert released >= 3, "the search has to see releases to prove anything"
    assert {one[0].state for one in known} >= set(State) - {State.PROPOSED, State.BY_RULE}  # type: ignore[index]


def test_only_the_two_ways_lead_into_a_held_state() -> None:
    ways = {action.value for (_, action), states in lifecycle.TRANSITIONS.items() if states & HELD}
    assert ways == {"approve", "amend", "pass_by_rule"}
    assert {state for (state, action) in lifecycle.TRANSITIONS if action.value == "release"} == HELD
