"""Who lets a model speak: each rule on both of its sides."""

import pytest

from services.forecaster.domain.promotion import Outcome, judge

GOOD = {
    "total_error_28d": 0.5, "naive_total_error_28d": 0.6, "bias_28d": 0.02, "coverage_28d_0.95": 0.955,
    "wql_7d": 0.6, "wql_14d": 0.5, "wql_28d": 0.4,
}  # fmt: skip


def losses(factor: float) -> dict[str, float]:
    return {name: value * factor for name, value in GOOD.items() if name.startswith("wql")}


def test_the_first_model_speaks_and_says_what_it_is_better_than() -> None:
    judgement = judge(GOOD, None, has_champion=False, always_ask=True)
    assert judgement.outcome is Outcome.PROMOTE and "0.500" in judgement.reason and "0.600" in judgement.reason


@pytest.mark.parametrize(
    ("factor", "outcome"), [(0.9, Outcome.PROMOTE), (1.015, Outcome.PROMOTE), (1.03, Outcome.KEEP)]
)
def test_a_challenger_may_be_two_per_cent_worse_and_no_more(factor: float, outcome: Outcome) -> None:
    assert judge(GOOD, (losses(factor), losses(1.0)), has_champion=True).outcome is outcome


@pytest.mark.parametrize(
    "doubt", [{"bias_28d": 0.2}, {"bias_28d": -0.2}, {"coverage_28d_0.95": 0.88}, {"naive_total_error_28d": 0.45}]
)
def test_doubt_is_laid_before_a_person(doubt: dict[str, float]) -> None:
    judgement = judge(GOOD | doubt, (losses(0.5), losses(1.0)), has_champion=True)
    assert judgement.outcome is Outcome.ASK and judgement.reason


def test_always_ask_asks_where_the_rules_would_promote_and_not_where_they_would_not() -> None:
    assert judge(GOOD, (losses(0.9), losses(1)), has_champion=True, always_ask=True).outcome is Outcome.ASK
    assert judge(GOOD, (losses(1.2), losses(1)), has_champion=True, always_ask=True).outcome is Outcome.KEEP


def test_days_that_cannot_be_compared_do_not_hold_back_fresher_knowledge() -> None:
    assert judge(GOOD, None, has_champion=True).outcome is Outcome.PROMOTE
    assert judge(GOOD, ({}, {}), has_champion=True).outcome is Outcome.PROMOTE
