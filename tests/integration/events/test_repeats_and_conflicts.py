"""The same event again, and the same id with another content: both consumers come to the same answer."""

from decimal import Decimal

import pytest

from tests.integration.events.both import DAY, SERVICES, Both, item, moved, place, sale

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


async def test_an_id_used_for_another_product_is_a_dead_letter_at_both_and_moves_nothing(side: Both) -> None:
    await side.define(item("A"), item("B"), place("L1"))
    await side.send(sale("A", 3), ids=["one"])
    await side.settled()  # which of two comes first is certain only once one of them is booked
    await side.send(sale("B", 5), sale("A", 9), moved("B", "receipt", 4), ids=["one", "one", "one"])
    await side.send(sale("A", 3), ids=["one"])
    await side.settled()
    assert await side.demand("A") == 3
    assert await side.demand("B") == 0
    assert await side.position("A") == (Decimal(-3), 0, 0)
    assert await side.position("B") == (0, 0, 0)
    for service in SERVICES:
        letters = await side.said(service, "sales.v1.dead") + await side.said(service, "stock.v1.dead")
        assert [one["code"] for one in letters] == ["id_reused"] * 3, service


async def test_an_id_used_twice_in_one_batch_is_a_dead_letter_at_both(side: Both) -> None:
    await side.define(item("A"), place("L1"))
    await side.send(sale("A", 3), sale("A", 4), sale("A", 3), ids=["one", "one", "one"])
    await side.settled()
    assert await side.demand("A") == 3
    assert await side.position("A") == (Decimal(-3), 0, 0)
    assert (await side.rows("policy", "select business_date from ledger"))[0]["business_date"] == DAY
    for service in SERVICES:
        assert [one["code"] for one in await side.said(service, "sales.v1.dead")] == ["id_reused"], service
