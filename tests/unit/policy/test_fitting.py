"""What is published fits the contract, seen quickly or judged by the contract itself: both say the same."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.recommendations import RecommendationIssued, RecommendationWithheld
from services.policy.domain.cascade import plan
from services.policy.domain.evidence import Evidence
from services.policy.domain.outcome import Recommendation
from services.policy.fitting import UNCHECKED, check_issued, check_withheld
from tests.examples import examples
from tests.unit.policy.examples import PLAIN, evidences

(RECOMMENDED,) = plan([PLAIN])
assert isinstance(RECOMMENDED, Recommendation)
ISSUED: dict[str, Any] = {**RECOMMENDED.said, "line_id": "line-1"}
WITHHELD: dict[str, Any] = {
    "tenant": "acme", "sku": "A", "location": "L1", "recommendation_id": "r1", "reason": "enough_stock", "says": "Enough.",
    "on_hand": "4", "on_order": "0", "inventory_position": "-1.50", "reorder_point": "2", "days_of_cover": 2.0,
    "policy_version": 1, "evidence_sha256": "0" * 64,
}  # fmt: skip
NUMBERS = (
    "0", "-0", "1", "-1", "0.5", "1.0001", "1.00001", "0.0000", "00", "999999999999.9999", "1000000000000", "12345678901234567",
    "NaN", "Infinity", "1e3", "1E+2", " 1", "1 ", "1 2", "", "-", "+1", ".5", "5.", "1_0", "\u0661",
)  # fmt: skip
CODES = ("", "a", "a/b", "a\nb", "a\x7f", "x" * 64, "x" * 65, "中" * 64, 'a"b\\c', " ", "EUR", "eur", "EURO", "EUR\n")
OF_ISSUED = (
    "quantity", "pack", "moq", "unit_cost", "value", "reorder_point", "order_up_to", "money_at_risk", "excess_from_rounding",
    "excess_cost", "on_hand", "on_order", "reserved", "inventory_position", "stockout_probability", "confidence",
)  # fmt: skip
CODES_OF_ISSUED = (
    "tenant", "sku", "location", "unit", "supplier", "from_location", "changes_order", "stands_in_for", "forecast_id", "line_id",
    "supersedes", "run_id", "currency",
)  # fmt: skip


def refused(check: Any, *given: Any) -> bool:
    try:
        check(*given)
    except ValidationError:
        return True
    return False


@settings(max_examples=examples(60), deadline=None)
@given(evidences())
def test_what_the_cascade_says_fits_the_contract(evidence: Evidence) -> None:
    (outcome,) = plan([evidence])
    if isinstance(outcome, Recommendation):
        body = {**outcome.said, "line_id": "line-1"}
        check_issued(body)
        RecommendationIssued.model_validate({**body, **UNCHECKED})


@pytest.mark.parametrize(
    ("name", "value"),
    [*((name, value) for name in OF_ISSUED for value in NUMBERS), *((name, value) for name in CODES_OF_ISSUED for value in CODES)],
)  # fmt: skip
def test_a_recommendation_is_refused_where_the_contract_refuses_it(name: str, value: str) -> None:
    body = {**ISSUED, name: value}
    assert refused(check_issued, body) == refused(RecommendationIssued.model_validate, {**body, **UNCHECKED})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("on_hand", "on_order", "inventory_position", "reorder_point") for value in NUMBERS),
        *((name, value) for name in ("tenant", "sku", "location", "supersedes", "run_id", "field", "forecast_id") for value in CODES),
        *(("reason", value) for value in ("", "a", "A", "a b", "a1_b", "a\n", "a" * 64, "a" * 65)),
        *(("says", value) for value in ("", "x" * 400, "x" * 401)),
    ],
)  # fmt: skip
def test_a_why_not_is_refused_where_the_contract_refuses_it(name: str, value: str) -> None:
    body = {**WITHHELD, name: value}
    assert refused(check_withheld, body) == refused(RecommendationWithheld.model_validate, {"origin": None, **body})


@pytest.mark.parametrize("days", [0.0, 999.0, -0.1, float("nan"), float("inf")])
def test_days_of_cover_are_none_below_zero_and_end_somewhere(days: float) -> None:
    fits = days in (0.0, 999.0)
    assert refused(check_issued, {**ISSUED, "days_of_cover": days}) is not fits
    assert refused(check_withheld, {**WITHHELD, "days_of_cover": days}) is not fits


@given(st.sampled_from(OF_ISSUED), st.decimals(-(10**13), 10**13, places=4).map(lambda one: format(one, "f")))
def test_any_amount_is_judged_as_by_the_contract(name: str, value: str) -> None:
    body = {**ISSUED, name: value}
    assert refused(check_issued, body) == refused(RecommendationIssued.model_validate, {**body, **UNCHECKED})
