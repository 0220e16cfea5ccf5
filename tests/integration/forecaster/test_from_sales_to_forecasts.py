"""Sales in, days closed, forecasts out; repeats, late events, unknown codes and kill -9, on real Kafka and Postgres."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import httpx2
import orjson
import pytest

from kit.identity import Mint, Principal, ensure_keys
from schemas.demand import BusinessDayClosed, ReturnRecorded, SaleVoided
from schemas.forecasts import ForecastIssuedV2
from tests.ground import FreshDatabase, Ground
from tests.integration.forecaster.stage import TENANT, Stage, count, days, evening, sale, staged

pytestmark = pytest.mark.integration
DAY = date(2024, 3, 4)
UNITS = "select coalesce(sum(quantity), 0)::text from daily_demand"


@pytest.fixture
async def stage(platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(platform, namespace, database, tmp_path) as one:
        yield one


async def forecasts(stage: Stage, number: int) -> list[ForecastIssuedV2]:
    """The first `number` forecasts on the topic."""
    issued = await stage.read(
        "forecasts.v1", number, lambda record: b"forecast.issued" in dict(record.headers)["ce_type"]
    )
    return [ForecastIssuedV2.model_validate_json(record.value) for record in issued]


async def test_a_closed_day_brings_a_forecast_of_every_item_with_its_reason(stage: Stage) -> None:
    await stage.define(["milk", "bread"], ["L1"])
    for day in days(date(2024, 1, 1), 60):
        await stage.send(
            [
                sale("milk", "L1", day, 4),
                sale("milk", "L1", day, 2),
                *([sale("bread", "L1", day)] if day.day % 3 == 0 else []),
            ]
        )
    await stage.send([count("idle", "L1", DAY, 5)])
    await stage.close_day("L1", date(2024, 2, 29))
    await stage.start()
    issued = {one.sku: one for one in await forecasts(stage, 2)}
    assert set(issued) == {"milk", "bread"}
    milk = issued["milk"]
    assert milk.origin == date(2024, 2, 29)
    assert milk.strategy == "seasonal_mean" and "no_trained_model" in milk.flags
    assert 5.0 < sum(milk.demand.mean_e4[:7]) / 7 / 10_000 < 7.0
    assert milk.recent_demand == Decimal(6 * 28)
    assert await stage.query("select count(*) from parked_events") == [(1,)]


async def test_a_sale_sent_twice_counts_once_and_a_void_takes_it_back(stage: Stage) -> None:
    await stage.define(["milk"], ["L1"])
    await stage.start()
    twice = (sale("milk", "L1", DAY, 3), "sale-1")
    void = SaleVoided(
        tenant=TENANT,
        sku="milk",
        location="L1",
        sale_event_id="sale-2",
        quantity=Decimal(5),
        business_date=DAY,
        voided_at=evening(DAY),
    )
    back = ReturnRecorded(
        tenant=TENANT, sku="milk", location="L1", quantity=Decimal(1), business_date=DAY, returned_at=evening(DAY)
    )
    # The void comes before the sale it voids.
    await stage.send([twice, twice, void, (sale("milk", "L1", DAY, 5), "sale-2"), back, twice])
    await stage.until("select returned::int from daily_demand", lambda units: units == 1)
    assert await stage.query("select quantity::int, revision from daily_demand") == [(3, 0)]


async def test_a_late_sale_corrects_its_day_and_forecasts_that_item_only(stage: Stage) -> None:
    await stage.define(["milk", "bread"], ["L1"])
    for day in days(date(2024, 2, 1), 30):
        await stage.send([sale("milk", "L1", day, 2), sale("bread", "L1", day)])
    await stage.close_day("L1", date(2024, 3, 1))
    await stage.start()
    first = await forecasts(stage, 2)
    await stage.until("select count(*) from due_closings", lambda waiting: waiting == 0)
    late = date(2024, 2, 20)
    await stage.send([(sale("milk", "L1", late, 40), "late-1"), (sale("milk", "L1", late, 40), "late-1")])
    issued = await forecasts(stage, 3)
    corrected = (
        issued[-1]
        if issued[-1].sku == "milk" and "late_correction" in issued[-1].flags
        else next(one for one in issued if "late_correction" in one.flags)
    )
    assert corrected.sku == "milk" and corrected.revision == 1 and corrected.origin == date(2024, 3, 1)
    before = next(one for one in first if one.sku == "milk")
    assert corrected.forecast_id != before.forecast_id
    assert corrected.recent_demand == (before.recent_demand or 0) + 40
    assert await stage.query(
        "select quantity::int, revision from daily_demand where sku = 'milk' and business_date = $1", late
    ) == [(42, 1)]


async def test_an_unknown_code_waits_for_the_catalogue_in_order_and_is_then_booked(stage: Stage) -> None:
    await stage.define(["milk"], ["L1"])
    await stage.start()
    await stage.send(
        [sale("mystery", "L1", DAY, 2), sale("milk", "L1", DAY), sale("mystery", "L1", DAY, 3), sale("milk", "L9", DAY)]
    )
    await stage.until("select count(*) from parked_events", lambda parked: parked == 3)
    assert await stage.query("select sku, quantity::int from daily_demand") == [("milk", 1)]
    await stage.define(["mystery"], [])
    await stage.until("select quantity::int from daily_demand where sku = 'mystery'", lambda units: units == 5)
    assert await stage.query("select record_key from parked_events") == [(f"{TENANT}/milk/L9",)]


async def test_sums_are_exact_after_kill_9_in_the_middle_of_repeats_and_disorder(stage: Stage) -> None:
    dice = random.Random(5)
    skus = [f"s{number}" for number in range(40)]
    await stage.define(skus, ["L1"])
    expected: dict[tuple[str, date], int] = defaultdict(int)
    events = []
    for number in range(6_000):
        sku, day, units = dice.choice(skus), dice.choice(days(date(2024, 1, 1), 40)), dice.randint(1, 5)
        expected[(sku, day)] += units
        events.append((sale(sku, "L1", day, units), f"e{number}"))
    events += dice.sample(events, 1_500)
    dice.shuffle(events)
    await stage.start()
    await stage.send(events[:2_500])
    await stage.until(UNITS, lambda units: Decimal(units) > 0)
    for part in (events[2_500:5_000], events[5_000:]):
        await stage.kill()
        await asyncio.gather(stage.send(part), stage.start())
    total = sum(expected.values())
    await stage.until(UNITS, lambda units: Decimal(units) >= total)
    rows = await stage.query("select sku, business_date, quantity::int from daily_demand")
    assert {(sku, day): units for sku, day, units in rows} == dict(expected)


async def test_unreadable_and_impossible_events_become_dead_letters_and_stall_nothing(stage: Stage) -> None:
    await stage.define(["milk"], ["L1"])
    await stage.start()
    name = f"{stage.namespace}.sales.v1"
    await stage.producer.send_and_wait(
        name, b"not json", key=b"acme/milk/L1", headers=[("ce_type", b"sale.recorded.v1")]
    )
    too_early = BusinessDayClosed(tenant=TENANT, location="L1", business_date=date(2099, 1, 1), closed_at=evening(DAY))
    await stage.send([too_early, sale("milk", "L1", DAY, 7)])
    await stage.until(UNITS, lambda units: Decimal(units) == 7)
    dead = await stage.read("sales.v1.dead", 2)
    assert {record.value for record in dead} == {b"not json", too_early.model_dump_json(exclude_none=True).encode()}
    assert await stage.query("select revision from daily_demand") == [(0,)]


async def test_stock_out_days_are_masked_and_shown(stage: Stage) -> None:
    await stage.define(["milk"], ["L1"])
    first = date(2024, 1, 1)
    # 20 on the shelf, 4 sold a day: gone at the end of the fifth day, nothing sold for ten days, then refilled.
    await stage.send([count("milk", "L1", first, 20), count("milk", "L1", date(2024, 1, 16), 400)])
    await stage.send([sale("milk", "L1", day, 4) for day in (*days(first, 5), *days(date(2024, 1, 16), 30))])
    await stage.close_day("L1", date(2024, 2, 14))
    await stage.start()
    await stage.until("select count(*) from daily_demand where censored", lambda hidden: hidden == 11)
    issued = (await forecasts(stage, 1))[-1]
    assert "stock_out_days_masked" in issued.flags
    assert sum(issued.demand.mean_e4[:28]) / 10_000 == pytest.approx(4 * 28, rel=0.05)
    body = orjson.loads((await stage.query("select body from forecasts"))[0][0])
    assert body["forecast_id"] == issued.forecast_id


async def test_a_new_items_forecast_names_the_like_items_it_was_borrowed_from(stage: Stage) -> None:
    await stage.define(["milk", "bread", "oats"], ["L1"])
    history = days(date(2024, 1, 1), 100)
    await stage.send([sale("milk", "L1", day, 9) for day in history])
    await stage.send([sale("bread", "L1", day, 3) for day in history])
    await stage.send([sale("oats", "L1", day, 1) for day in history[-2:]])
    await stage.close_day("L1", history[-1])
    await stage.start()
    issued = {one.sku: one for one in await forecasts(stage, 3)}
    assert "new_item" in issued["oats"].flags
    private, _ = ensure_keys(stage.home)
    token = Mint(private).token(Principal(TENANT, "ann", frozenset({"planner"})), "forecaster")
    told = {}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{stage.port}") as client:
        for sku in issued:
            answer = await client.get(f"/history/{sku}/L1", headers={"authorization": f"Bearer {token}"})
            told[sku] = answer.json()["likeness"]
    assert told["milk"] is None and told["bread"] is None  # a quarter of their own speaks for them
    oats = told["oats"]
    assert (oats["category"], oats["price_third"], oats["items"], oats["known_days"]) == ("food", None, 2, 2)
    assert [(one["sku"], Decimal(one["per_day"])) for one in oats["examples"]] == [
        ("milk", Decimal(9)),
        ("bread", Decimal(3)),
    ]
    # Two weeks of theirs beside two days of its own, which count in both windows.
    assert Decimal(oats["share"]) == pytest.approx(Decimal(14) / 18, abs=Decimal("0.0001"))
    borrowed = Decimal(oats["share"]) * Decimal(oats["per_day"]) + (1 - Decimal(oats["share"]))
    assert sum(issued["oats"].demand.mean_e4[:7]) / 70_000 == pytest.approx(float(borrowed), rel=0.35)
