"""Levels by weighed objectives: against brute force, the newsvendor's fractile, and the definition of CVaR."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.domain.cascade import derive
from services.policy.domain.columns import Floats
from services.policy.domain.evidence_text import canonical, evidence_of
from services.policy.domain.objectives import POINTS, TAIL_POINTS, Weights, choices_of, efficient, judged
from services.policy.domain.parameters import parse_parameters
from services.policy.domain.refusal import PolicyRefusal
from services.policy.pareto import GRID, for_people, report
from tests.examples import examples
from tests.unit.policy.examples import with_
from tests.unit.policy.test_cascade import recommended

MONEY = st.floats(0.01, 20)
WEIGHT = st.sampled_from([0.0, 0.3, 1.0, 2.5])


def one(value: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray([value], dtype=np.float64)


def demand_of(seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.sort(np.random.default_rng(seed).gamma(2.0, 10.0, POINTS))[np.newaxis, :]


def best_levels(demand: Floats, margin: Floats, holding: Floats, *weights: Floats) -> Floats:
    return choices_of(demand, margin, holding).best(*weights)


def by_hand(demand: list[float], level: float, margin: float, holding: float) -> tuple[float, float, float]:
    costs = [margin * (d - level) if d > level else holding * (level - d) for d in demand]
    lost = sum(margin * (d - level) for d in demand if d > level) / len(demand)
    held = sum(holding * (level - d) for d in demand if d < level) / len(demand)
    return lost, held, sum(sorted(costs)[-TAIL_POINTS:]) / TAIL_POINTS


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 90), MONEY, MONEY)
def test_what_a_level_leads_to_by_the_definition(seed: int, level: float, margin: float, holding: float) -> None:
    demand = demand_of(seed)
    told = judged(demand, one(level), one(margin), one(holding))
    truth = by_hand(demand[0].tolist(), level, margin, holding)
    assert (told.lost[0], told.held[0], told.tail[0]) == pytest.approx(truth)
    # The mean of the worst is never below the mean of all.
    assert told.tail[0] >= told.lost[0] + told.held[0] - 1e-9


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 10_000), MONEY, MONEY, WEIGHT, WEIGHT, WEIGHT)
def test_no_level_weighs_less_than_the_best(
    seed: int, margin: float, holding: float, service: float, cost: float, risk: float
) -> None:
    demand = demand_of(seed)
    found = best_levels(demand, one(margin), one(holding), one(service), one(cost), one(risk))

    def weighed(level: float) -> float:
        lost, held, tail = by_hand(demand[0].tolist(), level, margin, holding)
        return service * lost + cost * held + risk * tail

    assert found[0] in demand[0]
    assert weighed(found[0]) <= min(weighed(level) for level in demand[0].tolist()) + 1e-6


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 10_000), MONEY, MONEY)
def test_without_risk_it_is_the_newsvendors_fractile(seed: int, margin: float, holding: float) -> None:
    demand = demand_of(seed)
    found = best_levels(demand, one(margin), one(holding), one(1.0), one(1.0), one(0.0))[0]
    fractile = margin / (margin + holding)
    at_most = float((demand[0] <= found).mean())
    below = float((demand[0] < found).mean())
    assert below - 1e-6 <= fractile <= at_most + 1e-6


@settings(max_examples=examples(30), deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5]))
def test_more_weight_on_service_never_holds_less_and_more_on_cost_never_more(seed: int, risk: float) -> None:
    demand, margin, holding = demand_of(seed), one(2.0), one(1.0)
    rising = [best_levels(demand, margin, holding, one(w), one(1.0), one(risk))[0] for w in (0.2, 0.5, 1.0, 3.0)]
    falling = [best_levels(demand, margin, holding, one(1.0), one(w), one(risk))[0] for w in (0.2, 0.5, 1.0, 3.0)]
    assert rising == sorted(rising) and falling == sorted(falling, reverse=True)


def test_rows_do_not_depend_on_the_rows_beside_them() -> None:
    rows = np.vstack([demand_of(seed) for seed in range(50)])
    margin, holding = np.linspace(0.5, 9, 50), np.linspace(3, 0.1, 50)
    weights = (np.full(50, 1.0), np.full(50, 0.7), np.full(50, 0.4))
    together = best_levels(rows, margin, holding, *weights)
    alone = [
        best_levels(rows[i : i + 1], margin[i : i + 1], holding[i : i + 1], *(w[i : i + 1] for w in weights))[0]
        for i in range(50)
    ]
    assert together.tolist() == alone


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=14))
def test_efficient_points_by_comparing_each_with_each(points: list[tuple[int, int, int]]) -> None:
    def beats(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
        return all(x <= y for x, y in zip(a, b, strict=True)) and a != b

    assert efficient(points) == [not any(beats(other, point) for other in points) for point in points]
    assert any(efficient(points))


@pytest.mark.parametrize("bad", [(0, 0, 0), (-1, 1, 1), (float("nan"), 1, 1), (float("inf"), 1, 1)])
def test_weights_that_weigh_nothing_are_refused(bad: tuple[float, float, float]) -> None:
    with pytest.raises(PolicyRefusal, match="weights_invalid"):
        Weights(*bad)


def test_weights_move_the_live_reorder_point_and_are_told() -> None:
    kind = {"service_kind": "weighed"}
    points = []
    for changes in ({}, {"weight_service_b": Decimal("0.002")}, {"weight_cost_b": Decimal(400)}):
        outcome = recommended(with_(stock={"on_hand": Decimal(0)}, parameters=kind | changes))
        (step,) = [one for one in outcome.document["steps"] if one["code"] == "target"]
        assert step["inputs"]["weight_service"] == ("0.002" if "weight_service_b" in changes else "1")
        assert "goal" not in step["inputs"]
        points.append(outcome.reorder_point)
        assert derive(evidence_of(outcome.document["evidence"])) == canonical(outcome.document)
    assert points[0] > points[1] and points[0] > points[2]


def test_risk_draws_the_level_towards_where_bad_outcomes_cost_least() -> None:
    """Without margin nothing is lost by being short, so that risk alone holds as little as there is; with a margin far above
    the cost of holding it holds nearly the largest outcome."""
    demand = demand_of(3)
    weights = (one(0.0), one(0.0), one(1.0))
    assert best_levels(demand, one(0.0), one(1.0), *weights)[0] == demand[0, 0]
    assert best_levels(demand, one(1000.0), one(0.01), *weights)[0] == demand[0, -1]


def test_classes_that_weigh_nothing_contradict_the_policy() -> None:
    nothing = {"service_kind": "weighed", "weight_service_c": "0", "weight_cost_c": "0", "weight_risk_c": "0"}
    with pytest.raises(PolicyRefusal, match="weight_service_c"):
        parse_parameters(nothing)


def test_the_report_puts_every_setting_beside_the_policy_in_force() -> None:
    """Items of two classes; what no other setting beats is found by comparing each with each."""
    items = [
        with_(item={"abc_class": letter}, terms={"lead_time_days": days}, parameters={"carrying_rate": Decimal(9)})
        for letter in "AC"
        for days in (1, 4, 9)
    ]
    told = report([*items, with_(terms={"unit_cost": None})])
    assert (told["items"], told["items_left_out"]) == (6, 1)
    assert set(told["by_class"]) == {"A", "C"}
    for part in (told["all"], *told["by_class"].values()):
        names = [name for row in part["efficient"] for name in row["like"]] + part["beaten"]
        assert sorted(names) == sorted(f"{one.service:g}:{one.cost:g}:{one.risk:g}" for one in GRID)
        rows = [(row["margin_lost_a_year"], row["holding_a_year"], row["risk_a_year"]) for row in part["efficient"]]
        assert all(efficient(rows))
        assert all(0 <= row["fill_rate"] <= 1 for row in part["efficient"])
        by_service = sorted(
            (row for row in part["efficient"] if row["setting"].endswith(":1:0")),
            key=lambda row: float(row["setting"].split(":")[0]),
        )
        lost = [row["margin_lost_a_year"] for row in by_service]
        assert lost == sorted(lost, reverse=True) and lost[0] > lost[-1]
    whole, parts = told["all"]["in_force"], [one["in_force"] for one in told["by_class"].values()]
    assert whole["holding_a_year"] == pytest.approx(sum(one["holding_a_year"] for one in parts), abs=0.02)
    shown = for_people(told)
    assert [one["name"] for one in (shown["all"], *shown["by_class"])] == ["all", "A", "C"]
    assert Decimal(shown["all"]["in_force"]["holding_a_year"]) == Decimal(str(whole["holding_a_year"]))
    assert not [one for one in shown["all"]["in_force"].values() if isinstance(one, float)]
