"""Forecasts and Back-tests as a planner uses them: scores, an override by keyboard, a back-test to its result, axe clean."""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiokafka import AIOKafkaProducer
from playwright.sync_api import Browser, Page, expect

from kit import kafka
from kit.events import headers_of, outgoing
from kit.settings import ServiceSettings
from schemas.base import Message
from schemas.catalogue import ItemDefined, LocationDefined, SupplierItemDefined
from schemas.demand import BusinessDayClosed, SaleRecorded
from services.gateway.accounts import bootstrap
from tests import ground
from tests.browser.conftest import Seat
from tests.browser.stage import TENANT, Stage, eventually
from tests.browser.test_accessibility import seat_of, settled, violations
from tests.ground import Ground, Services

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(420)]
FIRST = date(2024, 1, 1)
KNOWN_DAYS, LIVE_DAYS = 126, 9
SKUS = tuple(f"tea-{number:02}" for number in range(1, 13))
PLACES = ("north", "south")
WEEKDAYS = (0.8, 0.8, 0.9, 1.0, 1.3, 1.6, 0.6)


def masters() -> list[Message]:
    """Twelve teas of two categories, two shops, a lead time of three days."""
    at = datetime(2023, 1, 1, tzinfo=UTC)
    made: list[Message] = []
    for number, sku in enumerate(SKUS):
        kind, abc = ("Green tea", "A") if number % 2 else ("Black tea", "B")
        made.append(
            ItemDefined(tenant=TENANT, sku=sku, name=f"{kind} {number}", category=kind, abc_class=abc, defined_at=at)
        )
        made.append(SupplierItemDefined(tenant=TENANT, supplier="S1", sku=sku, lead_time_days=3, defined_at=at))
    return [*made, *(LocationDefined(tenant=TENANT, location=one, name=one.title(), defined_at=at) for one in PLACES)]


def day_of(number: int, dice: np.random.Generator) -> list[Message]:
    """Sales of one day, and its close."""
    day = FIRST + timedelta(days=number)
    made: list[Message] = []
    for place in PLACES:
        for level, sku in enumerate(SKUS, start=1):
            units = int(dice.poisson(level / 2 * WEEKDAYS[day.weekday()]))
            if units:
                noon = datetime.combine(day, time(12), tzinfo=UTC)
                made.append(
                    SaleRecorded(tenant=TENANT, sku=sku, location=place, quantity=Decimal(units), business_date=day,
                                 sold_at=noon)
                )  # fmt: skip
    return made


def closes(number: int) -> list[Message]:
    day = FIRST + timedelta(days=number)
    evening = datetime.combine(day, time(22), tzinfo=UTC)
    return [
        BusinessDayClosed(tenant=TENANT, location=place, business_date=day, closed_at=evening, partition=partition)
        for place in PLACES
        for partition in range(4)
    ]


async def send(stage: Stage, messages: Sequence[Message], cause: str) -> None:
    settings = ServiceSettings(namespace=stage.namespace, kafka_bootstrap=stage.ground.kafka_bootstrap)
    producer: AIOKafkaProducer = kafka.idempotent_producer(settings, "forecasts-test")
    await producer.start()
    try:
        for number, body in enumerate(messages):
            one = outgoing(body, service="pos", cause=f"{cause}-{number}", time=datetime(2024, 1, 1, tzinfo=UTC))
            partition = body.partition if isinstance(body, BusinessDayClosed) else None
            topic = f"{stage.namespace}.{one.topic}"
            await producer.send(
                topic, one.value, key=one.envelope.key.encode(), headers=headers_of(one), partition=partition
            )
        await producer.flush()
    finally:
        await producer.stop()


@pytest.fixture(scope="module")
def shops(platform: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Forecaster and gateway, eighteen weeks of two tea shops, and nine live days that were forecast and scored."""
    with ground.fresh_namespace(platform) as namespace, ground.fresh_database(platform) as database:
        services = Services(platform, namespace, database, tmp_path_factory.mktemp("shops"))
        stage = Stage(platform, namespace, services)
        for made in ground.wait_for(bootstrap(database.url("gateway"), TENANT)):
            stage.passwords[made.username] = made.password
        processes = [services.process(name, sensing_enabled="false") for name in ("forecaster", "gateway")]
        try:
            for process in processes:
                process.start()
            for process in processes:
                process.await_ready(seconds=120)
            dice = np.random.default_rng(5)
            past = [one for number in range(KNOWN_DAYS) for one in day_of(number, dice)]
            ground.wait_for(send(stage, [*masters(), *past], "past"))
            with stage.client("planner") as planner:
                for number in range(KNOWN_DAYS - 1, KNOWN_DAYS + LIVE_DAYS):
                    if number >= KNOWN_DAYS:
                        ground.wait_for(send(stage, day_of(number, dice), f"day-{number}"))
                    ground.wait_for(send(stage, closes(number), f"close-{number}"))
                    origin = (FIRST + timedelta(days=number)).isoformat()
                    eventually(partial(is_forecast_from, planner, origin), 120, f"no forecast of {origin}")
                eventually(lambda: scored(planner) >= 24 * LIVE_DAYS, 60, "live days were never scored")
                eventually(lambda: len(planner.get("/v1/training").json()["models"]) == 1, 180, "no model was trained")
            yield stage
        finally:
            services.end()


def is_forecast_from(planner: Any, origin: str) -> bool:
    rows = planner.get("/v1/forecasts?limit=100").json()["items"]
    return [row["origin"] for row in rows].count(origin) == 24


def scored(planner: Any) -> int:
    rows = planner.get("/v1/accuracy?horizon_days=1").json()["rows"]
    return int(rows[0]["windows"]) if rows else 0


@pytest.fixture
def planner(shops: Stage, chromium: Browser) -> Iterator[Seat]:
    context = chromium.new_context(viewport={"width": 1480, "height": 900}, locale="en-GB", reduced_motion="reduce")
    context.set_default_timeout(20_000)
    made = Seat(shops, context)
    made.sign_in("planner")
    yield made
    context.close()
    assert made.complaints == []


def ready(page: Page) -> None:
    expect(page.locator("h1").first).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def photograph(page: Page, name: str) -> None:
    """A picture for people, when COUNTERSIGN_SCREENSHOTS names a folder."""
    folder = os.environ.get("COUNTERSIGN_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_the_ledger_is_shown_by_group_and_horizon_and_the_address_remembers(planner: Seat) -> None:
    page = planner.open("/forecasts?horizon=1")
    ready(page)
    expect(page.locator(".tiles")).to_contain_text("Error of 7-day totals")
    expect(page.get_by_role("row", name="north")).to_contain_text("%")
    photograph(page, "forecasts-accuracy")
    page.get_by_label("Compare by").select_option("horizon")
    ready(page)
    expect(page.get_by_role("row", name="7 days")).to_be_visible()
    page.reload()
    ready(page)
    expect(page.get_by_role("row", name="7 days")).to_be_visible()
    page.goto(f"{planner.stage.url}/forecasts")
    ready(page)
    expect(page.get_by_role("row", name="north")).to_be_visible()  # at the lead time of three days


def test_an_override_is_set_and_taken_back_by_keyboard(planner: Seat) -> None:
    page = planner.open("/forecasts?tab=overrides")
    ready(page)
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_label("Product (SKU)")).to_be_focused()
    page.keyboard.type("tea-01")
    page.keyboard.press("Tab")
    page.keyboard.type("north")
    page.get_by_label("Units, whole period").focus()
    page.keyboard.type("-3")
    photograph(page, "forecasts-override-dialog")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    row = page.get_by_role("row", name="tea-01 at north")
    expect(row).to_contain_text("−3 units")
    photograph(page, "forecasts-overrides")
    row.get_by_role("button").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Take back").press("Enter")
    expect(row).to_contain_text("Taken back")


def test_a_strategy_is_pinned_and_the_pin_shows_on_the_item(planner: Seat) -> None:
    page = planner.open("/forecasts?tab=strategies")
    ready(page)
    photograph(page, "forecasts-strategies-empty")
    page.get_by_role("button", name="Pin a strategy").click()
    page.get_by_label("Strategy", exact=True).select_option("theta")
    page.get_by_label("Product (SKU)").fill("tea-02")
    page.get_by_label("Location").fill("north")
    photograph(page, "forecasts-pin-dialog")
    page.get_by_role("button", name="Pin strategy").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    row = page.get_by_role("row", name="tea-02, at north")
    expect(row).to_contain_text("In force")
    photograph(page, "forecasts-strategies")

    def shown() -> bool:
        page.goto(f"{planner.stage.url}/forecasts?tab=items&q=tea-02")
        return (
            "Theta" in page.get_by_role("table").inner_text()
            and "A planner chose how it is forecast" in page.get_by_role("table").inner_text()
        )

    eventually(shown)
    photograph(page, "forecasts-items-pinned")
    page.goto(f"{planner.stage.url}/forecasts?tab=strategies")
    row.get_by_role("button").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Take back").press("Enter")
    expect(row).to_contain_text("Taken back")


def test_a_wrong_override_is_refused_in_words_and_the_form_stays(planner: Seat) -> None:
    page = planner.open("/forecasts?tab=overrides")
    ready(page)
    page.get_by_role("button", name="Override a forecast").first.click()
    page.get_by_label("Product (SKU)").fill("coffee")
    page.get_by_label("Units, whole period").fill("10")
    page.get_by_role("button", name="Set override").click()
    expect(page.get_by_role("alert").filter(has_text="check the codes")).to_be_visible()
    expect(page.get_by_label("Product (SKU)")).to_have_value("coffee")


def test_a_back_test_runs_to_its_result_and_its_link_works(planner: Seat) -> None:
    page = planner.open("/backtests")
    ready(page)
    for name in ("SES", "ADIDA", "Croston-SBA", "Holt-Winters", "Seasonal naive"):  # as the field writes them
        expect(page.get_by_label(name, exact=True)).to_be_visible()
    page.get_by_label("LightGBM").uncheck()
    page.get_by_label("Location").fill("north")
    page.get_by_label("Apart").select_option("7")
    page.get_by_role("button", name="Run back-test").click()
    expect(page.get_by_role("heading", name="What came out")).to_be_visible(timeout=120_000)
    expect(page.get_by_role("table", name="Measures by horizon")).to_contain_text("Seasonal naive")
    expect(page.get_by_role("table", name="Coverage by nominal level")).to_contain_text("within")
    photograph(page, "backtest-result")
    address = page.url
    assert "run=" in address
    again = planner.open(address.removeprefix(planner.stage.url))
    expect(again.get_by_role("heading", name="Forecasts over history")).to_be_visible()


def test_which_model_speaks_is_seen_with_its_history(planner: Seat) -> None:
    page = planner.open("/forecasts?tab=models")
    ready(page)
    expect(page.get_by_role("table", name="Models", exact=True)).to_contain_text("Speaks")
    expect(page.get_by_role("table", name="History of promotions")).to_contain_text("stated rules")
    photograph(page, "forecasts-models")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1480, 900), (390, 844)], ids=["wide", "phone"])
def test_axe_finds_nothing_with_data(shops: Stage, chromium: Browser, scheme: str, size: tuple[int, int]) -> None:
    seat = seat_of(shops, chromium, scheme, size)
    seat.sign_in("planner")
    with shops.client("planner") as asking:
        runs = asking.get("/v1/backtests").json()["items"]
    done = [f"/backtests?run={run['backtest_id']}" for run in runs if run["state"] == "done"][:1]
    found = {}
    page = seat.open("/forecasts?horizon=1")
    tabs = (
        "/forecasts?horizon=1",
        "/forecasts?tab=items",
        "/forecasts?tab=overrides",
        "/forecasts?tab=strategies",
        "/forecasts?tab=models",
    )
    for path in (*tabs, "/backtests", *done):
        page.goto(shops.url + path)
        settled(page)
        ready(page)
        found[path] = violations(page)
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth"), f"{path} scrolls sideways"
        photograph(page, f"axe-{scheme}-{size[0]}-{path.strip('/').replace('/', '-').replace('?', '-')[:40]}")
    page.goto(f"{shops.url}/forecasts?tab=overrides")
    ready(page)
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_be_visible()
    found["dialog"] = violations(page)
    seat.context.close()
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_a_new_items_page_names_the_like_items_its_forecast_was_borrowed_from(shops: Stage, planner: Seat) -> None:
    """The last of this file: it closes one more day, on which a thirteenth tea sold for the first time."""
    number = KNOWN_DAYS + LIVE_DAYS
    day, category = FIRST + timedelta(days=number), "Green tea"
    noon = datetime.combine(day, time(12), tzinfo=UTC)
    new = ItemDefined(tenant=TENANT, sku="tea-13", name="First flush", category=category, defined_at=noon)
    sold = SaleRecorded(
        tenant=TENANT, sku="tea-13", location="north", quantity=Decimal(2), business_date=day, sold_at=noon
    )  # fmt: skip
    ground.wait_for(send(shops, [new, sold, *closes(number)], "newcomer"))
    with shops.client("planner") as client:
        path = "/v1/forecasts/tea-13/north"
        eventually(lambda: client.get(path).status_code == 200, 120, "the new tea was never forecast")
        told = client.get(path).json()["likeness"]
        assert client.get("/v1/forecasts/tea-01/north").json()["likeness"] is None
    assert (told["category"], told["price_third"], told["items"], told["known_days"]) == (category, None, 12, 1)
    assert [one["sku"] for one in told["examples"]][:2] == [
        "tea-12"
    ] * 2  # of the even ones, in both shops, it sells most
    assert told["share"] == pytest.approx(14 / 16)
    page = planner.open("/items/tea-13/north")
    ready(page)
    says = page.get_by_text("of this forecast is borrowed from")
    expect(says).to_contain_text("88% of this forecast is borrowed from 12 like items (in Green tea)")
    expect(says).to_contain_text("1 day of its own says the rest")
    expect(says.get_by_role("link", name="tea-12 at south")).to_have_attribute("href", "/items/tea-12/south")
    photograph(page, "item-likeness")
