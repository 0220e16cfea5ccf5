"""Each reason to ask a person, on its exact boundary: the limit itself still passes, the smallest step beyond does not."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.policy.domain.evidence import Evidence, OpenOrder
from services.policy.domain.parameters import Parameters, parse_parameters
from services.policy.domain.refusal import PolicyRefusal
from tests.unit.policy.examples import DAY, forecast_of, with_
from tests.unit.policy.test_cascade import recommended

CENT = Decimal("0.01")
GENEROUS: dict[str, Any] = {
    "auto_approve_value_limit": Decimal(4000),
    "confidence_minimum": Decimal(0),
    "gmroi_minimum": Decimal(0),
    "service_minimum": Decimal(0),
    "max_cover_days": Decimal(900),
}
CALM = with_(parameters=GENEROUS)


def reasons(evidence: Evidence) -> list[str]:
    found: list[str] = recommended(evidence).document["route_reasons"]
    return found


def test_inside_every_limit_it_is_approved_by_rule() -> None:
    assert recommended(CALM).document["approved_by_rule"] is True


def test_value_above_limit_to_the_cent() -> None:
    value = recommended(CALM).value
    assert reasons(with_(CALM, parameters={"auto_approve_value_limit": value})) == []
    assert reasons(with_(CALM, parameters={"auto_approve_value_limit": value - CENT})) == ["value_above_limit"]


def test_low_confidence_at_its_minimum() -> None:
    at = with_(CALM, parameters={"confidence_minimum": Decimal("0.9")})
    assert reasons(at) == []
    assert reasons(with_(at, forecast={"confidence": Decimal("0.8999")})) == ["low_confidence"]
    aged = replace(with_(at, parameters={"confidence_minimum": Decimal("0.88")}), as_of=DAY + timedelta(days=1))
    assert reasons(aged) == []
    assert reasons(replace(aged, as_of=DAY + timedelta(days=2))) == ["low_confidence"]


def test_gmroi_at_its_threshold() -> None:
    gmroi = Decimal(str(recommended(CALM).document["gmroi"]))
    assert reasons(with_(CALM, parameters={"gmroi_minimum": gmroi})) == []
    assert reasons(with_(CALM, parameters={"gmroi_minimum": gmroi + CENT})) == ["gmroi_below_threshold"]


def test_service_below_minimum_when_shelf_life_cuts_the_order() -> None:
    cut = with_(CALM, item={"shelf_life_days": 2}, terms={"pack": Decimal(1), "moq": None})
    steps = {step["code"]: step for step in recommended(cut).document["steps"]}
    achieved = Decimal(steps["service"]["result"])
    assert achieved < Decimal("0.95"), "the case must be one that misses its goal"
    step = Decimal("0.0001")
    assert reasons(with_(cut, parameters={"service_minimum": achieved})) == []
    assert reasons(with_(cut, parameters={"service_minimum": achieved + step})) == ["service_below_minimum"]


def test_cover_above_maximum() -> None:
    steps = {step["code"]: step for step in recommended(CALM).document["steps"]}
    cover = Decimal(steps["cover"]["result"])
    assert reasons(with_(CALM, parameters={"max_cover_days": cover})) == []
    assert reasons(with_(CALM, parameters={"max_cover_days": cover - Decimal("0.1")})) == ["policy_exception"]


def test_order_value_above_its_maximum() -> None:
    value = recommended(CALM).value
    limits = {"auto_approve_value_limit": value - CENT, "order_value_maximum": value - CENT}
    assert reasons(with_(CALM, parameters=limits)) == ["value_above_limit", "policy_exception"]


@pytest.mark.parametrize(
    ("flag", "expected"), [("spike", ["forecast_anomaly"]), ("new_item", ["new_item"]), ("intermittent", [])]
)
def test_flags_of_the_forecast(flag: str, expected: list[str]) -> None:
    assert reasons(with_(CALM, forecast={"flags": (flag,)})) == expected


def test_a_customer_commitment_that_stock_does_not_cover() -> None:
    assert reasons(with_(CALM, stock={"on_hand": Decimal(4), "reserved": Decimal(4)})) == []
    assert reasons(with_(CALM, stock={"on_hand": Decimal(4), "reserved": Decimal(5)})) == [
        "customer_commitment_at_risk"
    ]


def test_books_below_zero_are_a_policy_exception_and_no_commitment() -> None:
    assert reasons(with_(CALM, stock={"on_hand": Decimal(0)})) == []
    assert reasons(with_(CALM, stock={"on_hand": Decimal(-1)})) == ["policy_exception"]


def test_suppliers_that_are_late_short_or_failed() -> None:
    def order(**changes: Any) -> Evidence:
        plain = OpenOrder("O", Decimal(1), DAY + timedelta(days=1), "released")
        return replace(CALM, open_orders=(replace(plain, **changes),))

    assert reasons(order()) == []
    assert reasons(order(arrive_on=DAY)) == ["supplier_exception"]
    assert reasons(order(status="failed")) == ["supplier_exception"]
    assert reasons(order(is_short=True)) == ["constrained_supply"]


def test_a_minimum_lot_that_may_expire_is_asked_about() -> None:
    risky = with_(CALM, item={"shelf_life_days": 4}, terms={"moq": Decimal(12), "pack": Decimal(12)})
    risky = replace(risky, forecast=forecast_of(2.0), stock=replace(risky.stock, on_hand=Decimal(0)))
    assert reasons(risky) == ["policy_exception"]


BAD_PARAMETERS: list[tuple[dict[str, str], str]] = [
    ({"service_goal_a": "1"}, "service_goal_a"),
    ({"service_goal_c": "0.5"}, "service_goal_c"),
    ({"carrying_rate": "0"}, "carrying_rate"),
    ({"carrying_rate": "NaN"}, "carrying_rate"),
    ({"setup_cost": "-1"}, "setup_cost"),
    ({"setup_cost": "cheap"}, "setup_cost"),
    ({"service_kind": "best"}, "service_kind"),
    ({"auto_approve_value_limit": "6000"}, "auto_approve_value_limit"),
    ({"expiry_risk_max": "0.96"}, "expiry_risk_max"),
    ({"sevice_goal_a": "0.9"}, "sevice_goal_a"),
]


@pytest.mark.parametrize(("given", "name"), BAD_PARAMETERS, ids=[one[1] for one in BAD_PARAMETERS])
def test_a_parameter_that_cannot_be_is_named(given: dict[str, str], name: str) -> None:
    with pytest.raises(PolicyRefusal) as refusal:
        parse_parameters(given)
    assert refusal.value.explanation.startswith(f"{name}:")


NUMBERS = sorted(name for name, value in Parameters().as_text().items() if value.replace(".", "").isdigit())


@pytest.mark.parametrize("bad", ["NaN", "sNaN", "Infinity", "-1"])
def test_every_parameter_that_is_no_finite_number_of_at_least_zero_is_named(bad: str) -> None:
    assert len(NUMBERS) > 30
    for name in NUMBERS:
        with pytest.raises(PolicyRefusal, match="policy_contradictory") as refusal:
            parse_parameters({"service_kind": "weighed", name: bad})
        assert refusal.value.explanation.startswith(f"{name}:")


def test_parameters_survive_their_text() -> None:
    assert parse_parameters(Parameters().as_text()) == Parameters()
