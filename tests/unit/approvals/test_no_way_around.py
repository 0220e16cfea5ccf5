"""Model check: every state, role, action and kind of rule, exhaustively: no path reaches release without the signatures it needs.

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
from services.approvals.domain.lifecycle import Moment, Step
from services.approvals.domain.line import HELD, Line, Proposal, State
from services.approvals.domain.matrix import Delegation, Matrix, Rule, Scope, Signatures
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
    worth(2000, 5, origin=DAY + timedelta(days=20)),
)
# The matrices under which the search runs: beside the tenant's limits, none, an approver for this supplier, two for all.
SUP = Scope(suppliers=frozenset({"SUP-17"}))
ELSEWHERE = Scope(locations=frozenset({"999"}))
MATRICES = {
    "limits alone": Matrix(),
    "approver for the supplier": Matrix(rules=(Rule("supplier", "…", SUP, signatures=Signatures.APPROVER),)),
    "two for all": Matrix(rules=(Rule("all", "…", signatures=Signatures.TWO),)),
    "coverage": Matrix(
        coverage=(("ann", SUP), ("ben", ELSEWHERE), ("eva", Scope()), ("ida", ELSEWHERE)),
        delegations=(
            Delegation("ann", "ida", MOMENT.now.date(), MOMENT.now.date()),
            Delegation("eva", "ben", MOMENT.now.date() - timedelta(days=9), MOMENT.now.date() - timedelta(days=1)),
        ),
    ),
}
# Said again by hand: who may decide about a line of SUP-17 for 367 under each matrix, and in whose place.
MAY = {"coverage": {"ann": "ann", "eva": "eva", "ida": "ann"}}


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


def successors(seen: Seen, moment: Moment) -> list[Seen]:
    found = []
    for actor in PEOPLE:
        for command in COMMANDS:
            try:
                step = decide(seen.line, command, actor, moment)
            except Refusal:
                continue
            assert actor.subject in DECIDERS, f"{actor} moved a line"
            found.append(Seen(step.line, yes_after(seen, step.line, command, actor)))
    for arriving in ARRIVING:
        arrival = arrivals.arrive(seen.line, "demo", arriving, moment)
        if arrival.line != seen.line:
            # Numbers changed, so every yes is void; unless it was given to an amended quantity that stays the same.
            stays = arrival.place is not Place.CURRENT or (
                seen.line.amended_by is not None
                and arriving.origin <= DAY + timedelta(days=7)
                and seen.line.state is State.AWAITING_SECOND
            )
            found.append(Seen(arrival.line, seen.said_yes if stays else ()))
    for system in (
        arrivals.withdraw(seen.line, "enough_stock", moment),
        arrivals.on_business_date(
            seen.line, replace(moment, business_date=LATER.business_date), expires_after=timedelta(days=7)
        ),
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


def check_release(seen: Seen, matrix: str) -> None:
    """The rules, said again from the outside."""
    line, people = seen.line, set(seen.said_yes)
    may = MAY.get(matrix, {name: name for name in DECIDERS})
    assert people <= set(may), f"{people - set(may)} decided without covering the line"
    if not people:
        assert matrix in ("limits alone", "coverage"), "the matrix wanted a person"
        assert line.proposal.approved_by_rule and not line.proposal.route_reasons, "nobody said yes, and no rule did"
        assert line.value <= LIMITS.rule_value_limit and line.quantity == line.proposal.quantity
        return
    if matrix == "approver for the supplier":
        assert DECIDERS[seen.said_yes[-1]], "no approver agreed"
    if line.value > LIMITS.second_signature_above or matrix == "two for all":
        assert len({may[name] for name in people}) >= 2, "a delegate signed in the place of the first signer"
        assert len(people) >= 2, f"{seen.said_yes} alone released {line.value}"
        assert DECIDERS[seen.said_yes[-1]], "the last signature above the limit is an approver's"
        assert seen.said_yes[-1] not in seen.said_yes[:-1]
        assert line.amended_by is None or seen.said_yes[0] == line.amended_by
    assert line.quantity * Decimal(10) == line.value, "what was signed is what leaves"


@pytest.mark.parametrize(
    "first", [worth(500), worth(2000), worth(80, approved_by_rule=True, route_reasons=())], ids=["one", "two", "rule"]
)
@pytest.mark.parametrize("matrix", MATRICES)
def test_no_path_reaches_release_without_the_required_approval(first: Proposal, matrix: str) -> None:
    moment = replace(MOMENT, matrix=MATRICES[matrix])
    start = Seen(arrivals.arrive(None, "demo", first, moment).line, ())
    queue, known, released = deque([start]), {key_of(start)}, 0
    while queue:
        seen = queue.popleft()
        if seen.line.state is State.RELEASED:
            check_release(seen, matrix)
            released += 1
        for following in successors(seen, moment):
            if (key := key_of(following)) not in known:
                known.add(key)
                queue.append(following)
    assert released >= 3, "the search has to see releases to prove anything"
    # Where two have to sign, an amendment is held only as an approval.
    never = {State.AMENDED} if matrix == "two for all" else set()
    assert {one[0].state for one in known} >= set(State) - {State.PROPOSED, State.BY_RULE} - never  # type: ignore[index]


def test_only_the_two_ways_lead_into_a_held_state() -> None:
    ways = {action.value for (_, action), states in lifecycle.TRANSITIONS.items() if states & HELD}
    assert ways == {"approve", "amend", "pass_by_rule"}
    assert {state for (state, action) in lifecycle.TRANSITIONS if action.value == "release"} == HELD
