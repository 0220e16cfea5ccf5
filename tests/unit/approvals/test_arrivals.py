"""Recommendations that arrive while a line lives: in place, behind, or too late."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from services.approvals.domain import arrivals, lifecycle
from services.approvals.domain.arrivals import Place, arrive
from services.approvals.domain.deciding import Command, decide
from services.approvals.domain.line import Proposal, State
from tests.unit.approvals.lines import (
    ANN,
    APPROVE,
    DAY,
    EVA,
    LIMITS,
    MOMENT,
    REJECT,
    SNOOZE,
    amend,
    pending,
    proposal,
    worth,
)

WEEK = timedelta(days=7)


def test_inside_the_limits_a_line_passes_by_rule_and_is_held_like_any_approval() -> None:
    arrival = arrive(None, "demo", worth(100, approved_by_rule=True, route_reasons=()), MOMENT)
    assert arrival.line.state is State.BY_RULE and arrival.line.undo_until == MOMENT.now + MOMENT.undo_window
    (step,) = arrival.steps
    assert (step.decision.verdict, step.decision.by, step.decision.limits) == ("approved_by_rule", "rule", LIMITS)
    assert lifecycle.release(arrival.line, "PO-1").order_id == "PO-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"value": Decimal("100.01")},
        {"route_reasons": ("new_item",)},
        {"approved_by_rule": False},
    ],
)
def test_both_services_have_to_agree_before_nobody_is_asked(changes: dict[str, object]) -> None:
    asked = replace(worth(100, approved_by_rule=True, route_reasons=()), **changes)  # type: ignore[arg-type]
    arrival = arrive(None, "demo", asked, MOMENT)
    assert (arrival.line.state, arrival.steps) == (State.PENDING, ())


def test_fresher_recommendation_updates_a_waiting_line_in_place() -> None:
    arrival = arrive(
        pending(), "demo", proposal(2, quantity=Decimal(70), value=Decimal(700), supersedes="rec-1"), MOMENT
    )
    assert arrival.place is Place.CURRENT
    assert (arrival.line.state, arrival.line.quantity, arrival.line.version) == (State.PENDING, Decimal(70), 1)
    (step,) = arrival.steps
    assert (step.decision.verdict, step.decision.recommendation_id, step.decision.quantity_before) == (
        "superseded",
        "rec-1",
        Decimal(50),
    )


def test_amendment_outlives_fresher_numbers_until_its_day_and_the_step_shows_the_difference() -> None:
    amended = decide(pending(), amend(200), ANN, MOMENT).line
    arrival = arrive(amended, "demo", proposal(2, quantity=Decimal(60), unit_cost=Decimal(11)), MOMENT)
    assert [step.decision.verdict for step in arrival.steps] == ["superseded", "first_signature"]
    after, told = arrival.line, arrival.steps[1].decision
    assert (after.state, after.quantity, after.value) == (State.AWAITING_SECOND, Decimal(200), Decimal(2200))
    assert (after.first_signer, after.amended_by, after.proposal.quantity) == ("ann", "ann", Decimal(60))
    assert told.reason == "amendment_kept"
    assert told.note == "ann keeps 200 until 2017-11-27; recommended 50 before, 60 now"
    assert decide(after, APPROVE, EVA, MOMENT).line.state is State.APPROVED


@pytest.mark.parametrize(
    "fresher", [proposal(2, origin=DAY + timedelta(days=8)), proposal(2, pack=Decimal(30))], ids=["day over", "terms"]
)
def test_amendment_whose_day_is_over_or_that_the_terms_forbid_is_lost_and_the_step_says_whose(
    fresher: Proposal,
) -> None:
    amended = decide(pending(), amend(200), ANN, MOMENT).line
    arrival = arrive(amended, "demo", fresher, MOMENT)
    assert (arrival.line.state, arrival.line.quantity, arrival.line.first_signer) == (State.PENDING, Decimal(50), None)
    assert arrival.steps[0].decision.reason == "amendment_replaced"
    assert "ann" in (arrival.steps[0].decision.note or "")


def test_signature_given_for_other_numbers_does_not_count_for_new_ones() -> None:
    signed = decide(pending(worth(2000)), APPROVE, ANN, MOMENT).line
    fresher = arrive(signed, "demo", worth(3000, 2), MOMENT)
    assert fresher.steps[0].decision.reason == "signature_void"
    assert decide(fresher.line, APPROVE, EVA, MOMENT).line.state is State.AWAITING_SECOND


@pytest.mark.parametrize("command", [APPROVE, amend(80)])
def test_held_line_is_never_touched_by_a_fresher_recommendation(command: Command) -> None:
    held = decide(pending(), command, ANN, MOMENT).line
    arrival = arrive(held, "demo", proposal(2, quantity=Decimal(900)), MOMENT)
    assert (arrival.line, arrival.steps, arrival.place) == (held, (), Place.BEHIND)


def test_what_replaces_an_ordered_version_was_computed_too_early_and_ends_without_effect() -> None:
    released = lifecycle.release(decide(pending(), APPROVE, ANN, MOMENT).line, "PO-1")
    arrival = arrive(released, "demo", proposal(2, supersedes="rec-1"), MOMENT)
    assert (arrival.line.state, arrival.line.proposal.recommendation_id, arrival.place) == (
        State.RELEASED,
        "rec-1",
        Place.TOO_LATE,
    )
    decision = arrival.steps[0].decision
    assert (decision.verdict, decision.recommendation_id, decision.reason) == (
        "expired",
        "rec-2",
        "computed_before_decision",
    )


def test_rule_never_overturns_a_persons_rejection_it_did_not_know_of() -> None:
    rejected = decide(pending(), REJECT, ANN, MOMENT).line
    late = worth(80, 2, approved_by_rule=True, route_reasons=(), supersedes="rec-1")
    assert arrive(rejected, "demo", late, MOMENT).line.state is State.REJECTED


def test_new_need_under_an_old_line_id_starts_a_new_life() -> None:
    released = lifecycle.release(decide(pending(), APPROVE, ANN, MOMENT).line, "PO-1")
    arrival = arrive(released, "demo", proposal(2, origin=DAY + timedelta(days=9)), MOMENT)
    assert (arrival.line.state, arrival.line.order_id, arrival.line.decision_id, arrival.line.first_signer) == (
        State.PENDING,
        None,
        None,
        None,
    )


def test_snooze_survives_a_fresher_recommendation_and_ends_by_event_time() -> None:
    snoozed = decide(pending(), SNOOZE, ANN, MOMENT).line
    fresher = arrive(snoozed, "demo", proposal(2, quantity=Decimal(90)), MOMENT)
    assert [step.decision.verdict for step in fresher.steps] == ["superseded", "snoozed"]
    assert (fresher.line.state, fresher.line.snoozed_until) == (State.SNOOZED, DAY + timedelta(days=3))
    early = replace(MOMENT, business_date=DAY + timedelta(days=2))
    assert arrivals.on_business_date(fresher.line, early, expires_after=WEEK) is None
    due = arrivals.on_business_date(
        fresher.line, replace(MOMENT, business_date=DAY + timedelta(days=3)), expires_after=WEEK
    )
    assert due is not None and (due.line.state, due.decision.verdict, due.line.quantity) == (
        State.PENDING,
        "returned",
        Decimal(90),
    )


def test_proposal_nobody_refreshed_expires() -> None:
    still = arrivals.on_business_date(pending(), replace(MOMENT, business_date=DAY + WEEK), expires_after=WEEK)
    over = arrivals.on_business_date(
        pending(), replace(MOMENT, business_date=DAY + WEEK + timedelta(days=1)), expires_after=WEEK
    )
    assert still is None
    assert over is not None and (over.line.state, over.decision.reason) == (State.EXPIRED, "not_refreshed")


def test_withdrawn_need_expires_a_waiting_line_but_never_a_held_one() -> None:
    step = arrivals.withdraw(pending(), "enough_stock", MOMENT)
    assert step is not None and (step.line.state, step.decision.reason) == (State.EXPIRED, "enough_stock")
    assert arrivals.withdraw(decide(pending(), APPROVE, ANN, MOMENT).line, "enough_stock", MOMENT) is None


def test_older_proposal_than_the_one_that_waits_changes_nothing() -> None:
    arrival = arrive(pending(), "demo", proposal(2, origin=DAY - timedelta(days=1)), MOMENT)
    assert (arrival.place, arrival.line.proposal.recommendation_id) == (Place.TOO_LATE, "rec-1")
