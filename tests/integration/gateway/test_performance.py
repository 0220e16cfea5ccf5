"""Suppliers' marks and what people do, counted from what was published; checked against hand counts."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from schemas.decisions import LineCommented, OrderLineUpdate
from tests.integration.gateway import messages
from tests.integration.gateway.process import Gateway, eventually, said

pytestmark = pytest.mark.integration

MILK = messages.issued()
EGGS = messages.issued(sku="EGGS", approved_by_rule=True, route_reasons=())
SALT = messages.issued(sku="SALT")
TODAY = {"decided_at": datetime.now(UTC)}
BY_RULE = messages.decided(EGGS, "approved_by_rule", decided_by="rule", role="rule").model_copy(update=TODAY)
APPROVED = messages.decided(MILK, "approved").model_copy(update=TODAY)
REJECTED = messages.decided(SALT, "rejected", reason_code="not_needed").model_copy(update=TODAY)
IN_TIME = messages.ordered(EGGS, BY_RULE)
LATE = messages.ordered(MILK, APPROVED, order_id="PO-2")


def received(order: object, quantity: Decimal, on: date) -> object:
    line = order.lines[0]  # type: ignore[attr-defined]
    answer = messages.answered(order, "received")  # type: ignore[arg-type]
    lines = (OrderLineUpdate(sku=line.sku, quantity=quantity),)
    return answer.model_copy(update={"lines": lines, "business_date": on})


@pytest.fixture(scope="module")
def planner(gateway: Gateway) -> Iterator[httpx2.Client]:
    gateway.publish(*[said(one, "gateway") for one in messages.masters()], *[said(one) for one in (MILK, EGGS, SALT)])
    gateway.publish(*[said(one, "approvals") for one in (BY_RULE, APPROVED, REJECTED, IN_TIME, LATE)])
    quantity = LATE.lines[0].quantity
    confirmed = messages.answered(LATE).model_copy(
        update={"lines": (OrderLineUpdate(sku=LATE.lines[0].sku, quantity=quantity - 1, unit_cost=Decimal(99)),)}
    )
    gateway.publish(
        said(received(IN_TIME, IN_TIME.lines[0].quantity, IN_TIME.arrive_on), "gateway"),  # type: ignore[arg-type]
        said(confirmed, "gateway"),
        said(received(LATE, quantity - 1, LATE.arrive_on + timedelta(days=2)), "gateway"),  # type: ignore[arg-type]
    )
    with gateway.client("planner") as client:
        eventually(lambda: [one for one in client.get("/v1/suppliers").json()["items"] if one["received"] == 2])
        yield client


def test_supplier_is_marked_by_what_came_when_and_how_much(planner: httpx2.Client) -> None:
    (one,) = planner.get("/v1/suppliers").json()["items"]
    assert (one["orders"], one["lines"], one["received"]) == (2, 2, 2)
    assert (one["in_time"], one["in_full"], one["otif"]) == (0.5, 0.5, 0.5)
    assert one["days_late"] == 1.0
    assert (one["confirmed_short"], one["dearer"], one["cancelled"]) == (1, 1, 0)
    ordered = IN_TIME.lines[0].quantity + LATE.lines[0].quantity
    assert one["fill_rate"] == pytest.approx(float((ordered - 1) / ordered))


def test_usage_counts_what_passed_by_rule_and_what_people_changed(planner: httpx2.Client) -> None:
    usage = eventually(lambda: (u := planner.get("/v1/usage").json())["by_day"] and u)
    assert {(one["verdict"], one["lines"]) for one in usage["by_day"]} == {
        ("approved_by_rule", 1),
        ("approved", 1),
        ("rejected", 1),
    }
    assert usage["by_rule"] == pytest.approx(1 / 3)
    assert usage["touched"] == 0.5
    assert [(one["reason_code"], one["lines"]) for one in usage["reasons"]] == [("not_needed", 1)]
    assert (usage["metered"]["decisions"], usage["metered"]["orders"]) == (3, 2)
    now, then = f"{TODAY['decided_at']:%Y-%m}", f"{messages.NOW:%Y-%m}"
    assert usage["metered_by_month"] == [
        {"month": now, "decisions": 3, "orders": 0, "order_lines": 0, "answers": 0},
        {"month": then, "decisions": 0, "orders": 2, "order_lines": 2, "answers": 3},
    ]


def test_other_tenants_see_nothing_of_it(gateway: Gateway, planner: httpx2.Client) -> None:
    assert planner.get("/v1/suppliers").json()["items"]
    with gateway.client("planner", "globex") as other:
        assert other.get("/v1/suppliers").json()["items"] == []
        assert other.get("/v1/usage").json()["metered"]["decisions"] == 0
        assert other.get("/v1/usage").json()["metered_by_month"] == []


def test_past_decisions_say_what_came_of_them(planner: httpx2.Client) -> None:
    """The order that followed, when it came and how late; a rejection has none."""

    def past(sku: str) -> dict[str, Any]:
        (one,) = planner.get(f"/v1/items/{sku}/367").json()["past_decisions"]
        return dict(one)

    on_time, late, none = past(EGGS.sku), past(MILK.sku), past(SALT.sku)
    assert on_time["business_date"] == EGGS.origin.isoformat()
    assert (on_time["result"]["order_status"], on_time["result"]["days_late"]) == ("received", 0)
    assert Decimal(on_time["result"]["received"]) == IN_TIME.lines[0].quantity
    assert (late["result"]["order_id"], late["result"]["days_late"]) == ("PO-2", 2)
    assert Decimal(late["result"]["received"]) == LATE.lines[0].quantity - 1
    assert none["result"]["order_id"] is None
    assert none["result"]["days"] == 0  # no history is told here: the forecaster does not run


def test_comments_are_shown_with_the_item_oldest_first(gateway: Gateway, planner: httpx2.Client) -> None:
    for number, text in ((1, "first <b>word</b>"), (2, "second")):
        comment = LineCommented(
            tenant="acme",
            comment_id=f"c-{number}",
            line_id=MILK.line_id,
            recommendation_id=MILK.recommendation_id,
            sku=MILK.sku,
            location=MILK.location,
            text=text,
            commented_by="ann",
            role="planner",
            commented_at=datetime(2017, 11, 6, 8, number, tzinfo=UTC),
        )
        gateway.publish(said(comment, "approvals"))
    path = f"/v1/items/{MILK.sku}/{MILK.location}"
    shown = eventually(lambda: (found := planner.get(path).json()["comments"])[1:] and found)
    assert [(one["by"], one["text"]) for one in shown] == [("ann", "first <b>word</b>"), ("ann", "second")]


def shown(gateway: Gateway) -> dict[str, float]:
    """The gateway's metrics by name and labels."""
    lines = httpx2.get(f"{gateway.url}/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_metrics_say_what_the_pages_say_of_all_tenants_together(gateway: Gateway, planner: httpx2.Client) -> None:
    later = messages.NOW + timedelta(days=1)
    unanswered = messages.ordered(MILK, APPROVED, order_id="PO-UNANSWERED").model_copy(update={"released_at": later})
    theirs = messages.issued(tenant="globex", sku="EMPTY", on_hand=Decimal(0))
    gateway.publish(
        said(unanswered, "approvals"),
        said(theirs),
        *[said(messages.raised(number=number)) for number in (1, 2)],
        said(messages.raised("globex", kind="supplier_late", subject="SUP-17")),
    )
    with gateway.client("planner", "globex") as other:
        pages = (planner, other)
        eventually(lambda: all(one.get("/v1/exceptions").json()["total"] for one in pages))
        eventually(lambda: other.get("/v1/items").json()["items"])
        (supplier,) = planner.get("/v1/suppliers").json()["items"]
        kinds = [row["kind"] for one in pages for row in one.get("/v1/exceptions").json()["items"]]
        waits = sum(one.get("/v1/recommendations").json()["total"] for one in pages)
        items = sum(len(one.get("/v1/items").json()["items"]) for one in pages)
        silent = [row for one in pages for row in one.get("/v1/orders", params={"status": "released"}).json()["items"]]
    assert (supplier["otif"], [row["order_id"] for row in silent]) == (0.5, ["PO-UNANSWERED"])

    def is_shown() -> dict[str, float] | None:
        found = shown(gateway)
        standing = {name: value for name, value in found.items() if name.startswith("countersign_items_standing")}
        expected = {f'countersign_exceptions_open{{kind="{kind}"}}': kinds.count(kind) for kind in kinds} | {
            "countersign_lines_waiting": waits,
            "countersign_orders_unanswered": 1,
            "countersign_supplier_otif_ratio": supplier["otif"],
            'countersign_items_standing{standing="out_of_stock"}': 1,
        }
        is_so = all(found.get(name) == value for name, value in expected.items()) and sum(standing.values()) == items
        return found if is_so else None

    found = eventually(is_shown, 40.0, why=lambda: shown(gateway))
    assert found["countersign_supplier_fill_rate_ratio"] == pytest.approx(supplier["fill_rate"])
    age = (datetime.now(UTC) - later).total_seconds()
    assert found["countersign_orders_unanswered_oldest_age_seconds"] == pytest.approx(age, abs=60)
