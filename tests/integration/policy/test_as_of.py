"""A position at a past moment, over HTTP: what was, what was known, and what came late; and that the past ends in the present."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.demand import StockMoved
from tests.integration.policy.seat import NOON, TENANT, Seat, catalogue, count, forecast, receipt, sale, until

pytestmark = pytest.mark.integration


def at_hour(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def reservation(sku: str, quantity: int, at: datetime, kind: str = "reservation") -> StockMoved:
    return StockMoved(
        tenant=TENANT,
        sku=sku,
        location="L1",
        kind=kind,
        quantity=Decimal(quantity),
        business_date=at.date(),
        moved_at=at,
        commitment_id="C1",
    )


async def booked(seat: Seat, entries: int) -> None:
    async def are_there() -> bool:
        return bool((await seat.rows("select count(*) as n from policy.ledger"))[0]["n"] == entries)

    await until(are_there, f"{entries} entries in the ledger")


async def clock(seat: Seat) -> datetime:
    moment: datetime = (await seat.rows("select clock_timestamp() as now"))[0]["now"]
    return moment


async def asked(seat: Seat, at: datetime, known_at: datetime | None = None, sku: str = "A") -> dict[str, Any]:
    moments = {"at": at, "known_at": known_at}
    query = "&".join(f"{name}={one.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}" for name, one in moments.items() if one)
    answer = await seat.call("GET", f"/positions/{sku}/L1/as-of?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def numbers(found: dict[str, Any] | None) -> tuple[str, str, str] | None:
    if found is None:
        return None
    return found["on_hand"]["quantity"], found["reserved"]["quantity"], found["backorders"]["quantity"]


async def test_late_events_are_told_apart_from_what_was_known(seat: Seat) -> None:
    await seat.send(*catalogue("A"))
    await seat.send(receipt("A", 100, at_hour(-6)), sale("A", 5, at_hour(-5)), reservation("A", 4, at_hour(-5)))
    await seat.send(count("A", 90, at_hour(-4)))
    await booked(seat, 4)
    known = await clock(seat)
    await seat.send(sale("A", 3, at_hour(-5.5)), sale("A", 2, at_hour(-3)))
    await booked(seat, 6)

    before = await asked(seat, at_hour(-7), known)
    assert (before["position"], before["position_as_known"]) == (None, None)
    assert datetime.fromisoformat(before["first_at"]) == at_hour(-6)

    uncounted = await asked(seat, at_hour(-4.5), known)
    assert numbers(uncounted["position"]) == ("92", "4", "0"), "100 came, 5 and 3 were sold"
    assert numbers(uncounted["position_as_known"]) == ("95", "4", "0"), "nobody knew of the 3"
    assert (uncounted["late_total"], [one["quantity"] for one in uncounted["late"]]) == (1, ["3"])
    (late,) = uncounted["late"]
    assert late["event_hash"] in uncounted["position"]["on_hand"]["event_hashes"]
    assert late["event_hash"] not in uncounted["position_as_known"]["on_hand"]["event_hashes"]
    assert datetime.fromisoformat(late["received_at"]) > known

    counted = await asked(seat, at_hour(-4), known)
    assert numbers(counted["position"]) == numbers(counted["position_as_known"]) == ("90", "4", "0")
    assert counted["position"]["on_hand"]["counted"]["quantity"] == "90"
    assert counted["position"]["on_hand"]["movements"] == 0, "the count speaks for everything before it"

    now = await asked(seat, NOON, known)
    assert numbers(now["position"]) == ("88", "4", "0")
    assert numbers(now["position_as_known"]) == ("90", "4", "0")
    today = (await seat.call("GET", "/positions/A/L1")).json()
    assert (today["on_hand"], today["reserved"], today["backorders"]) == numbers(now["position"])

    untold = await asked(seat, NOON)
    assert untold["position_as_known"] is None, "at that moment of 2017 nothing of it had reached this service"
    assert untold["late_total"] == 6


async def test_past_ends_in_the_present_whatever_the_order_of_arrival(seat: Seat) -> None:
    chance = random.Random(11)
    skus = ("A", "B", "C")
    await seat.send(*catalogue(*skus))
    moments = [at_hour(-hours / 7) for hours in range(1, 91)]
    chance.shuffle(moments)
    sent = 0
    for start in range(0, len(moments), 18):
        batch: list[Any] = []
        for moment in moments[start : start + 18]:
            sku, quantity = chance.choice(skus), chance.randint(1, 9)
            kinds = (sale(sku, quantity, moment), receipt(sku, 3 * quantity, moment), count(sku, 4 * quantity, moment))
            batch.append(chance.choice(kinds))
        await seat.send(*batch)
        sent += len(batch)
        await booked(seat, sent)  # one batch is booked before the next comes: counts arrive before and after each other
    for sku in skus:
        today = (await seat.call("GET", f"/positions/{sku}/L1")).json()
        found = await asked(seat, NOON, await clock(seat), sku)
        assert numbers(found["position"]) == (today["on_hand"], today["reserved"], today["backorders"])
        assert found["position"] == found["position_as_known"]
        assert found["late_total"] == 0


async def test_forecast_counts_from_when_it_came_and_other_tenants_see_nothing(seat: Seat) -> None:
    await seat.send(*catalogue("A"))
    await seat.send(receipt("A", 20, at_hour(-6)))
    await booked(seat, 1)
    before = await clock(seat)
    await seat.send(forecast("A"))

    async def has_come() -> bool:
        return bool(await seat.rows("select from policy.forecasts where sku = 'A'"))

    await until(has_come, "the forecast")
    assert (await asked(seat, before))["forecast"] is None
    assert (await asked(seat, await clock(seat)))["forecast"]["forecast_id"] == forecast("A").forecast_id
    query = f"at={await clock(seat):%Y-%m-%dT%H:%M:%SZ}"
    strange = (await seat.call("GET", f"/positions/A/L1/as-of?{query}", tenant="globex")).json()
    assert (strange["first_at"], strange["position"], strange["supply"]) == (None, None, [])
