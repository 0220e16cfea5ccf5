"""A model is trained beside the consuming, promoted, and speaks; the API shows all of it to its tenant only."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from kit.database import Database
from kit.identity import Mint, Principal, ensure_keys
from schemas.forecasts import ForecastIssued, ForecastIssuedV2, ModelPromoted, StrategyPinSet, StrategyPinWithdrawn
from schemas.recommendations import ExceptionRaised
from schemas.signals import Scope, SignalKind, SignalObserved
from services.forecaster.domain import price_bands
from services.forecaster.domain.calendars import Place
from services.forecaster.model.extras import is_installed
from services.forecaster.store import history
from tests.ground import FreshDatabase, Ground
from tests.integration.forecaster.bucket import ObjectStore, object_store
from tests.integration.forecaster.stage import PATIENCE_SECONDS, TENANT, Stage, days, sale, staged

pytestmark = pytest.mark.integration
FIRST = date(2024, 1, 1)
ENGLAND = {"country": "GB", "region": "ENG"}
SPRING_BANK_HOLIDAY = date(2024, 5, 27)


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


async def feed(stage: Stage, items: int, number_of_days: int, *, promoted: bool = False) -> None:
    """Poisson demand of some items over some days, one sale a day at most, and the close of the last day. `promoted`:
    every other week the even items are promoted, which was told at the beginning, and sell three times as much; the
    location is in England, on whose public holidays everything sells four times as much."""
    dice = np.random.default_rng(3)
    skus = [f"s{number}" for number in range(items)]
    prices = {sku: Decimal(1 + number) for number, sku in enumerate(skus[1:])} if promoted else None
    await stage.define(skus, ["L1"], prices, **(ENGLAND if promoted else {}))
    calendar = days(FIRST, number_of_days)
    off = Place(**ENGLAND).holidays(calendar[0], calendar[-1]) if promoted else ()
    for number, sku in enumerate(skus):
        rate = np.where([day in off for day in calendar], 4.0, 1.0) * (0.3 + number / 10)
        for start in range(0, number_of_days, 14) if promoted and number % 2 == 0 else ():
            rate[start : start + 7] *= 3
            await stage.send([promotion(calendar[0] + timedelta(days=start), sku=sku)])
        units = dice.poisson(rate).tolist()
        await stage.send([sale(sku, "L1", day, count) for day, count in zip(calendar, units, strict=True) if count])
    await stage.close_day("L1", calendar[-1])


async def read_in_portions(stage: Stage) -> None:
    """The frame of the stage's tenant, with the prices of its catalogue, is the same however few of its items are read at
    once."""
    database = await Database.open(stage.database.url("forecaster"), "forecaster", pool_max=1)
    try:
        async with database.transaction(TENANT) as tx:
            whole = await history.frame(tx, TENANT, history_days=756)
            parts = await history.frame(tx, TENANT, history_days=756, portion=7)
    finally:
        await database.close()
    assert whole is not None and parts is not None and whole.items == parts.items and len(whole.items) == 60
    np.testing.assert_array_equal(whole.panel.demand, parts.panel.demand)
    price = {item.sku: item.price for item in whole.items}
    assert price["s0"] is None and (price["s1"], price["s59"]) == (1.0, 59.0)
    assert whole.panel.price_band.tolist().count(price_bands.UNKNOWN) == 1


def signal(
    name: str, kind: SignalKind, scope: Scope, strength: float, first: date, number_of_days: int
) -> SignalObserved:
    """What is certain to multiply demand by `strength` from the morning of a day on."""
    begins = datetime.combine(first, time(), tzinfo=UTC)
    return SignalObserved(
        tenant=TENANT, signal_id=f"{name}-{first}", kind=kind, scope=scope, strength=strength, probability=Decimal(1),
        starts_at=begins, ends_at=begins + timedelta(days=number_of_days), advisory=False,
    )  # fmt: skip


def promotion(first: date, **scope: str) -> SignalObserved:
    """A week of promotion that is said to triple demand."""
    return signal(f"promotion-{'-'.join(scope.values())}", "promotion", Scope(**scope), 3.0, first, 7)


def closing(location: str, day: date) -> SignalObserved:
    """A day on which a location is certain to sell nothing."""
    return signal(f"{location}-shut", "holiday_peak", Scope(location=location), 0.0, day, 1)


def means(bodies: str) -> np.ndarray[Any, Any]:
    """Means by day of forecasts whose bodies stand one after the other."""
    return np.array([ForecastIssuedV2.model_validate_json(one).demand.mean_e4 for one in bodies.splitlines()])


async def test_promotions_that_were_told_and_the_holidays_of_the_country_are_in_the_live_forecast(stage: Stage) -> None:
    await feed(stage, 60, 140, promoted=True)
    await stage.start()
    await stage.until("select count(*) from forecasts where strategy = 'lightgbm_tweedie'", lambda known: known == 60)
    before = ForecastIssued.model_validate_json((await call(stage, "GET", "/forecast/s58/L1")).text)
    assert "knows_promotion" not in before.flags  # the last one ended, the next one is not told yet
    last = before.origin
    await read_in_portions(stage)
    # Of a supplier's articles nobody here knows which they are: what is promoted next week must not be everybody's.
    await stage.send([(promotion(last + timedelta(days=1), supplier="acme-foods"), "of-a-supplier")])
    await stage.until("select count(*) from signals where supplier is not null", lambda kept: kept == 1)
    assert (await stage.query("select count(*) from due_items where cause = 'of-a-supplier'"))[0][0] == 0
    await stage.send([promotion(last + timedelta(days=8), sku="s58")])
    told = "select count(*) from forecasts where sku = 's58' and body like '%knows_promotion%'"
    await stage.until(told, lambda known: known == 1)
    after = ForecastIssued.model_validate_json((await call(stage, "GET", "/forecast/s58/L1")).text)
    week = slice(7, 14)
    on, plain = sum(after.demand.mean_e4[week]), sum(before.demand.mean_e4[week])
    assert on > 1.6 * plain
    assert sum(after.demand.mean_e4[:7]) == pytest.approx(sum(before.demand.mean_e4[:7]), rel=0.1)
    # Nobody told the holiday: the model knows it from the calendar of the location's country and region.
    bodies = await stage.query("select body from forecasts where sku ~ '[13579]$'")
    told_all = [ForecastIssuedV2.model_validate_json(row["body"]) for row in bodies]
    by_day = np.array([one.demand.mean_e4 for one in told_all]).sum(axis=0)
    monday = (SPRING_BANK_HOLIDAY - last).days - 1
    assert by_day[monday] > 1.5 * by_day[monday + 7]
    # The shop's own calendar is told: from then on its doors are shut on that day, whatever speaks.
    await stage.send([closing("L1", last + timedelta(days=10))])
    await stage.until("select string_agg(body, chr(10)) from forecasts", lambda told: all(means(told)[:, 9] == 0))
    assert means((await stage.query("select string_agg(body, chr(10)) from forecasts"))[0][0])[:, 10].sum() > 0
    assert (await stage.query(told))[0][0] == 1  # every item was forecast again, and the promotion is still one item's


@pytest.mark.timeout(420)  # a training, a restart, and two strategies fitted in the service
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
    await pin_and_take_back(stage, promoted.window_to)


async def pin_and_take_back(stage: Stage, last: date) -> None:
    """A planner's pin speaks at once, after a restart and on the next day; taken back, the model speaks again."""
    wanted = {"strategy": "theta", "sku": "s29", "location": "L1", "reason": "level_shift"}
    key = {"idempotency-key": "p1"}
    made = await call(stage, "POST", "/pins", json=wanted, headers=key)
    assert made.status_code == 201, made.text
    assert (await call(stage, "POST", "/pins", json=wanted, headers=key)).status_code == 200
    said = "select strategy || ' ' || model_id || ' ' || origin from forecasts where sku = 's29'"
    await stage.until(said, lambda told: told == f"theta theta {last}")
    forecast = ForecastIssued.model_validate_json((await call(stage, "GET", "/forecast/s29/L1")).text)
    assert "pinned_strategy" in forecast.flags
    await stage.kill()
    await stage.start()
    day = last + timedelta(days=1)
    await stage.send([sale("s29", "L1", day, 3)])
    await stage.close_day("L1", day)
    await stage.until(said, lambda told: told == f"theta theta {day}")
    others = await stage.query("select distinct strategy from forecasts where sku <> 's29'")
    assert [row[0] for row in others] == ["lightgbm_tweedie"]
    shown = (await call(stage, "GET", "/pins")).json()
    assert [(one["strategy"], one["state"], one["set_by"]) for one in shown["items"]] == [("theta", "active", "ann")]
    path = f"/pins/{made.json()['pin_id']}/withdrawal"
    assert (await call(stage, "POST", path, role="auditor")).status_code == 403
    for _ in range(2):
        assert (await call(stage, "POST", path)).json()["state"] == "withdrawn"
    await stage.until(said, lambda told: told.startswith("lightgbm_tweedie lgbm-"))
    told = await stage.read("forecasts.v1", 2, lambda record: b"strategy-pin" in dict(record.headers)["ce_type"])
    assert StrategyPinSet.model_validate_json(told[0].value).strategy == "theta"
    assert StrategyPinWithdrawn.model_validate_json(told[1].value).withdrawn_by == "ann"
    await pin_an_extra(stage, wanted | {"strategy": "xgboost"}, "xgboost_tweedie")
    await pin_an_extra(stage, wanted | {"strategy": "prophet"}, "prophet")
    for wrong, code in (({"strategy": "oracle"}, "strategy_not_pinnable"), ({"sku": "nobody"}, "scope_empty")):
        refused = await call(stage, "POST", "/pins", json=wanted | wrong, headers={"idempotency-key": code})
        assert refused.status_code == 422 and refused.json()["code"] == code
    assert (await call(stage, "GET", "/pins", tenant="other")).json()["items"] == []


async def pin_an_extra(stage: Stage, wanted: dict[str, str], speaks: str) -> None:
    """A strategy of an extra speaks for the item it is pinned on, calibrated like all others; without it, no pin is set."""
    asked = await call(stage, "POST", "/pins", json=wanted, headers={"idempotency-key": speaks})
    if not is_installed(wanted["strategy"]):
        assert asked.status_code == 422 and asked.json()["code"] == "strategy_not_installed"
        return
    assert asked.status_code == 201, asked.text
    await stage.until("select strategy from forecasts where sku = 's29'", lambda told: told == speaks)
    said = ForecastIssued.model_validate_json((await call(stage, "GET", "/forecast/s29/L1")).text)
    assert said.model_id == speaks and "pinned_strategy" in said.flags
    assert sum(said.demand.mean_e4[:28]) / 10_000 == pytest.approx(3.2 * 28, rel=0.3)
    others = await stage.query("select distinct strategy from forecasts where sku <> 's29'")
    assert [row[0] for row in others] == ["lightgbm_tweedie"]


@pytest.mark.timeout(360)  # fourteen days are closed one after the other
async def test_one_item_that_drifts_away_opens_an_exception_through_the_ledger(stage: Stage) -> None:
    """The item that sells most sells six times as much from one day on: a week later the scored weeks say so."""
    await feed(stage, 30, 140)
    await stage.start()
    await stage.until("select count(*) from forecasts where strategy = 'lightgbm_tweedie'", lambda known: known == 30)
    dice = np.random.default_rng(4)
    last = (await stage.query("select max(origin) from forecasts"))[0][0]
    for day in days(last + timedelta(days=1), 14):
        units = {f"s{number}": int(dice.poisson(0.3 + number / 10)) for number in range(29)} | {"s29": 40}
        await stage.send([sale(sku, "L1", day, count) for sku, count in units.items() if count])
        await stage.close_day("L1", day)
        await stage.until("select count(*) from forecasts where origin = $1", lambda known: known == 30, day)
    told = ExceptionRaised.model_validate_json((await stage.read("exceptions.v1", 1))[0].value)
    assert told.kind == "model_drift" and told.subject.startswith("forecasts: ")
    assert told.details["value"] is not None and told.remedy
    drift = (await call(stage, "GET", "/accuracy/drift")).json()
    assert any(flag["is_open"] and flag["rule"] == "bias" for flag in drift["flags"])


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


@pytest.fixture
def objects(stage: Stage, tmp_path: Path) -> Iterator[ObjectStore]:
    """A bucket in which the stage's service keeps its models."""
    with object_store(tmp_path / "objects") as store:
        stage.extra |= store.settings()
        yield store


@pytest.mark.timeout(360)  # three trainings, three starts and a new disk
async def test_a_training_survives_kill_9_with_the_same_bytes_and_a_person_decides_when_asked(
    stage: Stage, objects: ObjectStore
) -> None:
    """Killed in the middle, taken up again; then every new model waits for a person, whose word is kept. All models are in
    a bucket; on a new disk the champion speaks from there."""
    await feed(stage, 30, 140)
    stage.extra["COUNTERSIGN_PROMOTION"] = "ask"
    await stage.start()
    await stage.until("select share from train_jobs", lambda share: share is not None and share >= 0.05)
    await stage.kill()
    await stage.query("update train_jobs set updated_at = now() - interval '1 hour'")  # what half a minute would do
    await stage.start()
    await stage.until("select state from train_jobs", lambda state: state == "done")
    first = (await stage.query("select artefact_sha256 from models where state = 'champion'"))[0][0]
    # The same days again: not a new model, and nobody is asked about it.
    again = await call(stage, "POST", "/train", json={}, headers={"idempotency-key": "again"})
    await stage.until("select state from train_jobs where job_id = $1", lambda s: s == "done", again.json()["job_id"])
    assert [tuple(row) for row in await stage.query("select artefact_sha256, state from models")] == [
        (first, "champion")
    ]
    # Another week: another model, which waits; the champion speaks on.
    later = days(date(2024, 5, 20), 7)
    await stage.send([sale("s29", "L1", day, 3) for day in later])
    await stage.close_day("L1", later[-1])
    await stage.until("select max(origin) from forecasts", lambda origin: origin == later[-1])
    asked = await call(stage, "POST", "/train", json={}, headers={"idempotency-key": "next"})
    await stage.until("select state from train_jobs where job_id = $1", lambda s: s == "done", asked.json()["job_id"])
    models = {row["state"]: row for row in (await call(stage, "GET", "/models")).json()["models"]}
    assert set(models) == {"champion", "waiting"} and models["champion"]["artefact_sha256"] == first
    raised = await stage.read("exceptions.v1", 1)
    assert b"waits for a decision" in raised[0].value
    path = f"/models/{models['waiting']['model_id']}/decision"
    word = {"verdict": "promote", "reason": "looks right"}
    assert (await call(stage, "POST", path, json=word)).status_code == 403
    ended = asyncio.Event()
    seen = asyncio.create_task(champions_until(stage, ended))
    assert (await call(stage, "POST", path, json=word, role="approver")).json()["state"] == "champion"
    ended.set()
    assert await seen == {1}  # no moment without a model, and none with two
    assert (await call(stage, "POST", path, json=word, role="approver")).status_code == 409
    assert (await stage.read("exceptions.v1", 2))[1].value.find(b"Promoted by ann") > 0
    history = (await call(stage, "GET", "/promotions")).json()["items"]
    assert [line["verdict"] for line in history] == ["promoted", "waiting", "kept_champion", "promoted"]
    assert history[0]["decided_by"] == "ann" and history[3]["decided_by"] == "rules"
    await stage.until("select count(*) from forecasts where model_id = $1", lambda n: n == 30, history[0]["model_id"])
    await turn_down(stage, champion=history[0]["model_id"], first=first)
    await speak_from_a_new_disk(stage, objects, later[-1] + timedelta(days=1))


async def turn_down(stage: Stage, *, champion: str, first: str) -> None:
    """A model that waits can be rejected too; the champion speaks on. (Here it is the former one, laid before them again.)"""
    waiting = "update models set state = 'waiting' where artefact_sha256 = $1 returning model_id"
    path = f"/models/{(await stage.query(waiting, first))[0][0]}/decision"
    word = {"verdict": "reject", "reason": "too old"}
    assert (await call(stage, "POST", path, json=word, role="approver")).json()["state"] == "rejected"
    assert b"Rejected by ann: too old" in (await stage.read("exceptions.v1", 3))[2].value
    assert (await stage.query("select model_id from models where state = 'champion'"))[0][0] == champion


async def champions_until(stage: Stage, ended: asyncio.Event) -> set[int]:
    """How many models spoke at once, looked at as often as the database answers."""
    seen: set[int] = set()
    while True:
        is_last = ended.is_set()
        seen.add((await stage.query("select count(*) from models where state = 'champion'"))[0][0])
        if is_last:
            return seen


async def speak_from_a_new_disk(stage: Stage, objects: ObjectStore, day: date) -> None:
    """Without the local files and with the bucket away, what is due waits instead of falling back to the baseline."""
    await stage.stop()
    shutil.rmtree(stage.home / "models")
    await asyncio.to_thread(objects.stop)
    await stage.start()
    await stage.send([sale("s29", "L1", day, 3)])
    await stage.close_day("L1", day)
    log = stage.home / "forecaster.log"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "could not be reached" not in await asyncio.to_thread(log.read_text):
            await asyncio.sleep(0.2)
    await asyncio.to_thread(objects.start)
    await stage.until("select count(*) from forecasts where origin = $1", lambda known: known == 30, day)
    assert [row[0] for row in await stage.query("select distinct strategy from forecasts")] == ["lightgbm_tweedie"]


async def test_a_back_test_shows_progress_is_stored_and_can_be_cancelled(stage: Stage) -> None:
    await feed(stage, 12, 140)
    await stage.start()
    await stage.until("select count(*) from models", lambda known: known == 1)
    wish = {"strategies": ["seasonal_naive", "seasonal_mean"], "origins": 2, "step_days": 14, "skus": ["s3", "s4"]}
    key = {"idempotency-key": "b1"}
    asked = await call(stage, "POST", "/backtests", json=wish, headers=key)
    assert asked.status_code == 202
    assert (await call(stage, "POST", "/backtests", json=wish, headers=key)).status_code == 200
    path = f"/backtests/{asked.json()['backtest_id']}"
    await stage.until("select state from backtests", lambda state: state == "done")
    shown = (await call(stage, "GET", path)).json()
    result = shown["result"]
    assert shown["share"] == 1 and result["items"] == 2 and result["trained_on"] == 12
    assert result["origins"] == ["2024-04-07", "2024-04-21"]
    week = result["strategies"][1]["horizons"]["7"]
    assert week["windows"] == 4 and 0 <= week["coverage"][0]["low"] <= week["coverage"][0]["high"] <= 1
    assert {line["item"] for line in result["overlay"]} == {"s3/L1", "s4/L1"}
    assert (await call(stage, "POST", f"{path}/cancel")).status_code == 409
    long = wish | {"strategies": ["lightgbm"], "origins": 12, "step_days": 1, "skus": []}
    other = await call(stage, "POST", "/backtests", json=long, headers={"idempotency-key": "b2"})
    running = "select state from backtests where backtest_id = $1"
    await stage.until(running, lambda state: state == "running", other.json()["backtest_id"])
    ended = await call(stage, "POST", f"/backtests/{other.json()['backtest_id']}/cancel")
    assert ended.json()["state"] == "cancelled"
    third = await call(stage, "POST", "/backtests", json=wish, headers={"idempotency-key": "b3"})
    await stage.until(
        running, lambda state: state == "done", third.json()["backtest_id"]
    )  # the cancelled one made room
    assert (await call(stage, "GET", path, tenant="other")).status_code == 404
    assert (await call(stage, "POST", "/backtests", json=wish, role="auditor", headers=key)).status_code == 403
