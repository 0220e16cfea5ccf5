"""Classes by hand and in their promises; lead times between quote and experience."""

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.domain.cascade import plan
from services.policy.domain.classes import Demanded, achieved, classes_of
from services.policy.domain.lead_times import RECEIPTS_MAX, Deliveries, arrival_curve, lateness, learned
from services.policy.domain.outcome import Recommendation
from services.policy.domain.parameters import Parameters, parse_parameters
from services.policy.domain.refusal import PolicyRefusal
from tests.examples import examples
from tests.unit.policy.examples import with_


def sold(item: str, value: str, mean: str = "2", spread: str = "0.5", asked: str = "0", served: str = "0") -> Demanded:
    return Demanded(item, Decimal(value), Decimal(mean), Decimal(spread), Decimal(asked), Decimal(served))


def test_abc_by_hand_on_its_borders() -> None:
    """Of 100: 50 + 30 reach exactly 80, so the third is the first B; 50 + 30 + 10 + 5 reach 95, so the fifth is C."""
    items = [sold("p", "50"), sold("q", "30"), sold("r", "10"), sold("s", "5"), sold("t", "5"), sold("u", "0")]
    assert {name: letters[0] for name, letters in classes_of(items).items()} == dict(
        zip("pqrstu", "AABBCC", strict=True)
    )


@pytest.mark.parametrize(
    ("mean", "spread", "letter"),
    [("2", "1", "X"), ("2", "1.001", "Y"), ("2", "2", "Y"), ("2", "2.001", "Z"), ("0", "0", "Z")],
)
def test_xyz_on_its_borders(mean: str, spread: str, letter: str) -> None:
    assert classes_of([sold("p", "1", mean, spread)])["p"] == f"A{letter}"


def test_achieved_fill_rate_beside_the_goal() -> None:
    items = [sold("p", "90", asked="100", served="97"), sold("q", "5", asked="300", served="300"), sold("r", "5")]
    rows = achieved(items, {"p": "AX", "q": "AX", "r": "CZ"}, Parameters())
    assert [(one.name, one.items, one.goal, one.fill_rate) for one in rows] == [
        ("AX", 2, Decimal("0.98"), Decimal("0.9925")),
        ("CZ", 1, Decimal("0.90"), None),
    ]


@settings(max_examples=examples(50), deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_a_better_seller_is_never_in_a_worse_class(values: list[int]) -> None:
    found = classes_of([sold(str(index), str(value)) for index, value in enumerate(values)])
    ranked = sorted(range(len(values)), key=lambda index: (-values[index], str(index)))
    letters = [found[str(index)][0] for index in ranked]
    assert letters == sorted(letters)
    value_a = sum(values[index] for index in ranked if found[str(index)][0] == "A")
    assert not sum(values) or value_a >= 0.8 * sum(values)


def test_without_receipts_the_quote_counts_and_with_many_experience() -> None:
    quote = learned(7, [])
    assert quote is not None and (quote.mean_days, quote.sd_days, quote.receipts) == (7, 1.75, 0)
    even = learned(7, [9, 9, 9, 9])
    assert even is not None and even.mean_days == 8
    chance = np.random.default_rng(4)
    seen = chance.normal(12, 2, 400).tolist()
    many = learned(7, seen)
    assert many is not None
    assert many.receipts == RECEIPTS_MAX
    assert many.mean_days == pytest.approx((4 * 7 + sum(seen[-RECEIPTS_MAX:])) / (4 + RECEIPTS_MAX))
    assert many.sd_days == pytest.approx(2.3, abs=0.7)
    assert learned(None, []) is None
    alone = learned(None, [4, 6])
    assert alone is not None and alone.mean_days == 5 and alone.sd_days == pytest.approx(2**0.5)


@settings(max_examples=examples(50), deadline=None)
@given(st.floats(0, 60), st.lists(st.floats(0, 60), max_size=20))
def test_the_mean_lies_between_quote_and_experience(quoted: float, seen: list[float]) -> None:
    found = learned(quoted, seen)
    assert found is not None
    mean = sum(seen) / len(seen) if seen else quoted
    assert min(quoted, mean) - 1e-9 <= found.mean_days <= max(quoted, mean) + 1e-9
    assert found.sd_days >= 0


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_receipt_before_its_order_is_refused(bad: float) -> None:
    with pytest.raises(PolicyRefusal, match="lead_time_negative"):
        learned(7, [bad])


def test_lateness_is_the_learned_lead_time_less_its_quote() -> None:
    seen = (0, 2, 5, -1, 3)
    whole = learned(10, [10 + one for one in seen], quoted_sd_days=1.5)
    found = lateness(seen, 1.5)
    assert whole is not None
    assert (found.mean_days + 10, found.sd_days) == pytest.approx((whole.mean_days, whole.sd_days))
    assert (found.mean_days, lateness((), 1.5).sd_days) == (1.0, 1.5)


def test_an_order_that_is_not_due_yet_comes_as_late_as_others_did() -> None:
    """Four punctual prior deliveries, and two of the supplier's own, a day and three days late; the order is due in two days:
    4/6 on its day, 5/6 a day later, 6/6 from the third day on."""
    curve = arrival_curve((1, 3), -2)
    assert curve[:6] == pytest.approx((0, 0, 4 / 6, 5 / 6, 5 / 6, 1))
    assert arrival_curve((), -2)[:4] == (0, 0, 1, 1)


def test_an_overdue_order_is_judged_by_what_came_later_still() -> None:
    """Two days overdue: the delivery one day late says nothing any more; 5 and 9 days late are what is left, beside one prior
    delivery that comes with one half on each further day."""
    curve = arrival_curve((1, 5, 9), 2)
    assert curve[1] == pytest.approx((0 + 0.5) / 3)
    assert curve[3] == pytest.approx((1 + 0.875) / 3)
    assert curve[7] == pytest.approx((2 + 1 - 0.5**7) / 3)
    assert arrival_curve((), 0)[:3] == (0, 0.5, 0.75)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.integers(-10, 50), max_size=60).map(tuple), st.integers(-30, 20))
def test_arrival_probabilities_rise_from_nothing_towards_certainty(late: tuple[int, ...], elapsed: int) -> None:
    curve = arrival_curve(late, elapsed)
    assert curve[0] == 0.0
    assert all(0 <= one <= two <= 1 for one, two in pairwise(curve))
    punctual = arrival_curve(tuple(min(one, 0) for one in late), elapsed)
    assert elapsed >= 0 or all(one <= two + 1e-12 for one, two in zip(curve, punctual, strict=True))


def test_deliveries_survive_the_wire() -> None:
    known = Deliveries((0, -1, 3), (2,))
    assert Deliveries.of(known.document()) == known


def test_goals_of_all_nine_classes_follow_from_five_parameters() -> None:
    rules = Parameters(service_goal_y_less=Decimal("0.02"), service_goal_z_less=Decimal("0.05"))
    goals = {abc + xyz: rules.service_goal(abc, xyz) for abc in "ABC" for xyz in "XYZ"}
    assert goals == {
        name: Decimal(goal)
        for name, goal in zip(
            ("AX", "AY", "AZ", "BX", "BY", "BZ", "CX", "CY", "CZ"),
            ("0.98", "0.96", "0.93", "0.95", "0.93", "0.90", "0.90", "0.88", "0.85"),
            strict=True,
        )
    }
    assert rules.service_goal(None, None) == rules.service_goal("B", "X")
    with pytest.raises(PolicyRefusal, match="service_goal_z_less"):
        parse_parameters({"service_goal_z_less": "0.11"})
    with pytest.raises(PolicyRefusal, match="class_source"):
        parse_parameters({"class_source": "moon"})


def test_an_erratic_item_is_held_to_the_goal_of_its_class_and_says_its_name() -> None:
    rules = {"service_goal_z_less": Decimal("0.10")}
    steady, erratic = (with_(item={"xyz_class": letter}, parameters=rules) for letter in "XZ")
    told = []
    for outcome in plan([steady, erratic]):
        assert isinstance(outcome, Recommendation)
        (step,) = [one for one in outcome.document["steps"] if one["code"] == "target"]
        told.append((step["inputs"]["abc_class"], step["inputs"]["goal"], outcome.reorder_point))
    assert [one[:2] for one in told] == [("BX", "0.95"), ("BZ", "0.85")]
    assert told[0][2] > told[1][2]
