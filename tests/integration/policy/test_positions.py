"""Positions are the sum of the ledger, whatever comes twice, late, out of order, unnamed, or across a kill -9."""

from datetime import timedelta
from decimal import Decimal

import pytest

from schemas.catalogue import IdentityAliasDefined
from tests.integration.policy.seat import NOON, TENANT, Seat, catalogue, count, receipt, sale, until

pytestmark = pytest.mark.integration


async def on_hand(seat: Seat, sku: str) -> Decimal | None:
    rows = await seat.rows("select on_hand from policy.positions where tenant = $1 and sku = $2", TENANT, sku)
    return rows[0]["on_hand"] if rows else None


async def is_exact(seat: Seat) -> bool:
    rows = await seat.rows(
        "select p.sku from policy.positions p left join (select tenant, sku, location, sum(on_hand) as on_hand, count(*) as n"
        " from policy.ledger group by 1, 2, 3) l using (tenant, sku, location)"
        " where p.on_hand <> l.on_hand or p.movements <> l.n"
    )
    return not rows


async def test_sales_receipts_and_counts_move_the_position_whatever_their_order(seat: Seat) -> None:
    await seat.send(*catalogue("A"))
    late, early = NOON + timedelta(hours=2), NOON - timedelta(hours=2)
    # On the shelf at noon: 50. Sold at ten (the count has seen it) and at two (it has not).
    await seat.send(sale("A", 3, late), count("A", 50, NOON), sale("A", 5, early))

    async def settled() -> bool:
        return await on_hand(seat, "A") == 47

    await until(settled, "50 counted - 3 sold after the count = 47")
    await seat.send(receipt("A", 12, late), count("A", 99, early))

    async def received() -> bool:
        rows = await seat.rows("select count(*) as n from policy.ledger")
        return bool(rows[0]["n"] == 5)

    await until(received, "five ledger entries")
    assert await on_hand(seat, "A") == 59, "an older count than the one known moves nothing"
    assert await is_exact(seat)


async def test_an_event_that_comes_again_changes_nothing(seat: Seat) -> None:
    await seat.send(*catalogue("A"))
    await seat.send(sale("A", 2), sale("A", 2), sale("A", 1), ids=["one", "one", "two"])
    await seat.send(sale("A", 2), sale("A", 1), sale("A", 7), ids=["one", "two", "three"])

    async def settled() -> bool:
        return await on_hand(seat, "A") == -10

    await until(settled, "each event once: -2 - 1 - 7")
    assert await is_exact(seat)


async def test_events_of_an_unknown_product_wait_and_are_booked_when_it_is_named(seat: Seat) -> None:
    await seat.send(*catalogue("A"))
    await seat.send(sale("036000291452", 2), sale("A", 1), sale("0036000291452", 3))
    raised = await seat.read(
        "exceptions.v1", lambda found: any(one["type"] == "exception.raised.v1" for one in found), "an exception"
    )
    assert raised[0]["kind"] == "unresolved_identity"

    async def others_flow() -> bool:
        return await on_hand(seat, "A") == -1

    await until(others_flow, "the known product is not held up")
    alias = IdentityAliasDefined(
        tenant=TENANT, scheme="gtin", subject="item", code="036000291452", target="A", defined_at=NOON
    )
    await seat.send(alias)

    async def released() -> bool:
        return await on_hand(seat, "A") == -6

    await until(released, "both waiting sales are booked under the product they name")
    said = await seat.read("exceptions.v1", lambda found: len(found) >= 4, "the exceptions are resolved")
    assert [one["type"] for one in said] == ["exception.raised.v1"] * 2 + ["exception.resolved.v1"] * 2


async def test_nothing_is_lost_or_doubled_across_kill_minus_nine(seat: Seat) -> None:
    skus = [f"S{number}" for number in range(20)]
    await seat.send(*catalogue(*skus))
    for round_ in range(3):
        for _ in range(10):
            await seat.send(*(sale(sku, 1) for sku in skus for _ in range(10)))
        if round_ < 2:
            seat.kill()
            seat.start()

    async def settled() -> bool:
        rows = await seat.rows("select sum(on_hand) as units, sum(movements) as n from policy.positions")
        return bool(rows[0]["n"] == 6000)

    await until(settled, "6,000 sales booked")
    rows = await seat.rows("select distinct on_hand from policy.positions")
    assert [row["on_hand"] for row in rows] == [Decimal(-300)]
    assert await is_exact(seat)


async def test_a_negative_sale_by_kafka_becomes_a_dead_letter_and_stalls_nobody(seat: Seat) -> None:
    await seat.send(*catalogue("A"))
    await seat.send(receipt("A", 5).model_copy(update={"quantity": Decimal(-5)}), receipt("A", 7))

    async def settled() -> bool:
        return await on_hand(seat, "A") == 7

    await until(settled, "the good receipt behind the bad one is booked")
