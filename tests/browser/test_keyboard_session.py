"""A planner's morning without a mouse: sign in, understand, approve, take back, amend, reject, snooze, in bulk."""

import re
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Error as PlaywrightError

from tests.browser.conftest import Seat
from tests.browser.stage import Stage, eventually, issued, product

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


def toast(page: Page, text: str) -> None:
    """Wait until the toast says so."""
    expect(page.locator("#toasts")).to_contain_text(text)


def active_name(page: Page) -> str:
    """The product of the line the keyboard stands on."""
    return page.locator(".canvas .row.active .c-item b").inner_text()


def line_of(stage: Stage, name: str) -> dict[str, Any]:
    """The newest line of a product, as the API tells it."""
    with stage.client("planner") as planner:
        found = planner.get("/v1/recommendations", params={"status": "all", "q": name}).json()["items"]
    return dict(found[0])


def status_of(stage: Stage, name: str) -> str:
    """What the API says of the newest line of a product."""
    return str(line_of(stage, name)["status"])


def active_value(page: Page) -> Decimal:
    """What the line the keyboard stands on costs, as its row says."""
    found = re.search(r"\$([\d,.]+)", page.locator(".canvas .row.active").inner_text())
    assert found is not None
    return Decimal(found[1].replace(",", ""))


def test_a_whole_session_needs_no_mouse(seat: Seat) -> None:
    """Every step by keyboard, each result seen in the API afterwards."""
    page = seat.open("/queue")
    expect(page).to_have_url(f"{seat.stage.url}/sign-in?next=%2Fqueue")
    keys = page.keyboard
    keys.type("planner")
    keys.press("Tab")
    keys.type(seat.stage.passwords["planner"])
    keys.press("Enter")
    page.wait_for_url("**/queue*")
    expect(page.locator(".canvas .row.active .c-item b")).to_be_visible()

    keys.press("j")
    first = active_name(page)
    expect(page.locator("#panel h2")).to_have_text(first)
    expect(page.locator("ol.steps .bind")).to_contain_text("This bound the quantity")
    keys.press("a")
    toast(page, f"Approved 50 × {first}")
    assert active_name(page) != first
    keys.press("u")
    toast(page, f"Took back 50 × {first}")
    eventually(lambda: status_of(seat.stage, first) == "pending")

    amended = active_name(page)
    keys.press("e")
    expect(page.get_by_label("Amend to")).to_be_focused()
    keys.type("55")
    keys.press("Enter")
    expect(page.locator("#amend-error")).to_contain_text("packs of 10")
    keys.press("ArrowUp")
    expect(page.get_by_label("Amend to")).to_have_value("60")
    keys.press("Enter")
    expect(page.get_by_label("Reason for the amendment")).to_be_focused()
    keys.press("ArrowDown")
    keys.press("Enter")
    toast(page, f"60 × {amended}")

    rejected = active_name(page)
    keys.press("r")
    expect(page.get_by_role("dialog")).to_contain_text(rejected)
    keys.press("2")
    keys.press("Enter")
    toast(page, f"Rejected 50 × {rejected}")

    snoozed = active_name(page)
    keys.press("s")
    expect(page.get_by_role("dialog")).to_contain_text("Until")
    keys.press("Enter")
    toast(page, f"Snoozed 50 × {snoozed}")

    eventually(lambda: status_of(seat.stage, rejected) == "rejected")
    eventually(lambda: status_of(seat.stage, snoozed) == "snoozed")
    eventually(lambda: status_of(seat.stage, amended) in ("amended", "approved", "pending"))


def test_many_lines_are_approved_after_their_total_was_seen(planner: Seat) -> None:
    """Three lines selected by keyboard; the total is confirmed; undo takes all of them back."""
    page = planner.open("/queue?sort=item")
    expect(page.locator(".canvas .row.active .c-item b")).to_be_visible()
    keys = page.keyboard
    for _ in range(10):
        keys.press("j")
    chosen = []
    for _ in range(3):
        chosen.append(active_value(page))
        keys.press("x")
        keys.press("j")
    total = f"${sum(chosen):,.2f}"
    expect(page.locator("#foot")).to_contain_text(f"3 lines · {total}")
    keys.press("a")
    expect(page.get_by_role("dialog")).to_contain_text(f"3 lines, {total} in all")
    keys.press("Enter")
    toast(page, "Approved 3 lines")
    keys.press("u")
    toast(page, "Took back 3 lines")
    expect(page.locator(".canvas .row.settled")).to_have_count(0)


def test_filters_survive_a_reload_and_a_link(planner: Seat) -> None:
    """The address holds the whole state of the list."""
    page = planner.open("/queue")
    expect(page.locator(".canvas .row.active .c-item b")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Find in the queue")).to_be_focused()
    page.keyboard.type("sku-2")
    expect(page).to_have_url(re.compile("q=sku-2"))
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+G")
    expect(page).to_have_url(re.compile("group=supplier"))
    shown = page.locator(".canvas .row.group").first
    expect(shown).to_contain_text("lines")
    page.reload()
    expect(page.locator(".canvas .row.group").first).to_contain_text("lines")
    expect(page.get_by_label("Find in the queue")).to_have_value("sku-2")


def test_what_is_being_typed_survives_that_the_filters_are_drawn_anew(planner: Seat) -> None:
    """A line that arrives draws the filters anew, at any moment: also between two letters."""
    page = planner.open("/queue")
    expect(page.locator(".canvas .row.active .c-item b")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Find in the queue")).to_be_focused()
    page.evaluate(
        """() => {
          const type = (letters) => {
            const field = document.querySelector(".find-lines");
            field.value += letters;
            field.dispatchEvent(new Event("input", { bubbles: true }));
          };
          const drawAnew = () => [...document.querySelectorAll("button.chip")].find((chip) => chip.textContent === "Filters").click();
          type("s");
          drawAnew();
          drawAnew();
          type("ku-2");
        }"""
    )
    expect(page).to_have_url(re.compile("q=sku-2(&|$)"))
    expect(page.get_by_label("Find in the queue")).to_have_value("sku-2")


def test_the_grid_is_one_tab_stop_and_tells_its_size(planner: Seat) -> None:
    """APG grid: rows are counted, one cell is in the tab order, arrows move, the sort is announced."""
    page = planner.open("/queue")
    grid = page.get_by_role("grid")
    expect(page.locator(".canvas .row.active .c-item b")).to_be_visible()
    assert int(grid.get_attribute("aria-rowcount") or 0) > 20
    assert page.locator('[role=grid] [tabindex="0"]').count() == 1
    page.keyboard.press("j")
    page.keyboard.press("ArrowRight")
    expect(page.locator('[role=gridcell][tabindex="0"]')).to_be_focused()
    expect(page.locator('[role=gridcell][tabindex="0"]')).to_have_attribute("aria-colindex", "3")
    page.keyboard.press("Control+End")
    assert page.locator(".canvas .row.active").get_attribute("aria-rowindex") == grid.get_attribute("aria-rowcount")
    page.keyboard.press("Control+Home")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator('[role=columnheader][aria-sort="ascending"]')).to_have_count(1)


def test_single_keys_can_be_switched_off(planner: Seat) -> None:
    """WCAG 2.1.4: the setting persists, and no key acts any more."""
    page = planner.open("/settings")
    page.get_by_label("Single-key shortcuts").uncheck()
    page.goto(planner.stage.url + "/queue")
    expect(page.locator(".canvas .row.active .c-item b")).to_be_visible()
    before = active_name(page)
    page.keyboard.press("j")
    page.keyboard.press("r")
    assert active_name(page) == before
    assert page.get_by_role("dialog").count() == 0


def test_a_decision_that_came_too_late_says_who_when_and_what(planner: Seat, stage: Stage) -> None:
    """Somebody else rejects the line while this page is deaf; the approval is refused and the line shows theirs."""
    late = issued(77, line_id="line-late", recommendation_id="rec-late-1", sku="sku-77", location="367", value=400)
    stage.publish(product("sku-77", "Late product"), late)
    eventually(lambda: find(stage, "rec-late-1"))
    planner.context.route("**/v1/stream*", lambda route: route.abort())
    page = planner.open("/queue?q=Late+product")
    expect(page.locator(".canvas .row.active .c-item b")).to_have_text("Late product")
    with stage.client("approver") as approver:
        line = find(stage, "rec-late-1")
        headers = {"If-Match": line["etag"], "Idempotency-Key": "late-1"}
        body = {"verdict": "reject", "reason": reason(approver, "reject")}
        url = "/v1/recommendations/rec-late-1/decisions"
        assert approver.post(url, json=body, headers=headers).status_code == 200
    page.keyboard.press("a")
    toast(page, "Your decision was not recorded")
    toast(page, "approver")
    page.keyboard.press("k")
    expect(page.locator("#panel .notice.bad")).to_contain_text("Someone was faster")


def find(stage: Stage, recommendation_id: str) -> dict[str, str]:
    """The line of a recommendation, or nothing."""
    with stage.client("planner") as planner:
        answer = planner.get(f"/v1/recommendations/{recommendation_id}")
    return dict(answer.json()["line"]) if answer.status_code == 200 else {}


def reason(client: object, verdict: str) -> str:
    """The first coded reason of a verdict."""
    return str(client.get("/v1/decision-reasons").json()[verdict][0]["code"])  # type: ignore[attr-defined]


def test_a_dear_line_takes_two_different_people(planner: Seat, stage: Stage, chromium: Browser) -> None:
    """Above the limit the planner's signature is the first of two; the planner cannot give both, the approver can."""
    dear = issued(66, line_id="line-dear", recommendation_id="rec-dear-1", sku="sku-66", location="367")
    dear = dear.model_copy(update={"unit_cost": Decimal(200), "value": Decimal(10000)})
    stage.publish(product("sku-66", "Dear product"), dear)
    eventually(lambda: find(stage, "rec-dear-1"))
    page = planner.open("/queue?q=Dear+product")
    expect(page.locator(".canvas .row.active .c-item b")).to_have_text("Dear product")
    page.keyboard.press("a")
    toast(page, "First of two signatures")
    expect(page.locator("#panel .notice.info")).to_contain_text("You signed")
    expect(page.get_by_role("button", name="Countersign")).to_have_count(0)
    context = chromium.new_context(viewport={"width": 1480, "height": 900})
    second = Seat(stage, context)
    second.sign_in("approver")
    page = second.open("/queue?q=Dear+product")
    expect(page.locator("#panel .notice.info")).to_contain_text("planner signed")
    page.keyboard.press("a")
    toast(page, "Approved 50 × Dear product")
    context.close()
    eventually(lambda: find(stage, "rec-dear-1")["status"] == "approved")
    assert second.complaints == []


def test_a_term_explains_itself_where_it_stands_and_all_of_them_are_a_key_away(planner: Seat) -> None:
    page = planner.open("/items/sku-05/406")
    word = page.get_by_role("button", name="Order up to")
    word.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".meaning")).to_contain_text("fills the inventory position to")
    expect(word).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(page.locator(".meaning")).to_have_count(0)
    expect(word).to_be_focused()
    page.goto(f"{planner.stage.url}/queue")
    page.locator(".canvas .row.active .c-cover").focus()
    page.keyboard.press("F1")
    dialog = page.get_by_role("dialog", name="Terms")
    expect(dialog.locator(".wanted dt")).to_have_text("Days of cover")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("Control+k")
    page.keyboard.type("explain")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("GMROI")


def test_a_session_that_ends_in_the_middle_of_an_amendment_takes_nothing_away(planner: Seat) -> None:
    """The way back leads over another site, as single sign-on does; the quantity and reason are there again."""
    line = issued(87, sku="sku-87", location="367")
    other = issued(86, sku="sku-86", location="367", line_id="line-86b", recommendation_id="rec-86b")
    stage = planner.stage
    stage.publish(product("sku-87", "Interrupted oats"), product("sku-86", "Interrupted rye"), other, line)
    with stage.client("planner") as client:
        eventually(lambda: client.get("/v1/recommendations?q=Interrupted").json()["total"] == 2)
    page = planner.open("/queue?q=Interrupted")
    oats = page.locator(".canvas .row", has_text="Interrupted oats")
    oats.locator(".c-item").click()
    expect(page.locator("#panel h2")).to_have_text("Interrupted oats")
    page.keyboard.press("e")
    page.keyboard.type("70")
    reason = page.get_by_label("Reason for the amendment")
    reason.select_option(index=2)
    chosen = reason.input_value()
    signed_out_and_back(planner, page, "Enter")
    expect(page.locator("#panel h2")).to_have_text("Interrupted oats")
    expect(page.get_by_label("Amend to")).to_have_value("70")
    expect(page.get_by_label("Reason for the amendment")).to_have_value(chosen)
    expect(page.get_by_text("You had begun this amendment.")).to_be_visible()
    page.locator(".canvas .row.active .c-item").focus()
    page.keyboard.press("a")
    expect(page.locator("#amend-error")).to_contain_text("You wrote 70 here. Amend sends it; Esc puts 50 back")
    expect(page.get_by_label("Amend to")).to_be_focused()
    page.keyboard.press("Enter")
    toast(page, "Amended 70 × Interrupted oats")
    eventually(lambda: status_of(stage, "Interrupted oats") in ("amended", "released"))


def signed_out_and_back(seat: Seat, page: Page, key: str) -> None:
    """The session ends while something is half done; `key` sends it, unless the page knows by itself already. Then over
    another site and back in, to wherever the page leads."""
    ended = seat.context.request.delete(f"{seat.stage.url}/v1/session")
    assert ended.status == 204, ended.text()
    with suppress(PlaywrightError):  # the page asks now and then by itself, and may be leaving already
        page.keyboard.press(key)
    expect(page.get_by_text("Your session is over.")).to_be_visible()
    back = page.url
    page.goto(seat.stage.url.replace("127.0.0.1", "localhost") + "/sign-in")
    page.goto(back)
    page.get_by_label("User name").fill("planner")
    page.get_by_label("Password", exact=True).fill(seat.stage.passwords["planner"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/queue?*")


def test_a_session_that_ends_in_the_middle_of_a_note_takes_nothing_away(planner: Seat) -> None:
    """A rejection and a snooze, half written: the way back leads to the same line, and the same key goes on."""
    stage = planner.stage
    names = ("Broken off barley", "Broken off millet", "Broken off wheat")
    lines = [
        issued(
            number, sku=f"sku-n{number}", location="367", line_id=f"line-n{number}", recommendation_id=f"rec-n{number}"
        )
        for number in (1, 2, 3)
    ]
    stage.publish(*(product(line.sku, name) for line, name in zip(lines, names, strict=True)), *lines)
    with stage.client("planner") as client:
        eventually(lambda: client.get("/v1/recommendations?q=Broken+off").json()["total"] == 3)
    page = planner.open("/queue?q=Broken+off&sort=item")
    page.locator(".canvas .row", has_text=names[1]).locator(".c-item").click()
    expect(page.locator("#panel h2")).to_have_text(names[1])
    page.keyboard.press("r")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(names[1])
    page.keyboard.press("2")
    chosen = dialog.get_by_role("radio", checked=True).input_value()
    dialog.get_by_label("Note", exact=True).fill("The shelf is rebuilt until")
    signed_out_and_back(planner, page, "Control+Enter")
    expect(page.locator("#panel h2")).to_have_text(names[1])
    expect(page.locator("#panel")).to_contain_text("You had begun to reject this line. R goes on with it.")
    page.keyboard.press("r")
    expect(dialog).to_contain_text("You had begun this.")
    expect(dialog.get_by_label("Note", exact=True)).to_have_value("The shelf is rebuilt until")
    expect(dialog.get_by_role("radio", checked=True)).to_have_value(chosen)
    page.keyboard.press("Control+Enter")
    toast(page, f"Rejected 50 × {names[1]}")
    eventually(lambda: line_of(stage, names[1])["status"] == "rejected")
    assert line_of(stage, names[1])["decision_reason"] == chosen

    expect(page.locator("#panel h2")).to_have_text(names[2])
    page.keyboard.press("s")
    dialog.get_by_role("button", name="In a week").click()
    until = dialog.get_by_label("Until").input_value()
    dialog.get_by_label("Comes back").select_option("sooner_stockout")
    dialog.get_by_label("Note", exact=True).fill("Ben knows more then")
    signed_out_and_back(planner, page, "Control+Enter")
    expect(page.locator("#panel h2")).to_have_text(names[2])
    page.keyboard.press("s")
    expect(dialog.get_by_label("Until")).to_have_value(until)
    expect(dialog.get_by_label("Comes back")).to_have_value("sooner_stockout")
    expect(dialog.get_by_label("Note", exact=True)).to_have_value("Ben knows more then")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator("#panel")).not_to_contain_text("You had begun to")
    assert status_of(stage, names[2]) == "pending"
