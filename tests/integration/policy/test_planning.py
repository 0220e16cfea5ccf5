"""From forecast and stock to recommendations on their topic: runs, live changes, decisions, orders, derivation."""

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.decisions import DecisionMade, OrderLine, OrderLineUpdate, OrderReleased, OrderUpdated
from schemas.signals import Scope, SignalObserved
from services.policy.derive import rederive
from services.policy.domain.cascade import derive
from services.policy.domain.evidence_text import evidence_of
from tests.integration.policy.seat import (
    DAY,
    NOON,
    TENANT,
    Seat,
    catalogue,
    closed,
    count,
    forecast,
    receipt,
    released,
    sale,
    until,
)

pytestmark = pytest.mark.integration


def proposals(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in found if one["type"] == "recommendation.issued.v1"]


async def finished(seat: Seat, run_id: str) -> dict[str, Any]:
    async def done() -> Any:
        run = (await seat.call("GET", f"/runs/{run_id}")).json()
        return run if run["state"] == "finished" else None

    run: dict[str, Any] = await until(done, "the run finishes")
    return run


async def ready(seat: Seat) -> None:
    async def answers() -> bool:
        try:
            return (await seat.call("GET", "/readyz")).status_code == 200
        except OSError:
            return False
        except Exception as error:  # the client's own connection error while the service starts
            if "Connect" in type(error).__name__:
                return False
            raise

    await until(answers, "the service is ready")


async def begin(seat: Seat, *skus: str, on_hand: int = 5) -> None:
    """Catalogue, stock, forecasts and a closed day; waits until the day's own run is through."""
    await seat.send(*catalogue(*skus))
    await seat.send(*(count(sku, on_hand, NOON) for sku in skus), *(forecast(sku) for sku in skus))
    await ready(seat)

    async def known() -> bool:
        rows = await seat.rows(
            "select (select count(*) from policy.positions) as p, (select count(*) from policy.forecasts) as f"
        )
        return bool(rows[0]["p"] == len(skus) and rows[0]["f"] == len(skus))

    await until(known, "stock and forecasts are in")


def decision(line: dict[str, Any], verdict: str, quantity: str | None = None) -> DecisionMade:
    return DecisionMade(
        tenant=TENANT,
        decision_id=f"d-{line['recommendation_id']}-{verdict}",
        recommendation_id=line["recommendation_id"],
        line_id=line["line_id"],
        version=1,
        verdict=verdict,
        sku=line["sku"],
        location=line["location"],
        quantity_before=Decimal(line["quantity"]),
        quantity=Decimal(quantity or line["quantity"]),
        value=Decimal(line["value"]),
        currency="USD",
        decided_by="pia",
        role="planner",
        decided_at=NOON,
    )


async def test_a_run_covers_every_item_once_and_a_second_run_proposes_nothing_new(seat: Seat) -> None:
    skus = [f"S{number:02}" for number in range(50)]
    await begin(seat, *skus)
    await seat.send(count("S07", 500, NOON + timedelta(minutes=1)))

    async def counted() -> bool:
        rows = await seat.rows("select on_hand from policy.positions where sku = 'S07'")
        return bool(rows[0]["on_hand"] == 500)

    await until(counted, "one item has plenty")
    first = (await seat.call("POST", "/runs", {})).json()
    run = await finished(seat, first["run_id"])
    assert (run["items"], run["done"], run["proposed"], run["withheld"], run["published"]) == (50, 50, 49, 1, 50)
    said = await seat.read("recommendations.v1", lambda found: len(found) >= 50, "50 answers")
    assert sorted(one["sku"] for one in said) == skus
    assert [one["reason"] for one in said if one["type"] == "recommendation.withheld.v1"] == ["enough_stock"]
    again = (await seat.call("POST", "/runs", {})).json()
    assert again["run_id"] == first["run_id"]
    run = await finished(seat, first["run_id"])
    assert (run["attempt"], run["done"], run["proposed"], run["published"]) == (2, 50, 49, 0)


async def test_a_recommendation_derives_again_from_the_published_event_byte_for_byte(seat: Seat) -> None:
    await begin(seat, "A")
    await seat.call("POST", "/runs", {})
    said = await seat.read("recommendations.v1", lambda found: bool(proposals(found)), "a recommendation")
    line = proposals(said)[0]
    agrees, _expected, _found = rederive({name: value for name, value in line.items() if name != "type"})
    assert agrees
    command = [sys.executable, "-m", "services.policy.derive", line["recommendation_id"]]
    environment = os.environ | {
        "COUNTERSIGN_NAMESPACE": seat.namespace,
        "COUNTERSIGN_KAFKA_BOOTSTRAP": seat.ground.kafka_bootstrap,
    }
    told = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False
    )
    assert (told.returncode, "equal bytes" in told.stdout) == (0, True), told.stderr
    kept = (await seat.call("GET", f"/recommendations/{line['recommendation_id']}/evidence")).json()
    assert kept["evidence"] == line["evidence"]
    assert derive(evidence_of(kept["evidence"])) == derive(evidence_of(line["evidence"]))
    off = await seat.call("GET", f"/recommendations/{line['recommendation_id']}/rationale")
    assert (off.status_code, off.headers["content-type"]) == (404, "application/problem+json")
    assert off.json()["code"] == "rationale_off", "without a language model the explanation is all there is"


async def test_a_sale_below_the_threshold_changes_the_recommendation_at_once(seat: Seat) -> None:
    await begin(seat, "A", on_hand=9)
    run = (await seat.call("POST", "/runs", {})).json()
    await finished(seat, run["run_id"])
    before = await seat.read("recommendations.v1", lambda found: len(found) >= 1, "the first plan")
    await seat.send(sale("A", 8, NOON + timedelta(hours=1)))
    after = await seat.read(
        "recommendations.v1", lambda found: len(found) > len(before), "a changed recommendation after the sale"
    )
    assert after[-1]["type"] == "recommendation.issued.v1"
    earlier = proposals(before)
    if earlier:
        assert after[-1]["line_id"] == earlier[-1]["line_id"]
        assert after[-1]["supersedes"] == earlier[-1]["recommendation_id"]
        assert Decimal(after[-1]["quantity"]) > Decimal(earlier[-1]["quantity"])


async def test_an_approved_line_counts_as_on_order_at_once_and_is_not_proposed_again(seat: Seat) -> None:
    await begin(seat, "A")
    run = (await seat.call("POST", "/runs", {})).json()
    await finished(seat, run["run_id"])
    line = proposals(await seat.read("recommendations.v1", lambda f: bool(proposals(f)), "a recommendation"))[0]
    await seat.send(decision(line, "approved"))

    async def committed() -> bool:
        position = (await seat.call("GET", "/positions/A/L1")).json()
        return bool(position["on_order"] == line["quantity"])

    await until(committed, "the approved quantity is on order before its order is released")
    await seat.send(released(line, "PO-1"))

    async def is_released() -> bool:
        orders = (await seat.call("GET", "/positions/A/L1")).json()["open_orders"]
        return [one["order_id"] for one in orders] == ["PO-1"]

    await until(is_released, "the order takes the place of the approval, it does not add to it")
    again = (await seat.call("POST", "/runs", {})).json()
    run_after = await finished(seat, again["run_id"])
    assert (run_after["proposed"], run_after["withheld"]) == (0, 1)


async def test_an_amended_line_counts_with_what_was_decided_and_the_rest_is_not_proposed_again(seat: Seat) -> None:
    await begin(seat, "A")
    run = (await seat.call("POST", "/runs", {})).json()
    await finished(seat, run["run_id"])
    line = proposals(await seat.read("recommendations.v1", lambda f: bool(proposals(f)), "a recommendation"))[0]
    less = str(Decimal(line["quantity"]) - 6)
    await seat.send(decision(line, "amended", less))

    async def committed() -> bool:
        return bool((await seat.call("GET", "/positions/A/L1")).json()["on_order"] == less)

    await until(committed, "the amended quantity is on order before its order is released")
    again = (await seat.call("POST", "/runs", {})).json()
    run_after = await finished(seat, again["run_id"])
    assert (run_after["proposed"], run_after["withheld"]) == (0, 1)


def old_order(order_id: str, sku: str, days_ago: int) -> OrderReleased:
    """An order that was promised within three days, so many days before the planning date."""
    ordered_on = DAY - timedelta(days=days_ago)
    line = OrderLine(
        line_no=1,
        recommendation_id=f"r-{order_id}",
        decision_id="d",
        sku=sku,
        quantity=Decimal(6),
        unit="each",
        unit_cost=Decimal(2),
        value=Decimal(12),
    )
    return OrderReleased(
        tenant=TENANT,
        order_id=order_id,
        kind="purchase_order",
        supplier="SUP",
        location="L1",
        order_on=ordered_on,
        arrive_on=ordered_on + timedelta(days=3),
        currency="USD",
        value=Decimal(12),
        released_at=NOON - timedelta(days=days_ago),
        lines=(line,),
    )


async def test_receipts_teach_the_lead_time_whichever_of_order_and_receipt_is_read_first(seat: Seat) -> None:
    """Orders 1 and 2 came two and four days after their promise (one receipt is read before its order), order 3 was confirmed
    for the day it came; of an order that came again later the first day counts."""
    await seat.send(
        *catalogue("A"), receipt("A", 6, NOON - timedelta(days=30 - 3 - 4), "PO-2"), receipt("A", 1, NOON, "PO-2")
    )
    await seat.send(*(old_order(f"PO-{number}", "A", days) for number, days in ((1, 40), (2, 30), (3, 20))))
    await seat.send(receipt("A", 6, NOON - timedelta(days=40 - 3 - 2), "PO-1"))
    day = DAY - timedelta(days=20 - 3 - 1)
    confirmed = OrderUpdated(
        tenant=TENANT,
        order_id="PO-3",
        status="confirmed",
        location="L1",
        business_date=day,
        updated_at=NOON,
        lines=(OrderLineUpdate(sku="A", quantity=Decimal(6), arrive_on=day),),
    )
    await seat.send(confirmed)
    await seat.send(receipt("A", 6, NOON - timedelta(days=20 - 3 - 1), "PO-3"))

    async def learned() -> bool:
        rows = await seat.rows(
            "select count(*) as n from policy.deliveries where received_on > promised_on"
            " and (order_id <> 'PO-3' or confirmed_on is not null)"
        )
        return bool(rows[0]["n"] == 3)

    await until(learned, "three deliveries are known")
    await seat.send(count("A", 1, NOON), forecast("A"))
    await ready(seat)

    async def foreseen() -> bool:
        rows = await seat.rows("select p.on_hand from policy.positions p join policy.forecasts using (sku, location)")
        return bool(rows and rows[0]["on_hand"] == 1)

    await until(foreseen, "stock and forecast are in")
    run = (await seat.call("POST", "/runs", {})).json()
    await finished(seat, run["run_id"])
    line = proposals(await seat.read("recommendations.v1", lambda f: bool(proposals(f)), "a recommendation"))[-1]
    assert line["evidence"]["deliveries"] == {"after_promise": [2, 4, 1], "after_confirmation": [0]}
    (told,) = [one for one in line["steps"] if one["code"] == "lead_time"]
    assert (told["inputs"]["quoted_days"], told["inputs"]["receipts"], told["result"]) == ("2", "3", "3")
    assert rederive({name: value for name, value in line.items() if name != "type"})[0]


async def test_a_rejected_line_is_not_proposed_again_on_the_same_business_date(seat: Seat) -> None:
    await begin(seat, "A")
    run = (await seat.call("POST", "/runs", {})).json()
    await finished(seat, run["run_id"])
    line = proposals(await seat.read("recommendations.v1", lambda f: bool(proposals(f)), "a recommendation"))[0]
    await seat.send(decision(line, "rejected"))

    async def held() -> bool:
        rows = await seat.rows("select hold_reason from policy.plans where sku = 'A'")
        return bool(rows[0]["hold_reason"] == "rejected_today")

    await until(held, "the refusal is known")
    again = (await seat.call("POST", "/runs", {})).json()
    assert (await finished(seat, again["run_id"]))["proposed"] == 0
    tomorrow = DAY + timedelta(days=1)
    await seat.send(forecast("A", origin=tomorrow), closed(tomorrow))
    said = await seat.read(
        "recommendations.v1", lambda f: len(proposals(f)) >= 2, "the next day's own run proposes again"
    )
    assert proposals(said)[-1]["line_id"] != line["line_id"]


async def test_what_was_approved_and_recalled_is_proposed_again_under_a_name_of_its_own(seat: Seat) -> None:
    await begin(seat, "A")
    run = (await seat.call("POST", "/runs", {})).json()
    await finished(seat, run["run_id"])
    line = proposals(await seat.read("recommendations.v1", lambda f: bool(proposals(f)), "a recommendation"))[0]
    await seat.send(decision(line, "approved"))

    async def on_order() -> bool:
        return bool((await seat.call("GET", "/positions/A/L1")).json()["on_order"] == line["quantity"])

    await until(on_order, "the approved quantity is on order")
    await seat.send(decision(line, "recalled"))
    said = await seat.read("recommendations.v1", lambda f: len(proposals(f)) >= 2, "the need is proposed again")
    again = proposals(said)[-1]
    assert again["quantity"] == line["quantity"]
    assert again["recommendation_id"] != line["recommendation_id"]
    assert again["line_id"] != line["line_id"]
    assert rederive({name: value for name, value in again.items() if name != "type"})[0]


async def test_a_signal_is_planned_for_at_once_and_shows_its_numbers(seat: Seat) -> None:
    await begin(seat, "A")
    run = (await seat.call("POST", "/runs", {})).json()
    await finished(seat, run["run_id"])
    line = proposals(await seat.read("recommendations.v1", lambda f: bool(proposals(f)), "a recommendation"))[0]
    promotion = SignalObserved(
        tenant=TENANT,
        signal_id="promo-1",
        kind="promotion",
        scope=Scope(sku="A"),
        strength=2.5,
        probability=Decimal("0.8"),
        starts_at=NOON + timedelta(days=1),
        ends_at=NOON + timedelta(days=30),
        advisory=False,
    )
    await seat.send(promotion)
    said = await seat.read("recommendations.v1", lambda f: len(proposals(f)) >= 2, "the promotion is planned for")
    again = proposals(said)[-1]
    assert Decimal(again["quantity"]) > Decimal(line["quantity"])
    assert again["supersedes"] == line["recommendation_id"]
    assert "scenario_active" in again["route_reasons"]
    (step,) = [one for one in again["steps"] if one["code"] == "scenario"]
    assert step["inputs"]["quantity_without"] == line["quantity"]
    assert rederive({name: value for name, value in again.items() if name != "type"})[0]


async def test_runs_of_a_supplier_and_of_a_class_plan_their_items_alone(seat: Seat) -> None:
    await begin(seat, "A", "B", "C")
    for scope, items in (({"supplier": "SUP"}, 3), ({"supplier": "NOBODY"}, 0), ({"abc_class": "C"}, 0)):
        run = (await seat.call("POST", "/runs", scope)).json()
        done = await finished(seat, run["run_id"])
        assert (done["items"], done["done"]) == (items, items)
        assert done["proposed"] + done["withheld"] == items
    refused = await seat.call("POST", "/runs", {"supplier": "SUP", "abc_class": "A"})
    assert refused.status_code == 422


async def test_a_run_goes_on_after_kill_minus_nine(seat: Seat) -> None:
    skus = [f"S{number:03}" for number in range(300)]
    await begin(seat, *skus)
    run = (await seat.call("POST", "/runs", {})).json()
    seat.kill()
    seat.start()
    await ready(seat)
    result = await finished(seat, run["run_id"])
    assert (result["done"], result["proposed"] + result["withheld"]) == (300, 300)
    said = await seat.read("recommendations.v1", lambda found: len(found) >= 300, "every item answered")
    assert len({one["sku"] for one in said}) == len(said) == 300


async def test_what_if_answers_by_the_same_code(seat: Seat) -> None:
    await begin(seat, "A")
    question = {"sku": "A", "location": "L1"}
    plain = (await seat.call("POST", "/what-if", question)).json()
    more = (await seat.call("POST", "/what-if", question | {"service_level": "0.999"})).json()
    longer = (await seat.call("POST", "/what-if", question | {"lead_time_days": 20})).json()
    own = (await seat.call("POST", "/what-if", question | {"quantity": "1"})).json()
    assert Decimal(more["reorder_point"]) >= Decimal(plain["reorder_point"])
    assert Decimal(longer["quantity"]) > Decimal(plain["quantity"])
    assert own["value"] == "2.00" and own["stock_out_probability"] > plain["stock_out_probability"]
    assert (await seat.call("GET", "/positions/A/L1", tenant="other")).status_code == 404
