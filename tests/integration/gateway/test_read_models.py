"""What the other services publish, as the API shows it; and that it can be dropped and comes out the same again."""

import signal
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import asyncpg
import httpx2
import pytest

from schemas.decisions import OrderLineUpdate
from services.gateway.store.rebuild import READ_MODELS, drop_read_models
from tests.ground import wait_for
from tests.integration.gateway import messages
from tests.integration.gateway.process import Gateway, eventually, said

pytestmark = pytest.mark.integration

MILK = messages.issued()
BREAD = messages.issued(
    sku="BREAD", value="99.90", money_at_risk="10.00", stockout_on=None, route_reasons=("new_item",)
)
EGGS = messages.issued(sku="EGGS", value="10.00", money_at_risk="500.00", approved_by_rule=True, route_reasons=())
APPROVED = messages.decided(EGGS, "approved_by_rule", decided_by="rule", role="rule")
ORDER = messages.ordered(EGGS, APPROVED)


@pytest.fixture(scope="module")
def planner(gateway: Gateway) -> Iterator[httpx2.Client]:
    gateway.publish(
        *[said(one, "gateway") for one in messages.masters()],
        *[said(one, "gateway") for one in messages.masters("globex")],
        *[said(one) for one in (MILK, BREAD, EGGS)],
        said(messages.withheld(sku="SALT")),
        said(messages.issued(tenant="globex", sku="SECRET", explanation="globex only")),
        said(messages.forecast(), "forecaster"),
        said(messages.policy()),
        said(messages.raised()),
        said(APPROVED, "approvals"),
        said(ORDER, "approvals"),
        said(messages.answered(ORDER), "gateway"),
    )
    with gateway.client("planner") as client:
        eventually(lambda: client.get("/v1/recommendations", params={"status": "all"}).json()["total"] == 3)
        eventually(lambda: client.get("/v1/orders").json()["items"][0:1])
        eventually(lambda: client.get("/v1/orders/PO-1").json().get("status") == "confirmed")
        eventually(lambda: client.get("/v1/exceptions").json()["items"])
        eventually(lambda: client.get("/v1/forecasts").json()["items"])
        eventually(lambda: client.get("/v1/policy").json()["items"])
        eventually(lambda: client.get("/v1/items").json()["items"][3:4])
        yield client


def test_queue_is_ranked_by_money_at_risk_times_urgency_and_says_why(planner: httpx2.Client) -> None:
    page = planner.get("/v1/recommendations").json()
    assert [line["sku"] for line in page["items"]] == ["1029743", "BREAD"]
    milk = page["items"][0]
    assert milk["item_name"] == "Fluid milk, white, 1 gal"
    assert milk["supplier_name"] == "Meadow Dairy"
    assert (milk["quantity"], milk["packs"], milk["value"]) == ("312", 26.0, "839.28")
    assert milk["rank_score"] == pytest.approx(428.0, abs=0.01)
    assert milk["reasons"] == [{"code": "value_above_limit", "label": "Above limit"}]
    assert (milk["version"], milk["etag"], milk["status"]) == (0, '"0"', "pending")
    assert milk["item_class"] == "AX"


def test_browser_that_has_the_queue_gets_it_again_only_when_it_says_something_else(
    gateway: Gateway, planner: httpx2.Client
) -> None:
    with gateway.client("planner", "globex") as other:
        for path in ("/v1/recommendations", "/v1/recommendations/summary"):
            first, narrowed, theirs = planner.get(path), planner.get(path, params={"q": "x"}), other.get(path)
            assert len({one.headers["etag"] for one in (first, narrowed, theirs)}) == 3
            again = planner.get(path, headers={"If-None-Match": f'"of before", {first.headers["etag"]}'})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
            assert "ratelimit" in again.headers
        tags = {
            path: other.get(path).headers["etag"] for path in ("/v1/recommendations", "/v1/recommendations/summary")
        }
        gateway.publish(said(messages.issued(tenant="globex", sku="SECRET2")))
        for path, tag in tags.items():
            eventually(lambda path=path, tag=tag: other.get(path, headers={"If-None-Match": tag}).status_code == 200)
        assert (
            other.get("/v1/recommendations").json()["total"]
            == other.get("/v1/recommendations/summary").json()["waiting"]
        )


def test_approved_line_with_an_order_is_released(planner: httpx2.Client) -> None:
    (line,) = planner.get("/v1/recommendations", params={"status": "released"}).json()["items"]
    assert (line["sku"], line["version"], line["decided_by"]) == ("EGGS", 1, "rule")
    order = planner.get("/v1/orders/PO-1").json()
    assert (order["status"], order["supplier_name"], order["location_name"]) == (
        "confirmed",
        "Meadow Dairy",
        "Store 367",
    )
    assert order["lines"][0]["recommendation_id"] == EGGS.recommendation_id


@pytest.mark.parametrize(
    ("params", "skus"),
    [
        ({"q": "milk"}, ["1029743"]),
        ({"q": "%"}, []),
        ({"q": "meadow"}, ["1029743", "BREAD"]),
        ({"category": "Milk"}, ["1029743"]),
        ({"abc_class": "A"}, ["1029743"]),
        ({"reason": "new_item"}, ["BREAD"]),
        ({"min_value": "100"}, ["1029743"]),
        ({"max_confidence": "0.1"}, []),
        ({"location": "999"}, []),
        ({"supplier": "SUP-17", "action": "buy"}, ["1029743", "BREAD"]),
        ({"status": "all", "sort": "value"}, ["1029743", "BREAD", "EGGS"]),
        ({"status": "all", "sort": "item"}, ["BREAD", "EGGS", "1029743"]),
        ({"status": "all", "sort": "stock_out"}, ["1029743", "EGGS", "BREAD"]),
        ({"status": ["pending", "released"]}, ["EGGS", "1029743", "BREAD"]),
    ],
)
def test_queue_is_narrowed_down_and_sorted(planner: httpx2.Client, params: dict[str, Any], skus: list[str]) -> None:
    page = planner.get("/v1/recommendations", params=params).json()
    assert [line["sku"] for line in page["items"]] == skus
    assert page["total"] == len(skus)


@pytest.mark.parametrize(
    "path", ["/v1/recommendations", "/v1/items", "/v1/positions", "/v1/forecasts", "/v1/orders", "/v1/exceptions"]
)
def test_pages_of_one_hold_every_row_once(planner: httpx2.Client, path: str) -> None:
    params = {"status": "all"} if path == "/v1/recommendations" else {}
    whole = planner.get(path, params=params).json()["items"]
    found, cursor = [], None
    for _ in range(len(whole) + 1):
        page = planner.get(path, params={**params, "limit": 1, **({"cursor": cursor} if cursor else {})}).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == whole
    assert whole


def test_cursor_of_another_filter_is_refused(planner: httpx2.Client) -> None:
    cursor = planner.get("/v1/recommendations", params={"limit": 1}).json()["next_cursor"]
    answer = planner.get("/v1/recommendations", params={"limit": 1, "cursor": cursor, "sort": "value"})
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")
    assert planner.get("/v1/recommendations", params={"cursor": "%%%"}).status_code == 400


def test_panel_holds_the_whole_argument_and_names_what_is_missing(planner: httpx2.Client) -> None:
    panel = planner.get("/v1/items/1029743/367").json()
    assert panel["item"]["item_name"] == "Fluid milk, white, 1 gal"
    assert panel["line"]["recommendation_id"] == MILK.recommendation_id
    assert panel["levels"] == {"reorder_point": "187", "order_up_to": "466", "safety_stock": None, "days_of_cover": 2.1}
    assert panel["steps"][0]["sentence"] == "Inventory position: 58 on hand + 96 on order = 154."
    assert panel["projection"]["days"][1] == {"date": "2017-11-22", "with_order": 328.0, "without_order": 0.0}
    assert panel["fan"]["days"][0] == {
        "date": "2017-11-21",
        "mean": 10.0,
        "quantiles": [5.0, 6.0, 10.0, 15.0, 16.0, 20.0],
    }
    assert panel["sentence"] == "Next 14 days: 140 expected, 84 to 210 likely (80 %)."
    assert panel["exceptions"][0]["kind_label"] == "Stock-out risk"
    # Nobody started the forecaster and the policy service here: the panel says so and shows the position of the plan.
    assert {one["part"] for one in panel["unavailable"]} == {"history", "position"}
    assert panel["history"] is None
    assert panel["position"]["inventory_position"] == "154"


def test_item_without_a_proposal_says_why_not(planner: httpx2.Client) -> None:
    panel = planner.get("/v1/items/SALT/367").json()
    assert panel["line"] is None
    assert panel["withheld_reason"] == {"code": "enough_stock", "label": "Enough stock"}
    assert panel["withheld_says"] == "154 units cover the next 9 days."
    (row,) = [one for one in planner.get("/v1/items").json()["items"] if one["sku"] == "SALT"]
    assert row["withheld_reason"]["label"] == "Enough stock"


@pytest.mark.parametrize(
    "path", ["/v1/items/NOPE/367", "/v1/recommendations/nope", "/v1/orders/nope", "/v1/forecasts/NOPE/367"]
)
def test_unknown_thing_is_404(planner: httpx2.Client, path: str) -> None:
    answer = planner.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"].endswith("_not_found")


def test_summary_and_status_add_up(planner: httpx2.Client) -> None:
    summary = planner.get("/v1/recommendations/summary").json()
    assert (summary["waiting"], summary["proposed_value"], summary["margin_at_risk"]) == (2, "939.18", "224.00")
    assert summary["by_supplier"][0]["minimum_order_value"] == "250.00"
    assert [(one["code"], one["count"]) for one in summary["by_reason"]] == [("new_item", 1), ("value_above_limit", 1)]
    assert summary["by_location"] == [{"location": "367", "location_name": "Store 367", "count": 2}]
    assert [(one["category"], one["count"]) for one in summary["by_category"]] == [("Milk", 1), (None, 1)]
    assert (summary["by_status"], summary["by_rule_today"]) == ({"pending": 2, "released": 1}, 1)
    status = planner.get("/v1/status").json()
    assert status["business_date"] == "2017-11-20"
    assert status["counts"] == {"waiting": 2, "exceptions": 1, "items": 4, "forecasts": 1, "orders_open": 1}
    assert not any(service["ready"] for service in status["services"])


def test_summary_of_nothing_is_empty_and_still_counts_every_line(planner: httpx2.Client) -> None:
    summary = planner.get("/v1/recommendations/summary", params={"location": "999"}).json()
    assert (summary["waiting"], summary["proposed_value"], summary["currency"]) == (0, "0.00", None)
    assert (summary["by_reason"], summary["by_supplier"], summary["by_category"]) == ([], [], [])
    assert summary["by_status"] == {"pending": 2, "released": 1}


def test_spreadsheet_holds_the_filtered_rows_and_starts_no_formula(gateway: Gateway, planner: httpx2.Client) -> None:
    answer = planner.get("/v1/recommendations.csv", params={"q": "milk"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = answer.text.splitlines()
    assert lines[0].startswith("\ufeffitem_name,sku,")
    assert lines[1].startswith('"Fluid milk, white, 1 gal",1029743,')
    assert len(lines) == 2


def test_fresher_recommendation_replaces_what_waits_and_a_why_not_withdraws_it(
    gateway: Gateway, planner: httpx2.Client
) -> None:
    first = messages.issued(sku="TEA")
    second = messages.issued(sku="TEA", number=2, supersedes=first.recommendation_id, quantity="120", value="322.80")
    with gateway.client("planner") as client:

        def line() -> Any:
            rows = client.get("/v1/recommendations", params={"q": "TEA", "status": "all"}).json()["items"]
            return rows[0] if rows else {}

        gateway.publish(said(first))
        eventually(lambda: line().get("quantity") == "312")
        gateway.publish(said(second))
        eventually(lambda: line().get("quantity") == "120")
        gateway.publish(said(messages.withheld(sku="TEA", supersedes=second.recommendation_id)))
        eventually(lambda: line().get("status") == "withheld")


def test_a_line_beside_an_items_own_order_lives_and_ends_by_itself(gateway: Gateway, planner: httpx2.Client) -> None:
    change = messages.issued(
        sku="BREAD", number=7, line_id="line-change", action="cancel", changes_order="PO-1", supersedes=None
    )

    def shown() -> set[tuple[str, str | None]]:
        lines = planner.get("/v1/recommendations", params={"q": "BREAD"}).json()["items"]
        return {(line["action"], line["changes_order"]) for line in lines}

    gateway.publish(said(change))
    eventually(lambda: shown() == {("buy", None), ("cancel", "PO-1")})
    gateway.publish(
        said(messages.withheld(sku="BREAD", number=8, line_id="line-change", supersedes=change.recommendation_id))
    )
    eventually(lambda: shown() == {("buy", None)})
    item = planner.get("/v1/items/BREAD/367").json()
    assert item.get("withheld_reason") is None, "why a change ended is no reason for the item to have no order"


def test_second_delivery_of_every_event_changes_nothing(gateway: Gateway, planner: httpx2.Client) -> None:
    before = wait_for(contents(gateway))
    gateway.publish(said(MILK), said(BREAD), said(APPROVED, "approvals"), said(ORDER, "approvals"))
    gateway.publish(said(messages.raised(number=7)))
    eventually(lambda: len(planner.get("/v1/exceptions").json()["items"]) == 2)
    after = wait_for(contents(gateway))
    assert {name: rows for name, rows in after.items() if name != "exceptions"} == {
        name: rows for name, rows in before.items() if name != "exceptions"
    }


def test_dropped_read_models_come_out_the_same_again(gateway: Gateway, planner: httpx2.Client) -> None:
    before = wait_for(contents(gateway))
    assert all(before[name] for name in ("lines", "outcomes", "decisions", "orders", "catalogue", "forecasts"))
    assert gateway.stop(signal.SIGTERM) == 0
    wait_for(drop_read_models(gateway.database.url("gateway")))
    assert not any(wait_for(contents(gateway)).values())
    gateway.start()
    eventually(
        lambda: wait_for(contents(gateway)) == before,
        why=lambda: f"differ after the rebuild: {differences(before, wait_for(contents(gateway)))}",
    )
    # People are no read model: the session of before still holds.
    assert planner.get("/v1/session").status_code == 200


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    """Rows that are on one side only, by table."""
    return {name: sorted(set(rows) ^ set(after[name])) for name, rows in before.items() if rows != after[name]}


async def contents(gateway: Gateway) -> dict[str, list[str]]:
    """Every row of every read model of every tenant, as text, seen from behind the tenant wall."""
    connection = await asyncpg.connect(gateway.database.admin_url)
    try:
        found = {}
        for table in READ_MODELS:
            rows = await connection.fetch(f"select t::text from gateway.{table} t order by 1")
            found[table] = [row[0] for row in rows]
        return found
    finally:
        await connection.close()


def test_an_order_comes_as_far_as_its_lines_and_shows_what_changed_it(gateway: Gateway, planner: httpx2.Client) -> None:
    tea, salt = (messages.issued(sku=sku, location="406") for sku in ("TEA", "SALTY"))
    order = messages.ordered(tea, messages.decided(tea), "PO-TWO")
    (first,) = order.lines
    second = first.model_copy(update={"line_no": 2, "sku": "SALTY", "recommendation_id": salt.recommendation_id})
    order = order.model_copy(update={"lines": (first, second)})
    fewer = second.model_copy(update={"line_no": 1, "quantity": Decimal(100)})
    change = order.model_copy(
        update={"order_id": "CH-TWO", "kind": "change", "changes_order": "PO-TWO", "lines": (fewer,)}
    )
    came = messages.answered(order).model_copy(
        update={"status": "received", "lines": (OrderLineUpdate(sku="TEA", quantity=Decimal(300)),)}
    )
    agreed = messages.answered(change).model_copy(update={"lines": ()})
    gateway.publish(said(order, "approvals"), said(change, "approvals"), said(came, "gateway"), said(agreed, "gateway"))

    def seen() -> dict[str, Any]:
        found: dict[str, Any] = planner.get("/v1/orders/PO-TWO").json()
        return found

    eventually(lambda: seen().get("updates") and [one["status"] for one in seen()["changed_by"]] == ["confirmed"])
    ends = [(one["ending"], one["expected_quantity"], one["received_quantity"]) for one in seen()["lines"]]
    assert ends == [("short", "312", "300"), ("open", "100", None)]
    assert seen()["status"] == "shipped", "one line is still to come"
    changed = planner.get("/v1/orders/CH-TWO").json()
    assert (changed["changes_order"], changed["lines"][0]["ending"]) == ("PO-TWO", "agreed")
    rest = came.model_copy(update={"lines": (OrderLineUpdate(sku="SALTY", quantity=Decimal(100)),)})
    gateway.publish(said(rest, "gateway"))
    eventually(lambda: seen()["status"] == "received")
    assert [one["ending"] for one in seen()["lines"]] == ["short", "received"]
    listed = planner.get("/v1/orders", params={"status": "received"}).json()["items"]
    assert [one["order_id"] for one in listed] == ["PO-TWO"]


def test_answers_under_a_code_of_the_erp_are_shown_at_the_order_it_is_said_to_be(
    gateway: Gateway, planner: httpx2.Client
) -> None:
    soap = messages.issued(sku="SOAP", location="406")
    order = messages.ordered(soap, messages.decided(soap), "PO-SOAP")
    named = {"order_id": "4500-SOAP"}
    shipped = messages.answered(order, "shipped").model_copy(update=named)
    gateway.publish(said(order, "approvals"), said(messages.answered(order), "gateway"), said(shipped, "gateway"))

    def seen() -> list[str]:
        return [one["kind"] for one in planner.get("/v1/orders/PO-SOAP").json().get("updates", [])]

    eventually(lambda: seen() == ["confirmed"])
    alias = {"subject": "purchase_order", "scheme": "legacy_code", "code": "4500-SOAP", "target": "PO-SOAP"}
    refused = planner.post("/v1/aliases", json=alias | {"scheme": "gtin"})
    assert (refused.status_code, "another scheme" in refused.text) == (422, True)
    assert planner.post("/v1/aliases", json=alias).status_code == 201
    eventually(lambda: sorted(seen()) == ["confirmed", "shipped"])
    gateway.publish(said(messages.answered(order, "received").model_copy(update=named), "gateway"))
    eventually(lambda: planner.get("/v1/orders/PO-SOAP").json()["status"] == "received")


def test_named_lines_are_read_together_whatever_became_of_them(planner: httpx2.Client) -> None:
    ids = [MILK.line_id, EGGS.line_id, "line-of-nobody"]
    page = planner.get("/v1/recommendations", params={"line_id": ids, "status": "all"}).json()
    assert {line["line_id"] for line in page["items"]} == {MILK.line_id, EGGS.line_id}
    assert planner.get("/v1/recommendations", params={"line_id": ["x"] * 201}).status_code == 422
