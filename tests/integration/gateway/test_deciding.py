"""Decisions through the gateway, made by a real approvals service: form, versions, roles, bulk, undo, and its absence."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli.platform.ports import any_free
from tests import ground
from tests.ground import Ground
from tests.integration.gateway import messages
from tests.integration.gateway.process import Gateway, eventually, make_gateway, said

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def desk(platform: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway and an approvals service that trust each other."""
    with ground.fresh_namespace(platform) as namespace, ground.fresh_database(platform) as database:
        made = make_gateway(platform, namespace, database, tmp_path_factory.mktemp("desk"))
        port = any_free()
        made.more_env["COUNTERSIGN_APPROVALS_URL"] = f"http://127.0.0.1:{port}"
        made.start()
        approvals = start_approvals(made, port)
        try:
            yield made
        finally:
            approvals.send_signal(signal.SIGTERM)
            approvals.wait(timeout=30)
            made.stop()


def start_approvals(gateway: Gateway, port: int) -> subprocess.Popen[bytes]:
    env = os.environ | {
        "COUNTERSIGN_NAMESPACE": gateway.namespace,
        "COUNTERSIGN_KAFKA_BOOTSTRAP": gateway.platform.kafka_bootstrap,
        "COUNTERSIGN_DATABASE_URL": gateway.database.url("approvals"),
        "COUNTERSIGN_HTTP_PORT": str(port),
        "COUNTERSIGN_DATA_DIR": str(gateway.data_dir),
        "COUNTERSIGN_CONSUMER_WAIT_MILLISECONDS": "20",
        "COUNTERSIGN_UNDO_WINDOW_SECONDS": "3",
        "COUNTERSIGN_GROUP_WAIT_SECONDS_MAX": "0",
    }
    log = Path(gateway.data_dir / "approvals.log")
    with log.open("ab") as out:
        process = subprocess.Popen([sys.executable, "-m", "services.approvals.main"], env=env, stdout=out, stderr=out)

    def ready() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            return httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        except httpx2.HTTPError:
            return False

    eventually(ready, 40, lambda: log.read_text()[-3000:])
    return process


@pytest.fixture(scope="module")
def planner(desk: Gateway) -> Iterator[httpx2.Client]:
    with desk.client("planner") as client:
        yield client


def waiting(desk: Gateway, planner: httpx2.Client, sku: str, **changed: Any) -> dict[str, Any]:
    """A fresh line that both services know."""
    desk.publish(said(messages.issued(sku=sku, **changed)))

    def line() -> Any:
        items = planner.get("/v1/recommendations", params={"q": sku}).json()["items"]
        return items[0] if items else None

    found: dict[str, Any] = eventually(line)
    # The approvals service has it when it no longer answers that there is no such line.
    path = f"/v1/recommendations/{found['recommendation_id']}/undo"
    eventually(lambda: planner.post(path, headers={"If-Match": '"999"'}, json={}).status_code == 412)
    return found


def decide(
    client: httpx2.Client, line: dict[str, Any], *, version: Any = None, key: str | None = None, **body: Any
) -> httpx2.Response:
    headers = {
        "If-Match": f'"{line["version"] if version is None else version}"',
        "Idempotency-Key": key or uuid.uuid4().hex,
    }
    return client.post(f"/v1/recommendations/{line['recommendation_id']}/decisions", headers=headers, json=body)


def status_of(client: httpx2.Client, line: dict[str, Any]) -> str:
    return str(client.get(f"/v1/recommendations/{line['recommendation_id']}").json()["line"]["status"])


def test_approved_line_shows_at_once_and_its_order_follows(desk: Gateway, planner: httpx2.Client) -> None:
    line = waiting(desk, planner, "APPROVE")
    answer = decide(planner, line, verdict="approve")
    assert answer.status_code == 200, answer.text
    outcome = answer.json()
    assert (outcome["status"], outcome["version"], outcome["line"]["status"]) == ("approved", 1, "approved")
    assert outcome["undo_until"] is not None
    assert answer.headers["etag"] == '"1"'
    eventually(lambda: status_of(planner, line) == "released")
    (order,) = planner.get("/v1/orders", params={"q": "APPROVE"}).json()["items"]
    assert order["lines"][0]["recommendation_id"] == line["recommendation_id"]
    assert order["lines"][0]["quantity"] == "312"


def test_amended_line_carries_its_own_quantity_and_reason(desk: Gateway, planner: httpx2.Client) -> None:
    line = waiting(desk, planner, "AMEND")
    answer = decide(planner, line, verdict="amend", quantity="120", reason="promotion_known")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["line"]["quantity"], answer.json()["line"]["recommended_quantity"]) == ("120", "312")
    view = eventually(lambda: planner.get(f"/v1/recommendations/{line['recommendation_id']}").json())
    eventually(lambda: status_of(planner, line) in {"amended", "released"})
    view = planner.get(f"/v1/recommendations/{line['recommendation_id']}").json()
    assert view["decisions"][0]["reason"] == "promotion_known"
    assert (view["line"]["quantity"], view["line"]["decided_by"]) == ("120", "planner")


def test_undone_decision_waits_again_and_no_order_leaves(desk: Gateway, planner: httpx2.Client) -> None:
    line = waiting(desk, planner, "UNDO")
    assert decide(planner, line, verdict="approve").status_code == 200
    answer = planner.post(f"/v1/recommendations/{line['recommendation_id']}/undo", headers={"If-Match": '"1"'}, json={})
    assert answer.status_code == 200, answer.text
    eventually(lambda: status_of(planner, line) == "pending")
    assert planner.get("/v1/orders", params={"q": "UNDO"}).json()["items"] == []


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Idempotency-Key": "k"}, 428, "version_missing"),
        ({"If-Match": '"0"'}, 400, "idempotency_key_missing"),
        ({"If-Match": '"7"', "Idempotency-Key": "k7"}, 412, "stale"),
    ],
)
def test_decision_without_version_or_key_or_with_an_old_version_is_refused(
    desk: Gateway, planner: httpx2.Client, headers: dict[str, str], status: int, code: str
) -> None:
    line = waiting(desk, planner, "FORM")
    path = f"/v1/recommendations/{line['recommendation_id']}/decisions"
    answer = planner.post(path, headers=headers, json={"verdict": "approve"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(answer.json()["detail"]) > 20
    if status == 412:
        assert answer.json()["current"]["version"] == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"verdict": "amend", "quantity": "125", "reason": "cash"}, "quantity"),
        ({"verdict": "amend", "quantity": "120"}, "reason"),
        ({"verdict": "reject"}, "reason"),
        ({"verdict": "snooze", "snooze_until": "2001-01-01"}, "snooze_until"),
        ({"verdict": "destroy"}, "body.verdict"),
        ({"verdict": "approve", "approved_by": "me"}, "body.approved_by"),
    ],
)
def test_decision_that_does_not_fit_names_its_field(
    desk: Gateway, planner: httpx2.Client, body: dict[str, str], field: str
) -> None:
    line = waiting(desk, planner, "FIELDS")
    answer = decide(planner, line, **body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    if body.get("quantity") == "125":
        assert answer.json()["errors"][0]["nearest_legal"] in {"120", "132"}


def test_same_key_gives_the_same_answer_and_decides_once(desk: Gateway, planner: httpx2.Client) -> None:
    line = waiting(desk, planner, "ONCE")
    first = decide(planner, line, key="once", verdict="reject", reason="not_needed")
    again = decide(planner, line, key="once", verdict="reject", reason="not_needed")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["decision_id"] == again.json()["decision_id"]
    other = decide(planner, line, key="once", verdict="approve")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_bulk_decision_answers_line_by_line(desk: Gateway, planner: httpx2.Client) -> None:
    good, stale = waiting(desk, planner, "BULK-A"), waiting(desk, planner, "BULK-B")
    lines = [
        {"recommendation_id": good["recommendation_id"], "version": 0},
        {"recommendation_id": stale["recommendation_id"], "version": 5},
        {"recommendation_id": "nowhere", "version": 0},
    ]
    body = {"verdict": "approve", "lines": lines}
    answer = planner.post("/v1/decisions:bulk", headers={"Idempotency-Key": uuid.uuid4().hex}, json=body)
    assert answer.status_code == 200, answer.text
    outcome = answer.json()
    assert [one["status_code"] for one in outcome["results"]] == [200, 412, 404]
    assert (outcome["succeeded"], outcome["failed"]) == (1, 2)
    assert outcome["results"][1]["problem"]["code"] == "stale"


def test_who_may_not_decide_is_refused_at_the_door(desk: Gateway, planner: httpx2.Client) -> None:
    line = waiting(desk, planner, "ROLES")
    for username in ("auditor", "admin"):
        with desk.client(username) as client:
            assert decide(client, line, verdict="approve").status_code == 403
    with desk.machine("read", "ingest", "plan", "audit") as machine:
        assert decide(machine, line, verdict="approve").status_code == 403


def test_another_tenants_line_does_not_exist(desk: Gateway, planner: httpx2.Client) -> None:
    line = waiting(desk, planner, "MINE")
    with desk.client("planner", "globex") as stranger:
        assert decide(stranger, line, verdict="approve").status_code == 404
    assert status_of(planner, line) == "pending"


def test_released_order_is_cancelled_with_a_reason(desk: Gateway, planner: httpx2.Client) -> None:
    line = waiting(desk, planner, "CANCEL")
    assert decide(planner, line, verdict="approve").status_code == 200
    eventually(lambda: status_of(planner, line) == "released")
    (order,) = planner.get("/v1/orders", params={"q": "CANCEL"}).json()["items"]
    path = f"/v1/orders/{order['order_id']}/cancel"
    answer = planner.post(path, headers={"Idempotency-Key": uuid.uuid4().hex}, json={"reason": "ordered_in_error"})
    assert answer.status_code == 200, answer.text
    eventually(lambda: planner.get(f"/v1/orders/{order['order_id']}").json()["status"] == "cancelled")
    eventually(lambda: status_of(planner, line) == "recalled")


def test_reasons_are_those_of_the_approvals_service(planner: httpx2.Client) -> None:
    reasons = planner.get("/v1/decision-reasons").json()
    assert {"amend", "reject", "snooze"} <= set(reasons)
    assert all(one["label"] for one in reasons["reject"])


def test_owner_that_is_down_is_said_so_with_the_way_out(desk: Gateway, planner: httpx2.Client) -> None:
    answer = planner.get("/v1/planning-runs")  # nobody started the policy service here
    assert (answer.status_code, answer.json()["code"]) == (503, "owner_unavailable")
    assert answer.json()["service"] == "policy"
    assert answer.headers["retry-after"] == "2"
