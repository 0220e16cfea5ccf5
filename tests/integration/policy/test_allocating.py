"""A warehouse that feeds stores has less to spare than they want: the running service deals it out, and a person decides."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.catalogue import LocationDefined, SupplierItemDefined
from services.policy.derive import rederive
from tests.integration.policy.seat import NOON, TENANT, Seat, count, forecast, until
from tests.integration.policy.test_planning import begin, decision, finished, proposals
from tests.integration.policy.test_whole_cascade import rules

pytestmark = pytest.mark.integration
STORES = ("L1", "L2", "L3")
SPARE = 9


async def begin_network(seat: Seat) -> str:
    """Three empty stores of equal demand, bought for by the piece, and the warehouse W, whose stock is `SPARE` above its own
    reorder point. Returns the id of a run that was made before stock moved between locations."""
    await begin(seat, "A", on_hand=0)
    by_the_piece = {"supplier": "SUP", "sku": "A", "lead_time_days": 2, "unit_cost": 2, "moq": 1, "pack": 1}
    later = NOON + timedelta(minutes=1)
    await seat.send(SupplierItemDefined(tenant=TENANT, defined_at=later, **by_the_piece))
    for place in (*STORES[1:], "W"):
        there = {"location": place}
        await seat.send(
            LocationDefined(tenant=TENANT, location=place, name=place, defined_at=NOON),
            count("A", 300 if place == "W" else 0, NOON).model_copy(update=there),
            forecast("A").model_copy(update=there),
        )

    async def known() -> bool:
        forecasts = await seat.rows("select count(*) as n from policy.forecasts")
        terms = await seat.rows("select pack from policy.supplier_items")
        return bool(forecasts[0]["n"] == len(STORES) + 1 and terms[0]["pack"] == 1)

    await until(known, "all locations are known")
    first = (await seat.call("POST", "/runs", {})).json()
    run = await finished(seat, first["run_id"])
    assert (run["items"], run["proposed"], run["withheld"]) == (4, 3, 1)
    said = await seat.read("recommendations.v1", lambda f: any(one["location"] == "W" for one in f), "W has enough")
    own = next(one["reorder_point"] for one in said if one["location"] == "W")
    left = int(Decimal(own)) + SPARE
    await seat.send(count("A", left, NOON + timedelta(hours=1)).model_copy(update={"location": "W"}))

    async def counted() -> bool:
        return bool((await seat.call("GET", "/positions/A/W")).json()["on_hand"] == str(left))

    await until(counted, "the warehouse is short")
    await rules(seat, transfer_days="1", transfer_fixed_cost="0.10", transfer_unit_cost="0.01")
    return str(first["run_id"])


def shares(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in proposals(found) if one["action"] == "allocate"]


async def test_what_a_short_warehouse_can_spare_is_dealt_out_fairly_once_and_by_a_person(seat: Seat) -> None:
    run_id = await begin_network(seat)
    await seat.call("POST", "/runs", {})
    run = await finished(seat, run_id)
    assert run["proposed"] + run["withheld"] == run["items"] == 4, "a line beside an order is no outcome of an item"
    said = await seat.read("recommendations.v1", lambda f: len(shares(f)) >= len(STORES), "every store has its share")
    lines = {one["location"]: one for one in shares(said)}
    assert set(lines) == set(STORES) and len(shares(said)) == len(STORES)
    assert [lines[place]["quantity"] for place in STORES] == ["3", "3", "3"], (
        "equal needs, equal shares, nothing kept back"
    )
    for one in lines.values():
        assert (one["from_location"], one["approved_by_rule"]) == ("W", False)
        assert "constrained_supply" in one["route_reasons"] and "supplier" not in one
        assert Decimal(one["money_at_risk"]) > 0
    assert not [one for one in proposals(said) if one["action"] == "transfer"]
    # What the share does not cover is bought, and every word of both derives again from its own evidence.

    def counting(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Orders that count on the share that comes."""
        orders = [one for one in proposals(found) if one["action"] == "buy"]
        on_their_way = [one for one in orders if "proposed" in {it["status"] for it in one["evidence"]["open_orders"]}]
        return {one["location"]: one for one in on_their_way}

    said = await seat.read("recommendations.v1", lambda f: set(counting(f)) == set(STORES), "orders beside the shares")
    bought = counting(said)
    alone = {one["location"]: one for one in reversed(proposals(said)) if one["action"] == "buy"}
    for place in STORES:
        assert Decimal(alone[place]["quantity"]) - Decimal(bought[place]["quantity"]) == SPARE // len(STORES)
    for one in (*lines.values(), *bought.values()):
        assert rederive({name: value for name, value in one.items() if name != "type"})[0]
    await seat.call("POST", "/runs", {})
    assert (await finished(seat, run_id))["published"] == 0, "what is dealt out already is no news"

    # A share that is approved leaves the warehouse's position, and what is left is not dealt out a second time.
    await seat.send(decision(lines["L1"], "approved"))

    async def promised() -> bool:
        here, there = [(await seat.call("GET", f"/positions/A/{place}")).json() for place in ("W", "L1")]
        gone = Decimal(here["on_hand"]) - Decimal(here["inventory_position"])
        return gone == Decimal(lines["L1"]["quantity"]) and there["on_order"] == lines["L1"]["quantity"]

    await until(promised, "what is approved to move counts on both sides")
    await seat.call("POST", "/runs", {})
    await finished(seat, run_id)
    again = await seat.read("recommendations.v1", lambda f: len(f) >= len(said), "what was said")
    newest = {one["location"]: one for one in shares(again)}
    assert sum(Decimal(one["quantity"]) for one in newest.values()) <= SPARE
