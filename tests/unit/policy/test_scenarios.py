"""Signals: mixtures of with and without, bounded by strategies, ended by themselves, each shown with its numbers."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.distribution import HORIZONS_DAYS, LEVELS
from services.policy.domain.cascade import derive, plan
from services.policy.domain.evidence import Evidence, Signal
from services.policy.domain.evidence_text import canonical, document_of, evidence_of
from services.policy.domain.outcome import Recommendation
from services.policy.domain.parameters import ADDED, Parameters, parse_parameters
from services.policy.domain.refusal import PolicyRefusal
from services.policy.domain.scenarios import heeded
from tests.examples import examples
from tests.unit.policy.examples import DAY, PLAIN, evidences, with_

LATER = DAY + timedelta(days=20)


def signal(kind: str = "promotion", strength: str = "2", probability: str = "1", **changes: Any) -> Signal:
    made = Signal("s1", kind, Decimal(strength), Decimal(probability), DAY + timedelta(days=1), LATER)
    return replace(made, **changes)


def under(*signals: Signal, evidence: Evidence = PLAIN) -> Evidence:
    return replace(evidence, signals=signals)


def ordered(evidence: Evidence) -> Recommendation:
    (outcome,) = plan([evidence])
    assert isinstance(outcome, Recommendation)
    return outcome


def mean_of(evidence: Evidence) -> list[int]:
    assert evidence.forecast is not None
    return [int(one) for one in np.frombuffer(evidence.forecast.mean_e4, dtype="<i8")]


def quantile_of(evidence: Evidence, days: int, level: float) -> float:
    assert evidence.forecast is not None
    table = np.frombuffer(evidence.forecast.quantiles_e2, dtype="<i8").reshape(len(HORIZONS_DAYS), len(LEVELS))
    return float(table[HORIZONS_DAYS.index(days), LEVELS.index(level)]) / 100


def test_a_certain_signal_multiplies_demand_on_its_days_alone() -> None:
    after = heeded(under(signal(starts_on=DAY + timedelta(days=3), ends_on=DAY + timedelta(days=5))))
    assert mean_of(after)[:6] == [20_000, 20_000, 40_000, 40_000, 40_000, 20_000]
    assert quantile_of(after, 2, 0.9) == quantile_of(PLAIN, 2, 0.9)
    assert quantile_of(after, 5, 0.9) == pytest.approx(quantile_of(PLAIN, 5, 0.9) * 16 / 10, abs=0.02)


def test_what_the_forecast_contains_already_is_not_counted_a_second_time() -> None:
    assert PLAIN.forecast is not None
    told = replace(PLAIN, forecast=replace(PLAIN.forecast, flags=("knows_promotion",)))
    assert mean_of(heeded(under(signal(), evidence=told))) == mean_of(told)
    assert mean_of(heeded(under(signal(kind="viral_event"), evidence=told))) != mean_of(told)


def test_an_uncertain_signal_is_a_mixture_of_with_and_without() -> None:
    """At 30 %, the 50 % quantile hardly moves, the 95 % one nearly reaches the quantile with the signal for sure."""
    sure, maybe = heeded(under(signal(strength="3"))), heeded(under(signal(strength="3", probability="0.3")))
    assert mean_of(maybe)[0] == round(0.7 * 20_000 + 0.3 * 60_000)
    assert quantile_of(PLAIN, 14, 0.5) < quantile_of(maybe, 14, 0.5) < quantile_of(PLAIN, 14, 0.9)
    assert quantile_of(maybe, 14, 0.95) == pytest.approx(quantile_of(sure, 14, 0.98) * 0.94, rel=0.12)


def test_overlapping_signals_multiply_and_their_order_does_not_matter() -> None:
    one, other = signal(), replace(signal(strength="1.5"), signal_id="s2")
    assert mean_of(heeded(under(one, other)))[0] == 60_000
    assert heeded(under(one, other)).forecast == heeded(under(other, one)).forecast


@pytest.mark.parametrize(
    ("kind", "strength", "factor"),
    [
        ("viral_event", "9", 4),
        ("holiday_peak", "9", 3),
        ("competitor_out", "9", 1.5),
        ("economic_outlook", "0.1", 0.7),
        ("after_holidays", "0.1", 0.5),
        ("promotion", "9", 9),
        ("viral_event", "2", 2),
    ],
)
def test_a_strategy_bounds_what_a_signal_may_do(kind: str, strength: str, factor: float) -> None:
    assert mean_of(heeded(under(signal(kind, strength))))[0] == 20_000 * factor


def test_a_viral_events_target_is_at_most_two_and_a_half_times_the_one_without() -> None:
    plain, viral = ordered(PLAIN), ordered(under(signal("viral_event", "4")))
    assert plain.reorder_point < viral.reorder_point <= plain.reorder_point * Decimal("2.5")
    free = with_(under(signal("viral_event", "4")), parameters={"viral_target_max": Decimal(100)})
    assert ordered(free).reorder_point > viral.reorder_point


def test_a_disruption_lengthens_the_lead_time_and_widens_it() -> None:
    sure = heeded(under(signal("supply_disruption", "1.5")))
    maybe = heeded(under(signal("supply_disruption", "1.5", "0.5")))
    assert sure.terms is not None and maybe.terms is not None
    assert (sure.terms.lead_time_days, sure.terms.lead_time_sd_days) == (5, Decimal(0))
    assert (maybe.terms.lead_time_days, maybe.terms.lead_time_sd_days) == (4, Decimal("0.75"))
    assert ordered(under(signal("supply_disruption", "1.5"))).reorder_point > ordered(PLAIN).reorder_point


@pytest.mark.parametrize("day", [DAY - timedelta(days=1), DAY])
def test_a_signal_that_is_over_changes_nothing(day: date) -> None:
    assert ordered(under(signal(ends_on=day, starts_on=day - timedelta(days=3)))).quantity == ordered(PLAIN).quantity


def test_each_signal_shows_its_numbers_with_and_without_and_a_person_decides() -> None:
    one, other = signal(), replace(signal("holiday_peak", "1.5"), signal_id="s2")
    both = ordered(under(one, other))
    shown = {step["inputs"]["signal_id"]: step for step in both.document["steps"] if step["code"] == "scenario"}
    for left_out, kept in ((one, other), (other, one)):
        alone = ordered(under(kept))
        step = shown[left_out.signal_id]
        assert Decimal(step["inputs"]["point_without"]) == alone.reorder_point
        assert Decimal(step["inputs"]["quantity_without"]) == alone.quantity
        assert Decimal(step["result"]) == both.quantity
    assert "scenario_active" in both.document["route_reasons"]
    assert "scenario_active" not in ordered(PLAIN).document["route_reasons"]


@settings(max_examples=examples(40), deadline=None)
@given(
    evidences(),
    st.lists(
        st.builds(
            Signal,
            st.sampled_from(["a", "b"]),
            st.sampled_from(["promotion", "viral_event", "supply_disruption", "after_holidays"]),
            st.sampled_from([Decimal("0.2"), Decimal(1), Decimal("2.5"), Decimal(50)]),
            st.sampled_from([Decimal(0), Decimal("0.35"), Decimal(1)]),
            st.just(DAY + timedelta(days=2)),
            st.sampled_from([DAY + timedelta(days=2), LATER]),
        ),
        max_size=2,
        unique_by=lambda one: one.signal_id,
    ),
)
def test_whatever_the_signals_evidence_derives_again_byte_for_byte(evidence: Evidence, signals: list[Signal]) -> None:
    evidence = under(*signals, evidence=evidence)
    again = evidence_of(document_of(evidence))
    assert again == evidence
    (outcome,) = plan([evidence])
    if isinstance(outcome, Recommendation):
        assert derive(again) == canonical(outcome.document)
    (beside, alone) = plan([evidence, PLAIN])
    assert beside == outcome
    assert alone == plan([PLAIN])[0]


def test_older_evidence_keeps_its_bytes_though_parameters_were_added() -> None:
    document = document_of(PLAIN)
    assert "signals" not in document
    assert not ADDED & set(document["policy"]["parameters"])
    changed = document_of(with_(PLAIN, parameters={"viral_demand_max": Decimal(5)}))
    assert changed["policy"]["parameters"]["viral_demand_max"] == "5"
    assert evidence_of(changed).policy.parameters.viral_demand_max == 5


@pytest.mark.parametrize(("name", "value"), [("holiday_peak_max", "0.9"), ("after_holidays_min", "1.1")])
def test_bounds_that_contradict_their_meaning_are_refused(name: str, value: str) -> None:
    with pytest.raises(PolicyRefusal, match="policy_contradictory"):
        parse_parameters({name: value})
    assert parse_parameters({name: "1"}) != Parameters()
