"""A young item's forecast names the items it was borrowed from, and how much of it is theirs."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from services.forecaster.domain.features import levels
from services.forecaster.domain.frame import Frame, ItemRecord
from services.forecaster.domain.likeness import EXAMPLES_MAX, Likeness, likenesses
from services.forecaster.domain.price_bands import price_bands
from tests.unit.forecaster.worlds import FIRST_DAY, panel

DAYS, KNOWN, YOUNG = 120, 12, 3


def world(prices: Any = None) -> Frame:
    """Twelve old items of one category that sell 1 to 12 a day, one of another that sells 100; and a young one of the
    first, of which three days are known, five a day."""
    rates = np.r_[np.arange(1.0, KNOWN + 1), 100.0, 5.0]
    demand = np.repeat(rates[:, None], DAYS, axis=1)
    demand[-1, : DAYS - YOUNG] = np.nan
    kinds: dict[str, Any] = {"category": np.r_[np.zeros(KNOWN), 1, 0].astype(np.int64)}
    if prices is not None:
        kinds["price_band"] = price_bands(kinds["category"], np.arange(KNOWN + 2), prices)
    last = FIRST_DAY + timedelta(days=DAYS - 1)
    names = [f"s{number:02}" for number in range(KNOWN)] + ["stranger", "young"]
    categories = ["food"] * KNOWN + ["tools", "food"]
    items = tuple(
        ItemRecord(name, "L1", 0, category, FIRST_DAY, last) for name, category in zip(names, categories, strict=True)
    )
    none = np.zeros(len(items), dtype=np.int64)
    whole = panel(demand, **kinds)
    return Frame(items, whole, none + DAYS - 1, np.zeros(demand.shape, dtype=np.bool_), none, none)


def of_the_young_one(frame: Frame, origin: int = DAYS - 1) -> Likeness:
    found = likenesses(frame, origin, np.arange(len(frame.items)))
    assert list(found) == [KNOWN + 1]  # an item with a quarter of its own is not borrowed for
    return found[KNOWN + 1]


def test_what_is_told_adds_up_to_the_level_the_forecast_starts_from() -> None:
    frame = world()
    told = of_the_young_one(frame)
    own = 5.0
    said = told.share * told.per_day + (1 - told.share) * own
    assert said == pytest.approx(levels(frame.panel, DAYS - 1)[-1])
    assert (told.category, told.price_third, told.items, told.known_days) == ("food", None, KNOWN, YOUNG)
    assert told.share == pytest.approx(
        14 / (14 + 2 * YOUNG)
    )  # two weeks of theirs beside its own days, in both windows


def test_the_like_items_that_weigh_most_are_named_and_the_item_itself_is_not_among_them() -> None:
    told = of_the_young_one(world())
    assert [one.sku for one in told.examples] == [f"s{number:02}" for number in range(KNOWN - 1, KNOWN - 6, -1)]
    assert len(told.examples) == EXAMPLES_MAX and told.examples[0].per_day == pytest.approx(12.0)


def test_where_prices_are_known_the_like_items_are_those_that_cost_about_the_same() -> None:
    prices = np.r_[np.arange(1.0, KNOWN + 1), 1.0, 2.5]  # the young one costs what the slowest sellers cost
    frame = world(prices)
    told = of_the_young_one(frame)
    assert (told.category, told.price_third) == ("food", "lowest")
    assert {one.sku for one in told.examples} <= {"s00", "s01", "s02", "s03"}
    assert told.items == len(told.examples) == 4
    said = told.share * told.per_day + (1 - told.share) * 5.0
    assert said == pytest.approx(levels(frame.panel, DAYS - 1)[-1])


def test_later_days_change_nothing_and_an_item_nobody_has_seen_yet_is_borrowed_whole() -> None:
    frame = world()
    before = of_the_young_one(frame, DAYS - YOUNG - 1)
    assert before.known_days == 0 and before.share == 1.0
    changed = world()
    changed.panel.demand[:, DAYS - YOUNG :] = 999.0
    assert of_the_young_one(changed, DAYS - YOUNG - 1) == before


def test_without_like_items_nothing_is_claimed() -> None:
    frame = world()
    alone = frame.panel.take(np.array([KNOWN + 1]))
    single = Frame(frame.items[-1:], alone, frame.origin[-1:], frame.censored[-1:], *(frame.revision[-1:],) * 2)
    assert likenesses(single, DAYS - 1, np.array([0])) == {}
