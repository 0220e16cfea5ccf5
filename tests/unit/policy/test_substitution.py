"""Substitutes: bought for what another product will miss and nothing else covers, by a person's word, derived from both sides."""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.recommendations import RecommendationIssued
from services.policy.domain.cascade import derive, plan
from services.policy.domain.evidence import About, Evidence, OpenOrder
from services.policy.domain.evidence_text import canonical, document_of, evidence_of
from services.policy.domain.outcome import Outcome, Recommendation, Withheld
from services.policy.domain.substitution import SUBSTITUTE, Candidate, claimed_before, stand_in, substitute_line
from tests.examples import examples
from tests.unit.policy.examples import DAY, PLAIN, evidences, with_

ONE, NONE = Decimal(1), Decimal(0)
# Four on hand, two a day, and its own order comes in ten days only; the other has what it needs, and comes in two days.
SHORT = with_(PLAIN, terms={"lead_time_days": 10})
OTHER = replace(with_(PLAIN, stock={"on_hand": Decimal(12)}, terms={"lead_time_days": 2}), sku="B")


def line(short: Evidence = SHORT, other: Evidence = OTHER, ratio: str = "1", covered: str = "0") -> Outcome:
    found = stand_in(short, [Candidate(other, Decimal(ratio), Decimal(covered))])
    if found is not None:
        return found[1]
    about = About(SUBSTITUTE, short.sku, other=short, ratio=Decimal(ratio), covered=Decimal(covered))
    return substitute_line(replace(other, about=about))


def proposed(short: Evidence = SHORT, other: Evidence = OTHER, **changes: str) -> dict[str, Any]:
    outcome = line(short, other, **changes)
    assert isinstance(outcome, Recommendation), outcome
    return dict(outcome.document)


def refused(short: Evidence = SHORT, other: Evidence = OTHER, **changes: str) -> str:
    outcome = line(short, other, **changes)
    assert isinstance(outcome, Withheld), outcome
    assert outcome.says
    return outcome.reason


def step_of(document: dict[str, Any]) -> dict[str, Any]:
    (told,) = [one for one in document["steps"] if one["code"] == "substitute"]
    return dict(told)


def test_what_will_be_missed_is_bought_as_the_substitute_and_a_person_decides() -> None:
    document = proposed()
    assert (document["action"], document["sku"], document["stands_in_for"]) == ("substitute", "B", "A")
    assert (document["order_on"], document["arrive_on"]) == ("2017-11-06", "2017-11-08")
    assert not document["approved_by_rule"] and "substitution" in document["route_reasons"]
    told = step_of(document)
    # Twenty are asked for before 16 November and four are there: sixteen missed, of them about one before the eighth.
    short = Decimal(told["inputs"]["short"])
    assert Decimal("14.5") < short < Decimal("15.5")
    assert told["inputs"]["until"] == "2017-11-16"
    spare = Decimal(told["inputs"]["spare"])
    assert Decimal(told["inputs"]["wanted"]) == pytest.approx(short - spare, abs=Decimal("0.011"))
    quantity = Decimal(document["quantity"])
    assert quantity % 6 == 0 and quantity - 6 < short - spare <= quantity
    assert Decimal(document["money_at_risk"]) > 0
    RecommendationIssued.model_validate(document | {"line_id": "line-1"})


def test_the_line_derives_again_from_its_own_evidence_with_that_of_the_other_product_in_it() -> None:
    document = proposed(covered="2.5", ratio="2")
    logged = evidence_of(document["evidence"])
    assert logged.about is not None and logged.about.other is not None and logged.about.other.sku == "A"
    assert derive(logged) == canonical(document)


def test_a_ratio_buys_so_many_units_for_each() -> None:
    one, two = (Decimal(step_of(proposed(ratio=ratio))["inputs"]["wanted"]) for ratio in ("1", "2"))
    spare = Decimal(step_of(proposed())["inputs"]["spare"])
    assert two + spare == pytest.approx((one + spare) * 2, abs=Decimal("0.03"))


def test_nothing_is_bought_that_is_not_missed_or_covered_already() -> None:
    assert refused(with_(SHORT, stock={"on_hand": Decimal(60)})) == "substitute_not_needed"
    assert refused(with_(SHORT, terms={"lead_time_days": 2})) == "substitute_not_needed"  # its own order is as soon
    assert refused(other=with_(OTHER, stock={"on_hand": Decimal(90)})) == "substitute_at_hand"
    assert refused(covered="20") == "substitute_at_hand"
    coming = OpenOrder("PO1", Decimal(40), DAY.replace(day=7), "confirmed")
    assert refused(replace(SHORT, open_orders=(coming,))) == "substitute_not_needed"


def test_what_costs_more_than_it_earns_or_would_expire_is_not_bought() -> None:
    assert refused(other=with_(OTHER, parameters={"setup_cost": Decimal(99)})) == "substitute_does_not_pay"
    assert refused(other=with_(OTHER, item={"price": Decimal("2.00")})) == "substitute_does_not_pay"
    crate = with_(OTHER, item={"shelf_life_days": 3}, terms={"moq": Decimal(120)})
    assert refused(other=crate) == "minimum_exceeds_shelf_life"


CLOSED = tuple(DAY + timedelta(days=day) for day in range(90))
UNDELIVERED = [
    ("no supplier", replace(SHORT, terms=None)),
    ("lead time beyond the forecast", with_(SHORT, terms={"lead_time_days": 60})),
    ("closed for months", with_(SHORT, terms={"closed_on": CLOSED})),
]


@pytest.mark.parametrize("short", [one[1] for one in UNDELIVERED], ids=[one[0] for one in UNDELIVERED])
def test_a_product_nobody_delivers_is_stood_in_for(short: Evidence) -> None:
    document = proposed(with_(short, stock={"on_hand": Decimal(0)}), with_(OTHER, terms={"order_weekdays": (0,)}))
    assert document["stands_in_for"] == "A"
    assert derive(evidence_of(document["evidence"])) == canonical(document)


def test_the_first_candidate_that_pays_is_taken() -> None:
    dear = replace(with_(OTHER, item={"price": Decimal("2.00")}), sku="C")
    found = stand_in(SHORT, [Candidate(dear, ONE, NONE), Candidate(OTHER, ONE, NONE)])
    assert found is not None and found[0].sku == "B"
    assert stand_in(SHORT, [Candidate(dear, ONE, NONE)]) is None


def test_what_the_first_covers_from_its_shelf_is_not_bought_as_the_second() -> None:
    plenty = replace(with_(OTHER, stock={"on_hand": Decimal(90)}), sku="C")
    assert stand_in(SHORT, [Candidate(plenty, ONE, NONE), Candidate(OTHER, ONE, NONE)]) is None


def test_two_products_that_share_a_substitute_are_promised_each_of_its_units_once() -> None:
    # The substitute keeps about eight for itself and has twenty: twelve can go, and each of the two misses about fifteen.
    shared = with_(OTHER, stock={"on_hand": Decimal(20)})
    lacking = [SHORT, replace(SHORT, sku="A2")]
    first, second = claimed_before(lacking, [Candidate(shared, ONE, NONE)] * 2)
    assert first == 0
    spare = Decimal(step_of(proposed(other=shared))["inputs"]["spare"])
    assert 0 < spare < 15 and second == spare, "the first takes all there is"
    found = stand_in(lacking[1], [Candidate(shared, ONE, NONE, second)])
    assert found is not None
    told = step_of(dict(found[1].document))
    assert [Decimal(told["inputs"][name]) for name in ("spare", "claimed")] == [NONE, spare]
    assert Decimal(told["inputs"]["wanted"]) == pytest.approx(Decimal(told["inputs"]["short"]), abs=Decimal("0.011"))
    assert derive(evidence_of(found[1].document["evidence"])) == canonical(found[1].document)


@settings(max_examples=examples(40), deadline=None)
@given(evidences(), st.lists(st.tuples(evidences(), st.sampled_from(["0.5", "1", "3"])), min_size=1, max_size=4))
def test_never_more_of_a_shelf_is_promised_than_stands_above_its_own_reorder_point(
    other: Evidence, products: list[tuple[Evidence, str]]
) -> None:
    shared = replace(other, sku="B")
    lacking = [replace(one, sku=f"A{place}", as_of=shared.as_of) for place, (one, _ratio) in enumerate(products)]
    candidates = [Candidate(shared, Decimal(ratio), NONE) for _one, ratio in products]
    before = claimed_before([*lacking, lacking[0]], [*candidates, candidates[0]])
    assert before[0] == 0 and before == sorted(before)
    if before[-1] > 0:
        (outcome,) = plan([replace(shared, hold=None)])
        available = shared.stock.on_hand - shared.stock.reserved - shared.stock.backorders
        assert outcome.reorder_point is not None and before[-1] <= available - outcome.reorder_point + Decimal("0.001")


def test_bad_input_of_either_side_proposes_nothing_and_says_why() -> None:
    assert refused(other=with_(OTHER, terms={"unit_cost": None})) == "missing_cost"
    assert refused(with_(SHORT, terms={"unit_cost": Decimal(0)})) == "substitute_not_plannable"
    assert refused(replace(SHORT, forecast=None)) == "substitute_not_plannable"


@settings(max_examples=examples(60), deadline=None)
@given(evidences(), evidences(), st.sampled_from(["0.5", "1", "3"]), st.sampled_from(["0", "1.5", "40"]))
def test_every_line_is_legal_derivable_honest_and_never_larger_for_being_covered(
    short: Evidence, other: Evidence, ratio: str, covered: str
) -> None:
    short, other = replace(short, sku="A"), replace(other, sku="B", as_of=short.as_of)
    found = stand_in(short, [Candidate(other, Decimal(ratio), Decimal(covered))])
    if found is None:
        return
    evidence, outcome = found
    document = outcome.document
    assert derive(evidence_of(document_of(evidence))) == canonical(document)
    RecommendationIssued.model_validate(dict(document) | {"line_id": "line-1"})
    assert not document["approved_by_rule"] and "substitution" in document["route_reasons"]
    assert other.terms is not None
    assert outcome.quantity > 0 and outcome.quantity >= (other.terms.moq or 0)
    assert outcome.quantity % (other.terms.pack or Decimal("0.001")) == 0
    for step in document["steps"]:
        said = step["says"]
        for value in sorted([*step["inputs"].values(), step["result"]], key=len, reverse=True):
            said = said.replace(value, " ")
        assert not re.search(r"\d", said), step["says"]
    more = stand_in(short, [Candidate(other, Decimal(ratio), Decimal(covered) + 1)])
    assert more is None or more[1].quantity <= outcome.quantity
