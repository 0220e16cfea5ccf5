"""A night's batch of a thousand items: from the close to the published forecasts, in the service's processor seconds."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import asyncpg
import numpy as np
import psutil
import pytest

from schemas.forecasts import ForecastIssuedV2
from tests.ground import FreshDatabase, Ground
from tests.integration.forecaster.stage import TENANT, Stage, days, staged

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(420)]
FIRST = date(2023, 1, 2)
ITEMS, DAYS = 1_000, 200
CPU_SECONDS_MAX = 3.0


@pytest.fixture
async def stage(platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(platform, namespace, database, tmp_path) as one:
        yield one


async def booked(stage: Stage) -> None:
    """Two hundred days of a thousand items, as if their sales had been read and their days closed."""
    generator = np.random.default_rng(1)
    demand = generator.poisson(np.exp(generator.uniform(np.log(0.05), np.log(5.0), ITEMS))[:, None], (ITEMS, DAYS))
    calendar = days(FIRST, DAYS)
    row, column = np.nonzero(demand)
    connection = await asyncpg.connect(stage.database.admin_url)
    try:
        await connection.execute("set search_path to forecaster")
        await connection.execute("insert into tenants (tenant) values ($1) on conflict do nothing", TENANT)
        skus = [f"s{number:04}" for number in range(ITEMS)]
        await connection.copy_records_to_table(
            "items", records=[(TENANT, sku, "L1", 0, FIRST) for sku in skus],
            columns=["tenant", "sku", "location", "partition", "first_on"],
        )  # fmt: skip
        cells = zip(row.tolist(), column.tolist(), demand[row, column].tolist(), strict=True)
        await connection.copy_records_to_table(
            "daily_demand", records=[(TENANT, skus[item], "L1", calendar[day], units) for item, day, units in cells],
            columns=["tenant", "sku", "location", "business_date", "quantity"],
        )  # fmt: skip
        await connection.execute(
            "insert into closed_days (tenant, location, partition, business_date, closed_at)"
            " select $1, 'L1', p, $2, now() from generate_series(0, 3) p",
            TENANT,
            calendar[-1],
        )
    finally:
        await connection.close()


async def test_a_thousand_items_are_forecast_within_three_processor_seconds_of_their_close(stage: Stage) -> None:
    await stage.define([], ["L1"])
    await stage.start()
    await stage.until("select count(*) from pg_tables where schemaname = 'forecaster' and tablename = 'strategy_pins'",
                      lambda known: known == 1)  # fmt: skip
    await booked(stage)
    await stage.until("select count(*) from models where state = 'champion'", lambda known: known == 1)
    await stage.until("select count(*) from forecasts where strategy = 'lightgbm_tweedie'", lambda known: known > 900)
    await stage.until("select count(*) from due_closings", lambda waiting: waiting == 0)
    assert stage.process is not None
    service = psutil.Process(stage.process.pid)
    before = service.cpu_times()
    night = FIRST + timedelta(days=DAYS)
    await stage.close_day("L1", night)
    await stage.until("select count(*) from forecasts where origin = $1", lambda known: known == ITEMS, night)
    after = service.cpu_times()
    spent = after.user + after.system - before.user - before.system
    print(f"{spent:.2f} processor seconds for {ITEMS} items")
    assert spent < CPU_SECONDS_MAX
    told = await stage.read("forecasts.v1", ITEMS, lambda record: night.isoformat().encode() in record.value)
    print(f"{np.mean([len(record.value) for record in told]):.0f} bytes an event")
    assert max(len(record.value) for record in told) < 1_000
    assert len({ForecastIssuedV2.model_validate_json(record.value).sku for record in told}) == ITEMS
