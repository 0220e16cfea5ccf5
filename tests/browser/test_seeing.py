"""What a person chooses to see: lines that wait long, events on the pictures, and the workbench in one of their roles."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from schemas.decisions import LineAssigned
from schemas.signals import Scope, SignalObserved
from tests.browser.conftest import Seat
from tests.browser.stage import TENANT, eventually, forecast, issued, product
from tests.browser.test_keyboard_session import find

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


def test_lines_are_narrowed_by_class_value_and_how_long_they_wait_and_the_link_says_so(planner: Seat) -> None:
    stage = planner.stage
    goods = [product(f"sku-w{number}", f"Waited {number}") for number in (1, 2, 3)]
    goods[2] = goods[2].model_copy(update={"abc_class": "C"})
    lines = [
        issued(
            number, sku=f"sku-w{number}", location="367", line_id=f"line-w{number}", recommendation_id=f"rec-w{number}"
        )
        for number in (1, 2, 3)
    ]
    lines[1] = lines[1].model_copy(update={"value": Decimal(2000), "unit_cost": Decimal(40)})
    stage.publish(*goods, *lines)
    asked = eventually(lambda: find(stage, "rec-w1").get("asked_since"))
    assert abs(datetime.fromisoformat(str(asked)) - datetime.now(UTC)) < timedelta(hours=1)
    now = datetime.now(UTC)
    told_again = LineAssigned(
        tenant=TENANT,
        line_id="line-w1",
        recommendation_id="rec-w1",
        version=0,
        owner="planner",
        signatures="one",
        assigned_at=now + timedelta(seconds=5),
        asked_since=now - timedelta(hours=30),
    )
    stage.publish(told_again)
    eventually(lambda: datetime.fromisoformat(find(stage, "rec-w1")["asked_since"]) < now - timedelta(hours=29))
    page = planner.open("/queue?q=Waited&sort=asked")
    names = page.locator(".canvas .row .c-item b")
    expect(names).to_have_count(3)
    expect(names.first).to_have_text("Waited 1")
    page.get_by_label("Waiting for").select_option(label="A day or longer")
    expect(page).to_have_url(re.compile("age=24"))
    expect(names).to_have_text(["Waited 1"])
    page.reload()
    expect(names).to_have_text(["Waited 1"])
    expect(page.get_by_label("Waiting for")).to_have_value("24")
    sheet = page.get_by_role("link", name="CSV", exact=True).get_attribute("href")
    with stage.client("planner") as client:
        assert client.get(sheet or "").text.count("Waited") == 1
    page.get_by_label("Waiting for").select_option(label="A week or longer")
    expect(page.locator("#grid-frame .state")).to_contain_text("Nothing matches")
    page.get_by_label("Waiting for").select_option(label="Any age")
    page.get_by_label("Value").select_option(label="$1,000 or more")
    expect(names).to_have_text(["Waited 2"])
    page.get_by_label("Value").select_option(label="Any value")
    page.get_by_label("Class", exact=True).select_option(label="Class C")
    expect(names).to_have_text(["Waited 3"])


def test_events_stand_on_the_pictures_of_an_item_in_their_days_and_in_words(planner: Seat) -> None:
    stage = planner.stage
    line = issued(71, sku="sku-71", location="367", line_id="line-71", recommendation_id="rec-71")
    known = forecast(1).model_copy(update={"sku": "sku-71", "location": "367", "forecast_id": "forecast-71"})
    promotion = SignalObserved(
        tenant=TENANT,
        signal_id="oat-days",
        kind="promotion",
        scope=Scope(sku="sku-71"),
        strength=2.0,
        probability=Decimal("0.9"),
        starts_at=datetime(2017, 11, 22, 5, tzinfo=UTC),
        ends_at=datetime(2017, 11, 25, 5, tzinfo=UTC),
        advisory=True,
    )
    stage.publish(product("sku-71", "Promoted oats"), line, known, promotion)
    with stage.client("planner") as client:
        said: list[dict[str, object]] = []

        def is_told() -> bool:
            # Other tests' signals may be about the whole location.
            signals = client.get("/v1/items/sku-71/367").json().get("signals") or []
            said[:] = [one for one in signals if one["signal_id"] == "oat-days"]
            return bool(said)

        eventually(is_told)
    assert (said[0]["first_on"], said[0]["last_on"], said[0]["is_closing"]) == ("2017-11-22", "2017-11-24", False)
    page = planner.open("/items/sku-71/367")
    events = page.get_by_role("list", name="Events on these days")
    expect(events).to_contain_text("Promotion, 22 Nov to 24 Nov: Demand × 2, probability 90%; advisory, moves no plan")
    expect(page.locator("svg.chart rect.event.advisory")).to_have_count(2)  # one on the demand, one on the stock
    page.get_by_text("Show demand as a table").click()
    rows = page.get_by_role("region", name="Show demand as a table").get_by_role("row")
    expect(rows.filter(has_text="22 Nov")).to_contain_text("promotion")
    expect(rows.filter(has_text="25 Nov")).not_to_contain_text("promotion")


def test_a_person_looks_at_the_workbench_in_one_of_their_roles_and_gains_nothing_by_it(seat: Seat) -> None:
    stage = seat.stage
    with stage.client("admin") as admin:
        for username, roles in (("both", ["planner", "approver"]), ("mixed", ["planner", "admin"])):
            made = admin.post("/v1/accounts", json={"username": username, "name": username, "roles": roles})
            assert made.status_code == 201, made.text
            stage.passwords[username] = made.json()["password"]
    seat.sign_in("both")
    page = seat.open("/queue")
    expect(page.get_by_role("button", name="Countersign")).to_be_enabled()
    page.locator("#account summary").click()
    expect(page.locator("#account")).to_contain_text("approver, planner")
    page.get_by_label("Look as").select_option(label="Viewer: look, decide nothing")
    expect(page.get_by_role("button", name="As viewer")).to_be_visible()
    expect(page.locator("#panel")).to_contain_text("Your role reads this line and cannot decide it.")
    expect(page.get_by_role("button", name="Countersign")).to_be_disabled()
    page.get_by_role("button", name="As viewer").click()
    expect(page.get_by_role("button", name="Countersign")).to_be_enabled()
    expect(page.get_by_role("button", name="As viewer")).to_have_count(0)

    with stage.client("both") as both:
        asked = {"reason": "x", "changes": {}}
        as_planner = both.put("/v1/session/seat", json={"seat": "planner"}).json()
        assert (as_planner["roles"], as_planner["held"], as_planner["seat"]) == (
            ["planner"],
            ["approver", "planner"],
            "planner",
        )
        assert "change_policy" not in as_planner["can"]
        refused = both.post("/v1/policy/proposals", json=asked)
        assert (refused.status_code, refused.json()["code"]) == (403, "role_missing")
        not_mine = both.put("/v1/session/seat", json={"seat": "admin"})
        assert (not_mine.status_code, not_mine.json()["code"]) == (403, "role_not_held")
        assert both.put("/v1/session/seat", json={"seat": "king"}).status_code == 422
        back = both.put("/v1/session/seat", json={"seat": None}).json()
        assert (back["roles"], "change_policy" in back["can"]) == (["approver", "planner"], True)
        assert both.post("/v1/policy/proposals", json=asked).json()["code"] != "role_missing"

    with stage.client("mixed") as mixed:
        assert mixed.put("/v1/session/seat", json={"seat": "planner"}).status_code == 200
        assert mixed.get("/v1/accounts").status_code == 403
        line = find(stage, "rec-02-1")
        headers = {"If-Match": line["etag"], "Idempotency-Key": "mixed-1"}
        excluded = mixed.post("/v1/recommendations/rec-02-1/decisions", json={"verdict": "approve"}, headers=headers)
        assert (excluded.status_code, excluded.json()["code"]) == (403, "role_excluded")
