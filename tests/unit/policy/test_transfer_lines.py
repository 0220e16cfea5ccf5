"""Transfers as lines of their own: conserved, never below the sender's own reorder point, derived from both sides' evidence."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.recommendations import RecommendationIssued
from services.policy.domain.cascade import derive, plan
from services.policy.domain.evidence import Evidence, OpenOrder
from services.policy.domain.evidence_text import canonical, document_of, evidence_of
from services.policy.domain.outcome import Recommendation, Withheld
from services.policy.domain.transfer_lines import arriving, transfer_line, transfers_of
from tests.examples import examples
from tests.unit.policy.examples import DAY, PLAIN, forecast_of, with_

RULES = {"transfer_days": Decimal(1), "transfer_fixed_cost": Decimal("0.10"), "transfer_unit_cost": Decimal("0.01")}


def at(location: str, on_hand: int, daily: float = 2.0, *orders: OpenOrder, **rules: Decimal) -> Evidence:
    made = with_(PLAIN, parameters={**RULES, **rules})
    stock = replace(made.stock, on_hand=Decimal(on_hand))
    return replace(made, location=location, stock=stock, forecast=forecast_of(daily), open_orders=orders)


def reorder_point(evidence: Evidence) -> Decimal:
    (outcome,) = plan([evidence])
    assert outcome.reorder_point is not None
    return outcome.reorder_point


def test_what_one_location_has_too_much_of_goes_where_it_runs_out_before_a_buy_could_come() -> None:
    ((evidence, outcome),) = transfers_of([at("L1", 0)], [at("L2", 200)])
    document = outcome.document
    assert (document["action"], document["location"], document["from_location"]) == ("transfer", "L1", "L2")
    assert document["arrive_on"] == (DAY + timedelta(days=1)).isoformat()
    assert "supplier" not in document and Decimal(document["money_at_risk"]) > 0
    step = next(one for one in document["steps"] if one["code"] == "transfer")
    assert Decimal(step["inputs"]["floor"]) == reorder_point(at("L2", 200))
    RecommendationIssued.model_validate(dict(document) | {"line_id": "line-1"})
    # What comes that way is not bought as well.
    (alone,), (beside,) = plan([at("L1", 0)]), plan([replace(at("L1", 0), open_orders=(arriving(evidence),))])
    assert isinstance(alone, Recommendation)
    bought = beside.quantity if isinstance(beside, Recommendation) else Decimal(0)
    assert bought < alone.quantity


def test_the_line_derives_again_and_ends_when_the_sender_needs_it_itself() -> None:
    ((evidence, outcome),) = transfers_of([at("L1", 0)], [at("L2", 200)])
    logged = evidence_of(outcome.document["evidence"])
    assert logged == evidence and derive(logged) == canonical(outcome.document)
    about = evidence.about
    assert about is not None
    poorer = transfer_line(replace(evidence, about=replace(about, other=at("L2", 10))))
    assert isinstance(poorer, Withheld) and poorer.reason == "sender_needs_it"
    fuller = transfer_line(replace(evidence, stock=replace(evidence.stock, on_hand=Decimal(500))))
    assert isinstance(fuller, Withheld) and fuller.reason == "transfer_does_not_pay"


def test_nothing_moves_on_a_lane_a_person_closed_or_at_a_price_that_does_not_pay() -> None:
    assert transfers_of([at("L1", 0)], [at("L2", 200)], [("L2", "L1")]) == []
    dear = Decimal(1000)
    assert transfers_of([at("L1", 0, transfer_fixed_cost=dear)], [at("L2", 200, transfer_fixed_cost=dear)]) == []


def test_too_little_for_everybody_is_dealt_out_fairly_and_by_a_person() -> None:
    spare = int(reorder_point(at("W", 300))) + 6
    found = transfers_of([at("L1", 0), at("L2", 0)], [at("W", spare)])
    assert [one.document["action"] for _evidence, one in found] == ["allocate", "allocate"]
    assert [one.quantity for _evidence, one in found] == [3, 3], "two locations of one need share alike"
    assert all("constrained_supply" in one.document["route_reasons"] for _evidence, one in found)


def test_what_is_promised_to_others_is_not_promised_again() -> None:
    promised = OpenOrder("rec-9", Decimal(-195), DAY + timedelta(days=1), "outgoing")
    assert transfers_of([at("L1", 0)], [at("L2", 200, 2.0, promised)]) == []


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(st.tuples(st.integers(-4, 12), st.sampled_from([0.5, 2.0, 6.0])), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 160), st.sampled_from([0.5, 2.0, 6.0])), min_size=1, max_size=3),
)
def test_units_are_conserved_and_no_location_gives_below_its_own_reorder_point(
    receivers: list[tuple[int, float]], senders: list[tuple[int, float]]
) -> None:
    lacking = [at(f"R{index}", stock, daily) for index, (stock, daily) in enumerate(receivers)]
    others = [at(f"S{index}", stock, daily) for index, (stock, daily) in enumerate(senders)]
    found = transfers_of(lacking, others)
    gone: defaultdict[str, Decimal] = defaultdict(Decimal)
    come: defaultdict[str, Decimal] = defaultdict(Decimal)
    for evidence, outcome in found:
        assert derive(evidence_of(document_of(evidence))) == canonical(outcome.document)
        assert Decimal(outcome.document["money_at_risk"]) >= 0
        gone[outcome.document["from_location"]] += outcome.quantity
        come[outcome.document["location"]] += outcome.quantity
    assert sum(gone.values()) == sum(come.values())
    for one in others:
        assert not gone[one.location] or one.stock.on_hand - gone[one.location] >= reorder_point(one)
    for one in lacking:
        (alone,) = plan([one])
        wanted = alone.order_up_to - one.stock.on_hand if alone.order_up_to is not None else Decimal(0)
        assert come[one.location] <= max(wanted, Decimal(0))
