"""Signals are listed with what they did to open lines, and the plan without one is the plan that had never heard of it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.signals import Scope, SignalObserved
from tests.integration.policy.seat import DAY, NOON, TENANT, Seat, forecast, until
from tests.integration.policy.test_governing import planned, quantities
from tests.integration.policy.test_planning import begin, proposals

pytestmark = pytest.mark.integration


def told(signal_id: str, *, sku: str | None, starts: datetime, days: int, advisory: bool = False) -> SignalObserved:
    return SignalObserved(
        tenant=TENANT,
        signal_id=signal_id,
        kind="promotion",
        scope=Scope(sku=sku, location="L1"),
        strength=3.0,
        probability=Decimal("0.8"),
        starts_at=starts,
        ends_at=starts + timedelta(days=days),
        advisory=advisory,
    )


async def test_closed_doors_that_the_forecast_knows_ask_nobody_and_others_do(seat: Seat) -> None:
    await begin(seat, "A", "B")
    await seat.send(
        forecast("A", daily=2.5, flags=("knows_closing",)),
        SignalObserved(
            tenant=TENANT, signal_id="shut", kind="holiday_peak", scope=Scope(location="L1"), strength=0.0,
            probability=Decimal(1), starts_at=NOON + timedelta(days=20), ends_at=NOON + timedelta(days=21), advisory=False,
        ),
    )  # fmt: skip
    await seat.send(forecast("B", daily=2.5))
    await planned(seat)

    def asks(said: list[dict[str, Any]]) -> dict[str, bool]:
        return {one["sku"]: "scenario_active" in one["route_reasons"] for one in proposals(said)}

    await seat.read(
        "recommendations.v1", lambda said: asks(said) == {"A": False, "B": True}, "only B waits because of it"
    )


async def test_a_signal_shows_what_it_changed_and_the_plan_without_it(seat: Seat) -> None:
    await begin(seat, "A", "B")
    await planned(seat)
    before = quantities(await seat.read("recommendations.v1", lambda found: len(quantities(found)) == 2, "two lines"))
    await seat.send(
        told("promo.1", sku="A", starts=NOON + timedelta(days=1), days=6),
        told("later", sku="B", starts=NOON + timedelta(days=30), days=6),
        told("gone", sku="B", starts=NOON - timedelta(days=10), days=10),
        told("seen", sku="A", starts=NOON, days=6, advisory=True),
    )

    async def moved() -> list[dict[str, object]]:
        signals = (await seat.call("GET", "/scenarios")).json()["signals"]
        return [one for one in signals if one["signal_id"] == "promo.1" and one["lines_changed"] == 1]

    (promo,) = await until(moved, "the promotion has moved a line")
    document = (await seat.call("GET", "/scenarios")).json()
    assert document["business_date"] == DAY.isoformat()
    states = {one["signal_id"]: (one["state"], one["advisory"]) for one in document["signals"]}
    assert states == {
        "promo.1": ("coming", False),
        "later": ("coming", False),
        "gone": ("over", False),
        "seen": ("active", True),
    }
    (line,) = (await seat.call("GET", "/scenarios/promo.1/lines")).json()["items"]
    assert (line["sku"], Decimal(line["quantity_without"])) == ("A", before["A"])
    added = Decimal(line["quantity"]) - before["A"]
    assert added > 0
    assert (Decimal(promo["units_added"]), Decimal(promo["value_added"])) == (added, added * Decimal("2.00"))

    effect = (await seat.call("POST", "/scenarios/promo.1/without")).json()
    assert (effect["items"], effect["known_items"], effect["less"], effect["more"]) == (1, 1, 1, 0)
    (changed,) = effect["changed"]
    assert Decimal(changed["before"]["quantity"]) == Decimal(line["quantity"])
    assert Decimal(changed["after"]["quantity"]) == before["A"]
    asked = {"sku": "A", "location": "L1", "without_signal": "promo.1"}
    assert Decimal((await seat.call("POST", "/what-if", asked)).json()["quantity"]) == before["A"]
    unknown = await seat.call("POST", "/scenarios/nobody/without")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "signal_not_found")
    assert (await seat.call("GET", "/scenarios", tenant="globex")).json()["signals"] == []
