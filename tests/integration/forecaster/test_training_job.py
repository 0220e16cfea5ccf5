"""A model is trained beside the consuming, promoted, and speaks; the API shows all of it to its tenant only."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from kit.identity import Mint, Principal, ensure_keys
from schemas.forecasts import ForecastIssued, ModelPromoted
from tests.ground import FreshDatabase, Ground
from tests.integration.forecaster.stage import TENANT, Stage, days, sale, staged

pytestmark = pytest.mark.integration
FIRST = date(2024, 1, 1)


@pytest.fixture
async def stage(platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(platform, namespace, database, tmp_path) as one:
        yield one


async def call(
    stage: Stage, method: str, path: str, *, tenant: str = TENANT, role: str = "planner", **more: Any
) -> Any:
    """Ask the service as the gateway would."""
    private, _ = ensure_keys(stage.home)
    token = Mint(private).token(Principal(tenant, "ann", frozenset({role})), "forecaster")
    headers = {"authorization": f"Bearer {token}"} | more.pop("headers", {})
    url = f"http://127.0.0.1:{stage.port}{path}"
    return await asyncio.to_thread(httpx2.request, method, url, headers=headers, timeout=30, **more)


async def feed(stage: Stage, items: int, number_of_days: int) -> None:
    """Poisson demand of some items over some days, one sale a day at most, and the close of the last day."""
    dice = np.random.default_rng(3)
    skus = [f"s{number}" for number in range(items)]
    await stage.define(skus, ["L1"])
    calendar = days(FIRST, number_of_days)
    for number, sku in enumerate(skus):
        units = dice.poisson(0.3 + number / 10, number_of_days).tolist()
        await stage.send([sale(sku, "L1", day, count) for day, count in zip(calendar, units, strict=True) if count])
    await stage.close_day("L1", calendar[-1])


async def test_a_trained_model_takes_over_from_the_baseline_and_answers_the_api(stage: Stage) -> None:
    await feed(stage, 30, 140)
    await stage.start()
    await stage.until("select count(*) from forecasts", lambda known: known == 30)
    await stage.until("select count(*) from models where state = 'champion'", lambda known: known == 1)
    await stage.until("select count(*) from forecasts where strategy = 'lightgbm_tweedie'", lambda known: known == 30)
    told = await stage.read("forecasts.v1", 1, lambda record: b"model.promoted" in dict(record.headers)["ce_type"])
    promoted = ModelPromoted.model_validate_json(told[0].value)
    answer = (await call(stage, "GET", "/forecast/s29/L1")).text
    forecast = ForecastIssued.model_validate_json(answer)
    assert forecast.model_id == promoted.model_id and forecast.flags == ()
    assert sum(forecast.demand.mean_e4[:28]) / 10_000 == pytest.approx(3.2 * 28, rel=0.25)
    history = (await call(stage, "GET", "/history/s29/L1")).json()
    assert len(history["days"]) >= 139 and history["closed_on"] == promoted.window_to.isoformat()
    models = (await call(stage, "GET", "/models")).json()["models"]
    assert [one["artefact_sha256"] for one in models] == [promoted.artefact_sha256]
    status = (await call(stage, "GET", "/status")).json()
    assert status["items"] == 30 and status["due"] == 0 and status["last_job"]["state"] == "done"
    assert (await call(stage, "GET", "/forecast/s29/L1", tenant="other")).status_code == 404
    assert (await call(stage, "GET", "/models", tenant="other")).json() == {"models": []}


async def test_a_training_is_asked_for_once_however_often_and_says_why_it_cannot(stage: Stage) -> None:
    await feed(stage, 3, 30)
    await stage.start()
    await stage.until("select count(*) from forecasts", lambda known: known == 3)
    key = {"idempotency-key": "monday"}
    first, again = [await call(stage, "POST", "/train", json={}, headers=key) for _ in range(2)]
    assert first.status_code == 202 and again.status_code == 200
    assert first.json()["job_id"] == again.json()["job_id"]
    await stage.until("select state from train_jobs", lambda state: state == "failed")
    shown = (await call(stage, "GET", f"/train/{first.json()['job_id']}")).json()
    assert shown["error"].endswith("training needs 120")
    assert (await call(stage, "POST", "/train", role="auditor", json={})).status_code == 403
