"""A planner clears up what could not be booked: names a code, corrects an event, drops another, without leaving the page."""

import re
from datetime import date
from decimal import Decimal

import httpx2
import pytest
from playwright.sync_api import Page, expect

from kernel.ids import derived_id
from schemas.decisions import OrderLine, OrderReleased
from tests.browser.conftest import Seat
from tests.browser.stage import TENANT, WHEN, Stage, eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
DAY = "2017-11-20"


def sale(name: str, sku: str, quantity: str = "2") -> dict[str, object]:
    data = {"sku": sku, "location": "367", "quantity": quantity, "business_date": DAY, "sold_at": f"{DAY}T17:00:00Z"}
    event_id = derived_id("browser", name)
    return {"id": event_id, "source": "pos/367", "type": "sale.recorded.v1", "time": f"{DAY}T17:00:00Z", "data": data}


def event(name: str, says: str, data: dict[str, str] | None = None, **more: str) -> dict[str, object]:
    """Two units of sku-03 at 367 moved, or what `data` says."""
    moved = {"sku": "sku-03", "location": "367", "quantity": "2", "business_date": DAY, "moved_at": f"{DAY}T17:00:00Z"}
    made: dict[str, object] = {
        "source": "wms/367",
        "type": says,
        "time": f"{DAY}T17:00:00Z",
        "data": data or moved | more,
    }
    return made | {"id": derived_id("browser", name)}


def send(stage: Stage, *events: dict[str, object]) -> None:
    """As a till does."""
    with stage.client("admin") as admin:
        answer = admin.post("/v1/events", json=list(events))
    assert answer.json()["accepted"] == len(events), answer.text


def waiting(client: httpx2.Client, code: str) -> int:
    keys = client.get("/v1/parked").json()["items"]
    return sum(int(key["waiting"]) for key in keys if f"/{code}/" in key["record_key"])


def shown(page: Page, text: str) -> None:
    expect(page.locator("tbody", has_text=text)).to_be_visible()


def test_planner_names_a_code_and_drops_another_by_the_page(planner: Seat, stage: Stage) -> None:
    send(stage, sale("one", "4006381333931"), sale("two", "4006381333931"), sale("three", "left-over"))
    with stage.client("planner") as client:
        eventually(lambda: waiting(client, "4006381333931") == 2 and waiting(client, "left-over") == 1)
        page = planner.open("/data-problems")
        row = page.locator("tr", has_text="4006381333931")
        row.get_by_role("button", name="Look").click()
        expect(page.get_by_role("dialog")).to_contain_text("2 wait under")
        page.get_by_role("button", name="Close").click()
        row.get_by_role("button", name="Say what it means").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("Code", exact=True)).to_have_value("4006381333931")
        dialog.get_by_label("It stands for").fill("sku-01")
        dialog.get_by_role("button", name="Keep and let them flow").click()
        expect(page.locator("#page").get_by_text("stands for sku-01")).to_be_visible()
        eventually(lambda: waiting(client, "4006381333931") == 0)

        page.locator("tr", has_text="left-over").get_by_role("button", name="Drop").click()
        page.get_by_role("dialog").get_by_label("Reason").fill("a display dummy")
        page.get_by_role("button", name="Drop for good").click()
        expect(page.locator("#page").get_by_text("1 dropped.")).to_be_visible()
        assert waiting(client, "left-over") == 0


def test_the_page_knows_which_code_of_an_event_is_the_unknown_one(planner: Seat, stage: Stage) -> None:
    by_kiosk = sale("by kiosk", "sku-02")
    assert isinstance(by_kiosk["data"], dict)
    by_kiosk["data"]["channel"] = "kiosk"
    send(stage, by_kiosk)
    with stage.client("planner") as client:
        eventually(lambda: waiting(client, "sku-02") == 1)
        page = planner.open("/data-problems")
        page.locator("tr", has_text="sku-02").get_by_role("button", name="Say what it means").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("The code is that of")).to_have_value("channel")
        expect(dialog.get_by_label("Code", exact=True)).to_have_value("kiosk")
        dialog.get_by_label("It stands for").fill("store")
        dialog.get_by_role("button", name="Keep and let them flow").click()
        eventually(lambda: waiting(client, "sku-02") == 0)


def test_planner_says_which_order_and_which_commitment_unknown_codes_mean(planner: Seat, stage: Stage) -> None:
    with stage.client("planner") as client:
        order = "PO-1"
        line = OrderLine(
            line_no=1, recommendation_id="r-1", decision_id="d-1", sku="sku-03", quantity=Decimal(12), unit="each",
            unit_cost=Decimal(2), value=Decimal(24),
        )  # fmt: skip
        released = OrderReleased(
            tenant=TENANT, order_id=order, kind="purchase_order", supplier="SUP-17", location="367", currency="USD",
            order_on=date(2017, 11, 20), arrive_on=date(2017, 11, 24), value=Decimal(24), released_at=WHEN, lines=(line,),
        )  # fmt: skip
        stage.publish(released)
        eventually(lambda: client.get(f"/v1/orders/{order}").status_code == 200)
        send(
            stage,
            event("made", "stock.moved.v1", kind="reservation", commitment_id="c-1"),
            event("another", "stock.moved.v1", kind="backorder", commitment_id="c-2"),
            event("unlike", "stock.moved.v1", kind="reservation", commitment_id="d-1"),
            event("served", "stock.moved.v1", kind="release", commitment_id="WEB-1"),
        )
        answered = {"order_id": "4500", "status": "acknowledged", "updated_at": f"{DAY}T17:00:00Z"}
        answered |= {"location": "367", "business_date": DAY}
        send(stage, event("answered", "order.updated.v1", data=answered))
        for code, subject, meant in (("4500", "purchase_order", order), ("sku-03", "commitment", "c-1")):
            page = planner.open("/data-problems")
            row = page.locator("tr", has_text=code)
            row.get_by_role("button", name="Say what it means").click()
            dialog = page.get_by_role("dialog")
            expect(dialog.get_by_label("The code is that of")).to_have_value(subject)
            expect(dialog.get_by_label("Code", exact=True)).to_have_value({"commitment": "WEB-1"}.get(subject, code))
            expect(dialog.get_by_label("It is a").locator("option[value=gtin]")).to_have_count(0)
            if subject == "purchase_order":
                expect(dialog.locator(f"datalist option[value='{order}']")).to_have_count(1)
            else:
                dialog.get_by_label("It stands for").press_sequentially("c-")
                expect(dialog.locator("datalist option")).to_have_count(2)
                expect(dialog.locator(f"datalist option[value='{meant}']")).to_have_count(1)
            dialog.get_by_label("It stands for").fill(meant)
            dialog.get_by_role("button", name="Keep and let them flow").click()
            expect(page.locator("#page").get_by_text(f"stands for {meant}")).to_be_visible()
        eventually(lambda: not {"4500"} & {one["record_key"] for one in client.get("/v1/parked").json()["items"]})
        eventually(lambda: waiting(client, "sku-03") == 0)
        found = [one["kind"] for one in client.get(f"/v1/orders/{order}").json()["updates"]]
        assert "acknowledged" in found


def test_auditor_sees_the_same_and_can_change_nothing(seat: Seat, stage: Stage) -> None:
    send(stage, sale("four", "only-looked-at"))
    with stage.client("planner") as client:
        eventually(lambda: waiting(client, "only-looked-at") == 1)
    seat.sign_in("auditor")
    page = seat.open("/data-problems")
    shown(page, "only-looked-at")
    expect(page.get_by_role("button", name="Look")).not_to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("Drop|Say what"))).to_have_count(0)
    page.get_by_role("button", name="Could not be handled").click()
    # Whether there is one depends on the tests before; that an auditor sees each and changes none does not.
    with stage.client("auditor") as client:
        letters = client.get("/v1/dead-letters", params={"state": "waiting"}).json()["items"]
    if letters:
        expect(page.get_by_role("button", name="Look", exact=True)).to_have_count(len(letters))
    else:
        expect(page.get_by_text("No event was unreadable")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^(Drop|Replay|Correct)$"))).to_have_count(0)
