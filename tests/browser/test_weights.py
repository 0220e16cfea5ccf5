"""The page Policy judges weights by the newest forecasts, and by what was really sold once four weeks of it are known."""

import os
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from schemas.demand import BusinessDayClosed, SaleRecorded, StockMoved
from tests.browser.conftest import Seat
from tests.browser.stage import DAY, TENANT, eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


def test_weights_are_judged_by_what_was_sold_and_by_what_is_foreseen(seat: Seat) -> None:
    seat.stage.plan_one("sku-93", "Sold rice", "902")
    days = [DAY - timedelta(days=number) for number in range(34, -1, -1)]
    item = {"tenant": TENANT, "sku": "sku-93", "location": "902"}
    noon = datetime.combine(days[0], time(12), UTC)
    seat.stage.publish(
        StockMoved(**item, kind="receipt", quantity=Decimal(900), business_date=days[0], moved_at=noon),
        *(
            SaleRecorded(**item, quantity=Decimal(3), business_date=day, sold_at=datetime.combine(day, time(15), UTC))
            for day in days
        ),
        BusinessDayClosed(
            tenant=TENANT, location="902", business_date=DAY, closed_at=datetime.combine(DAY, time(23), UTC)
        ),
    )
    with seat.stage.client("planner") as planner:
        past = eventually(
            lambda: planner.get("/v1/policy/weights").json()["history"], why="four weeks of sales are known"
        )
    seat.sign_in("planner")
    page = seat.open("/policy")
    page.get_by_role("button", name="Compare weights").click()
    card = page.locator("section.card", has=page.get_by_role("heading", name="Weights of service, cost and risk"))
    expect(card).to_contain_text("Expected over all that demand may be.")
    page.get_by_label("judged by").select_option(index=1)
    expect(card).to_contain_text("walked through these days")
    weights = page.get_by_role("table", name="Weights")
    expect(weights.get_by_role("row").nth(1)).to_contain_text("As in force")
    expect(weights.get_by_role("row").nth(1)).to_contain_text("%")
    if folder := os.environ.get("COUNTERSIGN_SCREENSHOTS"):
        card.screenshot(path=f"{folder}/weights.png")
    # A class something was sold of: other tests' items have no past.
    page.get_by_label("Items").select_option(past["by_class"][0]["name"])
    expect(weights.get_by_role("row").nth(1)).to_contain_text("As in force")
