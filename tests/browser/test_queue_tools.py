"""What makes the queue a person's own: keys, views, sheets; and the rules of approval, changed by two."""

import csv
import io
import re
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from schemas.catalogue import SupplierDefined
from schemas.demand import StockCounted
from schemas.signals import Scope, SignalObserved
from tests.browser.conftest import Seat
from tests.browser.stage import DAY, TENANT, WHEN, eventually, issued, product, raised

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


def ready(page: Page) -> None:
    expect(page.locator(".canvas .row.active .c-item b")).to_be_visible()


def test_key_is_given_to_a_command_and_kept_and_a_taken_one_is_refused(planner: Seat) -> None:
    page = planner.open("/queue")
    ready(page)
    page.keyboard.press("?")
    button = page.get_by_role("button", name=re.compile("Key for Next line"))
    button.click()
    page.keyboard.press("a")
    expect(page.get_by_role("dialog")).to_contain_text("is the key of “Approve line or selection”")
    button.click()
    page.keyboard.press("z")
    page.keyboard.press("Escape")
    page.reload()
    ready(page)
    first = page.locator(".canvas .row.active .c-item b").inner_text()
    page.keyboard.press("z")
    expect(page.locator(".canvas .row.active .c-item b")).not_to_have_text(first)
    expect(page.locator("#foot")).to_contain_text("Z")


def test_view_is_saved_under_a_name_and_comes_back(planner: Seat) -> None:
    page = planner.open("/queue?sort=value")
    ready(page)
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Save view").click()
    page.get_by_role("textbox", name="Name").fill("Dearest first")
    page.keyboard.press("Enter")
    views = page.get_by_label("Saved views")
    expect(views).to_be_visible()
    page.goto(planner.stage.url + "/queue")
    ready(page)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Saved views").select_option(label="Dearest first")
    expect(page).to_have_url(re.compile("sort=value"))


def test_sheet_goes_out_as_filtered_and_comes_back_as_a_difference(planner: Seat, tmp_path: Path) -> None:
    stage = planner.stage
    stage.publish(product("sku-81", "Sheet tea"), product("sku-82", "Sheet salt"))
    stage.publish(issued(81), issued(82))
    page = planner.open("/queue?q=Sheet")
    expect(page.locator(".canvas .row .c-item b")).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["item_name"] for row in rows} == {"Sheet tea", "Sheet salt"}
    tea = next(row for row in rows if row["item_name"] == "Sheet tea")
    salt = next(row for row in rows if row["item_name"] == "Sheet salt")
    tea["quantity"], salt["quantity"] = "80", "55"
    sheet = tmp_path / "edited.csv"
    with sheet.open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    page.get_by_label("Spreadsheet with changed quantities").set_input_files(sheet)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 line differs")
    expect(dialog).to_contain_text("Sheet salt, 55: The supplier delivers in packs of 10. Nearest: 50 or 60.")
    dialog.get_by_role("button", name="Amend 1 line").click()
    expect(page.locator("#toasts")).to_contain_text("Amended 1 line")


def test_rule_of_approval_is_proposed_by_one_and_put_in_force_by_another(seat: Seat) -> None:
    seat.sign_in("approver")
    page = seat.open("/policy")
    page.get_by_role("button", name="Add a rule").click()
    page.get_by_label("Code").fill("from_afar")
    page.get_by_label("In words").fill("From afar: an approver agrees.")
    page.get_by_label("Asks for").select_option("approver")
    page.get_by_label("Suppliers").fill("SUP-NOBODY")
    page.get_by_label("Why this change").fill("customs")
    page.get_by_role("button", name="Propose").click()
    expect(page.locator("#toasts")).to_contain_text("Proposed.")
    row = page.get_by_role("row", name=re.compile("From afar"))
    expect(row.get_by_role("button", name="Withdraw")).to_be_visible()
    seat.sign_in("admin")
    other = seat.open("/policy")
    other.get_by_role("button", name="Put in force").click()
    expect(other.locator("#toasts")).to_contain_text("is in force")
    expect(other.get_by_role("table", name="Approval rules")).to_contain_text("From afar")


def test_parameter_is_proposed_after_its_effect_was_seen_and_another_person_decides(seat: Seat) -> None:
    seat.stage.plan_one("sku-91", "Planned rice", "900")
    seat.sign_in("planner")
    page = seat.open("/policy")
    expect(page.get_by_role("table", name="Parameters", exact=True)).to_contain_text("Service goal a")
    assert page.get_by_role("button", name="Change service goal a").count() == 0
    page.get_by_role("button", name="Compare weights").click()
    weights = page.get_by_role("table", name="Weights")
    expect(weights.get_by_role("row").nth(1)).to_contain_text("As in force")
    expect(weights.get_by_role("row").nth(2)).to_contain_text(re.compile(r"[\d.]+ : 1 : [\d.]+"))
    page.get_by_label("Items").select_option(index=1)
    expect(weights.get_by_role("row").nth(1)).to_contain_text("As in force")
    seat.sign_in("approver")
    page = seat.open("/policy")
    page.get_by_role("button", name="Change setup cost").click()
    dialog = page.get_by_role("dialog")
    page.get_by_label("Why this change").fill("a line costs more")
    page.get_by_label("New value").fill("much")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("setup_cost: 'much' is not a number")
    page.get_by_label("New value").fill("4.50")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("table", name="Effect")).to_contain_text("As it would be")
    expect(dialog.get_by_role("table", name="Lines that would change")).to_contain_text("sku-91 · 900")
    page.get_by_label("New value").fill("5.00")
    expect(dialog).to_contain_text("look at its effect again")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("table", name="Effect")).to_be_visible()
    dialog.get_by_role("button", name="Propose").click()
    expect(page.locator("#toasts")).to_contain_text("Proposed.")
    row = page.get_by_role("row", name=re.compile("Setup cost 5"))
    expect(row.get_by_role("button", name="Withdraw")).to_be_visible()
    seat.sign_in("admin")
    other = seat.open("/policy")
    theirs = other.get_by_role("row", name=re.compile("Setup cost 5"))
    expect(theirs.get_by_role("button", name="Put in force")).to_be_visible()  # doing it plans the whole stage again
    theirs.get_by_role("button", name="Decline").click()
    expect(theirs).to_contain_text("Declined")


def test_scenarios_show_what_a_signal_did_and_the_plan_without_it(planner: Seat) -> None:
    page = planner.open("/scenarios")
    expect(page.get_by_role("table", name="Strategies")).to_contain_text("reorder point at most × 2.5")
    planner.stage.plan_one("sku-93", "Promoted tea", "903")
    starts = datetime.combine(DAY + timedelta(days=1), time(), UTC)
    promotion = SignalObserved(
        tenant=TENANT,
        signal_id="tea-week",
        kind="promotion",
        scope=Scope(sku="sku-93"),
        strength=3.0,
        probability=Decimal("0.9"),
        starts_at=starts,
        ends_at=starts + timedelta(days=7),
        advisory=False,
    )
    planner.stage.publish(promotion)
    row = page.get_by_role("row", name=re.compile("tea-week"))

    def moved() -> bool:
        page.goto(planner.stage.url + "/scenarios")
        expect(page.get_by_role("table", name="Strategies")).to_be_visible()
        return row.count() == 1 and "of 1 line changed" in row.inner_text()

    eventually(moved, why="the promotion never touched the line")
    row.get_by_role("button", name="Lines").click()
    lines = page.get_by_role("table", name="Lines this signal moved")
    expect(lines).to_contain_text("Promoted tea · 903")
    page.keyboard.press("Escape")
    row.get_by_role("button", name="Plan without").click()
    expect(page.get_by_role("dialog")).to_contain_text("Of 1 item")


def test_closed_doors_are_told_where_the_days_ahead_stand_and_taken_back(planner: Seat) -> None:
    page = planner.open("/scenarios")
    page.get_by_role("button", name="Tell of closed doors").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Location").select_option("406")
    dialog.get_by_label("First day").fill("2017-12-25")
    dialog.get_by_label("Last day").fill("2017-12-26")
    dialog.get_by_label("Note").fill("fitting out")
    dialog.get_by_role("button", name="Tell").click()
    expect(page.locator("#toasts")).to_contain_text("Told.")
    row = page.get_by_role("row", name=re.compile("^Closed doors"))
    expect(row).to_contain_text("25 Dec to 26 Dec 2017")
    expect(row).to_contain_text("no demand at all")
    with planner.stage.client("planner") as client:
        (signal,) = [one for one in client.get("/v1/scenarios").json()["signals"] if one["is_closing"]]
        assert (signal["first_on"], signal["last_on"], signal["scope"]) == (
            "2017-12-25",
            "2017-12-26",
            {"location": "406"},
        )
        unknown = client.post("/v1/closings", json={"location": "X", "first_on": "2017-12-25", "last_on": "2017-12-26"})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "location_not_found")
        turned = client.post(
            "/v1/closings", json={"location": "406", "first_on": "2017-12-26", "last_on": "2017-12-25"}
        )
        assert turned.status_code == 422
    row.get_by_role("button", name="Take back").click()
    expect(row).to_contain_text("open as usual")
    expect(row.get_by_role("button", name="Take back")).to_have_count(0)


def test_panel_opens_a_number_down_to_its_events_answers_what_if_and_keeps_comments(planner: Seat) -> None:
    stage = planner.stage
    stage.plan_one("sku-94", "Asked beans", "904")
    counted = datetime.combine(DAY, time(18), UTC)
    stage.publish(
        StockCounted(
            tenant=TENANT, sku="sku-94", location="904", quantity=Decimal(7), business_date=DAY, counted_at=counted
        )
    )
    with stage.client("planner") as client:
        eventually(lambda: client.get("/v1/items/sku-94/904").json()["position"].get("movements"))
    page = planner.open("/queue?q=sku-94")
    ready(page)
    panel = page.locator("#panel")
    expect(panel.locator("ol.steps")).to_be_visible()
    panel.get_by_text("Newest stock events").click()
    expect(panel.get_by_role("table", name="Stock events")).to_contain_text("Count")
    panel.get_by_text("What if …").click()
    panel.get_by_label("Lead time, days").fill("20")
    page.keyboard.press("Enter")
    expect(panel.locator(".what-if [role=status]")).to_contain_text("days of cover and a stock-out probability of")
    panel.get_by_label("Comment on this line").fill("Ben called: <b>Thursday</b>")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#announce")).to_contain_text("Your comment is recorded")
    with stage.client("planner") as client:
        eventually(lambda: client.get("/v1/items/sku-94/904").json()["comments"])
    page.goto(f"{stage.url}/items/sku-94/904")
    expect(page.get_by_text("Ben called: <b>Thursday</b>")).to_be_visible()


def test_exceptions_are_a_days_work_with_the_remedy_on_the_same_screen(planner: Seat) -> None:
    planner.stage.publish(
        *(
            raised().model_copy(
                update={
                    "exception_id": f"exc-cap-{number}",
                    "subject": f"sku-{number % 40 + 1:02}@406#{number}",
                    "kind": "overstock",
                    "money_at_stake": Decimal(number),
                    "raised_on": DAY - timedelta(days=9),
                }
            )
            for number in range(45)
        )
    )
    shelf = raised().model_copy(
        update={"exception_id": "exc-shelf", "subject": "sku-95@406", "sku": "sku-95", "money_at_stake": Decimal(9000)}
    )
    planner.stage.publish(product("sku-95", "Empty shelf"), issued(95), shelf)
    with planner.stage.client("planner") as client:
        eventually(lambda: client.get("/v1/exceptions?kind=overstock").json()["total"] == 45)
        eventually(lambda: client.get("/v1/items/sku-95/406").json()["line"])
        day = eventually(lambda: client.get("/v1/exceptions?day=true").json())
    stakes = [float(one["money_at_stake"] or -1) for one in day["items"]]
    assert (len(stakes), day["cap"], stakes) == (40, 40, sorted(stakes, reverse=True))
    page = planner.open("/exceptions?kind=overstock")
    table = page.get_by_role("table", name="Exceptions")
    expect(table.locator("tbody tr")).to_have_count(40)
    expect(page.get_by_text("A day's work: the 40 worth most of 45 open exceptions.")).to_be_visible()
    expect(table.locator("tbody tr").first).to_contain_text("Overdue since 18 Nov")
    page.get_by_role("button", name="Show the other 5 too").click()
    expect(table.locator("tbody tr")).to_have_count(45)
    page.goto(planner.stage.url + "/exceptions")
    page.get_by_role("button", name="Remedy for Empty shelf").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Approve the order.")
    dialog.get_by_role("button", name="Countersign").click()
    expect(page.locator("#toasts")).to_contain_text("Countersigned.")


def test_tour_is_walked_by_keyboard_and_once_put_away_never_comes_back(seat: Seat) -> None:
    seat.sign_in("auditor")
    page = seat.open("/today")
    tour = page.get_by_role("region", name="First look around")
    expect(tour).to_contain_text("Step 1 of 4")
    tour.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    expect(tour).to_contain_text("Step 2 of 4")
    expect(tour.get_by_role("button", name="Next")).to_be_focused()
    page.keyboard.press("Escape")
    expect(tour).to_be_hidden()
    with seat.stage.client("auditor") as client:
        eventually(lambda: client.get("/v1/preferences").json().get("tour") == "done")
    page.reload()
    expect(page.get_by_role("heading", name="Today")).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    expect(tour).to_be_hidden()


def test_secret_of_a_key_is_shown_once(seat: Seat) -> None:
    seat.sign_in("admin")
    page = seat.open("/settings")
    card = page.locator("section.card", has_text="API keys")
    card.get_by_role("button", name="Add").click()
    page.get_by_label("What it is for").fill("till feed")
    page.get_by_role("button", name="Add", exact=True).last.click()
    expect(page.get_by_role("dialog")).to_contain_text("Choose at least one.")
    page.get_by_label("Send events").check()
    page.get_by_role("dialog").get_by_role("button", name="Add").click()
    secret = page.get_by_role("dialog").locator("pre").inner_text()
    page.get_by_role("button", name="I have it").click()
    expect(card).to_contain_text("till feed")
    assert secret not in page.content()


def test_administrator_adds_a_person_who_signs_in_sets_a_password_and_is_closed(seat: Seat) -> None:
    seat.sign_in("admin")
    page = seat.open("/settings")
    card = page.locator("section.card", has=page.get_by_role("heading", name="Accounts"))
    card.get_by_role("button", name="Add").click()
    dialog = page.get_by_role("dialog")
    page.get_by_label("User name").fill("new.planner")
    page.get_by_label("Name", exact=True).fill("New Planner")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog).to_contain_text("Choose at least one role.")
    dialog.get_by_role("checkbox", name="Planner").check()
    dialog.get_by_role("button", name="Add").click()
    seat.stage.passwords["new.planner"] = dialog.locator("pre").inner_text()
    page.get_by_role("button", name="I have it").click()
    row = card.get_by_role("row", name=re.compile("new.planner"))
    expect(row).to_contain_text("open")
    assert seat.stage.passwords["new.planner"] not in page.content()

    seat.sign_in("new.planner")
    theirs = seat.open("/settings")
    theirs.get_by_label("Current password").fill(seat.stage.passwords["new.planner"])
    theirs.get_by_label("New password").fill("a sentence of my own")
    theirs.get_by_role("button", name="Set password").click()
    expect(theirs.locator("#toasts")).to_contain_text("Your password is set")
    expect(theirs.get_by_role("heading", name="Accounts")).to_have_count(0)

    seat.sign_in("admin")
    page.reload()
    row.get_by_role("button", name="Close new.planner").click()
    expect(row).to_contain_text("closed")
    with pytest.raises(AssertionError):
        seat.stage.client("new.planner")


def test_supplier_group_says_how_full_the_truck_is_and_follows_each_decision(planner: Seat) -> None:
    """Fifty units of 0.05 m³ are a quarter of a truck of 10 m³; two such lines are half of it."""
    carrier = SupplierDefined(
        tenant=TENANT,
        defined_at=WHEN,
        supplier="SUP-T",
        name="Truck Foods",
        minimum_order_value=None,
        truck_volume_m3=Decimal(10),
    )
    goods = [
        product(f"sku-{number}", f"Bulky {number}").model_copy(update={"volume_m3": Decimal("0.05")})
        for number in (97, 98)
    ]
    lines = [issued(number, sku=f"sku-{number}", location="367", supplier="SUP-T") for number in (97, 98)]
    planner.stage.publish(carrier, *goods, *lines)
    with planner.stage.client("planner") as client:
        eventually(lambda: client.get("/v1/recommendations?supplier=SUP-T").json()["total"] == 2)
    page = planner.open("/queue?group=supplier&q=Bulky")
    heading = page.locator(".canvas .row.group", has_text="Truck Foods")
    expect(heading).to_contain_text("truck 50% full")
    page.keyboard.press("a")
    expect(heading).to_contain_text("truck 25% full")
