"""The cascade's promises: every item answered once, never below need, legal quantities, equal bytes, honest words."""

import json
import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.recommendations import RecommendationIssued, Step
from services.policy.domain import steps
from services.policy.domain.cascade import derive, plan
from services.policy.domain.evidence import Allotment, Evidence, Hold, OpenOrder, pack_integers
from services.policy.domain.evidence_text import canonical, canonical_with, document_of, evidence_of
from services.policy.domain.lead_times import Deliveries
from services.policy.domain.outcome import Outcome, Recommendation, Withheld
from services.policy.domain.steps import SENTENCES
from services.policy.domain.supply_calendar import next_opportunity
from tests.examples import examples
from tests.unit.policy.examples import DAY, PLAIN, evidences, forecast_of, with_


def only(evidence: Evidence) -> Outcome:
    (outcome,) = plan([evidence])
    return outcome


def recommended(evidence: Evidence) -> Recommendation:
    outcome = only(evidence)
    assert isinstance(outcome, Recommendation), outcome
    return outcome


def withheld(evidence: Evidence) -> Withheld:
    outcome = only(evidence)
    assert isinstance(outcome, Withheld), outcome
    return outcome


@settings(max_examples=examples(20), deadline=None)
@given(st.lists(evidences(), min_size=1, max_size=4))
def test_every_item_gets_one_answer_that_does_not_depend_on_the_items_beside_it(batch: list[Evidence]) -> None:
    outcomes = plan(batch)
    assert len(outcomes) == len(batch)
    for evidence, outcome in zip(batch, outcomes, strict=True):
        assert only(evidence) == outcome


@settings(max_examples=examples(60), deadline=None)
@given(evidences())
def test_evidence_through_json_derives_the_same_bytes(evidence: Evidence) -> None:
    logged = json.loads(json.dumps(document_of(evidence)))
    assert derive(evidence_of(logged)) == derive(evidence)


@settings(max_examples=examples(60), deadline=None)
@given(evidences())
def test_a_quantity_is_legal_and_reaches_the_reorder_point_unless_expiry_forbids(evidence: Evidence) -> None:
    outcome = only(evidence)
    if isinstance(outcome, Withheld):
        assert outcome.reason in ("enough_stock", "demand_too_low", "minimum_exceeds_shelf_life")
        return
    assert evidence.terms is not None
    pack = evidence.terms.pack or Decimal("1" if evidence.item and evidence.item.unit == "each" else "0.001")
    assert outcome.quantity % pack == 0
    assert outcome.quantity >= (evidence.terms.moq or 0)
    document = outcome.document
    limited = any(step["code"] == "shelf_life" and step["binding"] for step in document["steps"])
    if not limited:
        assert Decimal(document["inventory_position"]) + outcome.quantity >= outcome.reorder_point
    assert document["approved_by_rule"] == (not document["route_reasons"])


@settings(max_examples=examples(30), deadline=None)
@given(evidences())
def test_a_recommendation_fits_its_contract_and_survives_the_wire(evidence: Evidence) -> None:
    outcome = only(evidence)
    if isinstance(outcome, Recommendation):
        message = RecommendationIssued.model_validate({**outcome.document, "line_id": "x"})
        wire = json.loads(message.model_dump_json(exclude_none=True))
        wire.pop("line_id")
        assert canonical(wire) == canonical(outcome.document)
        body = {**outcome.document, "line_id": '"evidence":null', "run_id": None}
        assert canonical_with(body, outcome.parts) == canonical(body)


@settings(max_examples=examples(33), deadline=None)
@given(
    evidences(), st.sampled_from(["0.85", "0.90", "0.95", "0.99"]), st.sampled_from(["0.85", "0.90", "0.95", "0.99"])
)
def test_a_higher_service_goal_never_orders_less(evidence: Evidence, one: str, other: str) -> None:
    def quantity(goal: str) -> Decimal:
        goals: dict[str, Any] = {f"service_goal_{letter}": Decimal(goal) for letter in "abc"}
        outcome = only(with_(evidence, item={"shelf_life_days": None}, parameters=goals))
        return outcome.quantity if isinstance(outcome, Recommendation) else Decimal(0)

    low, high = sorted((one, other))
    assert quantity(low) <= quantity(high)


@settings(max_examples=examples(30), deadline=None)
@given(evidences())
def test_an_ordered_quantity_leaves_nothing_to_propose(evidence: Evidence) -> None:
    outcome = only(evidence)
    if not isinstance(outcome, Recommendation):
        return
    limited = any(step["code"] == "shelf_life" and step["binding"] for step in outcome.document["steps"])
    arrive_on = date.fromisoformat(outcome.document["arrive_on"])
    order = OpenOrder("NEW", outcome.quantity, arrive_on, "released")
    again = only(replace(evidence, open_orders=(*evidence.open_orders, order)))
    assert limited or isinstance(again, Withheld)


def in_whole_units(evidence: Evidence) -> Evidence:
    """The same with whole quantities in the books. An item sold by the piece has no others; for a hundredth of a piece
    too little, the order is the nearest whole quantity, and the thresholds (made for whole steps) do not say so."""
    stock = evidence.stock
    whole = {name: getattr(stock, name).to_integral_value() for name in ("on_hand", "reserved", "backorders")}
    orders = [replace(one, quantity=max(one.quantity.to_integral_value(), Decimal(1))) for one in evidence.open_orders]
    return replace(with_(evidence, stock=whole), open_orders=tuple(orders))


@settings(max_examples=examples(30), deadline=None)
@given(evidences())
def test_between_its_thresholds_an_outcome_stays_what_it_is(evidence: Evidence) -> None:
    evidence = in_whole_units(evidence)
    outcome = only(evidence)
    bounds = outcome.thresholds
    inside = []
    for moved in range(-30, 31):
        later = with_(evidence, stock={"on_hand": evidence.stock.on_hand + moved})
        available = later.stock.on_hand - later.stock.reserved - later.stock.backorders
        if (bounds.below is None or available >= bounds.below) and (
            bounds.at_or_above is None or available < bounds.at_or_above
        ):
            inside.append(later)
    for other in plan(inside) if bounds.below is not None else ():
        assert type(other) is type(outcome)
        if isinstance(outcome, Recommendation) and isinstance(other, Recommendation):
            assert other.quantity == outcome.quantity


@settings(max_examples=examples(30), deadline=None)
@given(evidences())
def test_every_number_in_the_words_comes_from_the_inputs_and_result_of_its_step(evidence: Evidence) -> None:
    outcome = only(evidence)
    if not isinstance(outcome, Recommendation):
        return
    for step in outcome.document["steps"]:
        said = step["says"]
        for value in sorted([*step["inputs"].values(), step["result"]], key=len, reverse=True):
            said = said.replace(value, " ")
        assert not re.search(r"\d", said), f"{step['code']}: {step['says']}"
    sentences = [step["says"] for step in outcome.document["steps"]]
    assert all(part in outcome.document["explanation"] for part in (sentences[0], sentences[-1]))


@pytest.mark.parametrize("sentence", sorted(SENTENCES))
def test_no_code_is_too_long_for_a_sentence(sentence: str) -> None:
    """The longest codes and decimals the contract allows: the sentence still fits it, and tells no half of a number."""
    longest = dict.fromkeys(re.findall(r"{(\w+)}", SENTENCES[sentence]), "7" * 64)
    inputs = {name: value for name, value in longest.items() if name != "result"}
    told = steps.step("net", inputs, "7" * 64, sentence=sentence)
    Step.model_validate(told.document())
    assert {len(found) for found in re.findall(r"\d+", told.says)} <= {64}
    assert told.says.endswith("…") or told.says == SENTENCES[sentence].format(**longest)


BAD: list[tuple[str, Evidence, str, str | None]] = [
    ("no product", replace(PLAIN, item=None), "unresolved_identity", "sku"),
    ("ended product", with_(item={"active": False}), "item_inactive", "active"),
    ("no supplier", replace(PLAIN, terms=None), "no_supplier", "supplier"),
    ("no lead time", with_(terms={"lead_time_days": None}), "missing_lead_time", "lead_time_days"),
    ("negative lead time", with_(terms={"lead_time_days": -1}), "lead_time_invalid", "lead_time_days"),
    (
        "lead time beyond the forecast",
        with_(terms={"lead_time_days": 60}),
        "lead_time_beyond_horizon",
        "lead_time_days",
    ),
    ("no cost", with_(terms={"unit_cost": None}), "missing_cost", "unit_cost"),
    ("zero cost", with_(terms={"unit_cost": Decimal(0)}), "cost_not_positive", "unit_cost"),
    ("negative cost", with_(terms={"unit_cost": Decimal("-1")}), "cost_not_positive", "unit_cost"),
    ("NaN cost", with_(terms={"unit_cost": Decimal("NaN")}), "cost_not_positive", "unit_cost"),
    ("infinite cost", with_(terms={"unit_cost": Decimal("Infinity")}), "cost_not_positive", "unit_cost"),
    (
        "NaN spread of the lead time",
        with_(terms={"lead_time_sd_days": Decimal("NaN")}),
        "lead_time_invalid",
        "lead_time_days",
    ),
    ("NaN price", with_(item={"price": Decimal("NaN")}), "price_not_positive", "price"),
    ("negative price", with_(item={"price": Decimal("-0.01")}), "price_not_positive", "price"),
    ("NaN pack", with_(terms={"pack": Decimal("NaN")}), "pack_not_positive", "pack"),
    ("NaN minimum", with_(terms={"moq": Decimal("NaN")}), "moq_negative", "moq"),
    ("endless minimum", with_(terms={"moq": Decimal("Infinity")}), "moq_negative", "moq"),
    ("no shelf life", with_(item={"shelf_life_days": 0}), "shelf_life_invalid", "shelf_life_days"),
    (
        "NaN price break",
        with_(terms={"price_breaks": ((Decimal(0), Decimal(1)), (Decimal("NaN"), Decimal("0.5")))}),
        "price_breaks_invalid",
        "price_breaks",
    ),
    (
        "a break at which units cost nothing",
        with_(terms={"price_breaks": ((Decimal(0), Decimal(1)), (Decimal(9), Decimal(0)))}),
        "price_breaks_invalid",
        "price_breaks",
    ),
    (
        "a budget of nothing",
        replace(PLAIN, allotment=Allotment(Decimal(0), "cash", Decimal("0.4"), 7)),
        "resource_exhausted",
        None,
    ),
    ("zero price", with_(item={"price": Decimal(0)}), "price_not_positive", "price"),
    ("zero pack", with_(terms={"pack": Decimal(0)}), "pack_not_positive", "pack"),
    ("negative minimum", with_(terms={"moq": Decimal(-1)}), "moq_negative", "moq"),
    (
        "rising price breaks",
        with_(terms={"price_breaks": ((Decimal(0), Decimal(1)), (Decimal(9), Decimal(2)))}),
        "price_breaks_invalid",
        "price_breaks",
    ),
    ("no forecast", replace(PLAIN, forecast=None), "no_forecast", "forecast"),
    ("half a forecast", with_(forecast={"mean_e4": pack_integers([1, 2])}), "forecast_invalid", "forecast"),
    ("NaN confidence", with_(forecast={"confidence": Decimal("NaN")}), "forecast_invalid", "confidence"),
    ("old forecast", replace(PLAIN, as_of=DAY + timedelta(days=15)), "forecast_too_old", "forecast"),
    ("no day closed", replace(PLAIN, as_of=None), "no_closed_day", "business_date"),
    (
        "minimum beyond shelf life",
        with_(item={"shelf_life_days": 3}, terms={"moq": Decimal(500)}),
        "minimum_exceeds_shelf_life",
        "moq",
    ),
    (
        "contradictory policy",
        replace(PLAIN, policy=replace(PLAIN.policy, refusal="service_minimum: 0.99 is above every goal")),
        "policy_contradictory",
        "parameters",
    ),
    (
        "a supplier that is closed for months",
        with_(terms={"closed_on": tuple(DAY + timedelta(days=day) for day in range(90))}),
        "supplier_closed",
        "closed_on",
    ),
    ("snoozed", replace(PLAIN, hold=Hold("snoozed", DAY + timedelta(days=1))), "snoozed", None),
]


@pytest.mark.parametrize(("case", "evidence", "reason", "field"), BAD, ids=[one[0] for one in BAD])
def test_bad_input_orders_nothing_and_names_the_field(
    case: str, evidence: Evidence, reason: str, field: str | None
) -> None:
    outcome = withheld(evidence)
    assert (outcome.reason, outcome.field) == (reason, field), case
    assert outcome.says and len(outcome.says) <= 400
    assert derive(evidence) == derive(evidence_of(json.loads(json.dumps(document_of(evidence)))))


def test_a_hold_ends_with_its_business_date() -> None:
    assert isinstance(only(replace(PLAIN, hold=Hold("snoozed", DAY))), Recommendation)


def test_on_order_inside_the_protection_interval_counts_and_later_does_not() -> None:
    # Lead time 3, order any day: the order after the next arrives on the tenth, so the ninth is inside.
    def reorder(arrive_on: date) -> Decimal:
        order = OpenOrder("O", Decimal(30), arrive_on, "released")
        outcome = only(replace(PLAIN, open_orders=(order,)))
        return (
            Decimal(outcome.document["on_order"])
            if isinstance(outcome, Recommendation)
            else outcome.on_order or Decimal(0)
        )

    assert reorder(date(2017, 11, 9)) == 30
    assert reorder(date(2017, 11, 10)) == 0


def test_an_uncertain_lead_time_needs_more_stock() -> None:
    sure, unsure = recommended(PLAIN), recommended(with_(terms={"lead_time_sd_days": Decimal(2)}))
    assert unsure.reorder_point > sure.reorder_point


def test_price_breaks_move_the_lot_and_its_price() -> None:
    breaks = ((Decimal(0), Decimal("2.00")), (Decimal(24), Decimal("1.50")))
    document = recommended(with_(terms={"price_breaks": breaks})).document
    assert (document["unit_cost"], Decimal(document["value"])) == (
        "1.5",
        Decimal(document["quantity"]) * Decimal("1.5"),
    )


def test_expected_stock_with_the_order_is_never_below_that_without() -> None:
    projection = recommended(PLAIN).document["projection"]
    pairs = zip(projection["without_order"], projection["with_order"], strict=True)
    assert all(Decimal(one) <= Decimal(other) for one, other in pairs)


def test_the_reorder_point_meets_the_cycle_service_goal_of_the_forecast_itself() -> None:
    outcome = recommended(with_(forecast={"quantiles_e2": forecast_of(2.0).quantiles_e2}))
    steps = {step["code"]: step for step in outcome.document["steps"]}
    assert Decimal(steps["service"]["result"]) >= Decimal(steps["target"]["inputs"]["goal"])


def test_late_deliveries_raise_what_is_held_and_are_told_beside_the_quote() -> None:
    punctual = replace(with_(), deliveries=Deliveries())
    late = replace(with_(), deliveries=Deliveries((2, 4, 3, 3)))
    before, after = recommended(punctual), recommended(late)
    assert after.reorder_point > before.reorder_point
    assert not [one for one in before.document["steps"] if one["code"] == "lead_time"]
    (told,) = [one for one in after.document["steps"] if one["code"] == "lead_time"]
    # Four prior deliveries on their day and four of 12 days together: 3 + 12 / 8; squares 2 + 4 x 4 x 9 / 8 = 20 over 8.
    assert told["inputs"] == {
        "quoted_days": "3",
        "quoted_spread": "0",
        "receipts": "4",
        "late_days": "3",
        "spread": "1.58",
    }
    assert told["result"] == "4.5"
    assert after.document["arrive_on"] == before.document["arrive_on"]  # the promise stays the supplier's word


def test_deliveries_later_than_the_forecast_reaches_still_order() -> None:
    assert recommended(replace(with_(), deliveries=Deliveries((56,) * 50))).quantity > 0


def test_an_overdue_order_counts_at_its_own_probability_and_says_so() -> None:
    """Due yesterday; three deliveries came later than a day, one of them within the protection interval (as does the prior
    one, nearly): of 8 units (1 + 1 - 1/8) / 4."""
    overdue = OpenOrder("PO1", Decimal(8), DAY - timedelta(days=1), "released")
    evidence = replace(
        with_(stock={"on_hand": Decimal(0)}), open_orders=(overdue,), deliveries=Deliveries((0, 3, 20, 20))
    )
    days = next_opportunity(DAY, 3, (), (), ())
    assert days is not None and days.protection_days == 4
    outcome = recommended(evidence)
    (told,) = [one for one in outcome.document["steps"] if one["code"] == "open_order"]
    assert (told["inputs"]["probability"], told["result"]) == ("0.4844", "3.875")
    assert outcome.document["on_order"] == "3.875"
    assert "supplier_exception" in outcome.document["route_reasons"]


def test_an_order_that_is_not_due_counts_whole_but_is_expected_by_its_own_probability() -> None:
    """Half of this supplier's deliveries, the punctual prior counted, come twenty days late; those that were confirmed came."""
    due = OpenOrder("PO1", Decimal(8), DAY + timedelta(days=2), "released")
    evidence = replace(
        with_(stock={"on_hand": Decimal(0)}),
        open_orders=(due,),
        forecast=forecast_of(0.5),
        deliveries=Deliveries((20,) * 4),
    )
    confirmed = recommended(replace(evidence, open_orders=(replace(due, status="confirmed"),)))
    outcome = recommended(evidence)
    assert outcome.document["on_order"] == confirmed.document["on_order"] == "8"
    at_close = [Decimal(str(one.document["projection"]["without_order"][1])) for one in (outcome, confirmed)]
    assert at_close == [Decimal(3), Decimal(7)]


def test_an_order_day_whose_cut_off_is_over_counts_from_the_next_one_and_says_why() -> None:
    known = replace(with_(terms={"cut_off": "12:00"}), local_time=datetime.fromisoformat("2017-11-06T11:30"))
    in_time, too_late = (
        recommended(known),
        recommended(replace(known, local_time=datetime.fromisoformat("2017-11-06T14:05"))),
    )
    assert (in_time.document["order_on"], in_time.document["arrive_on"]) == ("2017-11-06", "2017-11-09")
    assert (too_late.document["order_on"], too_late.document["arrive_on"]) == ("2017-11-07", "2017-11-10")
    assert too_late.reorder_point > in_time.reorder_point, "a day more is to be covered"
    (told,) = [one for one in too_late.document["steps"] if one["code"] == "calendar"]
    assert "At 2017-11-06 14:05:00 the cut-off of 12:00 is over for 2017-11-06" in told["says"]
    assert derive(evidence_of(too_late.document["evidence"])) == canonical(too_late.document)


def test_evidence_without_a_cut_off_keeps_its_bytes() -> None:
    document = document_of(PLAIN)
    assert "local_time" not in document and "cut_off" not in document["terms"]
