"""What live runs do beside and around items' own orders: changes of open orders, transfers, budgets, filled-up orders."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.catalogue import LocationDefined, SubstituteDefined, SupplierDefined, SupplierItemDefined
from schemas.decisions import OrderLineUpdate, OrderUpdated
from schemas.recommendations import PolicyPublished
from services.policy.derive import rederive
from tests.integration.policy.seat import (
    DAY,
    NOON,
    TENANT,
    Seat,
    count,
    forecast,
    receipt,
    released,
    sale,
    until,
)
from tests.integration.policy.test_planning import begin, decision, finished, proposals

pytestmark = pytest.mark.integration


async def test_an_order_nobody_needs_any_more_is_proposed_to_be_cancelled_once_and_counts_as_decided(
    seat: Seat,
) -> None:
    await begin(seat, "A")
    run = (await seat.call("POST", "/runs", {})).json()
    await finished(seat, run["run_id"])
    line = proposals(await seat.read("recommendations.v1", lambda f: bool(proposals(f)), "a recommendation"))[0]
    await seat.send(decision(line, "approved"), released(line, "PO-1"))

    async def on_order(units: str) -> bool:
        return bool((await seat.call("GET", "/positions/A/L1")).json()["on_order"] == units)

    await until(lambda: on_order(line["quantity"]), "the order is on its way")
    await seat.send(count("A", 500, NOON + timedelta(hours=1)))

    async def counted() -> bool:
        return bool((await seat.call("GET", "/positions/A/L1")).json()["on_hand"] == "500")

    await until(counted, "far too much is there")
    for attempt in (2, 3):
        await seat.call("POST", "/runs", {})
        run = await finished(seat, run["run_id"])
        assert (run["attempt"], run["items"], run["proposed"], run["withheld"]) == (attempt, 1, 0, 1)
    assert run["published"] == 0, "the same evidence again is no news"
    said = await seat.read("recommendations.v1", lambda f: len(proposals(f)) >= 2, "the change is proposed")
    (beside,) = [one for one in proposals(said) if one["action"] != "buy"]
    assert (beside["action"], beside["changes_order"], beside["quantity"]) == ("cancel", "PO-1", line["quantity"])
    assert beside["line_id"] != line["line_id"] and not beside["approved_by_rule"]
    assert rederive({name: value for name, value in beside.items() if name != "type"})[0]
    await seat.send(decision(beside, "approved"))
    await until(lambda: on_order("0"), "what is approved to be cancelled is not waited for")
    await seat.send(decision(beside, "undone"))
    await until(lambda: on_order(line["quantity"]), "the approval was taken back")
    await seat.send(
        decision(beside, "approved"), released(beside, "CA-1", kind="cancel", changes_order="PO-1"),
        OrderUpdated(
            tenant=TENANT, order_id="CA-1", status="confirmed", location="L1", business_date=DAY, updated_at=NOON
        ),
    )  # fmt: skip

    async def agreed() -> bool:
        rows = await seat.rows("select status from policy.supply")
        return [row["status"] for row in rows] == ["cancelled"]

    await until(agreed, "the supplier agreed")
    assert (await seat.call("GET", "/positions/A/L1")).json()["open_orders"] == []


async def rules(seat: Seat, **parameters: str) -> None:
    """Put a version of the policy in force that differs from the defaults in these."""
    told = PolicyPublished(
        tenant=TENANT,
        scope="default",
        version=2,
        valid_from=DAY,
        parameters=parameters,
        published_by="eva",
        reason="test",
    )
    await seat.send(told)

    async def known() -> bool:
        return bool(await seat.rows("select 1 from policy.policies where version = 2"))

    await until(known, "the policy is in force")


async def test_orders_on_their_way_are_brought_forward_put_off_and_reduced_as_the_stock_asks_for(seat: Seat) -> None:
    """One order each, and then a count: nothing is left of A, B has plenty, and C, of which less was confirmed, has enough for
    longer than its order takes."""
    await begin(seat, "A", "B", "C")
    await rules(seat, order_change_cost="0.01", expedite_cost_share="0")
    run = (await seat.call("POST", "/runs", {})).json()
    await finished(seat, run["run_id"])
    said = await seat.read("recommendations.v1", lambda f: {one["sku"] for one in proposals(f)} == set("ABC"), "orders")
    lines = {one["sku"]: one for one in proposals(said)}
    for sku, line in lines.items():
        await seat.send(decision(line, "approved"), released(line, f"PO-{sku}"))
    less = OrderLineUpdate(sku="C", quantity=Decimal(24), arrive_on=DAY.fromisoformat(lines["C"]["arrive_on"]))
    await seat.send(
        OrderUpdated(
            tenant=TENANT, order_id="PO-C", status="confirmed", location="L1", business_date=DAY, updated_at=NOON, lines=(less,)
        )
    )  # fmt: skip

    async def sent() -> bool:
        rows = await seat.rows("select status, confirmed::int as units from policy.supply order by sku")
        return [(row["status"], row["units"]) for row in rows] == [*[("released", None)] * 2, ("confirmed", 24)]

    await until(sent, "the orders are with the supplier")
    later = NOON + timedelta(hours=1)
    await seat.send(count("A", 0, later), count("B", 40, later), count("C", 20, later))

    async def counted() -> bool:
        rows = await seat.rows("select sku, on_hand::int as units from policy.positions order by sku")
        return [(row["sku"], row["units"]) for row in rows] == [("A", 0), ("B", 40), ("C", 20)]

    await until(counted, "all is counted")
    for _ in range(2):
        await seat.call("POST", "/runs", {})
        run = await finished(seat, run["run_id"])
    assert run["published"] == 0, "what is proposed already is no news"
    expected = {("A", "expedite"), ("B", "reduce"), ("C", "defer")}
    said = await seat.read(
        "recommendations.v1", lambda f: expected <= {(one["sku"], one["action"]) for one in proposals(f)}, "changes"
    )
    changes = {one["sku"]: one for one in proposals(said) if (one["sku"], one["action"]) in expected}
    assert changes["A"]["arrive_on"] < lines["A"]["arrive_on"] and changes["A"]["quantity"] == lines["A"]["quantity"]
    assert 0 < Decimal(changes["B"]["quantity"]) < Decimal(lines["B"]["quantity"])
    assert changes["C"]["arrive_on"] > lines["C"]["arrive_on"] and changes["C"]["quantity"] == "24"
    for sku, one in changes.items():
        assert one["changes_order"] == f"PO-{sku}" and not one["approved_by_rule"]
        assert rederive({name: value for name, value in one.items() if name != "type"})[0]


async def standing(seat: Seat) -> list[Any]:
    """What waits for a decision or is on its way, as rows of (sku, value)."""
    return await seat.rows(
        "select p.sku, r.value from policy.plans p join policy.recommendations r using (tenant, recommendation_id) where p.is_open"
        " union all select s.sku, r.value * s.quantity / r.quantity from policy.supply s"
        " join policy.recommendations r using (tenant, recommendation_id) where s.status <> 'cancelled'"
    )


async def test_orders_of_a_day_stay_within_the_cash_budget_whatever_is_approved_or_sold(seat: Seat) -> None:
    skus = [f"S{number:02}" for number in range(30)]
    await begin(seat, *skus, on_hand=3)
    await rules(seat, cash_budget="300")
    first = (await seat.call("POST", "/runs", {})).json()
    run = await finished(seat, first["run_id"])
    assert run["proposed"] + run["withheld"] == run["items"] == 30
    cash = run["scarce"]["resources"]["cash"]
    assert 200 < cash["used"] <= cash["capacity"] == 300 and cash["shadow_price"] > 0
    said = await seat.read("recommendations.v1", lambda f: len(f) >= 30, "every item answered")
    assert {one["reason"] for one in said if one["type"] == "recommendation.withheld.v1"} == {"resource_exhausted"}
    lines = proposals(said)
    assert sum(Decimal(one["value"]) for one in lines) <= 300
    for one in lines:
        assert one["evidence"]["allotment"]["resource"] == "cash"
        assert rederive({name: value for name, value in one.items() if name != "type"})[0]
    await seat.call("POST", "/runs", {})
    assert (await finished(seat, first["run_id"]))["published"] == 0
    await seat.send(*(decision(one, "approved") for one in lines[:2]))
    poor = next(one["sku"] for one in said if one["type"] == "recommendation.withheld.v1")
    await seat.send(sale(poor, 3, NOON + timedelta(hours=1)), sale(lines[2]["sku"], 3, NOON + timedelta(hours=1)))

    async def decided() -> bool:
        rows = await seat.rows("select count(*) as n from policy.supply")
        moved = await seat.rows("select count(*) as n from policy.ledger where kind = 'sale'")
        return bool(rows[0]["n"] == 2 and moved[0]["n"] == 2)

    await until(decided, "two orders are approved, two items have sold")
    assert sum(row["value"] for row in await standing(seat)) <= 300
    await seat.call("POST", "/runs", {})
    await finished(seat, first["run_id"])
    assert 200 < sum(row["value"] for row in await standing(seat)) <= 300


async def test_an_order_is_filled_up_to_its_suppliers_minimum(seat: Seat) -> None:
    await begin(seat, "A", "B")
    await seat.send(
        SupplierDefined(
            tenant=TENANT, supplier="SUP", name="Supplier", defined_at=NOON, currency="USD",
            minimum_order_value=Decimal(200),
        )
    )  # fmt: skip

    async def known() -> bool:
        return bool(await seat.rows("select 1 from policy.suppliers where minimum_order_value = 200"))

    await until(known, "the supplier's minimum is known")
    first = (await seat.call("POST", "/runs", {})).json()
    run = await finished(seat, first["run_id"])
    assert (run["proposed"], run["scarce"]) == (2, None)
    lines = await standing(seat)
    assert 200 <= sum(row["value"] for row in lines) < 200 + 12
    said = proposals(await seat.read("recommendations.v1", lambda f: len(proposals(f)) >= 2, "both orders"))
    full = [one for one in said if one["evidence"].get("allotment", {}).get("resource") == "minimum_order_value"]
    assert full and all(Decimal(one["excess_cost"]) > 0 for one in full)
    assert all(rederive({name: value for name, value in one.items() if name != "type"})[0] for one in said)
    await seat.call("POST", "/runs", {})
    assert (await finished(seat, first["run_id"]))["published"] == 0


async def test_a_transfer_is_proposed_before_a_buy_and_leaves_the_senders_position_when_approved(seat: Seat) -> None:
    await begin(seat, "A", on_hand=1)
    await rules(seat, transfer_days="1", transfer_fixed_cost="0.10", transfer_unit_cost="0.01")
    there = {"location": "L2"}
    await seat.send(
        LocationDefined(tenant=TENANT, location="L2", name="Other store", defined_at=NOON),
        count("A", 200, NOON).model_copy(update=there), forecast("A").model_copy(update=there),
    )  # fmt: skip

    async def both() -> bool:
        rows = await seat.rows("select count(*) as n from policy.forecasts")
        return bool(rows[0]["n"] == 2)

    await until(both, "the other store is known")
    first = (await seat.call("POST", "/runs", {})).json()
    run = await finished(seat, first["run_id"])
    assert (run["items"], run["proposed"] + run["withheld"]) == (2, 2)
    said = await seat.read(
        "recommendations.v1", lambda f: any(one.get("action") == "transfer" for one in f), "a transfer"
    )
    (move,) = [one for one in proposals(said) if one["action"] == "transfer"]
    assert (move["location"], move["from_location"]) == ("L1", "L2")
    assert rederive({name: value for name, value in move.items() if name != "type"})[0]
    bought = [one for one in proposals(said) if one["action"] == "buy"]
    assert all(rederive({name: value for name, value in one.items() if name != "type"})[0] for one in bought)
    await seat.call("POST", "/runs", {})
    assert (await finished(seat, first["run_id"]))["published"] == 0
    await seat.send(decision(move, "approved"))

    async def promised() -> bool:
        sender = (await seat.call("GET", "/positions/A/L2")).json()
        receiver = (await seat.call("GET", "/positions/A/L1")).json()
        left = Decimal(200) - Decimal(move["quantity"])
        return receiver["on_order"] == move["quantity"] and Decimal(sender["inventory_position"]) == left

    await until(promised, "what is approved to move counts on both sides")
    await seat.call("POST", "/runs", {})
    await finished(seat, first["run_id"])
    again = await seat.read("recommendations.v1", lambda f: len(f) >= len(said), "what was said")
    assert len([one for one in proposals(again) if one["action"] == "transfer"]) == 1, "what moves is not moved again"


async def test_a_sale_after_the_suppliers_cut_off_on_the_stores_clock_moves_the_order_day(seat: Seat) -> None:
    await begin(seat, "A", "B", on_hand=60)
    await seat.send(
        LocationDefined(
            tenant=TENANT, location="L1", name="Store", time_zone="America/New_York", defined_at=NOON + timedelta(hours=1)
        ),
        SupplierDefined(
            tenant=TENANT, supplier="SUP", name="Supplier", currency="USD", cut_off="12:00",
            defined_at=NOON + timedelta(hours=1),
        ),
    )  # fmt: skip

    async def known() -> bool:
        rows = await seat.rows("select u.cut_off, l.time_zone from policy.suppliers u, policy.locations l")
        return [tuple(row) for row in rows] == [("12:00", "America/New_York")]

    await until(known, "cut-off and clock are known")
    run = (await seat.call("POST", "/runs", {})).json()
    assert (await finished(seat, run["run_id"]))["withheld"] == 2
    # Five hours behind UTC in November: one minute before noon there, and one after.
    next_day = NOON + timedelta(days=1, hours=5)
    await seat.send(sale("A", 58, next_day - timedelta(minutes=1)))
    await seat.read("recommendations.v1", lambda f: bool(proposals(f)), "one is short now")
    await seat.send(sale("B", 58, next_day + timedelta(minutes=1)))
    said = await seat.read(
        "recommendations.v1", lambda f: len(proposals(f)) >= 3, "both are short, and A's day is over"
    )
    a, again = (one for one in proposals(said) if one["sku"] == "A")
    (b,) = (one for one in proposals(said) if one["sku"] == "B")
    days = {name: (one["order_on"], one["evidence"]["local_time"][11:]) for name, one in (("A", a), ("B", b))}
    assert days == {"A": ("2017-11-06", "11:59:00"), "B": ("2017-11-07", "12:01:00")}
    # Until when each counts, for who approves it; and nobody touched A after its cut-off: the time of its store moved it.
    assert (a["order_until"], a["next_order_on"]) == ("2017-11-06T17:00:00Z", "2017-11-07")
    assert (again["order_on"], again["supersedes"]) == ("2017-11-07", a["recommendation_id"])
    assert again["evidence"]["local_time"] == b["evidence"]["local_time"]
    # Approved too late as well, B leaves as an order of the day after: stock is expected when that one brings it.
    late = {"order_on": b["next_order_on"], "arrive_on": b["next_arrive_on"], "missed_order_on": b["order_on"]}
    await seat.send(decision(b, "approved"), released(b, "PO-LATE", **late))

    async def expected_on() -> Any:
        orders = (await seat.call("GET", "/positions/B/L1")).json()["open_orders"]
        return [one["expected_on"] for one in orders if one["order_id"] == "PO-LATE"]

    assert await until(expected_on, "the late order is on its way") == [b["next_arrive_on"]] != [b["arrive_on"]]
    assert all(rederive({name: value for name, value in one.items() if name != "type"})[0] for one in proposals(said))


async def test_a_substitute_is_proposed_once_and_covers_what_it_stands_in_for_once_approved(seat: Seat) -> None:
    await begin(seat, "A", "B", "C", on_hand=4)
    later = {"tenant": TENANT, "defined_at": NOON + timedelta(hours=1)}
    for sku in ("A", "C"):
        await seat.send(
            SupplierItemDefined(supplier="SUP", sku=sku, lead_time_days=12, unit_cost=2, pack=6, **later),
            SubstituteDefined(sku=sku, substitute="B", ratio=1, **later),
        )

    async def defined() -> bool:
        rows = await seat.rows(
            "select 1 from policy.substitutes s join policy.supplier_items i on i.sku = s.sku and i.lead_time_days = 12"
        )
        return len(rows) == 2

    await until(defined, "the substitutes and long lead times are known")
    first = (await seat.call("POST", "/runs", {})).json()
    run = await finished(seat, first["run_id"])
    assert (run["items"], run["proposed"]) == (3, 3), "a line beside an order is no outcome of an item"

    def standing_in(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one for one in proposals(found) if one["action"] == "substitute"]

    said = await seat.read("recommendations.v1", lambda f: len(standing_in(f)) >= 2, "two substitutes")
    lines = {one["stands_in_for"]: one for one in standing_in(said)}
    for one in lines.values():
        assert (one["sku"], one["supplier"], one["approved_by_rule"]) == ("B", "SUP", False)
        assert "substitution" in one["route_reasons"]
        assert rederive({name: value for name, value in one.items() if name != "type"})[0]
    await seat.call("POST", "/runs", {})
    assert (await finished(seat, first["run_id"]))["published"] == 0
    # What A lacks is covered once a person agrees; C has plenty by now, and nobody is asked about it any more.
    await seat.send(decision(lines["A"], "approved"), released(lines["A"], "PO-B"))
    await seat.send(receipt("C", 300, NOON + timedelta(hours=2)))

    async def ordered() -> bool:
        rows = await seat.rows("select stands_in_for from policy.supply where order_id = 'PO-B'")
        return [row["stands_in_for"] for row in rows] == ["A"]

    await until(ordered, "the substitute is on order")
    assert (await seat.call("GET", "/positions/B/L1")).json()["on_order"] == "0", "it is not for B's own customers"

    def ended(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one for one in found if one.get("line_id") == lines["C"]["line_id"] and one.get("reason")]

    said = await seat.read("recommendations.v1", lambda f: bool(ended(f)), "the line about C ends")
    assert (ended(said)[0]["sku"], ended(said)[0]["reason"]) == ("B", "no_longer_needed")
    await seat.call("POST", "/runs", {})
    await finished(seat, first["run_id"])
    again = await seat.read("recommendations.v1", lambda f: len(f) >= len(said), "what was said")
    assert len(standing_in(again)) == 2, "what is covered is not proposed again"


async def test_what_one_shelf_can_spare_is_promised_once_to_the_two_products_it_may_stand_in_for(seat: Seat) -> None:
    """A and C run out before their own orders can come, B may stand in for both; what B has to spare goes to A, of better rank,
    and C is to have units that are bought."""
    await begin(seat, "A", "B", "C", on_hand=4)
    later = {"tenant": TENANT, "defined_at": NOON + timedelta(hours=1)}
    for rank, sku in enumerate(("A", "C"), start=1):
        await seat.send(
            SupplierItemDefined(supplier="SUP", sku=sku, lead_time_days=12, unit_cost=2, pack=6, **later),
            SubstituteDefined(sku=sku, substitute="B", ratio=1, rank=rank, **later),
        )
    await seat.send(count("B", 20, NOON + timedelta(hours=2)))

    async def defined() -> bool:
        rows = await seat.rows(
            "select 1 from policy.substitutes s join policy.supplier_items i on i.sku = s.sku and i.lead_time_days = 12"
            " join policy.positions p on p.sku = s.substitute and p.on_hand = 20"
        )
        return len(rows) == 2

    await until(defined, "both know their substitute, and what it has to spare")
    first = (await seat.call("POST", "/runs", {})).json()
    await finished(seat, first["run_id"])

    def of(sku: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Lines in which B stands in for this product, planned since B's shelf was counted."""
        lines = [one for one in proposals(found) if one.get("stands_in_for") == sku]
        return [one for one in lines if one["evidence"]["stock"]["on_hand"] == "20"]

    def is_dealt_out(found: list[dict[str, Any]]) -> bool:
        return bool(of("A", found)) and any("claimed" in one["evidence"]["about"] for one in of("C", found))

    said = await seat.read("recommendations.v1", is_dealt_out, "B stands in for both, and spares its own for one")
    a, c = of("A", said)[-1], of("C", said)[-1]
    told = {
        sku: next(step for step in one["steps"] if step["code"] == "substitute") for sku, one in (("A", a), ("C", c))
    }
    spared = Decimal(told["A"]["inputs"]["spare"])
    assert spared > 0 and "claimed" not in a["evidence"]["about"]
    assert (Decimal(c["evidence"]["about"]["claimed"]), told["C"]["inputs"]["spare"]) == (spared, "0")
    # They lack the same: what differs is whose place the units on the shelf take.
    assert told["A"]["inputs"]["short"] == told["C"]["inputs"]["short"]
    wanted = {sku: Decimal(one["inputs"]["wanted"]) for sku, one in told.items()}
    assert abs(wanted["C"] - wanted["A"] - spared) <= Decimal("0.01")
    assert all(rederive({name: value for name, value in one.items() if name != "type"})[0] for one in (a, c))
