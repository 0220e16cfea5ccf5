"""Pages with real data: no error in any console, hostile names stay names, and live news arrives without a jump."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Seat
from tests.browser.stage import HOSTILE_NAMES, Stage, eventually, issued, product
from tests.browser.test_accessibility import PATHS, settled

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


def test_no_page_logs_an_error(planner: Seat) -> None:
    """The seat fails the test for any console error, so it is enough to look at every page."""
    page = planner.open("/today")
    for path in PATHS:
        page.goto(planner.stage.url + path)
        settled(page)


def test_hostile_names_stay_names(planner: Seat) -> None:
    """Queue, panel, item page, items, palette and exceptions show the names as text; nothing of them runs."""
    page = planner.open("/queue?sort=item")
    settled(page)
    for number, name in enumerate(HOSTILE_NAMES):
        sku = f"sku-{40 - number:02}"
        page.goto(f"{planner.stage.url}/queue?q={sku}")
        expect(page.locator(".canvas .row.active .c-item b")).to_have_text(name)
        expect(page.locator("#panel h2")).to_have_text(name)
    for path in ("/items?q=sku-4", "/items/sku-40/367", "/exceptions", "/today"):
        page.goto(planner.stage.url + path)
        settled(page)
    page.keyboard.press("Control+k")
    page.keyboard.type("sku-40")
    expect(page.locator("#palette-0")).to_contain_text(HOSTILE_NAMES[0])
    assert page.evaluate("window.harmed") is None


def test_no_script_and_no_style_comes_from_inside_the_page(planner: Seat) -> None:
    """The policy forbids inline script and style, and the pages do without."""
    page = planner.open("/queue")
    settled(page)
    answer = planner.context.request.get(f"{planner.stage.url}/queue")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "<style" not in answer.text()
    assert ' style="' not in answer.text()
    assert " onclick=" not in answer.text()


def test_new_lines_wait_behind_a_pill(planner: Seat, stage: Stage) -> None:
    """A recommendation that arrives does not move the rows; the pill counts it and a key shows it."""
    page = planner.open("/queue")
    settled(page)
    expect(page.locator("#live-words")).to_contain_text("Live")
    page.keyboard.press("j")
    before = page.locator(".canvas .row.active").inner_text()
    fresh = issued(
        1, line_id="line-fresh", recommendation_id="rec-fresh-1", sku="sku-88", location="367", money_at_risk=5000
    )
    stage.publish(product("sku-88", "Fresh product"), fresh)
    expect(page.get_by_role("button", name=re.compile(r"^\d+ new$"))).to_be_visible()
    assert page.locator(".canvas .row.active").inner_text() == before
    page.keyboard.press("n")
    expect(page.locator(".canvas")).to_contain_text("Fresh product")


def test_the_page_says_when_it_is_paused_and_comes_back(planner: Seat, stage: Stage) -> None:
    """The gateway is killed and started again: the page says so, then is live again without a reload."""
    page = planner.open("/queue")
    settled(page)
    expect(page.locator("#live-words")).to_contain_text("Live")
    gateway = stage.services.process("gateway", undo_window_seconds="30", stream_heartbeat_seconds="2")
    gateway.kill()
    expect(page.locator("#live-words")).not_to_contain_text("Live ·", timeout=30_000)
    gateway.start()
    gateway.await_ready(seconds=120)
    expect(page.locator("#live-words")).to_contain_text("Live", timeout=60_000)


def test_a_service_that_is_down_is_named_and_the_rest_goes_on(planner: Seat, stage: Stage) -> None:
    """Without the forecaster the panel says what is missing, the page says who is away, and approving still works."""
    forecaster = stage.services.process("forecaster")
    forecaster.kill()
    try:
        page = planner.open("/queue?q=sku-30")
        expect(page.locator("#banner")).to_contain_text("Forecaster does not answer", timeout=30_000)
        expect(page.locator("#panel ol.steps")).to_be_visible()
    finally:
        forecaster.start()
        forecaster.await_ready(seconds=120)


def test_a_planner_is_told_what_takes_an_auditor_and_an_auditor_verifies(seat: Seat, stage: Stage) -> None:
    """The audit page: the verification runs through the page, and the proof of one entry is checked in the browser."""
    seat.sign_in("auditor")
    with stage.client("auditor") as auditor:
        eventually(lambda: auditor.get("/v1/audit/checkpoint").status_code == 200)
    page = seat.open("/audit")
    settled(page)
    page.get_by_role("button", name="Verify the whole log").click()
    expect(page.locator(".verdict")).to_contain_text("The log is whole", timeout=60_000)
    page.locator("tbody button").last.click()
    expect(page.get_by_role("dialog")).to_contain_text("Proven.")


def test_lines_are_selected_and_opened_by_mouse(planner: Seat) -> None:
    """One click on a box selects, with shift a range; one click on a row opens its reasoning."""
    page = planner.open("/queue")
    settled(page)
    rows = page.locator(".canvas .row.line:not(.settled)")
    rows.nth(2).locator(".tick").click()
    expect(page.locator("#foot")).to_contain_text("1 line ·")
    rows.nth(5).locator(".tick").click(modifiers=["Shift"])
    expect(page.locator("#foot")).to_contain_text("4 lines ·")
    page.get_by_role("button", name="Clear").last.click()
    name = rows.nth(6).locator(".c-item b")
    wanted = name.inner_text()
    name.click()
    expect(page.locator("#panel h2")).to_have_text(wanted)


def test_a_line_is_decided_by_touch_on_a_phone(stage: Stage, chromium: Browser) -> None:
    """A tap opens the line over the list; reject and its reason are within reach; the list is there again."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone = Seat(stage, context)
    phone.sign_in("planner")
    page = phone.open("/queue?q=sku-2")
    settled(page)
    row = page.locator(".canvas .row.line:not(.settled)").nth(1)
    name = row.locator(".c-item b").inner_text()
    row.locator(".c-item").tap()
    expect(page.locator("#panel h2")).to_contain_text(name)
    page.get_by_role("button", name="Reject").tap()
    page.get_by_role("dialog").get_by_role("button", name="Reject").tap()
    expect(page.locator("#toasts")).to_contain_text(f"Rejected 50 × {name}")
    expect(page.locator("#panel")).to_be_hidden()
    context.close()
    assert phone.complaints == []
