"""What a list says of itself: not yet, nothing there, nothing found, failed, and as of the last event; each with the way on."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from cli.platform.databases import SERVICES
from cli.platform.ports import any_free
from tests.browser.conftest import Held, Seat
from tests.browser.stage import DAY, NEWCOMER, Stage, eventually, issued, product
from tests.browser.test_accessibility import settled
from tests.ground import Services

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


def first_row(page: Page) -> None:
    expect(page.locator(".canvas .row.active .c-item b")).to_be_visible()


def test_while_the_list_is_read_its_rows_are_outlined_and_then_filled(planner: Seat) -> None:
    lines = Held(planner.context, "**/v1/recommendations?*")
    page = planner.open("/queue")
    expect(page.locator(".canvas .row .skeleton").first).to_be_visible()
    expect(page.locator("#grid-frame")).to_have_attribute("aria-busy", "true")
    assert lines.waiting, "the list was asked for"
    lines.let_go()
    first_row(page)
    expect(page.locator(".canvas .row .skeleton")).to_have_count(0)
    expect(page.locator("#grid-frame")).to_have_attribute("aria-busy", "false")


def test_where_nothing_waits_it_says_so_and_when_the_next_plan_runs(seat: Seat) -> None:
    seat.sign_in("auditor", NEWCOMER)
    page = seat.open("/queue")
    state = page.locator("#grid-frame .state")
    expect(state).to_contain_text("All clear")
    expect(state).to_contain_text("the first one runs when a location closes its business day")
    expect(state.get_by_role("link", name="See the orders")).to_be_visible()


def test_where_no_line_fits_the_filters_are_a_press_away_from_gone(planner: Seat) -> None:
    page = planner.open("/queue?q=nothing-is-called-this&location=367")
    expect(page.locator("#grid-frame .state")).to_contain_text("Nothing matches")
    page.locator("#grid-frame").get_by_role("button", name="Clear filters").click()
    first_row(page)


def test_what_failed_says_why_with_the_request_and_is_tried_again(planner: Seat) -> None:
    page = planner.open("/queue?sort=by-the-moon")
    failed = page.get_by_role("alert").filter(has_text="The queue could not be read")
    expect(failed).to_contain_text("sort")
    request = failed.locator(".mono").inner_text()
    with page.expect_response("**/v1/recommendations?*") as answer:
        failed.get_by_role("button", name="Try again").click()
    assert answer.value.status == 422
    again = str(answer.value.headers["x-request-id"])
    expect(failed.locator(".mono")).to_have_text(again)  # each try has its own id, the one in the service's log
    assert request and request != again


def test_without_kafka_everything_is_readable_and_nothing_is_decided(
    planner: Seat, stage: Stage, tmp_path: Path
) -> None:
    """A second gateway of the same system whose Kafka is not there."""
    line = issued(84, sku="sku-84", location="367")
    stage.publish(product("sku-84", "Cut off barley"), line)
    with stage.client("planner") as client:
        eventually(lambda: client.get("/v1/recommendations?q=Cut+off").json()["total"] == 1)
    others = {name: stage.services.port(name) for name in SERVICES if name != "gateway"}
    cut_off = Services(stage.ground, stage.namespace, stage.services.database, tmp_path, others)
    gateway = cut_off.process("gateway", data_dir=str(stage.services.folder), kafka_bootstrap=f"127.0.0.1:{any_free()}")
    gateway.start()
    try:
        eventually(lambda: answers(gateway.url))
        page = planner.context.new_page()
        page.goto(f"{gateway.url}/queue?q=Cut+off")
        first_row(page)
        settled(page)
        expect(page.locator("#banner")).to_contain_text("Kafka does not answer. You can read everything")
        expect(page.locator("#live-words")).to_contain_text("nothing new arrives")
        expect(page.locator("#panel ol.steps")).to_be_visible()
        page.keyboard.press("a")
        expect(page.locator("#toasts")).to_contain_text("Nothing can be decided until it is back.")
        page.locator("#panel").get_by_role("button", name="Reject").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
    finally:
        gateway.kill()
    with stage.client("planner") as client:
        (waiting,) = client.get("/v1/recommendations?q=Cut+off").json()["items"]
    assert (waiting["status"], waiting["version"]) == ("pending", 0)


def test_a_line_that_was_put_aside_comes_back_and_says_what_changed(planner: Seat, stage: Stage) -> None:
    line = issued(83, sku="sku-83", location="367")
    stage.publish(product("sku-83", "Sleeping tea"), line)
    with stage.client("planner") as client:
        eventually(lambda: client.get("/v1/recommendations?q=Sleeping").json()["total"] == 1)
        reason = client.get("/v1/decision-reasons").json()["snooze"][0]["code"]
        until = (DAY + timedelta(days=7)).isoformat()
        body = {"verdict": "snooze", "reason": reason, "snooze_until": until, "wakes_on": "any_change"}
        headers = {"If-Match": '"0"', "Idempotency-Key": "asleep"}
        done = client.post(f"/v1/recommendations/{line.recommendation_id}/decisions", json=body, headers=headers)
        assert done.status_code == 200, done.text
        fresher = {"recommendation_id": "rec-83-2", "supersedes": line.recommendation_id, "quantity": Decimal(80)}
        stage.publish(line.model_copy(update=fresher | {"value": Decimal(800)}))
        eventually(lambda: client.get("/v1/recommendations?q=Sleeping").json()["total"] == 1, why="it never came back")
    page = planner.open("/queue?q=Sleeping")
    expect(page.locator(".canvas .row.active .c-why")).to_contain_text("Changed since snooze")
    expect(page.locator("#panel")).to_contain_text("Back from its snooze: recommended 50 when snoozed, 80 now.")


def answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/livez", timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False
