"""The approval matrix on its boundaries: signatures, coverage, delegation, split orders, owners and deadlines."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from services.approvals.domain import lifecycle
from services.approvals.domain.arrivals import arrive
from services.approvals.domain.deciding import Command, decide
from services.approvals.domain.lifecycle import Action, Moment
from services.approvals.domain.line import Line, State
from services.approvals.domain.matrix import Delegation, Matrix, Owner, Rule, Scope, Signatures, demand, owner_of
from services.approvals.domain.refusals import Refusal
from tests.unit.approvals.lines import (
    ANN,
    APPROVE,
    BEN,
    DAY,
    EVA,
    IDA,
    LIMITS,
    MOMENT,
    NOW,
    SNOOZE,
    UNDO,
    amend,
    pending,
    proposal,
    worth,
)

SUP = Scope(suppliers=frozenset({"SUP-17"}))
TODAY = NOW.date()


def under(matrix: Matrix, **changes: object) -> Moment:
    return replace(MOMENT, matrix=matrix, **changes)  # type: ignore[arg-type]


def refused(line: Line, command: Command, actor: object, moment: Moment) -> Refusal:
    with pytest.raises(Refusal) as caught:
        decide(line, command, actor, moment)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("rule", "applies"),
    [
        (Rule("r", "…", value_above=Decimal("499.99")), True),
        (Rule("r", "…", value_above=Decimal(500)), False),
        (Rule("r", "…", reasons=frozenset({"value_above_limit"})), True),
        (Rule("r", "…", reasons=frozenset({"low_confidence"})), False),
        (Rule("r", "…", actions=frozenset({"buy"})), True),
        (Rule("r", "…", actions=frozenset({"transfer"})), False),
        (Rule("r", "…", SUP), True),
        (Rule("r", "…", Scope(suppliers=frozenset({"SUP-18"}))), False),
        (Rule("r", "…", Scope(locations=frozenset({"367"}))), True),
        (Rule("r", "…", Scope(categories=frozenset({"cheese"}))), True),
        (Rule("r", "…", Scope(categories=frozenset({"bread"}))), False),
        (Rule("r", "…", replace(SUP, locations=frozenset({"999"}))), False),
    ],
)
def test_rule_applies_exactly_where_all_it_names_fits(rule: Rule, applies: bool) -> None:
    line = replace(pending(), category="cheese")
    needed = demand(Matrix(rules=(replace(rule, signatures=Signatures.TWO),)), LIMITS, line, line.value, Decimal(0))
    assert (needed.signatures is Signatures.TWO) is applies
    assert needed.codes == (("r",) if applies else ())


def test_strictest_of_several_rules_holds_and_is_named() -> None:
    rules = (
        Rule("a", "…"),
        Rule("b", "…", signatures=Signatures.APPROVER),
        Rule("c", "…", signatures=Signatures.APPROVER),
    )
    needed = demand(Matrix(rules=rules), LIMITS, pending(), Decimal(500), Decimal(0))
    assert (needed.signatures, needed.codes) == (Signatures.APPROVER, ("b", "c"))


def test_approver_rule_takes_an_approver_alone_or_a_planner_and_then_an_approver() -> None:
    moment = under(Matrix(rules=(Rule("r", "…", signatures=Signatures.APPROVER),)))
    assert decide(pending(), APPROVE, EVA, moment).line.state is State.APPROVED
    first = decide(pending(), APPROVE, ANN, moment)
    assert first.line.state is State.AWAITING_SECOND
    assert first.decision.asked_by == ("r",)
    assert refused(first.line, APPROVE, BEN, moment).code == "approver_needed"
    assert decide(first.line, APPROVE, EVA, moment).line.state is State.APPROVED


def test_order_split_into_lines_below_the_limit_takes_two_signatures_from_the_line_that_passes_the_ceiling() -> None:
    matrix = Matrix(rolling_value_above=Decimal(1200))
    within = decide(pending(), APPROVE, ANN, under(matrix, signed_before=Decimal(700)))
    beyond = decide(pending(), APPROVE, ANN, under(matrix, signed_before=Decimal("700.01")))
    assert (within.line.state, beyond.line.state) == (State.APPROVED, State.AWAITING_SECOND)
    assert beyond.decision.asked_by == ("rolling_value",)
    amended = decide(pending(), amend(60), ANN, under(matrix, signed_before=Decimal(700)))
    assert amended.line.state is State.AWAITING_SECOND


def test_matrix_without_a_ceiling_still_sees_ten_times_the_limit() -> None:
    moment = under(Matrix(), signed_before=Decimal(9501))
    assert decide(pending(), APPROVE, ANN, moment).line.state is State.AWAITING_SECOND


def test_who_does_not_cover_a_line_can_do_nothing_with_it_and_is_told_who_can() -> None:
    moment = under(Matrix(coverage=(("ann", SUP), ("ben", Scope(locations=frozenset({"999"}))))))
    for command in (APPROVE, amend(60), SNOOZE, Command(Action.REJECT, reason="not_needed")):
        refusal = refused(pending(), command, BEN, moment)
        assert refusal.code == "not_covered"
        assert "ann can decide it" in refusal.says
    held = decide(pending(), APPROVE, ANN, moment).line
    assert refused(held, UNDO, BEN, moment).code == "not_covered"
    assert (
        "nobody covers it"
        in refused(pending(), APPROVE, EVA, under(Matrix(coverage=(("ben", Scope(locations=frozenset({"9"}))),)))).says
    )


@pytest.mark.parametrize(
    ("starts", "ends", "code"), [(0, 0, None), (-3, -1, "ended on 2026-11-20"), (1, 4, "begins on 2026-11-22")]
)
def test_delegation_holds_on_its_days_both_included(starts: int, ends: int, code: str | None) -> None:
    given = Delegation("ann", "ben", TODAY + timedelta(days=starts), TODAY + timedelta(days=ends))
    moment = under(Matrix(coverage=(("ann", SUP),), delegations=(given,)))
    if code is None:
        assert decide(pending(), APPROVE, BEN, moment).line.first_signer == "ben"
        return
    refusal = refused(pending(), APPROVE, BEN, moment)
    assert refusal.code == "delegation_over"
    assert code in refusal.says


def test_delegate_of_the_first_signer_is_no_second_person() -> None:
    given = Delegation("ann", "ida", TODAY, TODAY)
    moment = under(Matrix(coverage=(("ann", SUP), ("eva", Scope())), delegations=(given,)))
    signed = decide(pending(worth(2000)), APPROVE, ANN, moment).line
    assert refused(signed, APPROVE, IDA, moment).code == "delegate_of_signer"
    assert decide(signed, APPROVE, EVA, moment).line.state is State.APPROVED


def test_owner_is_the_narrowest_scope_that_fits_and_else_the_team() -> None:
    line = replace(pending(), category="cheese")
    owners = [
        Owner("zoe", Scope(suppliers=frozenset({"SUP-17"}), categories=frozenset({"cheese"}))),
        Owner("max", SUP),
        Owner("eve", Scope(locations=frozenset({"999"}))),
    ]
    assert owner_of(owners, line) == "zoe"
    assert owner_of(owners[1:], line) == "max"
    assert owner_of(owners[2:], line) == "planner"


def test_line_left_lying_goes_to_the_next_one_exactly_when_its_time_is_over_and_once() -> None:
    rules = (
        Rule("day", "…", sla=timedelta(hours=24)),
        Rule("soon", "…", SUP, sla=timedelta(hours=4), escalate_to="eva"),
    )
    moment = under(Matrix(rules=rules), owners=(Owner("ann", SUP),))
    line = arrive(None, "demo", proposal(), moment).line
    assert (line.owner, line.due_at, line.escalate_to) == ("ann", NOW + timedelta(hours=4), "eva")
    assert lifecycle.escalate(line, replace(moment, now=NOW + timedelta(hours=4, seconds=-1))) is None
    step = lifecycle.escalate(line, replace(moment, now=NOW + timedelta(hours=4)))
    assert step is not None
    assert (step.line.owner, step.line.state, step.decision.verdict) == ("eva", State.PENDING, "escalated")
    assert lifecycle.escalate(step.line, replace(moment, now=NOW + timedelta(days=2))) is None


def test_fresher_numbers_do_not_start_the_clock_anew() -> None:
    moment = under(Matrix(rules=(Rule("day", "…", sla=timedelta(hours=24)),)))
    line = arrive(None, "demo", proposal(), moment).line
    later = replace(moment, now=NOW + timedelta(hours=20))
    assert arrive(line, "demo", proposal(2), later).line.due_at == NOW + timedelta(hours=24)
    undone = decide(decide(line, APPROVE, ANN, later).line, UNDO, ANN, later).line
    assert undone.due_at == NOW + timedelta(hours=44)


@pytest.mark.parametrize(
    ("wakes_on", "fresher", "back"),
    [
        (None, proposal(2, quantity=Decimal(90)), False),
        ("any_change", proposal(2, quantity=Decimal(90)), True),
        ("any_change", proposal(2), False),
        ("sooner_stockout", proposal(2, quantity=Decimal(90)), False),
        ("sooner_stockout", proposal(2, stockout_on=DAY + timedelta(days=2)), True),
        ("sooner_stockout", proposal(2, stockout_on=DAY + timedelta(days=5)), False),
    ],
)
def test_snooze_ends_early_with_the_change_it_waits_for(wakes_on: str | None, fresher: object, back: bool) -> None:
    asleep = decide(pending(), replace(SNOOZE, wakes_on=wakes_on), ANN, MOMENT).line
    arrival = arrive(asleep, "demo", fresher, MOMENT)  # type: ignore[arg-type]
    assert arrival.line.state is (State.PENDING if back else State.SNOOZED)
    if back:
        assert arrival.steps[-1].decision.reason == "changed_since_snooze"
        assert "when snoozed" in (arrival.steps[-1].decision.note or "")


def test_unknown_wake_and_impossible_keep_until_are_refused_by_field() -> None:
    assert refused(pending(), replace(SNOOZE, wakes_on="moon"), ANN, MOMENT).field == "wakes_on"
    assert refused(pending(), replace(amend(200), keep_until=DAY), ANN, MOMENT).field == "keep_until"
    assert (
        refused(pending(), replace(amend(200), keep_until=DAY + timedelta(days=29)), ANN, MOMENT).field == "keep_until"
    )
