"""What amended and refused lines were worth: decided through the gateway, sold and closed on Kafka, reckoned and shown."""

import os
import uuid
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from playwright.sync_api import Browser, expect

from kit.packing import unpack
from schemas.base import Message
from schemas.matrix import ApprovalMatrixPublished, Coverage, Scope
from services.gateway.accounts import bootstrap
from services.policy.domain.decided_line import Day, afterwards
from services.policy.domain.decision_value import Afterwards, value_of
from tests import ground
from tests.browser.conftest import Seat
from tests.browser.stage import TENANT, Stage, eventually
from tests.browser.test_accessibility import violations
from tests.ground import Ground, Services
from tests.integration.policy.seat import DAY, NOON, catalogue, closed, count, forecast, receipt, sale

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
DAYS, SOLD, ON_HAND, BACK = 30, 2, 5, 8
REFUSED, RAISED, CUT, ACCEPTED = SKUS = ("REFUSED", "RAISED", "CUT", "ACCEPTED")


def told(*messages: Message) -> list[Message]:
    return [one.model_copy(update={"tenant": TENANT}) for one in messages]


def afternoon(number: int) -> datetime:
    return datetime.combine(DAY + timedelta(days=number), time(15), NOON.tzinfo)


def decide(client: Any, line: dict[str, Any], **body: str) -> None:
    path = f"/v1/recommendations/{line['recommendation_id']}/decisions"
    headers = {"If-Match": f'"{line["version"]}"', "Idempotency-Key": str(uuid.uuid4())}
    answer = client.post(path, json=body, headers=headers)
    assert answer.status_code == 200, answer.text


def values(client: Any, **query: str) -> dict[str, Any]:
    answer = client.get("/v1/decision-values", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def shop(platform: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Four products: one is refused and runs out until day BACK; one is raised, one is cut, one taken as it is, and none of these does."""
    with ground.fresh_namespace(platform) as namespace, ground.fresh_database(platform) as database:
        services = Services(platform, namespace, database, tmp_path_factory.mktemp("shop"))
        stage = Stage(platform, namespace, services)
        for made in ground.wait_for(bootstrap(database.url("gateway"), TENANT)):
            stage.passwords[made.username] = made.password
        names = ("policy", "approvals", "gateway")
        processes = [services.process(name, plan_grace_seconds="0", undo_window_seconds="1") for name in names]
        try:
            for process in processes:
                process.start()
            for process in processes:
                process.await_ready(seconds=120)
            stage.publish(*told(*catalogue(*SKUS)))
            stage.publish(*told(*(count(sku, ON_HAND, NOON) for sku in SKUS)))
            stage.publish(*told(*(forecast(sku, SOLD, confidence="0.10") for sku in SKUS), closed(DAY)))
            with stage.client("planner") as planner:
                decide_all(stage, planner)
                live(stage)
                eventually(
                    lambda: {one["days_known"] for one in values(planner)["lines"]} == {DAYS}, why="days are missing"
                )
            yield stage
        finally:
            services.end()


def decide_all(stage: Stage, planner: Any) -> None:
    def waiting() -> dict[str, Any]:
        planner.post("/v1/planning-runs", json={})
        found = planner.get("/v1/recommendations", params={"status": "pending"}).json()["items"]
        return {one["sku"]: one for one in found} if len(found) == len(SKUS) else {}

    lines = eventually(waiting, why="the four lines never waited for a person")
    proposed = Decimal(lines[RAISED]["quantity"])
    decide(planner, lines[REFUSED], verdict="reject", reason="not_needed")
    decide(planner, lines[RAISED], verdict="amend", quantity=str(proposed + 12), reason="forecast_too_low")
    decide(planner, lines[CUT], verdict="amend", quantity="6", reason="cash")
    decide(planner, lines[ACCEPTED], verdict="approve")
    eventually(
        lambda: values(planner)["totals"] and values(planner)["totals"][0]["lines"] == 3, why="three were overruled"
    )


def days_of(sku: str) -> list[tuple[int, int, int]]:
    """What came, was sold and was left of a product on each day: two are sold a day as long as they are there."""
    stock, days = ON_HAND, list[tuple[int, int, int]]()
    for number in range(1, DAYS + 1):
        came = 100 if number == (BACK if sku == REFUSED else 1) else 0
        sold = min(SOLD, stock + came)
        stock += came - sold
        days.append((came, sold, stock))
    return days


def live(stage: Stage) -> None:
    """The days after the decisions, and their close."""
    moved: list[Message] = []
    for number in range(1, DAYS + 1):
        for sku in SKUS:
            came, sold, _left = days_of(sku)[number - 1]
            moved += [receipt(sku, came, afternoon(number))] if came else []
            moved += [sale(sku, sold, afternoon(number))] if sold else []
    stage.publish(*told(*moved))
    stage.publish(*told(closed(DAY + timedelta(days=DAYS))))


def published(stage: Stage, recommendation_id: str) -> dict[str, Any]:
    async def read() -> Any:
        connection = await asyncpg.connect(stage.services.database.admin_url)
        try:
            return await connection.fetchval(
                "select document from policy.recommendations where recommendation_id = $1", recommendation_id
            )
        finally:
            await connection.close()

    found: dict[str, Any] = orjson.loads(unpack(ground.wait_for(read())))
    return found


def test_each_overruled_line_is_worth_what_the_rules_say_of_its_days(shop: Stage) -> None:
    with shop.client("planner") as planner:
        lines = {one["sku"]: one for one in values(planner)["lines"]}
    assert set(lines) == {REFUSED, RAISED, CUT}, "what was taken as proposed is no override"
    for sku, one in lines.items():
        days = tuple(Day(Decimal(sold), left == 0) for _came, sold, left in days_of(sku))
        facts = afterwards(published(shop, one["recommendation_id"]), days)
        assert isinstance(facts, Afterwards)
        found = value_of(facts, Decimal(one["proposed"]), Decimal(one["decided"]))
        assert (one["status"], Decimal(one["low"]), Decimal(one["high"])) == (found.status, found.low, found.high)
        assert one["days_out"] == found.days_out
        assert one["value"] == (None if found.status == "censored" else str(found.parts.value))
        assert one["origin"] == DAY.isoformat() and one["month"] == "2017-11"
    assert lines[REFUSED]["status"] == "censored", "it ran out: nobody knows what more was asked for"
    assert (lines[RAISED]["status"], lines[CUT]["status"]) == ("settled", "settled")
    assert Decimal(lines[REFUSED]["low"]) < Decimal(lines[REFUSED]["high"])


def test_sums_add_up_and_choose_lines(shop: Stage) -> None:
    with shop.client("planner") as planner:
        found = values(planner)
        chosen = values(planner, reason_code="cash")
        nobody = values(planner, decided_by="nobody")
        assert planner.get("/v1/decision-values", params={"month": "November"}).status_code == 422
    (total,) = found["totals"]
    assert (total["lines"], total["settled"], total["censored"]) == (3, 2, 1)
    for cut in ("by_person", "by_reason", "by_month"):
        for name in ("value", "holding", "lost_margin", "ordering", "low", "high", "so_far"):
            assert sum(Decimal(one[name]) for one in found[cut]) == Decimal(total[name])
    assert {one["name"] for one in found["by_person"]} == {"planner"}
    assert {one["name"] for one in found["by_reason"]} == {"not_needed", "forecast_too_low", "cash"}
    assert [one["sku"] for one in chosen["lines"]] == [CUT]
    assert chosen["totals"] == found["totals"], "sums are of everything"
    assert (nobody["lines"], nobody["totals"]) == ([], found["totals"])


def test_a_manager_finds_the_lines_behind_a_number(shop: Stage, chromium: Browser) -> None:
    context = chromium.new_context(
        viewport={"width": 1480, "height": 900}, locale="en-GB", reduced_motion="reduce", bypass_csp=True
    )
    context.set_default_timeout(20_000)
    seat = Seat(shop, context)
    seat.sign_in("planner")
    page = seat.open("/usage")
    card = page.get_by_role("region", name="What changed lines were worth")
    expect(card.get_by_role("button", name="Not needed")).to_be_visible()
    card.get_by_role("button", name="planner", exact=True).click()
    expect(card.get_by_role("heading", name="planner: 3 lines")).to_be_visible()
    card.get_by_role("button", name="Not needed").press("Enter")
    shown = card.get_by_role("region", name="Lines of Not needed")
    expect(shown.get_by_role("link", name=REFUSED)).to_be_visible()
    expect(shown).to_contain_text("out of stock")
    expect(shown).to_contain_text("evidence")
    assert violations(page) == []
    folder = os.environ.get("COUNTERSIGN_SCREENSHOTS")
    if folder:
        card.get_by_role("button", name="planner", exact=True).click()
        expect(card.get_by_role("heading", name="planner: 3 lines")).to_be_visible()
        page.screenshot(path=Path(folder) / "decision-values.png", full_page=True)
    context.close()
    assert seat.complaints == []


def test_who_covers_another_place_reads_none_of_it(shop: Stage) -> None:
    covered = (Coverage(subject="approver"), Coverage(subject="planner", scope=Scope(locations=("ELSEWHERE",))))
    shop.publish(
        ApprovalMatrixPublished(
            tenant=TENANT, version=1, coverage=covered, delegations=(), limits_reading=True, proposed_by="admin",
            approved_by="approver", reason="Who answers for what",
        )
    )  # fmt: skip
    with shop.client("planner") as planner, shop.client("approver") as approver:
        eventually(lambda: values(planner)["totals"] == [], why="reading was never limited")
        assert values(planner)["lines"] == []
        assert values(approver)["totals"][0]["lines"] == 3
