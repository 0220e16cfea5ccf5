"""The item page's “As it was”: the state of a past moment beside today's, and a moment nothing is known of."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from schemas.demand import SaleRecorded, StockCounted
from tests.browser.conftest import Seat
from tests.browser.stage import DAY, TENANT, WHEN, Stage, eventually
from tests.browser.test_accessibility import settled

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
SKU, LOCATION = "sku-08", "367"
CLOCK = ZoneInfo("America/Chicago")  # the reader's, as the seat's browser has it


def tell_stock(stage: Stage) -> None:
    """Counted, then sold."""
    item = {"tenant": TENANT, "sku": SKU, "location": LOCATION, "business_date": DAY}
    stage.publish(StockCounted(**item, quantity=Decimal(42), counted_at=WHEN))
    stage.publish(SaleRecorded(**item, quantity=Decimal(5), sold_at=WHEN + timedelta(hours=6)))
    with stage.client("planner") as planner:

        def on_hand() -> bool:
            position = planner.get(f"/v1/items/{SKU}/{LOCATION}").json()["position"]
            return position is not None and position["on_hand"] == "37"

        eventually(on_hand, why="the sale was never booked")


def ask(page: Page, moment: datetime) -> None:
    page.get_by_label("As of, your time").fill(f"{moment.astimezone(CLOCK):%Y-%m-%dT%H:%M:%S}")
    page.get_by_role("button", name="Show", exact=True).click()


def test_state_of_a_past_moment_stands_beside_todays(planner: Seat, stage: Stage) -> None:
    tell_stock(stage)
    page = planner.open(f"/items/{SKU}/{LOCATION}")
    settled(page)
    ask(page, WHEN + timedelta(hours=1))
    table = page.get_by_role("table", name="Then and now")
    expect(table.get_by_role("row", name="On hand")).to_have_text("On hand42–37")  # it all reached us years later
    expect(page.get_by_text("1 event had happened and came later")).to_be_visible()
    ask(page, WHEN - timedelta(days=1))
    expect(page.get_by_text(f"Of {SKU} at {LOCATION} nothing had happened by")).to_be_visible()
    expect(table).to_have_count(0)
