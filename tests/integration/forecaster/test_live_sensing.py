"""Faust senses a spike within seconds of the sale that makes it, and comes back when it is killed."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import psutil
import pytest

from schemas.signals import SignalObserved
from tests.ground import FreshDatabase, Ground
from tests.integration.forecaster.stage import Stage, days, sale, staged

pytestmark = pytest.mark.integration


@pytest.fixture
async def stage(platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(platform, namespace, database, tmp_path, sensing=True) as one:
        yield one


def sensing_child(stage: Stage) -> psutil.Process | None:
    """The sensing process of this stage's forecaster."""
    assert stage.process is not None
    children = psutil.Process(stage.process.pid).children()
    return next((child for child in children if "services.forecaster.sensing" in child.cmdline()), None)


@pytest.mark.timeout(300)  # it waits for two starts of Faust
async def test_a_spike_becomes_an_advisory_signal_and_a_killed_sensor_returns(stage: Stage) -> None:
    await stage.define(["milk"], ["L1"])
    history = days(date(2024, 1, 1), 40)
    await stage.send([sale("milk", "L1", day, 2) for day in history])
    await stage.close_day("L1", history[-1])
    await stage.start()
    await stage.until("select count(*) from forecasts", lambda known: known == 1)
    today = date(2024, 2, 10)
    # The child reads what is usual when it starts; sales keep coming until it has and says so.
    first = await stage.nagging([sale("milk", "L1", today, 30)], "signals.v1", 1)
    signal_ = SignalObserved.model_validate_json(first[0].value)
    assert (signal_.kind, signal_.scope.sku, signal_.scope.location) == ("demand_spike", "milk", "L1")
    assert signal_.advisory and signal_.strength >= 10 and signal_.starts_at.date() == today
    child = sensing_child(stage)
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    later = await stage.nagging([sale("milk", "L1", date(2024, 2, 11), 30)], "signals.v1", 1, after=today)
    assert SignalObserved.model_validate_json(later[-1].value).starts_at.date() == date(2024, 2, 11)
    assert sensing_child(stage) is not None
    async with asyncio.timeout(30):
        while (await stage.ready())["checks"]["sensing"]["detail"]["handled"] < 1:
            await stage.send([sale("milk", "L1", date(2024, 2, 11))])
            await asyncio.sleep(0.2)


@pytest.mark.timeout(300)  # two starts of the service and of Faust
async def test_a_spike_is_told_within_two_seconds_and_what_was_sold_while_sensing_was_away_is_not_skipped(
    stage: Stage,
) -> None:
    """Killed, the forecaster comes back; the sale that made the spike came while nobody was listening."""
    await stage.define(["milk", "bread"], ["L1"])
    history = days(date(2024, 1, 1), 40)
    await stage.send([sale(sku, "L1", day, 2) for sku in ("milk", "bread") for day in history])
    await stage.close_day("L1", history[-1])
    await stage.start()
    await stage.until("select count(*) from forecasts", lambda known: known == 2)
    today = date(2024, 2, 10)
    await stage.nagging([sale("milk", "L1", today, 30)], "signals.v1", 1)  # it has learned what is usual
    sold_at = time.time()
    await stage.send([sale("bread", "L1", today, 30)])
    (told,) = await stage.read("signals.v1", 1, lambda record: b"bread" in record.value)
    # Two seconds is the promise; a machine with work queued for many times its cores is no measure of it.
    is_calm = os.getloadavg()[0] < 2 * (os.cpu_count() or 1)
    assert told.timestamp / 1000 - sold_at < (2.0 if is_calm else 30.0)
    await stage.kill()
    child = next(
        (one for one in psutil.process_iter(["cmdline"]) if is_sensing_of(one, stage)), None
    )  # the orphan of a killed forecaster, if it has not noticed yet
    if child is not None:
        child.kill()
    tomorrow = date(2024, 2, 11)
    await stage.send([sale("bread", "L1", tomorrow, 40)])
    await stage.start()
    (told,) = await stage.read("signals.v1", 1, lambda record: b"2024-02-11" in record.value)
    assert SignalObserved.model_validate_json(told.value).scope.sku == "bread"


def is_sensing_of(process: psutil.Process, stage: Stage) -> bool:
    """Whether this is the sensing child of this stage's forecaster, by the namespace in its environment."""
    try:
        mine = process.environ().get("COUNTERSIGN_NAMESPACE") == stage.namespace
        return mine and "services.forecaster.sensing" in process.cmdline()
    except (psutil.Error, OSError):
        return False
