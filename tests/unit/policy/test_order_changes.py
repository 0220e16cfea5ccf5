"""Changes of open orders as lines of their own: derived from the evidence of their item alone, and never against its own order."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.recommendations import RecommendationIssued
from services.policy.domain.cascade import derive, plan
from services.policy.domain.evidence import About, Allotment, Evidence, Hold, OpenOrder, Stock
from services.policy.domain.evidence_text import canonical, document_of, evidence_of
from services.policy.domain.lead_times import Deliveries
from services.policy.domain.order_changes import order_change, order_changes
from services.policy.domain.outcome import Recommendation, Withheld
from services.policy.domain.reckoning import Book
from tests.examples import examples
from tests.unit.policy.examples import DAY, PLAIN, evidences, forecast_of, with_


def order(units: str, days: int, status: str = "confirmed") -> OpenOrder:
    return OpenOrder("PO-7", Decimal(units), DAY + timedelta(days=days), status)


def item(on_hand: str, *orders: OpenOrder, **parameters: Any) -> Evidence:
    made = with_(PLAIN, stock={"on_hand": Decimal(on_hand)}, parameters=parameters) if parameters else PLAIN
    return replace(made, stock=replace(made.stock, on_hand=Decimal(on_hand)), open_orders=orders)


def only(evidence: Evidence) -> dict[str, Any]:
    ((about, outcome),) = order_changes([evidence])
    assert about.about == About("open_order", "PO-7")
    return dict(outcome.document)


def test_an_order_nobody_needs_any_more_is_to_be_cancelled_and_half_a_one_reduced() -> None:
    cancelled = only(item("200", order("48", 2)))
    assert (cancelled["action"], cancelled["quantity"], cancelled["changes_order"]) == ("cancel", "48", "PO-7")
    assert max(map(Decimal, cancelled["projection"]["with_order"])) < max(
        map(Decimal, cancelled["projection"]["without_order"])
    )
    # Up to 38 (reorder point 20.2 rounded up, lot 18): what is above that in whole packs need not come.
    reduced = only(item("20", order("240", 2)))
    assert reduced["action"] == "reduce"
    left = Decimal(reduced["quantity"])
    assert 0 < left < 240 and left % 6 == 0
    assert 20 + left - 6 < Decimal(reduced["order_up_to"]) <= 20 + left


def test_an_order_that_comes_too_late_is_brought_forward_for_more_than_it_costs() -> None:
    late = item("0", order("60", 4), order_change_cost=Decimal("0.50"), expedite_cost_share=Decimal("0.01"))
    document = only(late)
    assert document["action"] == "expedite"
    assert document["arrive_on"] < (DAY + timedelta(days=4)).isoformat()
    assert Decimal(document["money_at_risk"]) > 0
    assert order_changes([with_(late, parameters={"order_change_cost": Decimal(500)})]) == []


def test_a_person_decides_on_every_change_and_what_is_promised_to_the_supplier_is_named() -> None:
    document = only(item("200", order("48", 2)))
    assert document["approved_by_rule"] is False
    assert "supplier_exception" in document["route_reasons"]
    assert "PO-7" in document["explanation"]
    RecommendationIssued.model_validate(document | {"line_id": "line-1"})


def test_what_the_position_counts_on_is_not_put_off_though_it_comes_late_as_its_supplier_always_does() -> None:
    """Due the day before the next receipt and believed a day later: without it two customers would wait, and two be bought."""
    owed = replace(PLAIN, forecast=forecast_of(0.0), stock=Stock(Decimal(0), Decimal(0), Decimal(2), 0))
    owed = with_(
        owed, terms={"order_weekdays": (0,), "lead_time_days": 4}, parameters={"order_change_cost": Decimal("0.05")}
    )
    due = DAY + timedelta(days=11)  # the receipt of the order after next is a day later
    late = Deliveries(after_promise=(), after_confirmation=(1,) * 5)
    counted = replace(owed, open_orders=(OpenOrder("PO-7", Decimal(2), due, "confirmed"),), deliveries=late)
    assert isinstance(plan([counted])[0], Withheld)
    assert order_changes([counted]) == []


def test_an_order_that_left_already_or_not_yet_is_left_alone() -> None:
    assert order_changes([item("200", order("48", 2, "shipped"))]) == []
    assert order_changes([item("200", order("48", 2, "approved"))]) == []
    assert order_changes([item("200")]) == []


def test_the_line_derives_again_from_its_logged_evidence_and_follows_the_order_only() -> None:
    ((about, outcome),) = order_changes([item("200", order("48", 2))])
    logged = evidence_of(outcome.document["evidence"])
    assert logged == about
    assert derive(logged) == canonical(outcome.document)
    settled = order_change(replace(about, open_orders=()))
    assert isinstance(settled, Withheld) and settled.reason == "order_stays"


@settings(max_examples=examples(80), deadline=None)
@given(evidences())
def test_every_change_is_derivable_and_stands_beside_the_items_own_order_without_contradiction(
    evidence: Evidence,
) -> None:
    evidence = with_(evidence, parameters={"order_change_cost": Decimal("0.05")})
    (own,) = plan([evidence])
    found = order_changes([evidence])
    for about, outcome in found:
        assert derive(evidence_of(document_of(about))) == canonical(outcome.document)
        RecommendationIssued.model_validate(dict(outcome.document) | {"line_id": "line-1"})
        (of_order,) = (one for one in evidence.open_orders if one.order_id == outcome.document["changes_order"])
        assert outcome.quantity <= of_order.quantity
        for step in outcome.document["steps"]:
            told = step["says"]
            for value in sorted((*step["inputs"].values(), step["result"]), key=len, reverse=True):
                told = told.replace(value, "")
            assert not any(letter.isdigit() for letter in told), step["says"]
        if isinstance(own, Recommendation):
            assert outcome.document["action"] == "expedite"
    # With every change made, the item asks for no order it did not ask for before, and for no other change of these.
    if found and not isinstance(own, Recommendation) and evidence.hold is None:
        (after,) = plan([_made(evidence, found)])
        assert not isinstance(after, Recommendation)


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(evidences(), min_size=2, max_size=5))
def test_changes_of_many_items_are_bit_for_bit_those_of_each_alone(batch: list[Evidence]) -> None:
    cheap = {"order_change_cost": Decimal("0.05"), "expedite_cost_share": Decimal("0.01")}
    items = [replace(with_(one, parameters=cheap), location=f"L{place}") for place, one in enumerate(batch)]
    items.append(replace(item("200", order("48", 2), replace(order("12", 3), order_id="PO-8")), location="L9"))
    together = order_changes(items)
    assert together
    assert together == [found for one in items for found in order_changes([one])]
    assert [outcome for _about, outcome in together] == [order_change(about) for about, _outcome in together]


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(evidences(), min_size=1, max_size=5), st.lists(st.sampled_from(("", "asleep", "woken", "scarce"))))
def test_changes_by_the_numbers_of_the_plan_are_those_of_numbers_reckoned_anew(
    batch: list[Evidence], kinds: list[str]
) -> None:
    cheap = {"order_change_cost": Decimal("0.05"), "expedite_cost_share": Decimal("0.01")}
    items = [replace(with_(one, parameters=cheap), location=f"L{place}") for place, one in enumerate(batch)]
    items.append(replace(item("200", order("48", 2)), location="L9"))
    parts: dict[str, dict[str, Any]] = {
        "asleep": {"hold": Hold("snoozed", DAY + timedelta(days=9))},
        "woken": {"hold": Hold("snoozed", DAY - timedelta(days=9))},
        "scarce": {"allotment": Allotment(Decimal(6), "cash", Decimal(0), 1)},
    }
    items += [replace(item("200", order("48", 2)), location=kind, **parts.get(kind, {})) for kind in sorted({*kinds})]
    book = Book()
    plan(items, book)

    def by_place(
        found: list[tuple[Evidence, Recommendation]],
    ) -> dict[tuple[str, str], tuple[Evidence, Recommendation]]:
        return {(about.location, about.about.code): (about, one) for about, one in found if about.about is not None}

    assert book.find(items[len(batch)]) is not None
    assert by_place(order_changes(items, book)) == by_place(order_changes(items)) != {}


def _made(evidence: Evidence, found: list[tuple[Evidence, Recommendation]]) -> Evidence:
    change = {one.document["changes_order"]: one for _about, one in found}
    kept = []
    for order in evidence.open_orders:
        one = change.get(order.order_id)
        if one is None:
            kept.append(order)
        elif one.document["action"] != "cancel":
            arrive_on = DAY.fromisoformat(one.document["arrive_on"])
            kept.append(replace(order, quantity=one.quantity, arrive_on=arrive_on))
    return replace(evidence, open_orders=tuple(kept))
