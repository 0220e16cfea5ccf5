"""Many lines: fifty one after the other by keyboard; at once, where what was not recorded is tried again, and a selection outlives
the session it was made in."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Seat
from tests.browser.stage import PLACES, Stage, eventually, issued, product
from tests.browser.test_keyboard_session import find, line_of, reason, signed_out_and_back, toast

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


def three_lines(stage: Stage, word: str) -> list[str]:
    """Three lines whose products' names begin with `word`; returns their recommendations."""
    names = [f"{word} {number}" for number in (1, 2, 3)]
    skus = [name.lower().replace(" ", "-") for name in names]
    lines = [
        issued(number, sku=sku, location="367", line_id=f"line-{sku}", recommendation_id=f"rec-{sku}")
        for number, sku in enumerate(skus, start=1)
    ]
    stage.publish(*(product(sku, name) for sku, name in zip(skus, names, strict=True)), *lines)
    with stage.client("planner") as client:
        eventually(lambda: client.get("/v1/recommendations", params={"q": word}).json()["total"] == 3)
    return [line.recommendation_id for line in lines]


def select_all(page: Page) -> None:
    expect(page.locator(".canvas .row.active .c-item b")).to_be_visible()
    expect(page.locator(".canvas .row .c-item b")).to_have_count(3)
    page.locator(".canvas .row.active .c-item").focus()
    for _ in range(3):
        page.keyboard.press("x")
        page.keyboard.press("j")
    expect(page.locator("#foot")).to_contain_text("3 lines")


def test_what_was_not_recorded_is_tried_again_with_the_same_reason(planner: Seat) -> None:
    three_lines(planner.stage, "Unreached")
    lost: list[Route] = []

    def lose_the_first(route: Route) -> None:
        lost.append(route)
        if len(lost) == 1:
            route.abort()
        else:
            route.continue_()

    planner.context.route("**/v1/decisions:bulk", lose_the_first)
    page = planner.open("/queue?q=Unreached")
    select_all(page)
    page.keyboard.press("r")
    dialog = page.get_by_role("dialog")
    page.keyboard.press("2")
    chosen = dialog.get_by_role("radio", checked=True).input_value()
    page.keyboard.press("Enter")
    toast(page, "Rejected 0 of 3 lines; 3 not recorded")
    page.locator("#foot").get_by_role("button", name="Reject 3 again").click()
    toast(page, "Rejected 3 lines")
    expect(page.locator("#foot")).not_to_contain_text("again")
    assert {line_of(planner.stage, f"Unreached {number}")["decision_reason"] for number in (1, 2, 3)} == {chosen}


def test_what_somebody_else_changed_is_looked_at_again_before_it_is_tried_again(planner: Seat) -> None:
    """The two others are approved; the third stays selected and says whose decision it shows."""
    stage = planner.stage
    first, *_ = three_lines(stage, "Contested")
    planner.context.route("**/v1/stream*", lambda route: route.abort())
    page = planner.open("/queue?q=Contested")
    select_all(page)
    with stage.client("approver") as approver:
        headers = {"If-Match": find(stage, first)["etag"], "Idempotency-Key": "contested-1"}
        body = {"verdict": "reject", "reason": reason(approver, "reject")}
        assert approver.post(f"/v1/recommendations/{first}/decisions", json=body, headers=headers).status_code == 200
    page.keyboard.press("a")
    expect(page.get_by_role("dialog")).to_contain_text("Approve 3 lines?")
    page.keyboard.press("Enter")
    toast(page, "Approved 2 of 3 lines; 1 not recorded")
    expect(page.locator("#foot")).not_to_contain_text("again")
    row = page.locator(".canvas .row", has_text="Contested 1")
    expect(row).to_contain_text(re.compile("Rejected|Changed"))


def test_what_was_selected_is_selected_again_after_the_session_ended(planner: Seat) -> None:
    stage = planner.stage
    three_lines(stage, "Gathered")
    page = planner.open("/queue?q=Gathered")
    select_all(page)
    page.keyboard.press("a")
    expect(page.get_by_role("dialog")).to_contain_text("Approve 3 lines?")
    signed_out_and_back(planner, page, "Enter")
    expect(page.locator("#foot")).to_contain_text("3 lines")
    expect(page.locator("#announce")).to_contain_text("3 lines are still selected")
    expect(page.locator(".canvas .row input:checked")).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page.locator("#foot")).not_to_contain_text("3 lines ·")
    page.reload()
    expect(page.locator(".canvas .row.active .c-item b")).to_be_visible()
    expect(page.locator(".canvas .row input:checked")).to_have_count(0)
    assert {line_of(stage, f"Gathered {number}")["status"] for number in (1, 2, 3)} == {"pending"}


def test_fifty_lines_are_reviewed_without_a_mouse(planner: Seat) -> None:
    """Every fifth is rejected with a reason, every seventh put aside, the others approved; each is recorded as it was said."""
    stage, keys = planner.stage, {}
    goods = [product(f"sku-f{number:02}", f"Fifty {number:02}") for number in range(50)]
    lines = [
        issued(
            number,
            sku=f"sku-f{number:02}",
            location=PLACES[number % 2][0],
            line_id=f"line-f{number:02}",
            recommendation_id=f"rec-f{number:02}",
            value=Decimal(50),
            unit_cost=Decimal(1),
        )
        for number in range(50)
    ]
    stage.publish(*goods, *lines)
    with stage.client("planner") as client:
        eventually(lambda: client.get("/v1/recommendations?q=Fifty").json()["total"] == 50)
    page = planner.open("/queue?q=Fifty&sort=item")
    for number in range(50):
        name = f"Fifty {number:02}"
        expect(page.locator(".canvas .row.active .c-item b")).to_have_text(name)
        expect(page.locator("#panel h2")).to_have_text(name)
        keys[name] = "r" if number % 5 == 0 else "s" if number % 7 == 0 else "a"
        page.keyboard.press(keys[name])
        if keys[name] != "a":
            expect(page.get_by_role("dialog")).to_contain_text(name)
            page.keyboard.press("Enter")
            expect(page.get_by_role("dialog")).to_have_count(0)
    expected = {"r": {"rejected"}, "s": {"snoozed"}, "a": {"approved", "released"}}
    with stage.client("planner") as client:

        def statuses() -> dict[str, str]:
            answer = client.get("/v1/recommendations", params={"q": "Fifty", "status": "all", "limit": 60}).json()
            return {line["item_name"]: line["status"] for line in answer["items"]}

        eventually(lambda: all(statuses()[name] in expected[key] for name, key in keys.items()))
