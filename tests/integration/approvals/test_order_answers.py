"""What the other side answers to orders: lines end, orders move along, and all of it can be derived again from the answers."""

import signal
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from kit.database import OWNER, Database, migration_files
from kit.rebuild import digest, rebuild
from schemas.catalogue import ItemDefined, OwnerScopeDefined, ReferenceAliasDefined
from schemas.decisions import OrderCancelled, OrderLineUpdate, OrderUpdated
from schemas.recommendations import PolicyPublished
from services.approvals.derived import DERIVED
from tests.integration.approvals.seat import DAY, WHEN, Seat, by_rule, issued

pytestmark = pytest.mark.integration
BEFORE = next(path for path in migration_files("approvals") if path.name == "0005_order_line_ends_of_before.sql")


def answer(order: Any, status: str, *skus: str) -> OrderUpdated:
    """The other side's word about all of an order, or these lines of it."""
    said = [line for line in order.lines if not skus or line.sku in skus]
    return OrderUpdated(
        tenant="acme",
        order_id=order.order_id,
        status=status,
        location="367",
        business_date=DAY,
        updated_at=WHEN,
        lines=tuple(OrderLineUpdate(sku=line.sku, quantity=line.quantity) for line in said),
    )


async def test_order_is_answered_and_cancelled_after_its_items_were_planned_again(seat: Seat) -> None:
    """A line of the queue goes on to its item's next recommendation while the goods of the last are on their way."""
    await seat.send([by_rule(1), by_rule(2), by_rule(3, supplier="SUP-2"), by_rule(4, supplier="SUP-3")])
    await seat.wait_for_lines(4, "released")
    two, one, last = sorted(await seat.orders(), key=lambda order: order.supplier)
    again = [
        issued(n, recommendation_id=f"rec-1{n:03}", line_id=f"line-{n:04}", origin=DAY + timedelta(days=1))
        for n in (1, 3, 4)
    ]
    await seat.send(again)
    await seat.wait_for_lines(3, "pending")
    await seat.send(
        [answer(two, "confirmed"), answer(two, "received", "sku-0002"), answer(one, "received")], source="gateway"
    )
    await seat.wait_for("select count(*) = 2 from order_line_ends")
    ann = seat.person("ann", "planner")
    asked: dict[str, Any] = {"json": {"reason": "demand_changed"}, "headers": {"idempotency-key": "c1"}}
    cancelled = await ann.call("POST", f"/orders/{last.order_id}/cancel", **asked)
    assert (cancelled.status_code, cancelled.json()["lines"]) == (200, [])
    states = {order["order_id"]: order["status"] for order in (await ann.call("GET", "/orders")).json()["items"]}
    assert states == {two.order_id: "shipped", one.order_id: "received", last.order_id: "cancelled"}
    taken_back = [body for body in await seat.orders() if isinstance(body, OrderCancelled)]
    assert [(body.order_id, body.cancelled_by) for body in taken_back] == [(last.order_id, "ann")]
    await seat.send([answer(two, "received")], source="gateway")
    await seat.wait_for("select count(*) = 3 from order_line_ends")
    row = await seat.sql("select status from orders where order_id = $1", two.order_id)
    assert row[0]["status"] == "received"
    await seat.wait_for_lines(3, "pending")  # what is planned anew waits for its own decision
    assert await seat.sql("select code from dead_letters") == []


async def test_agreeing_to_cancel_some_lines_ends_those_and_the_others_still_come(seat: Seat) -> None:
    await seat.send([by_rule(1), by_rule(2), by_rule(3), by_rule(4)])
    await seat.wait_for_lines(4, "released")
    (first,) = await seat.orders()
    await seat.send([answer(first, "received", "sku-0001")], source="gateway")
    await seat.wait_for_lines(1, "closed")
    beside = [
        issued(n, action="cancel", changes_order=first.order_id, line_id=f"beside-{n}", recommendation_id=f"cancel-{n}")
        for n in (1, 2, 3)
    ]
    await seat.send(beside)
    await seat.wait_for_lines(3, "pending")
    ann = seat.person("ann", "planner")
    together = [{"recommendation_id": f"cancel-{n}", "version": 0} for n in (1, 2, 3)]
    bulk: dict[str, Any] = {"json": {"verdict": "approve", "lines": together}, "headers": {"idempotency-key": "three"}}
    assert (await ann.call("POST", "/decisions:bulk", **bulk)).json()["succeeded"] == 3
    await seat.wait_for("select count(*) = 3 from lines where state = 'released' and line_id like 'beside-%'")
    (cancel,) = [one for one in await seat.orders() if one.kind == "cancel"]
    assert (cancel.changes_order, [line.sku for line in cancel.lines]) == (
        first.order_id,
        ["sku-0001", "sku-0002", "sku-0003"],
    )
    await seat.send([answer(cancel, "confirmed")], source="gateway")
    await seat.wait_for("select count(*) = 3 from lines where state = 'closed' and line_id like 'beside-%'")
    ends = await seat.sql("select sku, how from order_line_ends where order_id = $1 order by sku", first.order_id)
    assert [tuple(row) for row in ends] == [
        ("sku-0001", "received"),  # it had come before: what came first counts
        ("sku-0002", "cancelled"),
        ("sku-0003", "cancelled"),
    ]
    still = await seat.sql("select line_id from lines where order_id = $1 and state = 'released'", first.order_id)
    assert [row["line_id"] for row in still] == ["line-0004"]
    await seat.send([answer(first, "received", "sku-0004")], source="gateway")
    await seat.wait_for("select status = 'received' from orders where order_id = $1", first.order_id)
    assert await seat.sql("select code from dead_letters") == []


async def test_answers_under_a_code_of_the_erp_are_heard_in_order_once_it_is_said_to_be_an_order(seat: Seat) -> None:
    await seat.send([by_rule(1), by_rule(2, supplier="SUP-2")])
    await seat.wait_for_lines(2, "released")
    first, other = sorted(await seat.orders(), key=lambda order: order.supplier)
    named = {"order_id": "4500"}
    early = answer(first, "shipped").model_copy(update=named)
    never_ordered = answer(other, "shipped").model_copy(update=named)
    received = answer(first, "received").model_copy(update=named)
    await seat.send([early, never_ordered, received], source="gateway")
    await seat.wait_for("select count(*) = 3 from parked_events where record_key = '4500' and reason = 'unknown_order'")
    assert await seat.sql("select 1 from orders where status <> 'released'") == []
    alias = ReferenceAliasDefined(
        tenant="acme", scheme="legacy_code", subject="purchase_order", code="4500", target=first.order_id,
        defined_at=WHEN,
    )  # fmt: skip
    await seat.send([alias], source="gateway")
    await seat.wait_for("select status = 'received' from orders where order_id = $1", first.order_id)
    assert await seat.sql("select 1 from parked_events") == []
    letters = [tuple(row) for row in await seat.sql("select code, record_key from dead_letters")]
    assert letters == [("unknown_order_line", "4500")], "it alone dies, not the alias that set it free"
    await seat.end(signal.SIGTERM)
    url = seat.database.url("approvals")
    database = await Database.open(url, "approvals", pool_max=3)
    try:
        settings = seat.settings.model_copy(update={"database_url": SecretStr(url)})
        assert (await rebuild(settings, database, DERIVED, lambda _done, _total: None)).differing == []
    finally:
        await database.close()


async def end_lines_of_before(seat: Seat) -> None:
    """Let the ends of lines be unknown, as before they were kept, and run the migration that finds them again."""
    await seat.sql("delete from order_line_ends")
    connection = await asyncpg.connect(seat.database.admin_url, server_settings={"search_path": "approvals"})
    try:
        await connection.execute(f"set role {OWNER}")
        await connection.execute(BEFORE.read_text("utf-8"))
    finally:
        await connection.close()


async def test_what_others_said_is_derived_again_in_silence(seat: Seat) -> None:
    limits = PolicyPublished(
        tenant="acme", scope="default", version=2, valid_from=DAY, parameters={"auto_approve_value_limit": "45"},
        published_by="eva", reason="test",
    )  # fmt: skip
    owner = OwnerScopeDefined(tenant="acme", owner="dairy", suppliers=("SUP-17",), defined_at=WHEN)
    await seat.send(
        [limits, owner, ItemDefined(tenant="acme", sku="sku-0001", name="Milk", category="dairy", defined_at=WHEN)]
    )
    await seat.wait_for("select count(*) = 1 from owner_scopes")
    await seat.send([by_rule(1), by_rule(2), by_rule(3, supplier="SUP-2"), issued(9)])
    await seat.wait_for_lines(3, "released")
    await seat.wait_for_lines(1, "pending")
    both, one = sorted(await seat.orders(), key=lambda order: order.supplier)
    await seat.send(
        [answer(both, "shipped"), answer(both, "received", "sku-0001"), answer(one, "received")], source="gateway"
    )
    await seat.wait_for("select count(*) = 2 from order_line_ends")
    await seat.end(signal.SIGTERM)
    own = "select * from decisions order by line_id, version"
    said = await seat.sql("select event_id from outbox order by seq"), await seat.sql(own)
    kept = await seat.sql("select line_id, state, version from lines order by line_id")
    url = seat.database.url("approvals")
    settings = seat.settings.model_copy(update={"database_url": SecretStr(url)})
    database = await Database.open(url, "approvals", pool_max=3)
    try:
        again = await rebuild(settings, database, DERIVED, lambda _done, _total: None)
        assert again.differing == [] and again.records >= 10
        for damage in (
            "update limits set rule_value_limit = 9999",
            "delete from owner_scopes",
            "update item_categories set category = 'wine'",
            "update orders set status = 'failed'",
            "delete from order_line_ends where sku = 'sku-0001'",
        ):
            await seat.sql(damage)
        mended = await rebuild(settings, database, DERIVED, lambda _done, _total: None)
        assert mended.after == again.after
        assert mended.differing == ["item_categories", "limits", "order_line_ends", "orders", "owner_scopes"]
        await end_lines_of_before(seat)
        assert await digest(database, DERIVED.tables) == again.after
    finally:
        await database.close()
    states = await seat.sql("select supplier, status from orders order by supplier")
    assert [tuple(row) for row in states] == [("SUP-17", "shipped"), ("SUP-2", "received")]
    assert said == (await seat.sql("select event_id from outbox order by seq"), await seat.sql(own))
    assert await seat.sql("select line_id, state, version from lines order by line_id") == kept
    await seat.start()
    assert (await seat.person("ann", "planner").decide("rec-0009", "approve")).status_code == 200
