"""Demand moves from a product to its successor: conserved to the smallest unit, whatever follows whom."""

from datetime import date, timedelta
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.forecaster.domain.frame import Cells, ItemRecord, Records
from services.forecaster.domain.succession import Succession, heir, move

FIRST = date(2024, 1, 1)
EPOCH_DAY = (FIRST - date(1970, 1, 1)).days
SMALLEST_UNIT = 0.0001


def records(sold: dict[tuple[str, str, int], int], closed: int = 30) -> Records:
    keys = sorted({(sku, location) for sku, location, _ in sold})
    number = {key: row for row, key in enumerate(keys)}
    items = tuple(
        ItemRecord(sku, place, row % 4, None, FIRST, FIRST + timedelta(days=closed))
        for row, (sku, place) in enumerate(keys)
    )
    cells = Cells(
        np.array([number[sku, location] for sku, location, _ in sold], dtype=np.int64),
        np.array([EPOCH_DAY + day for _, _, day in sold], dtype=np.int64),
        np.array(list(sold.values()), dtype=np.float64),
    )
    return Records(
        items, cells, cells, Cells.empty(), Cells.empty(), np.zeros(0, np.bool_), np.ones(len(items), np.int64)
    )


def by_item(of: Records) -> dict[tuple[str, str, int], float]:
    return {
        (of.items[item].sku, of.items[item].location, int(day) - EPOCH_DAY): value
        for item, day, value in zip(of.demand.item, of.demand.day, of.demand.value, strict=True)
    }


def replaces(new: str, old: str, ratio: Fraction | int = 1, day: int = 0) -> Succession:
    return Succession(old, new, FIRST + timedelta(days=day), Fraction(ratio))


skus = st.sampled_from(["A", "B", "C", "D"])
sold_ = st.dictionaries(st.tuples(skus, st.sampled_from(["L1", "L2"]), st.integers(0, 30)), st.integers(-5, 50))
ratios = st.integers(1, 40_000).map(lambda part: Fraction(part, 10_000))  # the contract: four digits behind the point
successions_ = st.lists(st.builds(replaces, skus, skus, ratios, st.integers(0, 60)), max_size=6)


@given(sold_, successions_)
def test_no_unit_is_lost_and_none_appears(sold: dict[tuple[str, str, int], int], told: list[Succession]) -> None:
    before, followed = records(sold), {one.predecessor: one for one in told}
    after = move(before, told)
    wanted: dict[tuple[str, str, int], Fraction] = {}
    for (sku, location, day), units in sold.items():
        end, ratio = heir(followed, sku, FIRST + timedelta(days=30))
        wanted[end, location, day] = wanted.get((end, location, day), Fraction(0)) + units * ratio
    found = by_item(after)
    assert found.keys() == wanted.keys()
    assert all(abs(Fraction(found[key]) - wanted[key]) < SMALLEST_UNIT for key in wanted)
    assert after.revision.sum() == before.revision.sum()
    assert list(after.items) == sorted(after.items, key=lambda item: (item.sku, item.location))


@given(sold_, successions_)
def test_what_happened_on_the_shelf_stays_with_the_product_it_happened_to(
    sold: dict[tuple[str, str, int], int], told: list[Succession]
) -> None:
    after = move(records(sold), told)
    shelf = {(after.items[item].sku, after.items[item].location) for item in after.left.item}
    assert shelf == {(sku, location) for sku, location, _ in sold}
    assert after.left.value.sum() == sum(sold.values())


def test_a_chain_multiplies_and_a_circle_moves_nothing() -> None:
    chain = {one.predecessor: one for one in (replaces("B", "A", 2), replaces("C", "B", Fraction(1, 4)))}
    assert heir(chain, "A", FIRST) == ("C", Fraction(1, 2))
    circle = {one.predecessor: one for one in (replaces("B", "A"), replaces("A", "B"))}
    assert heir(circle, "A", FIRST) == ("A", Fraction(1))


def test_before_its_day_nothing_moves() -> None:
    sold = {("A", "L1", 1): 7}
    assert by_item(move(records(sold, closed=9), [replaces("B", "A", day=10)])) == {("A", "L1", 1): 7}
    assert by_item(move(records(sold, closed=10), [replaces("B", "A", day=10)])) == {("B", "L1", 1): 7}
