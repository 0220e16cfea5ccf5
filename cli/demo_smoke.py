"""The demo without a person: one line is approved, its order reaches the ERP's seat once, the audit log is verified offline.

Raises Trouble with a stable code at the first thing that is not as promised; returns the facts otherwise.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from cli.demo_access import Access
from cli.demo_progress import Stages, wait_until
from cli.errors import Trouble
from cli.platform.local import LocalPlatform
from cli.platform.processes import ROOT
from cli.signals import ending_politely
from countersign_client import Client
from lab.supply.watch import SeatProcess
from lab.world.shape import Shape
from schemas.topics import ORDERS

PENDING_SECONDS_MAX = 300.0
# Undo window and grouping (70 s by default, shortened below), relay, Kafka: far less than this.
ORDER_SECONDS_MAX = 180.0
AUDIT_SECONDS_MAX = 120.0
# A person may want ten seconds to think twice and a minute for more lines of the same order; a smoke run does not.
QUICK = {"COUNTERSIGN_UNDO_WINDOW_SECONDS": "1", "COUNTERSIGN_GROUP_WAIT_SECONDS_MAX": "2"}


def smoke(local: LocalPlatform, shape: Shape) -> dict[str, Any]:
    """Run everything once and stop what was started. See the module's words."""
    from cli.demo import bring_up

    stages = Stages()
    for name, value in QUICK.items():
        os.environ.setdefault(name, value)
    with ending_politely():
        try:
            access, _, facts = bring_up(local, shape, stages)
            seat = SeatProcess(local.kafka_bootstrap, ORDERS.on(local.namespace), local.folder.logs / "erp-seat.log")
            try:
                with (
                    access.person(local.gateway_url, "planner") as planner,
                    access.person(local.gateway_url, "approver") as approver,
                ):
                    line = await_line(planner, stages)
                    order = approve(planner, approver, line, seat, stages)
                    result = summary(planner, facts, seat)
                verified = verify(local, access, order, stages)
            finally:
                seat.close()
        finally:
            if local.started:
                with stages.stage("stop", "stopping what was started"):
                    local.stop_started()
    return result | {
        "order": order,
        "audit": verified,
        "seconds": stages.seconds,
        "seconds_in_all": round(sum(stages.seconds.values()), 1),
    }


def await_line(planner: Client, stages: Stages) -> dict[str, Any]:
    """The first line of the queue that needs a person. Raises Trouble: nothing_to_approve."""
    with stages.stage("pending", "waiting for a recommendation that needs a person") as tell:
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = planner.get("/v1/recommendations", status="pending", limit=1)["items"]
            return bool(found)

        if not wait_until(is_there, seconds=PENDING_SECONDS_MAX):
            raise Trouble(
                "nothing_to_approve",
                f"No recommendation needs a person after {PENDING_SECONDS_MAX:.0f} s.",
                why=f"the queue says {json.dumps(planner.get('/v1/recommendations/summary'))[:500]}",
                way_out="look at `./run status` and the logs of policy and approvals",
            )
        tell(
            f"{found[0]['item_name']} in {found[0]['location_name']}: {found[0]['quantity']} for {found[0]['value']} {found[0]['currency']}"
        )
    return found[0]


def approve(
    planner: Client, approver: Client, line: dict[str, Any], seat: SeatProcess, stages: Stages
) -> dict[str, Any]:
    """Approve the line as a planner (and as an approver where two sign), and wait for its order at the ERP.

    Raises Trouble: order_not_seen, order_doubled, order_differs.
    """
    recommendation_id = str(line["recommendation_id"])
    with stages.stage("approve", "approving it through the API") as tell:
        decision = planner.decide(recommendation_id, int(line["version"]), "approve")
        if decision["status"] == "awaiting_second":
            decision = approver.decide(recommendation_id, int(decision["version"]), "approve")
        tell(f"{decision['status']}, decision {decision['decision_id']}")
    with stages.stage("order", "waiting until the ERP's seat has read the order") as tell:
        if not wait_until(lambda: bool(seat.orders_of(recommendation_id)), seconds=ORDER_SECONDS_MAX):
            raise Trouble(
                "order_not_seen",
                f"The approved line {recommendation_id} is on no order after {ORDER_SECONDS_MAX:.0f} s.",
                why=f"the seat has read {len(seat.lines())} orders; the line is {planner.recommendation(recommendation_id)['line']['status']}",
                way_out="read approvals.jsonl in the logs folder",
            )
        orders = seat.orders_of(recommendation_id)
        tell(orders[0]["body"]["order_id"])
    if len({one["body"]["order_id"] for one in orders}) != 1 or len({one["id"] for one in orders}) != 1:
        raise _wrong(
            "order_doubled",
            f"The line {recommendation_id} is on {len(orders)} orders.",
            json.dumps([one["body"]["order_id"] for one in orders]),
        )
    body = orders[0]["body"]
    ordered = next(one for one in body["lines"] if one["recommendation_id"] == recommendation_id)
    if float(ordered["quantity"]) != float(line["quantity"]) or ordered["sku"] != line["sku"]:
        raise _wrong(
            "order_differs",
            "The order is not what was approved.",
            f"approved {line['quantity']} of {line['sku']}, ordered {json.dumps(ordered)}",
        )
    return {
        "order_id": body["order_id"],
        "recommendation_id": recommendation_id,
        "decision_id": decision["decision_id"],
        "value": body["value"],
        "lines": len(body["lines"]),
    }


def summary(planner: Client, facts: dict[str, Any], seat: SeatProcess) -> dict[str, Any]:
    """The counts of the run, each from the place that knows it."""
    rows = list(planner.recommendations(status="all", limit=200))
    seen = Counter(one["type"] for one in seat.lines())
    items = list(planner.pages("/v1/items", limit=200))
    reasons = Counter(row["withheld_reason"]["code"] for row in items if row.get("withheld_reason"))
    return {
        "events_in": facts["events_in"],
        "items_forecast": sum(1 for _ in planner.pages("/v1/forecasts", limit=200)),
        "recommendations": {
            "by_kind": dict(Counter(str(row["action"]) for row in rows)) | {"none": reasons.total()},
            "by_status": dict(Counter(str(row["status"]) for row in rows)),
            "none_because": dict(reasons),
        },
        "orders_seen_by_consumer": seen["order.released.v1"],
    }


def verify(local: LocalPlatform, access: Access, order: dict[str, Any], stages: Stages) -> dict[str, Any]:
    """Export the audit log, verify it in a process that knows only the file, and find the order in it.

    Raises Trouble: audit_incomplete, audit_not_verified.
    """
    with stages.stage("audit", "verifying the audit log offline") as tell:
        file = local.data_dir / "demo" / "audit-export.jsonl"
        verified: dict[str, Any] = {}

        def is_complete() -> bool:
            nonlocal verified
            with access.person(local.gateway_url, "auditor") as auditor:
                size = auditor.audit_export(file)
            tell(f"{size / 1_000_000:.1f} MB exported")
            if not _mentions(file, order["order_id"]):
                return False
            verified = _verify_file(file)
            # What was just written may still wait for its signature; only signed entries prove anything to a stranger.
            return verified["ok"] and not verified["entries_not_signed_yet"]

        complete = wait_until(is_complete, seconds=AUDIT_SECONDS_MAX, every=1.0)
        if not verified:
            raise _wrong(
                "audit_incomplete",
                f"Order {order['order_id']} is not in the audit log after {AUDIT_SECONDS_MAX:.0f} s.",
                f"see {file}",
            )
        if not complete:
            raise _wrong("audit_not_verified", "The exported audit log does not verify.", json.dumps(verified)[:1500])
        tell(f"{verified['entries_verified']:,} entries")
    return {
        name: verified[name]
        for name in (
            "entries_verified",
            "checkpoint_size",
            "checkpoint_root",
            "checkpoints_verified",
            "batched_records",
            "decisions",
            "orders",
        )
    }


def _mentions(file: Path, word: str) -> bool:
    with file.open("rb") as lines:
        return any(word.encode() in line for line in lines)


def _verify_file(file: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "cli", "verify", str(file), "--json"]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    try:
        return dict(json.loads(ended.stdout))
    except ValueError as error:
        raise _wrong(
            "audit_not_verified",
            "The offline verifier said nothing that can be read.",
            (ended.stderr or ended.stdout)[-800:],
        ) from error


def _wrong(code: str, what: str, why: str) -> Trouble:
    return Trouble(
        code,
        what,
        why=why,
        way_out="this is a fault of the project, not of your machine: please report it with the logs folder",
    )
