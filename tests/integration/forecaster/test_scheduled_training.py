"""Models grow old: the service trains them again by itself, and no item is without a forecast meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.ground import FreshDatabase, Ground
from tests.integration.forecaster.stage import PATIENCE_SECONDS, Stage, days, sale, staged
from tests.integration.forecaster.test_training_job import FIRST, call, feed

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(360)]
ITEMS, KNOWN_DAYS = 30, 140


@pytest.fixture
async def stage(platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(platform, namespace, database, tmp_path) as one:
        yield one


async def test_a_model_is_trained_again_after_so_many_closed_days_and_every_item_has_a_forecast_all_the_while(
    stage: Stage,
) -> None:
    stage.extra["COUNTERSIGN_RETRAIN_AFTER_DAYS"] = "2"
    await feed(stage, ITEMS, KNOWN_DAYS)
    await stage.start()
    spoken = "select count(*) from forecasts where strategy = 'lightgbm_tweedie'"
    await stage.until(spoken, lambda known: known == ITEMS)
    for day in days(FIRST + timedelta(days=KNOWN_DAYS), 2):
        await stage.send([sale(f"s{number}", "L1", day) for number in range(ITEMS)])
        await stage.close_day("L1", day)
    done = "select count(*) from train_jobs where requested_by = 'schedule' and state = 'done'"
    said = set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await stage.query(done))[0][0] < 2:
            said.add((await stage.query(spoken))[0][0])
            await asyncio.sleep(0.1)
    assert said == {ITEMS}
    told = (await call(stage, "GET", "/promotions")).json()["items"]
    assert len({one["model_id"] for one in told}) == 2 and all(one["reason"] for one in told)
