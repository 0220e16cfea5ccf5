"""Each closed day scores what was forecast for it; overrides survive re-forecasting and are measured afterwards."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.forecasts import ForecastIssued, ForecastIssuedV2, ForecastOverrideSet, ForecastOverrideWithdrawn
from tests.ground import FreshDatabase, Ground
from tests.integration.forecaster.stage import PATIENCE_SECONDS, Stage, days, sale, staged
from tests.integration.forecaster.test_training_job import call

pytestmark = pytest.mark.integration
FIRST = date(2024, 1, 1)
KNOWN = 35


@pytest.fixture
async def stage(platform: Ground, namespace: str, database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(platform, namespace, database, tmp_path) as one:
        yield one


async def one_more_day(stage: Stage, day: date, units: int) -> None:
    """A day of sales and its close, awaited until every item is forecast from it."""
    await stage.send([sale(sku, "L1", day, units) for sku in ("a", "b")])
    await stage.close_day("L1", day)
    await stage.until("select count(*) from forecasts where origin = $1", lambda known: known == 2, day)


async def test_closed_days_are_scored_as_published_and_an_override_is_kept_measured_and_taken_back(
    stage: Stage,
) -> None:
    await stage.define(["a", "b"], ["L1"])
    calendar = days(FIRST, KNOWN)
    await stage.send([sale(sku, "L1", day, 4) for sku in ("a", "b") for day in calendar])
    await stage.close_day("L1", calendar[-1])
    await stage.start()
    await stage.until("select count(*) from forecasts", lambda known: known == 2)
    await stage.until("select count(*) from promises", lambda known: known == 8)
    # A person knows that a wedding comes: ten units a day more of a, for a week.
    first_day = calendar[-1] + timedelta(days=1)
    wanted = {
        "kind": "add", "sku": "a", "location": "L1", "from_on": first_day.isoformat(),
        "to_on": (first_day + timedelta(days=6)).isoformat(), "units": "70", "reason": "customer_order",
    }  # fmt: skip
    key = {"idempotency-key": "wedding"}
    made = await call(stage, "POST", "/overrides", json=wanted, headers=key)
    assert made.status_code == 201, made.text
    again = await call(stage, "POST", "/overrides", json=wanted, headers=key)
    assert again.status_code == 200 and again.json()["override_id"] == made.json()["override_id"]
    changed = "select count(*) from forecasts where sku = 'a' and body like '%overridden%'"
    await stage.until(changed, lambda known: known == 1)
    forecast = ForecastIssued.model_validate_json((await call(stage, "GET", "/forecast/a/L1")).text)
    assert sum(forecast.demand.mean_e4[:7]) / 10_000 == pytest.approx(4 * 7 + 70, rel=0.02)
    other = ForecastIssued.model_validate_json((await call(stage, "GET", "/forecast/b/L1")).text)
    assert other.override_ids == () and sum(other.demand.mean_e4[:7]) / 10_000 == pytest.approx(28, rel=0.02)
    # The wedding does come: 14 units a day. The override is kept through every new forecast.
    for number in range(7):
        day = first_day + timedelta(days=number)
        await stage.send([sale("a", "L1", day, 10)])
        await one_more_day(stage, day, 4)
    await stage.until("select coalesce(sum(windows), 0) from scores where horizon_days = 1", lambda known: known == 14)
    published = [
        ForecastIssuedV2.model_validate_json(record.value)
        for record in await stage.read("forecasts.v1", 16, lambda record: is_type(record, ForecastIssuedV2.TYPE))
    ]
    last_word = {(one.sku, one.origin): one for one in published}
    expected_error = sum(
        abs(sold - one.demand.mean_e4[0] / 10_000)
        for (sku, origin), one in last_word.items()
        if origin < first_day + timedelta(days=6)
        for sold in [14 if sku == "a" else 4]
    )
    told = (await call(stage, "GET", "/accuracy?horizon_days=1&group_by=item")).json()["rows"]
    assert {row["name"] for row in told} == {"a@L1", "b@L1"}
    total = (await call(stage, "GET", "/accuracy?horizon_days=1")).json()["rows"][0]
    assert total["windows"] == 14 and float(total["actual"]) == 7 * 18
    assert total["total_error"] == pytest.approx(expected_error / (7 * 18), abs=1e-3)
    shown = (await call(stage, "GET", f"/overrides/{made.json()['override_id']}")).json()
    assert shown["state"] == "over" and shown["value"]["windows"] == 7
    assert shown["value"]["added"] > 0.8  # without it, each of seven days would have been ten units wrong
    assert total["people_added"] > 0.5
    await measured(stage, "countersign_forecast_total_error_ratio", total["total_error"])
    horizons = (await call(stage, "GET", "/accuracy?group_by=horizon")).json()["rows"]
    assert {row["name"] for row in horizons} == {"1", "7"}
    assert (await call(stage, "GET", "/accuracy", tenant="other")).json()["rows"] == []
    late = await call(stage, "POST", "/overrides", json=wanted, headers={"idempotency-key": "late"})
    assert late.status_code == 422 and late.json()["code"] == "period_over"


async def test_an_override_taken_back_leaves_the_models_own_forecast_and_both_are_events(stage: Stage) -> None:
    await stage.define(["a", "b"], ["L1"])
    calendar = days(FIRST, KNOWN)
    await stage.send([sale(sku, "L1", day, 4) for sku in ("a", "b") for day in calendar])
    await stage.close_day("L1", calendar[-1])
    await stage.start()
    await stage.until("select count(*) from forecasts", lambda known: known == 2)
    before = (await call(stage, "GET", "/forecast/a/L1")).json()["demand"]
    wanted = {
        "kind": "replace", "category": "food", "from_on": (calendar[-1] + timedelta(days=1)).isoformat(),
        "to_on": (calendar[-1] + timedelta(days=14)).isoformat(), "units": "0", "reason": "shop_closed",
    }  # fmt: skip
    made = (await call(stage, "POST", "/overrides", json=wanted, headers={"idempotency-key": "k"})).json()
    both = "select count(*) from forecasts where body like '%overridden%'"
    await stage.until(both, lambda known: known == 2)
    lowered = ForecastIssued.model_validate_json((await call(stage, "GET", "/forecast/a/L1")).text)
    assert sum(lowered.demand.mean_e4[:14]) == 0 and lowered.demand.mean_e4[14] > 0
    path = f"/overrides/{made['override_id']}/withdrawal"
    assert (await call(stage, "POST", path, role="auditor")).status_code == 403
    for _ in range(2):
        assert (await call(stage, "POST", path)).json()["state"] == "withdrawn"
    await stage.until(both, lambda known: known == 0)
    assert (await call(stage, "GET", "/forecast/a/L1")).json()["demand"] == before
    told = await stage.read("forecasts.v1", 2, lambda record: b"forecast-override" in dict(record.headers)["ce_type"])
    ForecastOverrideSet.model_validate_json(told[0].value)
    assert ForecastOverrideWithdrawn.model_validate_json(told[1].value).withdrawn_by == "ann"
    nobody = wanted | {"category": "no such thing"}
    refused = await call(stage, "POST", "/overrides", json=nobody, headers={"idempotency-key": "n"})
    assert refused.status_code == 422 and refused.json()["code"] == "scope_empty"


async def measured(stage: Stage, name: str, value: float) -> None:
    """Waits until the metric of one-day totals says what the ledger says: it is set after every round of scoring."""
    wanted = f'{name}{{horizon_days="1"}} '
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            lines = (await call(stage, "GET", "/metrics")).text.splitlines()
            said = [float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted)]
            if said == [pytest.approx(value, abs=1e-3)]:
                return
            await asyncio.sleep(0.2)


def is_type(record: Any, kind: str) -> bool:
    return bool(dict(record.headers)["ce_type"] == kind.encode())
