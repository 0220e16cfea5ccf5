"""The demo's world: real receipts stay as they are, and what is simulated around them could have happened."""

from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.world.build import World, build, world
from lab.world.receipts import lines, products
from lab.world.shape import TINY, Shape, ShapeRefusal
from lab.world.shelves import Shelf, replenish
from lab.world.story import history, master_data, sales_of_day
from schemas.registry import strict

SMALL = Shape(items=120, stores=4)


@pytest.fixture(scope="module")
def small() -> World:
    return build(SMALL)


def test_every_receipt_line_is_a_line_of_the_data(small: World) -> None:
    real = lines(products().index)
    units = (
        real.assign(key=real["store_id"].astype(str) + "/" + real["product_id"].astype(str))
        .groupby("key")["quantity"]
        .sum()
    )
    told = (
        small.sales.assign(key=[f"{small.places[item]}/{small.skus[item]}" for item in small.sales["item"]])
        .groupby("key")["quantity"]
        .sum()
    )
    pd.testing.assert_series_equal(told.astype(np.int64), units.loc[told.index].astype(np.int64), check_names=False)


def test_stock_covers_every_sale_and_some_shelves_run_empty(small: World) -> None:
    days = small.shape.history_days
    net = np.zeros((len(small.items), days), dtype=np.int64)
    np.add.at(
        net,
        (small.movements["item"].to_numpy(), small.movements["day"].to_numpy()),
        small.movements["quantity"].to_numpy(),
    )
    past = small.sales[small.sales["day"] < days]
    np.subtract.at(net, (past["item"].to_numpy(), past["day"].to_numpy()), past["quantity"].to_numpy())
    closing = net.cumsum(axis=1)
    assert closing.min() == 0
    assert (closing[:, -1] == small.items["on_hand"].to_numpy()).all()
    assert 0.001 < (closing == 0).mean() < 0.15


def test_every_event_is_accepted_by_its_contract_and_has_its_own_id(small: World) -> None:
    told = [*master_data(small), *islice(history(small), 5000)]
    for one in told:
        strict(one.type).model_validate_json(orjson.dumps(one.data))
    assert len({one.id for one in told}) == len(told)


@pytest.mark.slow
def test_two_builds_and_the_cache_tell_the_same_story(small: World, tmp_path: Path) -> None:
    first, cached = world(TINY, tmp_path), world(TINY, tmp_path)
    for table in ("items", "suppliers", "sales", "movements"):
        pd.testing.assert_frame_equal(getattr(first, table), getattr(cached, table))
    assert [one.id for one in history(first)] == [one.id for one in history(cached)]


@pytest.mark.slow
def test_a_broken_cache_is_rebuilt(tmp_path: Path) -> None:
    world(TINY, tmp_path)
    (tmp_path / TINY.fingerprint() / "sales.parquet").write_bytes(b"torn")
    assert len(world(TINY, tmp_path).sales) > 0


def test_a_live_day_sells_no_more_than_is_there(small: World) -> None:
    number = small.shape.history_days
    empty = dict.fromkeys(range(len(small.items)), 0)
    assert list(sales_of_day(small, number, empty)) == []
    plenty = dict.fromkeys(range(len(small.items)), 1000)
    sold = list(sales_of_day(small, number, plenty))
    assert sum(1000 - left for left in plenty.values()) == sum(int(one.data["quantity"]) for one in sold) > 0


@pytest.mark.parametrize("wrong", [{"items": 0}, {"stores": 101}, {"today": date(2018, 1, 1)}])
def test_a_shape_that_the_data_cannot_fill_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ShapeRefusal):
        Shape(**wrong)


@given(st.data())
def test_replenishment_never_leaves_less_than_nothing(data: st.DataObject) -> None:
    items, days = data.draw(st.integers(1, 5)), data.draw(st.integers(2, 40))
    sold = np.array(
        data.draw(st.lists(st.lists(st.integers(0, 30), min_size=days, max_size=days), min_size=items, max_size=items))
    )
    draw = st.lists(st.integers(1, 12), min_size=items, max_size=items)
    pack = np.array(data.draw(draw))
    shelf = Shelf(
        lead_days=np.array(data.draw(draw)),
        pack=pack,
        moq=pack * 2,
        order_days=np.ones((items, 7), dtype=np.bool_),
        draw_tight=np.linspace(0, 1, items),
        draw_forgotten=np.linspace(1, 0, items),
    )
    past = replenish(sold, shelf, first_weekday=0)
    assert past.on_hand_at_close.min() >= 0
    assert (past.received % pack[:, None] == 0).all()
    assert (past.opening + past.received.sum(axis=1) - sold.sum(axis=1) == past.on_hand_at_close[:, -1]).all()
