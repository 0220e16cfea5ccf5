"""From recommendation to the ERP's topic: every approved line in exactly one order, nothing else there, whatever dies."""

import signal
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.decisions import OrderLineUpdate, OrderUpdated
from schemas.recommendations import PolicyPublished, RecommendationWithheld
from tests.integration.approvals.seat import DAY, WHEN, Seat, by_rule, issued

pytestmark = pytest.mark.integration


async def test_approved_line_reaches_the_erp_once_with_the_decision_that_allows_it(seat: Seat) -> None:
    await seat.send([issued(1), issued(2), by_rule(3)])
    await seat.wait_for("select count(*) = 3 from lines")
    answer = await seat.person("ann", "planner").decide("rec-0001", "approve")
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"1"'
    await seat.wait_for_lines(2, "released")
    orders = await seat.orders()
    lines = [line for order in orders for line in order.lines]
    assert sorted(line.recommendation_id for line in lines) == ["rec-0001", "rec-0003"], (
        "the undecided one is not there"
    )
    decided = {one.decision_id: one for one in await seat.decisions()}
    for line in lines:
        decision = decided[line.decision_id]
        assert decision.verdict in ("approved", "approved_by_rule")
        assert (decision.recommendation_id, decision.quantity) == (line.recommendation_id, line.quantity)
    assert {decided[line.decision_id].decided_by for line in lines} == {"ann", "rule"}


async def test_lines_decided_together_leave_as_one_order(seat: Seat) -> None:
    await seat.send([issued(n) for n in range(1, 6)])
    await seat.wait_for_lines(5)
    bulk = {"verdict": "approve", "lines": [{"recommendation_id": f"rec-000{n}", "version": 0} for n in range(1, 6)]}
    answer = await seat.person("ann", "planner").call(
        "POST", "/decisions:bulk", json=bulk, headers={"idempotency-key": "all-five"}
    )
    assert answer.json()["succeeded"] == 5
    await seat.wait_for_lines(5, "released")
    (order,) = await seat.orders()
    assert (order.supplier, order.location, order.value, len(order.lines)) == ("SUP-17", "367", Decimal(2500), 5)


async def test_a_line_released_after_its_order_day_closed_leaves_as_an_order_of_the_next_one(seat: Seat) -> None:
    later: dict[str, Any] = {"next_order_on": DAY + timedelta(days=3), "next_arrive_on": DAY + timedelta(days=6)}
    await seat.send([issued(1, **later)])
    await seat.wait_for_lines(1)
    # The next line of the location says that the day on which the first was to be ordered has closed.
    punctual: dict[str, Any] = {"order_on": DAY + timedelta(days=2), "arrive_on": DAY + timedelta(days=5)}
    await seat.send([issued(2, origin=DAY + timedelta(days=1), **punctual, **later)])
    await seat.wait_for_lines(2)
    ann = seat.person("ann", "planner")
    for name in ("rec-0001", "rec-0002"):
        answer = await ann.decide(name, "approve")
        assert answer.status_code == 200, answer.text
    await seat.wait_for_lines(2, "released")
    orders = {one.lines[0].sku: (one.order_on, one.arrive_on, one.missed_order_on) for one in await seat.orders()}
    assert orders == {
        "sku-0001": (later["next_order_on"], later["next_arrive_on"], DAY + timedelta(days=1)),
        "sku-0002": (punctual["order_on"], punctual["arrive_on"], None),
    }
    told = (await ann.call("GET", "/orders")).json()["items"]
    assert {one["order_on"] for one in told} == {f"{DAY + timedelta(days=days)}" for days in (2, 3)}


async def test_repeated_recommendations_change_nothing(seat: Seat) -> None:
    for _ in range(3):
        await seat.send([issued(1), by_rule(2)], cause="same")  # the same event three times
    await seat.send([issued(1), by_rule(2)])  # the same recommendation under other event ids
    await seat.wait_for_lines(1, "released")
    await seat.send([issued(3)])
    await seat.wait_for_lines(2)
    rows = await seat.sql("select line_id, version, state from lines order by line_id")
    assert [tuple(row) for row in rows] == [
        ("line-0001", 0, "pending"),
        ("line-0002", 1, "released"),
        ("line-0003", 0, "pending"),
    ]
    assert len(await seat.orders()) == 1


async def test_fresher_recommendation_updates_a_pending_line_and_leaves_a_held_one_alone(patient_seat: Seat) -> None:
    seat = patient_seat
    await seat.send([issued(1), issued(2)])
    await seat.wait_for_lines(2)
    ann = seat.person("ann", "planner")
    assert (await ann.decide("rec-0002", "approve")).status_code == 200
    fresher: dict[str, Any] = {"quantity": Decimal(70), "value": Decimal(700)}
    await seat.send(
        [
            issued(1, recommendation_id="rec-1b", supersedes="rec-0001", **fresher),
            issued(2, recommendation_id="rec-2b", supersedes="rec-0002", **fresher),
            issued(3),
        ]
    )
    await seat.wait_for("select count(*) = 3 from lines")
    rows = await seat.sql("select line_id, recommendation_id, state, quantity from lines order by line_id")
    assert [tuple(row) for row in rows][:2] == [
        ("line-0001", "rec-1b", "pending", 70),
        ("line-0002", "rec-0002", "approved", 50),
    ]
    late = await ann.decide("rec-0001", "approve")
    assert late.status_code == 412 and late.json()["current"]["recommendation_id"] == "rec-1b"
    undone = await ann.call("POST", "/lines/rec-0002/undo", headers={"if-match": '"1"'})
    assert undone.status_code == 200, undone.text
    assert (undone.json()["status"], undone.json()["line"]["recommendation_id"], undone.json()["version"]) == (
        "pending",
        "rec-2b",
        3,
    )
    verdicts = [(d.verdict, d.version, d.recommendation_id) for d in await seat.decisions() if d.line_id == "line-0002"]
    assert verdicts == [("approved", 1, "rec-0002"), ("undone", 2, "rec-0002"), ("superseded", 3, "rec-0002")]


async def test_recommendation_that_waited_behind_a_released_line_ends(seat: Seat) -> None:
    await seat.send([issued(1)])
    await seat.wait_for_lines(1)
    assert (await seat.person("ann", "planner").decide("line-0001", "approve")).status_code == 200
    await seat.send([issued(1, recommendation_id="rec-1b", supersedes="rec-0001")])
    await seat.wait_for(
        "select count(*) = 1 from recommendations where recommendation_id = 'rec-1b' and place = 'too_late'"
    )
    await seat.wait_for_lines(1, "released")
    last = [d for d in await seat.decisions() if d.recommendation_id == "rec-1b"]
    assert [(d.verdict, d.reason_code) for d in last] == [("expired", "computed_before_decision")]
    assert len(await seat.orders()) == 1


async def test_withheld_recommendation_ends_what_waits(seat: Seat) -> None:
    await seat.send([issued(1)])
    await seat.wait_for_lines(1)
    withheld = RecommendationWithheld(
        tenant="acme",
        sku="sku-0001",
        location="367",
        recommendation_id="rec-none",
        supersedes="rec-0001",
        origin=DAY,
        reason="enough_stock",
        says="Enough.",
    )
    await seat.send([withheld])
    await seat.wait_for_lines(1, "expired")
    (made,) = await seat.decisions()
    assert (made.verdict, made.reason_code) == ("expired", "enough_stock")


async def test_snoozed_line_returns_when_its_business_day_closes(seat: Seat) -> None:
    await seat.send([issued(1)])
    await seat.wait_for_lines(1)
    until = DAY + timedelta(days=2)
    answer = await seat.person("ann", "planner").decide("rec-0001", "snooze", snooze_until=until.isoformat())
    assert answer.json()["status"] == "snoozed"
    await seat.send([issued(2, origin=DAY + timedelta(days=1))])
    await seat.wait_for_lines(1, "pending")
    await seat.wait_for_lines(1, "snoozed")
    await seat.send([issued(3, origin=until)])
    await seat.wait_for_lines(3, "pending")
    assert [d.verdict for d in await seat.decisions()] == ["snoozed", "returned"]


async def test_published_policy_sets_the_limits(seat: Seat) -> None:
    policy = PolicyPublished(
        tenant="acme",
        scope="default",
        version=4,
        valid_from=DAY,
        parameters={"auto_approve_value_limit": "30", "second_signature_above": "400"},
        published_by="eva",
        reason="test",
    )
    await seat.send([policy])
    await seat.wait_for("select count(*) = 1 from limits")
    await seat.send([by_rule(1), issued(2)])
    await seat.wait_for_lines(2)  # 40.00 is above the rule limit of 30.00 now
    first = await seat.person("ann", "planner").decide("rec-0002", "approve")
    assert (first.json()["status"], first.json()["undo_until"]) == ("awaiting_second", None)
    again = await seat.person("ann", "planner").decide("rec-0002", "approve", version=1)
    assert (again.status_code, again.json()["code"]) == (409, "same_signer")
    weak = await seat.person("ben", "planner").decide("rec-0002", "approve", version=1)
    assert (weak.status_code, weak.json()["code"]) == (403, "approver_needed")
    second = await seat.person("eva", "approver").decide("rec-0002", "approve", version=1)
    assert second.json()["status"] == "approved"
    await seat.wait_for_lines(1, "released")
    decision = (await seat.decisions())[-1]
    assert decision.limits["second_signature_above"] == "400.0000" and decision.limits["policy_version"] == "4"


async def test_order_updates_close_lines_and_a_released_order_can_be_cancelled(seat: Seat) -> None:
    await seat.send([by_rule(1), by_rule(2, supplier="SUP-2")])
    await seat.wait_for_lines(2, "released")
    first, second = sorted(await seat.orders(), key=lambda order: order.supplier)
    received = OrderUpdated(
        tenant="acme",
        order_id=first.order_id,
        status="received",
        location="367",
        business_date=DAY,
        updated_at=WHEN,
        lines=(OrderLineUpdate(sku="sku-0001", quantity=Decimal(20)),),
    )
    unknown = OrderUpdated(
        tenant="acme", order_id="PO-unknown", status="received", location="367", business_date=DAY, updated_at=WHEN
    )
    not_ordered = received.model_copy(update={"lines": (OrderLineUpdate(sku="sku-0009", quantity=Decimal(20)),)})
    await seat.send([unknown, not_ordered, received], source="gateway")
    await seat.wait_for_lines(1, "closed")
    ann = seat.person("ann", "planner")
    cancelled = await ann.call(
        "POST",
        f"/orders/{second.order_id}/cancel",
        json={"reason": "demand_changed"},
        headers={"idempotency-key": "c1"},
    )
    assert cancelled.status_code == 200, cancelled.text
    assert {order["order_id"]: order["status"] for order in (await ann.call("GET", "/orders")).json()["items"]} == {
        first.order_id: "received",
        second.order_id: "cancelled",
    }
    kinds = Counter(type(body).TYPE for body in await seat.orders())
    assert kinds == {"order.released.v1": 2, "order.cancelled.v1": 1}
    too_late = await ann.call(
        "POST", f"/orders/{first.order_id}/cancel", json={"reason": "demand_changed"}, headers={"idempotency-key": "c2"}
    )
    assert too_late.status_code == 409
    dead = await seat.sql("select record_key from outbox where topic = 'order-updates.v1.dead' order by seq")
    assert [row["record_key"] for row in dead] == [first.order_id]
    (reason,) = await seat.sql("select code, detail from dead_letters")
    assert reason["code"] == "unknown_order_line" and "has no line for sku-0009" in reason["detail"]
    waiting = await seat.sql("select record_key, reason from parked_events")
    assert [tuple(row) for row in waiting] == [("PO-unknown", "unknown_order")]


@pytest.mark.slow
async def test_kill_between_decision_and_release_loses_and_doubles_nothing(seat: Seat) -> None:
    count = 9
    await seat.send([issued(n) for n in range(1, count + 1)])
    await seat.wait_for_lines(count)
    ann = seat.person("ann", "planner")
    for number in range(1, count + 1):
        answer = await ann.decide(f"rec-{number:04}", "approve")
        assert answer.status_code == 200, answer.text
        if number % 3 == 0:
            # Die right after the 200, before or while the order leaves.
            await seat.end(signal.SIGKILL)
            await seat.start()
    await seat.wait_for_lines(count, "released")
    orders = await seat.orders()
    ordered = Counter(line.recommendation_id for order in orders for line in order.lines)
    assert ordered == {f"rec-{n:04}": 1 for n in range(1, count + 1)}
    assert len({order.order_id for order in orders}) == len(orders)


async def test_two_instances_release_each_line_once(seat: Seat, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Seat(seat.platform, seat.namespace, seat.database, tmp_path_factory.mktemp("second"))
    async with other:
        await seat.send([by_rule(n, supplier=f"SUP-{n % 7}") for n in range(1, 201)])
        await seat.wait_for_lines(200, "released")
        orders = await seat.orders()
    ordered = Counter(line.recommendation_id for order in orders for line in order.lines)
    assert ordered == {f"rec-{n:04}": 1 for n in range(1, 201)}


async def test_a_change_of_an_order_leaves_once_under_its_own_id_and_ends_with_the_suppliers_yes(seat: Seat) -> None:
    await seat.send([by_rule(1)])
    await seat.wait_for_lines(1, "released")
    (first,) = await seat.orders()
    change: dict[str, Any] = {"action": "cancel", "changes_order": first.order_id, "line_id": "line-beside"}
    await seat.send([issued(1, recommendation_id="rec-beside", route_reasons=("supplier_exception",), **change)])
    await seat.wait_for_lines(1, "pending")
    ann = seat.person("ann", "planner")
    amended = await ann.decide("rec-beside", "amend", quantity="60", reason="cash")
    assert (amended.status_code, amended.json()["code"]) == (422, "change_not_amendable")
    assert (await ann.decide("rec-beside", "approve")).status_code == 200
    await seat.wait_for_lines(2, "released")
    (cancel,) = [one for one in await seat.orders() if one.order_id != first.order_id]
    assert (cancel.kind, cancel.changes_order, cancel.lines[0].sku) == ("cancel", first.order_id, "sku-0001")
    agreed = OrderUpdated(
        tenant="acme",
        order_id=cancel.order_id,
        status="confirmed",
        location="367",
        business_date=DAY,
        updated_at=WHEN,
    )
    await seat.send([agreed], source="gateway")
    await seat.wait_for_lines(2, "closed")
    assert {order["order_id"]: order["status"] for order in (await ann.call("GET", "/orders")).json()["items"]} == {
        first.order_id: "cancelled",
        cancel.order_id: "confirmed",
    }
    assert len(await seat.orders()) == 2
