"""The days after today: what arrives can be sold, what is not there cannot, and a day told twice is told alike."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from lab.supply.replay import Physical, Replay
from lab.world.build import World, build
from lab.world.shape import Shape
from lab.world.wire import records
from schemas.registry import strict

SMALL = Shape(items=60, stores=2)


@pytest.fixture(scope="module")
def small() -> World:
    return build(SMALL)


def order_for(world: World, item: int, units: int, arrive_on: str, order_id: str = "PO-1") -> dict[str, Any]:
    lines = [{"sku": world.skus[item], "quantity": f"{units}.0000"}]
    return {
        "order_id": order_id,
        "kind": "purchase_order",
        "location": world.places[item],
        "arrive_on": arrive_on,
        "lines": lines,
    }


def test_shelves_follow_the_events_exactly(small: World) -> None:
    replay = Replay(small, Physical.at_close(small))
    expected = dict(enumerate(replay.state.on_hand))
    index = {(sku, place): number for number, (sku, place) in enumerate(zip(small.skus, small.places, strict=True))}
    replay.take_order(order_for(small, 3, 24, replay.business_date.isoformat()))
    for _ in range(10):
        replay.begin_day()
        for one in replay.events_of_day():
            strict(one.type).model_validate_json(orjson.dumps(one.data))
            if one.type == "sale.recorded.v1":
                expected[index[one.data["sku"], one.data["location"]]] -= int(one.data["quantity"])
            if one.type == "stock.moved.v1":
                expected[index[one.data["sku"], one.data["location"]]] += int(one.data["quantity"])
        replay.end_day()
    assert replay.state.on_hand == [expected[number] for number in range(len(expected))]
    assert min(replay.state.on_hand) >= 0


def test_a_day_told_again_after_a_crash_is_told_in_the_same_words(small: World, tmp_path: Path) -> None:
    replay = Replay(small, Physical.at_close(small))
    replay.take_order(order_for(small, 0, 6, replay.business_date.isoformat()))
    replay.begin_day()
    replay.state.save(tmp_path / "live.json")
    first = list(replay.events_of_day())
    again = Replay(small, Physical.load(tmp_path / "live.json", small))
    again.take_order(order_for(small, 1, 6, again.business_date.isoformat(), "PO-2"))
    again.begin_day()
    assert list(again.events_of_day()) == first


def test_an_order_is_taken_once_and_arrives_once(small: World) -> None:
    replay = Replay(small, Physical.at_close(small))
    order = order_for(small, 2, 12, replay.business_date.isoformat())
    assert [one.data["status"] for one in replay.take_order(order)] == ["acknowledged", "confirmed"]
    assert replay.take_order(order) == []
    arrivals = 0
    for _ in range(4):
        replay.begin_day()
        arrivals += sum(one.type == "order.updated.v1" for one in replay.events_of_day())
        replay.end_day()
    assert arrivals == 1


def test_two_lines_of_one_product_arrive_in_one_receipt(small: World) -> None:
    replay = Replay(small, Physical.at_close(small))
    order = order_for(small, 2, 12, replay.business_date.isoformat())
    order["lines"] *= 2
    replay.take_order(order)
    arrived = []
    for _ in range(3):  # one supplier in ten is a day late
        replay.begin_day()
        arrived += [one for one in replay.events_of_day() if one.type == "stock.moved.v1"]
        replay.end_day()
    assert [one.data["quantity"] for one in arrived] == ["24"]


def test_a_state_of_another_world_is_not_used(small: World, tmp_path: Path) -> None:
    state = Physical.at_close(small)
    state.day += 5
    state.fingerprint = "another"
    state.save(tmp_path / "live.json")
    assert Physical.load(tmp_path / "live.json", small).day == small.shape.history_days


def test_a_close_goes_to_every_partition_of_the_sales_topic_with_its_own_id(small: World) -> None:
    replay = Replay(small, Physical.at_close(small))
    close = next(one for one in replay.events_of_day() if one.type == "business-day.closed.v1")
    sent = list(records(close))
    assert [record.partition for record in sent] == [0, 1, 2, 3]
    assert [orjson.loads(record.value)["partition"] for record in sent] == [0, 1, 2, 3]
    assert len({dict(record.headers)["ce_id"] for record in sent}) == 4
