"""A truck that is nearly full is filled by the running service, and the line says what that is beyond what was wanted."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.catalogue import ItemDefined, SupplierDefined
from services.policy.derive import rederive
from tests.integration.policy.seat import NOON, TENANT, Seat, until
from tests.integration.policy.test_planning import begin, finished, proposals

pytestmark = pytest.mark.integration


async def test_a_nearly_full_truck_is_filled_with_the_best_next_packs_once_and_shows_what_they_cost(seat: Seat) -> None:
    await begin(seat, "A", "B")
    first = (await seat.call("POST", "/runs", {})).json()
    await finished(seat, first["run_id"])
    said = await seat.read("recommendations.v1", lambda f: len(proposals(f)) >= 2, "both orders")
    wanted = sum(Decimal(one["quantity"]) for one in proposals(said))
    truck = wanted + 6  # a cubic metre each, and one pack's room is left
    later = {"tenant": TENANT, "defined_at": NOON + timedelta(hours=1), "currency": "USD"}
    await seat.send(
        *(ItemDefined(sku=sku, name=sku, price=Decimal(3), volume_m3=Decimal(1), **later) for sku in ("A", "B")),
        SupplierDefined(supplier="SUP", name="Supplier", truck_volume_m3=truck, **later),
    )

    async def known() -> bool:
        rows = await seat.rows(
            "select 1 from policy.products p, policy.suppliers s where p.volume_m3 = 1 and s.truck_volume_m3 = $1",
            truck,
        )
        return len(rows) == 2

    await until(known, "volumes and truck are known")
    await seat.call("POST", "/runs", {})
    run = await finished(seat, first["run_id"])
    assert run["proposed"] == 2

    def filled(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one for one in proposals(found) if one["evidence"].get("allotment", {}).get("resource") == "truck"]

    said = await seat.read("recommendations.v1", lambda f: bool(filled(f)), "the truck is filled")
    newest = {one["sku"]: one for one in proposals(said)}
    assert sum(Decimal(one["quantity"]) for one in newest.values()) == truck
    for one in filled(said):
        assert Decimal(one["excess_from_rounding"]) > 0 and Decimal(one["excess_cost"]) > 0
        assert rederive({name: value for name, value in one.items() if name != "type"})[0]
    await seat.call("POST", "/runs", {})
    assert (await finished(seat, first["run_id"]))["published"] == 0
