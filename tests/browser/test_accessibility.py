"""axe finds nothing on any page, light and dark, wide and on a phone; no page scrolls sideways."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Seat
from tests.browser.stage import NEWCOMER, TENANT, Stage, eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

PATHS = (
    "/today",
    "/queue",
    "/queue?group=supplier&q=sku",
    "/queue?q=nothing-is-called-this",
    "/exceptions",
    "/orders",
    "/data-problems",
    "/data-problems?view=letters",
    "/items",
    "/items/sku-01/406",
    "/items/nobody/knows",
    "/forecasts",
    "/forecasts?tab=items",
    "/forecasts?tab=overrides",
    "/forecasts?tab=models",
    "/backtests",
    "/scenarios",
    "/suppliers",
    "/classes",
    "/usage",
    "/policy",
    "/audit",
    "/settings",
    "/nowhere",
)
WIDE, PHONE = (1480, 900), (390, 844)


def settled(page: Page) -> None:
    """Wait until the page has drawn what it asked for."""
    expect(page.locator("h1").first).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    expect(page.locator("#live-words")).not_to_have_text("Connecting …")


def violations(page: Page) -> list[dict[str, Any]]:
    """What axe complains of, short."""
    found = Axe().run(page).response["violations"]
    return [{"rule": one["id"], "where": [node["html"][:160] for node in one["nodes"][:3]]} for one in found]


def seat_of(stage: Stage, chromium: Browser, scheme: Any, size: tuple[int, int]) -> Seat:
    """An admin's browser in this theme and size; axe needs a script of its own, so the page's policy is set aside."""
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        locale="en-GB",
        reduced_motion="reduce",
        bypass_csp=True,
    )
    context.set_default_timeout(20_000)
    return Seat(stage, context)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing(stage: Stage, chromium: Browser, scheme: str, size: tuple[int, int]) -> None:
    """Every page, and the dialogs and the amend field of the queue."""
    seat = seat_of(stage, chromium, scheme, size)
    page = seat.open("/sign-in")
    found = {"/sign-in": violations(page)}
    seat.sign_in("planner")
    for path in PATHS:
        page.goto(stage.url + path)
        settled(page)
        found[path] = violations(page)
        sideways = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        assert not sideways, f"{path} scrolls sideways at {size[0]} px"
    page.goto(f"{stage.url}/queue")
    settled(page)
    for key in ("r", "s", "?", "Control+k"):
        page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_be_visible()
        found[f"dialog {key}"] = violations(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("x")
    page.keyboard.press("e")
    expect(page.get_by_label("Amend to")).to_be_focused()
    found["amend"] = violations(page)
    page.goto(f"{stage.url}/queue")  # on a phone the open panel lies over the account
    settled(page)
    page.locator("#account summary").click()
    expect(page.get_by_label("Look as")).to_be_visible()
    found["account"] = violations(page)
    page.get_by_label("Look as").select_option("viewer")
    expect(page.get_by_role("button", name="As viewer")).to_be_visible()
    settled(page)
    found["as viewer"] = violations(page)
    page.get_by_role("button", name="As viewer").click()
    expect(page.get_by_role("button", name="As viewer")).to_have_count(0)
    page.goto(f"{stage.url}/queue?min_value=100")
    settled(page)
    expect(page.get_by_label("Waiting for")).to_be_in_viewport()
    found["filters"] = violations(page)
    page.goto(f"{stage.url}/items/sku-01/406")
    settled(page)
    page.get_by_role("button", name="Reorder point").press("Enter")
    expect(page.locator(".meaning")).to_contain_text("time to order")
    found["meaning of a term"] = violations(page)
    page.get_by_role("button", name="All terms").click()
    expect(page.get_by_role("dialog").get_by_text("Safety stock", exact=True)).to_be_visible()
    found["dialog terms"] = violations(page)
    seat.context.close()
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
    assert seat.complaints == []


@pytest.mark.parametrize("tenant", [TENANT, NEWCOMER])
def test_no_page_shows_what_only_a_program_knows(stage: Stage, chromium: Browser, tenant: str) -> None:
    """With data and before there is any: what is not known yet is said in words, and no page logs an error."""
    seat = seat_of(stage, chromium, "light", WIDE)
    seat.sign_in("admin", tenant)
    page = seat.open("/today")
    shown: dict[str, list[str]] = {}
    for path in PATHS:
        page.goto(stage.url + path)
        settled(page)
        words = re.findall(r"\b(?:null|undefined|NaN|Infinity|\[object \w+\])", page.locator("#main").inner_text())
        shown |= {path: words} if words else {}
    seat.context.close()
    assert shown == {}
    assert seat.complaints == []


def test_at_twice_the_size_everything_is_still_there(stage: Stage, chromium: Browser) -> None:
    """200 % zoom of a 1480 px window is a 740 px one: the panel opens over the list and closes with Escape."""
    seat = seat_of(stage, chromium, "light", (740, 450))
    seat.sign_in("planner")
    page = seat.open("/queue")
    settled(page)
    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.locator("#panel")).to_be_visible()
    expect(page.get_by_role("button", name="Countersign")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    for path in PATHS:
        page.goto(stage.url + path)
        settled(page)
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth"), f"{path} at 200 %"
        lost = page.evaluate(
            """() => {
              const strip = (each) => each && (["auto", "scroll"].includes(getComputedStyle(each).overflowX) || strip(each.parentElement));
              return [...document.querySelectorAll("#main button, #main a, #main input, #main select")].filter((each) => {
                const box = each.getBoundingClientRect();
                return box.width && !strip(each.parentElement.closest("#main *")) && (box.left < 0 || box.right > innerWidth + 1);
              }).map((each) => each.outerHTML.slice(0, 120));
            }"""
        )
        assert lost == [], f"{path} at 200 % has controls outside the window"
    seat.context.close()


def govern(seat: Seat, opens: str, fields: dict[str, str], in_force: str) -> Page:
    """The approver proposes with this button and these fields, the administrator puts it in force; the approver's page."""
    seat.sign_in("approver", NEWCOMER)
    page = seat.open("/policy")
    page.get_by_role("button", name=opens).click()
    for label, value in fields.items():
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Propose").click()
    expect(page.locator("#toasts")).to_contain_text("Proposed.")
    seat.sign_in("admin", NEWCOMER)
    theirs = seat.open("/policy")
    row = theirs.get_by_role("row", name=re.compile(in_force))
    row.get_by_role("button", name="Put in force").click()
    expect(theirs.locator("#toasts")).to_contain_text("is in force")
    theirs.close()
    seat.sign_in("approver", NEWCOMER)
    page.reload()
    return page


def test_reading_is_limited_by_two_people_and_what_is_closed_then_says_why(seat: Seat) -> None:
    """In a tenant of its own: entries, the limit, and a rule proposed after it that leaves both as they are. The planner
    then finds every page whole, or the refusal's own sentence."""
    seat.sign_in("approver", NEWCOMER)
    card = seat.open("/policy").locator("section.card", has_text="Who covers what")
    expect(card).to_contain_text("Nobody has an entry")
    expect(card.get_by_role("button", name="Limit reading")).to_have_count(0)
    entry = {"Account or key": "planner", "Locations": "367, 406", "Why this change": "two stores"}
    govern(seat, "Add an entry", entry, "planner covers location 367, 406")
    govern(seat, "Add an entry", {"Account or key": "approver", "Why this change": "all"}, "approver covers everything")
    page = seat.open("/policy")
    page.get_by_role("button", name="Limit reading").click()
    expect(page.get_by_role("dialog")).to_contain_text("No entry: admin, auditor.")
    page.close()
    govern(seat, "Limit reading", {"Why this change": "franchise"}, "reading limited to coverage")
    rule = {"Code": "beside", "In words": "Beside it.", "Why this change": "order"}
    page = govern(seat, "Add a rule", rule, "Beside")
    expect(page.get_by_role("table", name="Approval rules")).to_contain_text("Beside it.")
    expect(page.get_by_role("table", name="Coverage")).to_contain_text("location 367, 406")
    expect(page.get_by_text("Coverage limits what is decided and what is read.")).to_be_visible()
    expect(page.get_by_role("button", name="Let everybody read")).to_be_visible()

    seat.sign_in("planner", NEWCOMER)
    eventually(lambda: seat.context.request.get(f"{seat.stage.url}/v1/scenarios").status == 403)
    closed = set()
    for path in PATHS:
        page.goto(seat.stage.url + path)
        settled(page)
        main = page.locator("#main")
        expect(main).not_to_contain_text("gave no reason")
        if "limits what you read to what you cover" in main.inner_text():
            closed.add(path)
            expect(main.get_by_role("button", name="Try again")).to_have_count(0)
    assert closed == {
        *("/scenarios", "/classes", "/backtests", "/data-problems", "/data-problems?view=letters", "/policy"),
        *("/forecasts", "/forecasts?tab=overrides", "/forecasts?tab=models"),
    }
