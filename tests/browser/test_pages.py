"""Pages with real data: no error in any console, hostile names stay names, and live news arrives without a jump."""

import re
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from schemas.decisions import OrderLine, OrderReleased
from tests.browser.conftest import Held, Seat
from tests.browser.stage import DAY, HOSTILE_NAMES, TENANT, WHEN, Stage, eventually, issued, product
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
    expect(page.locator(".verdict")).to_contain_text("The log is whole", timeout=90_000)
    page.locator("tbody button").last.click()
    expect(page.get_by_role("dialog")).to_contain_text("Proven.")


def test_what_is_done_to_an_account_reaches_the_audit_log_with_its_proof(seat: Seat, stage: Stage) -> None:
    with stage.client("admin") as admin:
        made = admin.post("/v1/accounts", json={"username": "lea", "name": "Lea", "roles": ["planner"]})
        assert made.status_code == 201, made.text
    seat.sign_in("auditor")

    def entry() -> int | None:
        found = auditor.get("/v1/audit/entries?type=account.changed.v1&order=newest&limit=50").json()["items"]
        return next((one["seq"] for one in found if "lea" in one["subject"]), None)

    with stage.client("auditor") as auditor:
        eventually(lambda: entry() is not None, why="the account never reached the log")
        eventually(lambda: auditor.get("/v1/audit/checkpoint").json().get("size", 0) > (entry() or 0))
    page = seat.open("/audit")
    settled(page)
    page.get_by_role("button", name="Accounts", exact=True).click()
    row = page.get_by_role("row", name=re.compile("lea"))
    expect(row).to_contain_text("Account changed")
    expect(row).to_contain_text("admin")
    row.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Proven.")
    expect(dialog).to_contain_text('"username": "lea"')


def test_who_is_named_in_a_comment_hears_of_it_and_finds_it_on_today(
    planner: Seat, stage: Stage, chromium: Browser
) -> None:
    named = Seat(stage, chromium.new_context())
    named.sign_in("approver")
    theirs = named.open("/today")
    settled(theirs)
    expect(theirs.locator("#live-words")).to_contain_text("Live")
    page = planner.open("/queue?q=sku-12")
    expect(page.locator("#panel ol.steps")).to_be_visible()
    page.get_by_label("Comment on this line").click()
    page.keyboard.type("Late again, @app")
    expect(page.get_by_role("button", name="@approver")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.type("what now?")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#panel .told")).to_have_text("approver will see it on Today.")
    sentence = "Late again, @approver what now?"
    expect(theirs.locator("#toasts")).to_contain_text(f"planner asks for you: {sentence}")
    theirs.get_by_role("link", name=re.compile(re.escape(sentence))).click()
    theirs.wait_for_url("**/items/sku-12/367#comments")
    expect(theirs.locator("#comments")).to_contain_text(sentence)
    theirs.goto(f"{stage.url}/today")  # what they opened is seen, on every machine
    settled(theirs)
    expect(theirs.get_by_text("You are asked for")).to_have_count(0)
    with stage.client("planner") as client:
        assert client.get("/v1/mentions").json()["items"] == []
    named.context.close()
    assert named.complaints == []


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


def test_a_burst_of_news_is_one_question_and_the_last_of_them_is_heard(planner: Seat) -> None:
    """News every 100 ms for ten seconds: the page asks now and then, and once more after the last."""
    page = planner.context.new_page()
    page.clock.install()
    page.goto(planner.stage.url + "/sign-in")
    page.evaluate(
        """async () => {
          const { spaced } = await import("/static/js/spaced.js");
          const at = { ran: [], told: [] };
          const run = spaced(() => at.ran.push(performance.now()), 400, 3000);
          Object.assign(window, { at, tell: () => { at.told.push(performance.now()); run(); } });
        }"""
    )
    for _ in range(100):
        page.evaluate("window.tell()")
        page.clock.run_for(100)
    page.clock.run_for(60_000)
    ran, told = page.evaluate("[window.at.ran, window.at.told]")
    # The clock of the page also runs by itself, so a slow machine sees a few more.
    assert 5 <= len(ran) <= len(told) // 4
    assert ran[0] - told[0] >= 400
    assert all(later - earlier >= 3000 for earlier, later in pairwise(ran))
    assert ran[-1] > told[-1]


def asked(page: Page) -> list[str]:
    """The questions about lines that this page asks from now on: lists and single lines, not totals."""
    found: list[str] = []

    def heard(request: Request) -> None:
        path = request.url.partition("/v1/recommendations")
        if path[1] and not path[2].startswith("/summary"):
            found.append(path[2])

    page.on("request", heard)
    return found


def test_a_decision_made_elsewhere_shows_without_a_question_and_fresher_numbers_with_one(
    planner: Seat, stage: Stage
) -> None:
    lines = [issued(number, sku=f"sku-{number}", location="367") for number in (85, 86)]
    stage.publish(product("sku-85", "Elsewhere tea"), product("sku-86", "Elsewhere salt"), *lines)
    with stage.client("approver") as approver:
        eventually(lambda: approver.get("/v1/recommendations?q=Elsewhere").json()["total"] == 2)
        page = planner.open("/queue?q=Elsewhere")
        settled(page)
        expect(page.locator("#live-words")).to_contain_text("Live")
        expect(page.locator("#panel h2")).to_have_text("Elsewhere tea")
        salt = page.locator(".canvas .row", has_text="Elsewhere salt")
        questions = asked(page)
        reason = approver.get("/v1/decision-reasons").json()["amend"][0]["code"]
        done = approver.post(
            f"/v1/recommendations/{lines[1].recommendation_id}/decisions",
            json={"verdict": "amend", "quantity": "40", "reason": reason},
            headers={"If-Match": '"0"', "Idempotency-Key": "elsewhere-1"},
        )
        assert done.status_code == 200, done.text
        expect(salt.locator(".c-why")).to_have_text("Amended")
        expect(salt.locator(".c-qty b")).to_have_text("40")
        expect(salt.locator(".c-value")).to_contain_text("400.00")
        expect(page.locator("#announce")).to_contain_text("approver decided Elsewhere salt: amended.")
        assert questions == []
        fresher = lines[0].model_copy(
            update={
                "recommendation_id": "rec-85-2",
                "supersedes": lines[0].recommendation_id,
                "quantity": Decimal(70),
                "value": Decimal(700),
            }
        )
        stage.publish(fresher)
        expect(page.locator(".canvas .row.active .c-qty b")).to_have_text("70")
        expect(page.locator(".canvas .row.active .c-why")).to_contain_text("Updated")
    assert questions, "fresher numbers are read"
    assert all("line_id=" in one for one in questions), "and only those of the lines that have them"


def test_many_decisions_of_others_are_one_sentence(planner: Seat) -> None:
    page = planner.open("/queue")
    said = page.evaluate(
        """async () => {
          const { sentenceOf } = await import("/static/js/queue/elsewhere.js");
          const made = (by, status) => ({ by, item: "Tea", status });
          return [
            sentenceOf([made("ben", "rejected")]),
            sentenceOf([made("ben", "approved"), made("eva", "amended"), made("ben", "approved")]),
            sentenceOf(["ann", "ben", "cyd"].map((by) => made(by, "approved"))),
          ];
        }"""
    )
    assert said == [
        "ben decided Tea: rejected.",
        "ben and eva decided 3 lines of this list: 2 approved, 1 amended.",
        "3 people decided 3 lines of this list: 3 approved.",
    ]


@pytest.mark.parametrize("chosen", ["reason=new_item", "supplier=SUP-1", "q=product+1", "min_value=500&location=406"])
def test_filters_of_a_list_that_is_here_show_what_the_api_would(planner: Seat, stage: Stage, chosen: str) -> None:
    page = planner.open("/queue")
    settled(page)
    expect(page.locator(".canvas .row .skeleton")).to_have_count(0)
    questions = asked(page)
    page.evaluate(
        """(query) => { history.pushState(null, "", query ? `/queue?${query}` : "/queue"); dispatchEvent(new PopStateEvent("popstate")); }""",
        chosen,
    )
    with stage.client("planner") as client:
        items = client.get(f"/v1/recommendations?{chosen}&limit=200").json()["items"]
    wanted = [one["item_name"] or one["sku"] for one in items]
    expect(page.locator("#foot .end")).to_have_text(re.compile(f"of {len(wanted)}$"))
    shown = page.locator(".canvas .row.line .c-item b").all_inner_texts()
    assert shown == wanted[: len(shown)] and shown
    assert questions == []


def test_an_order_and_what_changes_it_lead_to_each_other(planner: Seat, stage: Stage) -> None:
    line = OrderLine(
        line_no=1,
        recommendation_id="rec-changed-1",
        decision_id="dec-changed-1",
        sku="sku-01",
        quantity=Decimal(50),
        unit="each",
        unit_cost=Decimal(10),
        value=Decimal(500),
    )
    order = OrderReleased(
        tenant=TENANT,
        order_id="PO-changed",
        kind="purchase_order",
        supplier="SUP-1",
        location="406",
        order_on=DAY,
        arrive_on=DAY,
        currency="USD",
        value=Decimal(500),
        released_at=WHEN,
        lines=(line,),
        missed_order_on=DAY - timedelta(days=1),
    )
    change = order.model_copy(update={"order_id": "CH-1", "kind": "change", "changes_order": "PO-changed"})
    stage.publish(order, change)
    with stage.client("planner") as client:
        eventually(lambda: client.get("/v1/orders/PO-changed").json().get("changed_by"))
    status = Held(planner.context, "**/v1/status")
    page = planner.open("/orders?q=PO-changed")
    row = page.get_by_role("row", name=re.compile("^PO-changed"))
    # Released at 04:00 UTC; the browser is in Chicago, the store in New York, which the page does not know yet.
    expect(row.locator("time")).to_have_text("20 Nov, 22:00 GMT-6")
    status.let_go()
    settled(page)
    expect(row).to_contain_text("missed the order day Sun")
    expect(row.locator("time")).to_have_text("20 Nov, 23:00 GMT-5")
    expect(row.locator("time")).to_have_attribute("title", "2017-11-21 04:00:00 UTC")
    page.get_by_role("button", name="PO-changed").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("so they went out as an order of Mon")
    expect(dialog.get_by_role("table")).to_contain_text("Open")
    expect(dialog).to_contain_text("Changed by")
    dialog.get_by_role("button", name="CH-1").click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="Change CH-1")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="PO-changed").click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="Purchase PO-changed")).to_be_visible()
    for title, file in (("UBL 2.1 (XML)", "PO-changed.xml"), ("X12 850", "PO-changed.edi"), ("CSV", "PO-changed.csv")):
        with page.expect_download() as taken:
            page.get_by_role("dialog").get_by_role("link", name=title).click()
        assert taken.value.suggested_filename == file
        assert "PO-changed" in Path(taken.value.path()).read_text("utf-8")


def test_the_day_on_which_clocks_change_has_each_hour_named_and_no_date_shifted(planner: Seat) -> None:
    """New York, 1 November 2026: 05:30 and 06:30 UTC are both half past one there (IANA tz, US rule of 2007)."""
    page = planner.open("/sign-in")
    told = page.evaluate(
        """async () => {
          const { day, daysBetween, instant, plusDays } = await import("/static/js/format.js");
          const zone = "America/New_York";
          return {
            before: instant("2026-11-01T05:30:00Z", zone), after: instant("2026-11-01T06:30:00Z", zone),
            day: day("2026-11-01"), next: plusDays("2026-11-01", 1), days: daysBetween("2026-10-31", "2026-11-02"),
          };
        }"""
    )
    assert "01:30" in told["before"] and "01:30" in told["after"]
    assert told["before"] != told["after"], "the zone beside the time tells the two hours apart"
    assert told["day"].startswith("Sun") and told["day"].endswith(" 1 Nov")
    assert (told["next"], told["days"]) == ("2026-11-02", 2)
