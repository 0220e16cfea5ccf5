"""The life of a line, state by state: what a person can do, what it writes down, and what is refused in which words."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from services.approvals.domain import deciding, lifecycle
from services.approvals.domain.authority import Actor
from services.approvals.domain.deciding import Command, decide
from services.approvals.domain.lifecycle import Action, Moment
from services.approvals.domain.line import Line, State
from services.approvals.domain.refusals import Refusal
from tests.unit.approvals.lines import (
    ADA,
    ANN,
    APPROVE,
    BEN,
    DAY,
    EVA,
    IDA,
    MOMENT,
    NOW,
    ODA,
    REJECT,
    ROBOT,
    SNOOZE,
    TWO_HATS,
    UNDO,
    amend,
    pending,
    proposal,
    worth,
)


def refused(line: Line, command: Command, actor: Actor, moment: Moment = MOMENT) -> Refusal:
    with pytest.raises(Refusal) as caught:
        decide(line, command, actor, moment)
    assert caught.value.says.endswith(".") and len(caught.value.says) > 20, "a refusal is a sentence"
    return caught.value


@pytest.mark.parametrize(
    ("command", "state", "verdict"),
    [
        (APPROVE, State.APPROVED, "approved"),
        (amend(60), State.AMENDED, "amended"),
        (REJECT, State.REJECTED, "rejected"),
        (SNOOZE, State.SNOOZED, "snoozed"),
    ],
)
def test_a_planner_decides_a_line_within_the_limit_alone(command: Command, state: State, verdict: str) -> None:
    step = decide(pending(), command, ANN, MOMENT)
    assert (step.line.state, step.line.version) == (state, 1)
    assert (step.decision.verdict, step.decision.by, step.decision.role, step.decision.version) == (
        verdict,
        "ann",
        "planner",
        1,
    )
    assert step.line.last is not None and step.line.last.at == NOW


def test_approval_is_held_until_the_undo_window_ends() -> None:
    line = decide(pending(), APPROVE, ANN, MOMENT).line
    assert line.undo_until == NOW + timedelta(seconds=10)
    assert lifecycle.release(line, "PO-1").state is State.RELEASED


def test_line_of_exactly_the_limit_needs_one_signature_and_a_cent_more_needs_two() -> None:
    assert decide(pending(worth(1000)), APPROVE, ANN, MOMENT).line.state is State.APPROVED
    above = proposal(value=Decimal("1000.01"))
    assert decide(pending(above), APPROVE, ANN, MOMENT).line.state is State.AWAITING_SECOND


def test_above_the_limit_the_second_signature_is_another_persons_with_the_role_approver() -> None:
    first = decide(pending(worth(2000)), APPROVE, ANN, MOMENT)
    assert (first.decision.verdict, first.line.state) == ("first_signature", State.AWAITING_SECOND)
    assert refused(first.line, APPROVE, ANN).code == "same_signer"
    assert refused(first.line, APPROVE, BEN).code == "approver_needed"
    second = decide(first.line, APPROVE, EVA, MOMENT)
    assert (second.decision.verdict, second.line.state) == ("approved", State.APPROVED)
    assert (second.line.first_signer, second.line.second_signer) == ("ann", "eva")


def test_approver_cannot_sign_twice() -> None:
    first = decide(pending(worth(2000)), APPROVE, EVA, MOMENT).line
    assert refused(first, APPROVE, EVA).code == "same_signer"
    assert decide(first, APPROVE, IDA, MOMENT).line.state is State.APPROVED


def test_nobody_approves_their_own_amendment_above_the_limit() -> None:
    amended = decide(pending(), amend(200), EVA, MOMENT)
    assert (amended.decision.verdict, amended.line.state, amended.line.value) == (
        "first_signature",
        State.AWAITING_SECOND,
        Decimal(2000),
    )
    assert refused(amended.line, APPROVE, EVA).code == "own_amendment"
    done = decide(amended.line, APPROVE, IDA, MOMENT).line
    assert (done.state, done.quantity, done.amended_by) == (State.APPROVED, Decimal(200), "eva")


def test_amending_what_another_signed_makes_the_amender_the_first_signer() -> None:
    first = decide(pending(worth(2000)), APPROVE, ANN, MOMENT).line
    amended = decide(first, amend(300), EVA, MOMENT).line
    assert (amended.first_signer, amended.amended_by, amended.state) == ("eva", "eva", State.AWAITING_SECOND)
    assert refused(amended, APPROVE, EVA).code == "own_amendment"


@pytest.mark.parametrize(
    "actor", [ADA, ODA, TWO_HATS, ROBOT, Actor("nobody", frozenset()), Actor("x", frozenset({"wizard"}))]
)
@pytest.mark.parametrize("command", [APPROVE, amend(60), REJECT, SNOOZE, UNDO])
def test_who_administers_audits_or_has_no_role_decides_nothing(actor: Actor, command: Command) -> None:
    assert refused(pending(), command, actor).code in {"role_excluded", "role_missing"}


@pytest.mark.parametrize(
    ("command", "code", "field"),
    [
        (Command(Action.AMEND, Decimal(60)), "reason_missing", "reason"),
        (Command(Action.AMEND, Decimal(60), "because"), "reason_unknown", "reason"),
        (Command(Action.AMEND, Decimal(60), "other"), "note_missing", "note"),
        (Command(Action.AMEND, None, "promotion_known"), "quantity_missing", "quantity"),
        (amend(50), "quantity_unchanged", "quantity"),
        (amend(10), "quantity_below_moq", "quantity"),
        (amend(55), "quantity_not_in_packs", "quantity"),
        (amend(0), "quantity_not_positive", "quantity"),
        (amend("-10"), "quantity_not_positive", "quantity"),
        (amend("NaN"), "quantity_not_a_number", "quantity"),
        (amend("1E+20"), "quantity_too_large", "quantity"),
        (Command(Action.REJECT), "reason_missing", "reason"),
        (Command(Action.REJECT, reason="other", note="  "), "note_missing", "note"),
        (Command(Action.SNOOZE), "snooze_until_missing", "snooze_until"),
        (Command(Action.SNOOZE, snooze_until=DAY), "snooze_in_past", "snooze_until"),
        (Command(Action.SNOOZE, snooze_until=DAY + timedelta(days=367)), "snooze_too_long", "snooze_until"),
        (Command(Action.APPROVE, quantity=Decimal(60)), "quantity_needs_amend", "quantity"),
    ],
)
def test_wrong_input_names_its_field(command: Command, code: str, field: str) -> None:
    refusal = refused(pending(), command, ANN)
    assert (refusal.code, refusal.field) == (code, field)


def test_illegal_quantity_explains_the_constraint_and_offers_the_nearest_legal() -> None:
    refusal = refused(pending(), amend(55), ANN)
    assert refusal.nearest_legal == "60" and "packs of 10" in refusal.says
    assert refused(pending(), amend(7), ANN).nearest_legal == "20"


@pytest.mark.parametrize("command", [APPROVE, amend(60), REJECT, SNOOZE])
@pytest.mark.parametrize("first", [APPROVE, amend(80), REJECT])
def test_second_decision_is_refused_with_who_and_when(command: Command, first: Command) -> None:
    decided = decide(pending(), first, ANN, MOMENT).line
    refusal = refused(decided, command, BEN)
    assert refusal.code == "already_decided"
    assert "ann" in refusal.says and "2026-11-21 09:00:00" in refusal.says


@pytest.mark.parametrize("first", [APPROVE, amend(80), REJECT, SNOOZE])
def test_undo_returns_the_line_as_it_was_proposed(first: Command) -> None:
    undone = decide(decide(pending(), first, ANN, MOMENT).line, UNDO, BEN, MOMENT)
    assert (undone.line.state, undone.line.quantity, undone.line.version) == (State.PENDING, Decimal(50), 2)
    assert undone.decision.verdict == "undone"
    assert (
        undone.line.first_signer
        is undone.line.second_signer
        is undone.line.amended_by
        is undone.line.decision_id
        is None
    )


def test_undo_after_release_says_to_cancel_the_order() -> None:
    released = lifecycle.release(decide(pending(), APPROVE, ANN, MOMENT).line, "PO-7")
    refusal = refused(released, UNDO, ANN)
    assert refusal.code == "undo_window_over" and "PO-7" in refusal.says


def test_rejection_stands_when_its_window_is_over() -> None:
    rejected = decide(pending(), REJECT, ANN, MOMENT).line
    late = replace(MOMENT, now=NOW + timedelta(seconds=11))
    assert refused(rejected, UNDO, ANN, late).code == "undo_window_over"


def test_recall_cancels_a_released_line_and_needs_a_reason() -> None:
    released = lifecycle.release(decide(pending(), APPROVE, ANN, MOMENT).line, "PO-7")
    with pytest.raises(Refusal, match="reason_missing"):
        deciding.recall(released, ANN, MOMENT, reason=None, note=None)
    step = deciding.recall(released, ANN, MOMENT, reason="demand_changed", note=None)
    assert (step.line.state, step.decision.verdict) == (State.CANCELLED, "recalled")


def test_release_of_a_line_without_its_signatures_is_a_crash_not_an_order() -> None:
    held = decide(pending(), APPROVE, ANN, MOMENT).line
    for broken in (replace(held, first_signer=None), replace(held, needs_second=True), replace(held, decision_id=None)):
        with pytest.raises(AssertionError):
            lifecycle.release(broken, "PO-1")
    forged = replace(held, needs_second=True, second_signer="ann")
    with pytest.raises(AssertionError):
        lifecycle.release(forged, "PO-1")


def test_decision_ids_follow_from_tenant_line_and_version() -> None:
    once, again = decide(pending(), APPROVE, ANN, MOMENT), decide(pending(), REJECT, BEN, MOMENT)
    assert once.decision.decision_id == again.decision.decision_id, (
        "version 1 of a line is one decision, whoever makes it"
    )
    assert decide(once.line, UNDO, ANN, MOMENT).decision.decision_id != once.decision.decision_id
