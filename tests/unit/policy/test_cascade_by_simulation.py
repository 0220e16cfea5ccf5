"""What the cascade promises, held to demand that is drawn and to searches of its own: goals by class, lots, and a budget's best use."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kernel.distribution import DAYS, HORIZONS_DAYS, LEVELS
from services.policy.domain.evidence import Evidence, pack_integers
from services.policy.domain.outcome import Recommendation
from services.policy.domain.parameters import Parameters
from services.policy.domain.replay import Stretch, replay
from services.policy.domain.selection import choose_closely
from tests.examples import examples
from tests.unit.policy.examples import evidences, with_
from tests.unit.policy.test_cascade import only, recommended
from tests.unit.policy.test_scarcity import random_blocks

DAYS_DRAWN = 60_000


def truly(daily: float, lead_time_days: int, letter: str, kind: str) -> Evidence:
    """An item whose forecast is the very distribution its demand is drawn from: Poisson, of so many units a day."""
    quantiles = [
        [round(100 * float(stats.poisson.ppf(level, daily * days))) for level in LEVELS] for days in HORIZONS_DAYS
    ]
    return with_(
        item={"abc_class": letter},
        terms={"lead_time_days": lead_time_days, "moq": None, "pack": Decimal(1)},
        stock={"on_hand": Decimal(0)},
        parameters={"service_kind": kind, "setup_cost": Decimal("0.01")},
        forecast={"mean_e4": pack_integers(np.full(DAYS, round(daily * 10_000))), "quantiles_e2": pack_integers(quantiles)},
    )  # fmt: skip


@pytest.mark.parametrize("letter", ["A", "B", "C"])
@pytest.mark.parametrize(("daily", "lead_time_days"), [(3.0, 2), (8.0, 5), (20.0, 1)])
def test_the_goal_of_a_class_is_reached_on_drawn_demand_and_not_by_holding_much_more(
    daily: float, lead_time_days: int, letter: str
) -> None:
    evidence = truly(daily, lead_time_days, letter, "cycle_service")
    goal = float(Parameters().service_goal(letter, "X"))
    level = recommended(evidence).reorder_point
    assert level is not None
    interval = lead_time_days + 1  # an order each day, received at the opening of its day
    totals = np.random.default_rng(11).poisson(daily * interval, DAYS_DRAWN)
    error = 4 * np.sqrt(goal * (1 - goal) / DAYS_DRAWN)
    # The published levels are read on straight lines, so a level may be off by part of a unit's probability.
    unit = float(stats.poisson.pmf(int(level), daily * interval))
    assert (totals <= float(level)).mean() >= goal - error - unit
    assert (totals <= float(level) - 2).mean() < goal + error


@pytest.mark.parametrize("letter", ["A", "B", "C"])
@pytest.mark.parametrize(("daily", "lead_time_days"), [(3.0, 2), (8.0, 5)])
def test_the_fill_rate_of_a_class_is_reached_when_its_days_are_lived_through(
    daily: float, lead_time_days: int, letter: str
) -> None:
    level = recommended(truly(daily, lead_time_days, letter, "fill_rate")).reorder_point
    assert level is not None
    drawn = np.random.default_rng(12).poisson(daily, (1, DAYS_DRAWN // 3)).astype(float)
    plan = Stretch(0, np.asarray([float(level)]), np.asarray([lead_time_days]), np.asarray([1]))
    found = replay(drawn, [plan], np.ones(1), np.ones(1))
    achieved = 1 - found.short[0] / found.asked[0]
    assert achieved >= float(Parameters().service_goal(letter, "X")) - 0.005
    assert achieved < 1


@settings(max_examples=examples(60), deadline=None)
@given(evidences())
def test_the_lot_is_the_one_a_search_over_whole_packs_finds_and_excess_is_what_is_not_wanted(
    evidence: Evidence,
) -> None:
    outcome = only(evidence)
    if not isinstance(outcome, Recommendation) or evidence.terms is None:
        return
    document = outcome.document
    if any(step["code"] == "shelf_life" and step["binding"] for step in document["steps"]):
        return  # held to the chance of expiry instead
    assert outcome.reorder_point is not None and outcome.order_up_to is not None
    position = Decimal(document["inventory_position"])
    wanted = outcome.order_up_to - position
    excess = Decimal(document["excess_from_rounding"])
    assert excess == max(outcome.quantity - wanted, Decimal(0))
    if evidence.item is None or evidence.item.unit != "each" or outcome.quantity > 4000:
        return
    pack = evidence.terms.pack or Decimal(1)
    needed = max(outcome.reorder_point - position, evidence.terms.moq or Decimal(0))
    lots = [count * pack for count in range(1, int(5000 / pack))]
    legal = [lot for lot in lots if lot >= needed]
    # The largest that is wanted; where not even the smallest legal one is, that one.
    fitting = [lot for lot in legal if lot <= wanted]
    assert outcome.quantity == (fitting[-1] if fitting else legal[0])


@settings(max_examples=examples(30), deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.floats(0.02, 0.9))
def test_a_budget_earns_no_less_than_by_the_source_systems_greedy_choice(seed: int, items: int, share: float) -> None:
    """Theirs: items as wholes, by margin for money, skipping what does not fit any more."""
    blocks = random_blocks(seed, items, 1)
    limit = float(blocks.uses.sum()) * share
    wholes = [np.flatnonzero(blocks.item == one) for one in range(items)]
    worth = sorted(wholes, key=lambda rows: -float(blocks.profit[rows].sum() / blocks.uses[rows].sum()))
    spent = earned = 0.0
    for rows in worth:
        cost, profit = float(blocks.uses[rows].sum()), float(blocks.profit[rows].sum())
        if spent + cost <= limit and profit > 0:
            spent, earned = spent + cost, earned + profit
    assert choose_closely(blocks, [limit]).profit >= earned - 1e-9


@pytest.mark.parametrize("on_hand", [0, 4, 12, 60])
@pytest.mark.parametrize(
    ("daily", "lead_time_days", "shelf_life_days"), [(2.0, 3, 4), (5.0, 7, 5), (1.0, 10, 14), (8.0, 2, 3)]
)
def test_what_is_bought_without_asking_is_sold_before_it_expires_also_onto_a_shelf_that_will_be_empty(
    daily: float, lead_time_days: int, shelf_life_days: int, on_hand: int
) -> None:
    evidence = truly(daily, lead_time_days, "A", "cycle_service")
    evidence = with_(
        evidence,
        item={"shelf_life_days": shelf_life_days},
        stock={"on_hand": Decimal(on_hand)},
        parameters={"setup_cost": Decimal(20), "carrying_rate": Decimal("0.05")},
    )
    outcome = only(evidence)
    if not isinstance(outcome, Recommendation) or "policy_exception" in outcome.document["route_reasons"]:
        return
    chance = np.random.default_rng(13)
    # What is asked for before the receipt and finds the shelf empty is lost. The lorry comes before the doors open.
    before = chance.poisson(daily * lead_time_days, DAYS_DRAWN)
    left = np.maximum(on_hand - before, 0)
    sold = chance.poisson(daily * shelf_life_days, DAYS_DRAWN)
    risk = float(Parameters().expiry_risk_max)
    quantity = float(outcome.quantity)
    # A whole unit, as the levels are published and the cap is read on straight lines between them.
    assert (left + quantity - 1 > sold).mean() <= risk + 0.1
