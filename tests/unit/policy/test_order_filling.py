"""A supplier's order filled up with the best next units of its own items: to its minimum, within cover, shelf life and budgets."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.domain.cascade import derive, plan
from services.policy.domain.evidence import Allotment, Evidence
from services.policy.domain.evidence_text import canonical, document_of, evidence_of
from services.policy.domain.order_filling import OrderTerms, filled
from services.policy.domain.outcome import Recommendation
from tests.examples import examples
from tests.unit.policy.examples import PLAIN, forecast_of


def item(sku: str, daily: float, on_hand: int = 0) -> Evidence:
    return replace(PLAIN, sku=sku, forecast=forecast_of(daily), stock=replace(PLAIN.stock, on_hand=Decimal(on_hand)))


def ordered(evidence: Evidence) -> Recommendation:
    (outcome,) = plan([evidence])
    assert isinstance(outcome, Recommendation)
    return outcome


def test_an_order_below_its_suppliers_minimum_gets_the_best_next_units_and_shows_the_excess() -> None:
    evidences = [item("A", 2.0), item("B", 6.0)]
    wanted = [float(ordered(one).quantity) for one in evidences]
    value = sum(wanted) * 2.0
    full = filled(evidences, wanted, [0.0, 0.0], OrderTerms(minimum_value=value + 20))
    assert full is not None
    added, kind = full
    assert kind == "minimum_order_value"
    assert 20 <= sum(added.values()) * 2.0 < 20 + 12, "no pack more than it takes"
    assert added[1] >= max(added.values()), "more of what sells faster earns no less than more of what is slow"
    more = Allotment(Decimal(wanted[1] + added[1]), kind, Decimal(0), 1)
    outcome = ordered(replace(evidences[1], allotment=more))
    assert outcome.quantity == more.quantity
    assert Decimal(outcome.document["excess_from_rounding"]) > 0 and Decimal(outcome.document["excess_cost"]) > 0
    assert "fill it up" in outcome.document["explanation"]
    assert derive(evidence_of(outcome.document["evidence"])) == canonical(outcome.document)


def test_an_order_that_reaches_the_minimum_or_never_can_is_left_as_it_is() -> None:
    evidences = [item("A", 2.0)]
    wanted = [float(ordered(evidences[0]).quantity)]
    value = wanted[0] * 2.0
    assert filled(evidences, wanted, [0.0], OrderTerms(minimum_value=value)) is None
    assert filled(evidences, wanted, [0.0], OrderTerms(minimum_value=100_000)) is None
    assert filled(evidences, wanted, [0.0], OrderTerms(minimum_value=value + 20), cash_left=10) is None
    assert filled(evidences, [0.0], [0.0], OrderTerms(minimum_value=50)) is None


def test_a_truck_that_is_nearly_full_is_filled() -> None:
    evidences = [item("A", 6.0)]
    wanted = [float(ordered(evidences[0]).quantity)]
    full = filled(evidences, wanted, [0.1], OrderTerms(truck_m3=wanted[0] * 0.1 / 0.9))
    assert full is not None and full[1] == "truck"
    assert filled(evidences, wanted, [0.1], OrderTerms(truck_m3=wanted[0] * 0.1 / 0.5)) is None


@settings(max_examples=examples(30), deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.5, 2.0, 6.0]), st.integers(0, 3)), min_size=1, max_size=4),
    st.integers(1, 400),
    st.integers(0, 200),
)
def test_what_is_added_reaches_the_goal_stays_within_the_budget_and_derives_again(
    rows: list[tuple[float, int]], beyond: int, cash: int
) -> None:
    evidences = [item(f"I{index}", daily, stock) for index, (daily, stock) in enumerate(rows)]
    outcomes = [plan([one])[0] for one in evidences]
    wanted = [float(one.quantity) if isinstance(one, Recommendation) else 0.0 for one in outcomes]
    value = sum(wanted) * 2.0
    full = filled(evidences, wanted, [0.0] * len(rows), OrderTerms(minimum_value=value + beyond), cash_left=cash)
    if full is None:
        return
    added, kind = full
    assert beyond <= sum(added.values()) * 2.0 <= cash
    for place, units in added.items():
        assert wanted[place] > 0 and units % 6 == 0
        more = Allotment(Decimal(wanted[place] + units), kind, Decimal(0), 1)
        evidence = replace(evidences[place], allotment=more)
        outcome = ordered(evidence)
        assert outcome.quantity == more.quantity
        assert Decimal(str(outcome.document["evidence"]["allotment"]["quantity"])) == more.quantity
        assert derive(evidence_of(document_of(evidence))) == canonical(outcome.document)


def test_an_allotment_of_a_budget_never_makes_an_order_larger_than_wanted() -> None:
    wanted = ordered(item("A", 2.0)).quantity
    generous = Allotment(wanted + 60, "cash", Decimal("0.5"), 3)
    assert ordered(replace(item("A", 2.0), allotment=generous)).quantity == wanted
