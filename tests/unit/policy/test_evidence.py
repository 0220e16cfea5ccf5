"""Evidence and documents as text: parameters computed once yet every document's own, and one text per content."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.domain.cascade import derive, plan
from services.policy.domain.evidence import About, Allotment, Evidence, Hold, Item, OpenOrder, Signal
from services.policy.domain.evidence_text import canonical, canonical_with, document_of, evidence_of, text_of
from services.policy.domain.lead_times import Deliveries
from services.policy.domain.outcome import Recommendation
from services.policy.domain.parameters import Parameters, parse_parameters
from services.policy.domain.projection import texts_of
from tests.examples import examples
from tests.unit.policy.examples import DAY, PLAIN, TERMS, evidences, forecast_of


def test_who_changes_one_documents_parameters_changes_no_other_document() -> None:
    rules = Parameters()
    first = rules.as_evidence()
    first["setup_cost"] = "9"
    del first["service_minimum"]
    assert rules.as_evidence()["setup_cost"] == "0.5"
    assert parse_parameters(rules.as_evidence()) == rules


def test_equal_numbers_with_other_digits_are_told_alike_and_other_numbers_are_not() -> None:
    written_out = Parameters(setup_cost=Decimal("0.5000"), max_cover_days=Decimal("9E+1"))
    assert list(written_out.as_evidence().items()) == list(Parameters().as_evidence().items())
    assert Parameters(max_cover_days=Decimal(91)).as_evidence()["max_cover_days"] == "91"
    assert "transfer_days" not in Parameters().as_evidence()
    assert Parameters(transfer_days=Decimal(1)).as_evidence()["transfer_days"] == "1"


@settings(max_examples=examples(60), deadline=None)
@given(evidences())
def test_the_one_text_of_a_document_is_the_one_that_the_standard_library_writes(evidence: Evidence) -> None:
    """Whoever checks an export has only RFC 8259 and sorted names to go by, and what was published before must stay equal."""

    def written(document: object) -> bytes:
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    assert text_of(evidence) == canonical(document_of(evidence)) == written(document_of(evidence))
    (outcome,) = plan([evidence])
    if isinstance(outcome, Recommendation):
        assert canonical(outcome.document) == written(outcome.document) == canonical_with(outcome.said, outcome.parts)
        assert canonical_with(outcome.document, outcome.parts) == canonical(outcome.document)


def test_whatever_a_code_is_made_of_is_read_as_it_was_written() -> None:
    """Quotes, backslashes, braces and other alphabets, in every field that somebody else fills in."""
    odd = 'a"b\\c{d}%s\n中'
    evidence = replace(
        PLAIN,
        tenant=odd,
        sku=odd,
        location=odd,
        open_orders=(OpenOrder(odd, Decimal("1.50"), DAY, odd, True),),
        forecast=forecast_of(2.0, forecast_id=odd, flags=(odd, "spike"), strategy=odd, model_id=odd),
        item=Item(odd, Decimal("3.00"), odd, 9, odd, True, odd),
        terms=replace(TERMS, supplier=odd, currency=odd, cut_off=odd, price_breaks=((Decimal(0), Decimal("2.0")),), closed_on=(DAY,)),
        hold=Hold(odd, DAY),
        signals=(Signal(odd, odd, Decimal("1.50"), Decimal(1), DAY, DAY),),
        allotment=Allotment(Decimal(3), odd, Decimal(0), 1),
        deliveries=Deliveries((1, -2), (0,)),
        round=2,
        local_time=datetime.fromisoformat("2017-11-06T10:30:00"),
    )  # fmt: skip
    evidence = replace(evidence, about=About("transfer", odd, Decimal(1), evidence, claimed=Decimal("2.0")))
    assert text_of(evidence) == canonical(json.loads(text_of(evidence)))
    assert evidence_of(json.loads(text_of(evidence))) == evidence


@given(st.text(min_size=1, max_size=9))
def test_a_derivation_is_written_as_the_standard_library_writes_it_whatever_codes_are_made_of(code: str) -> None:
    overdue = OpenOrder(f'{code}"\\', Decimal("1.50"), DAY, f"{code}\n", False)
    evidence = replace(
        PLAIN,
        sku=code,
        open_orders=(overdue,),
        item=Item(f"{code}%s", Decimal("3.00"), code, 9, code, True, code),
        terms=replace(TERMS, supplier=code, currency=None),
        signals=(Signal(code, "viral_event", Decimal("1.50"), Decimal(1), DAY, DAY + timedelta(days=9)),),
        deliveries=Deliveries((1, -2), (0,)),
    )
    text = derive(evidence)
    told = json.loads(text)
    assert text == json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    inputs = {name: value for step in told["steps"] for name, value in step["inputs"].items()}
    assert (inputs["signal_id"], inputs["order_id"], inputs["status"]) == (code, overdue.order_id, overdue.status)


@given(st.text(max_size=20), st.floats(0.01, 1e14).map(lambda value: round(value, 2)))
def test_any_word_and_any_amount_have_the_text_of_the_standard_library(word: str, amount: float) -> None:
    document = {word: [word, amount, None, True, 7]}
    assert canonical(document) == json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


@given(
    st.integers(1, 9).flatmap(
        lambda days: st.lists(
            st.lists(st.floats(0, 1e9).map(lambda value: round(value, 2)), min_size=days, max_size=days)
        )
    )
)
def test_projections_are_told_in_two_decimals_without_idle_zeros(rows: list[list[float]]) -> None:
    told = [json.loads(text) for text in texts_of(np.asarray(rows))]
    assert told == [[f"{value:.2f}".rstrip("0").rstrip(".") for value in values] for values in rows]
