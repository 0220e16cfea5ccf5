"""Parameters in evidence: computed once for many items, yet every document's own."""

from decimal import Decimal

from services.policy.domain.parameters import Parameters, parse_parameters


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
