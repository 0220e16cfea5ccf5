"""Choosing under scarcity: never more than there is, close to the integer optimum, and nothing changes where nothing is scarce."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.domain.cascade import derive, plan
from services.policy.domain.evidence import Evidence
from services.policy.domain.evidence_text import canonical, document_of, evidence_of
from services.policy.domain.outcome import Recommendation, Withheld
from services.policy.domain.refusal import PolicyRefusal
from services.policy.domain.scarcity import Budget, allot
from services.policy.domain.selection import Blocks, best_choice, choose, choose_closely
from tests.examples import examples
from tests.unit.policy.examples import PLAIN, evidences, forecast_of, with_


def random_blocks(seed: int, items: int, resources: int) -> Blocks:
    chance = np.random.default_rng(seed)
    counts = chance.integers(1, 9, items)
    item = np.repeat(np.arange(items), counts)
    pack = np.repeat(chance.choice([1.0, 6.0, 12.0], items), counts)
    cost = np.repeat(chance.lognormal(1, 1, items), counts)
    place = np.concatenate([np.arange(count) for count in counts])
    units = np.where(place == 0, pack * np.repeat(chance.choice([1, 1, 3], items), counts), pack)
    profit = cost * units * (0.6 * np.exp(-place * np.repeat(chance.uniform(0.05, 0.6, items), counts)) - 0.02)
    uses = [cost * units, *(units * np.repeat(chance.uniform(0.001, 0.1, items), counts) for _ in range(resources - 1))]
    return Blocks(item, units, profit, np.stack(uses, axis=1))


@settings(max_examples=examples(12), deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 2), st.floats(0.05, 0.9))
def test_within_half_a_percent_of_the_integer_optimum(seed: int, items: int, resources: int, share: float) -> None:
    blocks = random_blocks(seed, items, resources)
    limits = blocks.uses.sum(axis=0) * share
    found = choose_closely(blocks, limits.tolist())
    best, is_proven = best_choice(blocks, limits.tolist(), seconds_max=20)
    assert best is not None and is_proven
    optimum = float(blocks.profit[best].sum())
    assert found.profit >= optimum * 0.995 - 1e-9
    assert found.bound >= optimum - 1e-6
    assert (found.used <= limits * (1 + 1e-9)).all()
    assert found.profit == pytest.approx(float(blocks.profit[found.taken].sum()))


@settings(max_examples=examples(25), deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 80), st.integers(1, 3), st.floats(0.0, 1.2))
def test_a_block_is_taken_only_after_the_one_before_it(seed: int, items: int, resources: int, share: float) -> None:
    blocks = random_blocks(seed, items, resources)
    found = choose(blocks, (blocks.uses.sum(axis=0) * share).tolist())
    follows = blocks.item[1:] == blocks.item[:-1]
    worthy = blocks.profit > 0
    assert not (follows & found.taken[1:] & ~found.taken[:-1]).any()
    if share >= 1:
        assert found.gap == pytest.approx(0, abs=1e-9)
        assert (found.prices == 0).all()
        assert float(blocks.profit[worthy].sum()) == pytest.approx(found.profit, rel=0.02)


def test_the_shadow_price_is_what_more_budget_earns() -> None:
    blocks = random_blocks(5, 4_000, 1)
    limit = float(blocks.uses.sum()) * 0.3
    low, high = choose(blocks, [limit]), choose(blocks, [limit * 1.01])
    assert (high.profit - low.profit) / (limit * 0.01) == pytest.approx(float(low.prices[0]), rel=0.05)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_profit_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(PolicyRefusal, match="blocks_invalid"):
        Blocks(np.zeros(1, dtype=np.int64), np.ones(1), np.asarray([bad]), np.ones((1, 1)))
    blocks = random_blocks(1, 2, 1)
    with pytest.raises(PolicyRefusal, match="capacity_negative"):
        choose(blocks, [-1.0])


def shelf(count: int) -> list[Evidence]:
    return [
        replace(
            with_(terms={"unit_cost": Decimal(100 + index * 7) / 100}),
            sku=f"S{index:03}",
            forecast=forecast_of(1.0 + index % 5),
        )
        for index in range(count)
    ]


def quantities(items: list[Evidence]) -> list[Decimal]:
    return [one.quantity if isinstance(one, Recommendation) else Decimal(0) for one in plan(items)]


def granted(items: list[Evidence], budget: Budget, volumes: list[float] | None = None) -> list[Evidence]:
    found = allot(items, budget, volumes)
    return [replace(one, allotment=found.allotments.get(place)) for place, one in enumerate(items)]


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(evidences(), min_size=1, max_size=4))
def test_where_nothing_is_scarce_nothing_changes(items: list[Evidence]) -> None:
    assert quantities(granted(items, Budget(cash=Decimal(10**9)))) == quantities(items)


@pytest.mark.parametrize("cash", ["0", "0.01", "60", "155.50", "400"])
def test_a_budget_is_never_exceeded_and_every_item_says_why(cash: str) -> None:
    items = granted(shelf(40), Budget(cash=Decimal(cash)))
    outcomes = plan(items)
    spent = sum((one.value for one in outcomes if isinstance(one, Recommendation)), Decimal(0))
    assert spent <= Decimal(cash)
    if cash == "0":
        assert {one.reason for one in outcomes if isinstance(one, Withheld)} == {"resource_exhausted"}
    assert len(outcomes) == len(items)


def test_the_step_shows_what_scarcity_did_and_it_is_derived_again() -> None:
    items = granted(shelf(40), Budget(cash=Decimal(200)))
    cut = [
        (evidence, outcome)
        for evidence, outcome in zip(items, plan(items), strict=True)
        if isinstance(outcome, Recommendation)
    ]
    assert cut
    for evidence, outcome in cut:
        assert evidence.allotment is not None
        (said,) = [one for one in outcome.document["steps"] if one["code"] == "allotment"]
        assert said["inputs"]["resource"] == "cash"
        again = evidence_of(document_of(evidence))
        assert again == evidence
        assert derive(again) == canonical(outcome.document)


def test_space_and_a_suppliers_capacity_bind_as_well() -> None:
    items = shelf(30)
    volumes = [0.02] * 30
    outcomes = quantities(granted(items, Budget(volume_m3=Decimal(2)), volumes))
    assert 0 < sum(outcomes) * Decimal("0.02") <= 2
    outcomes = quantities(granted(items, Budget(supplier_units={"SUP": Decimal(36)})))
    assert sum(outcomes) == 36
    assert quantities(granted(items, Budget(supplier_units={"OTHER": Decimal(0)}))) == quantities(items)


def test_older_evidence_keeps_its_bytes() -> None:
    assert "allotment" not in document_of(PLAIN)
