"""kill -9 of any one of the five services in the middle of the stream, then a restart: nothing is lost, nothing is doubled.

Each story tells some weeks of the tiny world, kills one service while it works, starts it again and waits until all is
still. The checker believes no service: it compares what Kafka carries and what Postgres holds with the world's own sums.
"""

import json
import os
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from cli.demo_progress import wait_until
from cli.local import ROOT
from cli.platform.databases import SERVICES
from countersign_client import Client, Event, Retry
from lab.world.story import Event as Told
from lab.world.story import closes_of_day, master_data, sales_of_day, stock_of_day
from schemas.topics import ALL, CHECKPOINTS, DECISIONS, FORECASTS, ORDERS, RECOMMENDATIONS, SALES, STOCK, Topic
from tests.scenario.stage import TENANT, Stage

pytestmark = [pytest.mark.scenario, pytest.mark.integration, pytest.mark.timeout(300)]
# Every service gets its own weeks of the year, in this order; the last one is told by HTTP, through the service it kills.
VICTIMS = ("policy", "forecaster", "audit", "approvals", "gateway")
DAYS_EACH = 60


class Sums:
    """What must be true after the events told so far, by item."""

    def __init__(self) -> None:
        self.on_hand: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.sold: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.events: Counter[str] = Counter()

    def add(self, one: Told) -> Told:
        self.events[one.type] += 1
        if "sku" in one.data and "quantity" in one.data:
            item, quantity = (one.data["sku"], one.data["location"]), Decimal(one.data["quantity"])
            if one.type == "sale.recorded.v1":
                self.sold[item] += quantity
                self.on_hand[item] -= quantity
            else:
                self.on_hand[item] += quantity
        return one


@pytest.fixture(scope="module")
def sums(bare_stage: Stage) -> Sums:
    known = Sums()
    bare_stage.tell(known.add(one) for one in master_data(bare_stage.world))
    return known


def weeks_of(stage: Stage, victim: str) -> Iterator[Told]:
    first = VICTIMS.index(victim) * DAYS_EACH
    for number in range(first, first + DAYS_EACH):
        yield from stock_of_day(stage.world, number)
        yield from sales_of_day(stage.world, number)
    yield from closes_of_day(stage.world, first + DAYS_EACH - 1)


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_killed_service_comes_back_and_everything_is_there_once(bare_stage: Stage, sums: Sums, victim: str) -> None:
    stage = bare_stage
    by_http = victim == "gateway"
    told = [sums.add(one) for one in weeks_of(stage, victim)]
    handled = handled_records(stage, victim)

    def tell() -> None:
        if by_http:
            # As patient as a till is: a request without an answer is sent again as it is.
            with Client(
                stage.local.gateway_url, api_key=stage.access.api_key, retry=Retry(attempts=200, seconds_max=1.0)
            ) as till:
                for start in range(0, len(told), 100):
                    report = till.send(
                        Event(one.id, one.source, one.type, one.time, one.data) for one in told[start : start + 100]
                    )
                    assert not report.rejected
        else:
            stage.tell(told)

    teller = threading.Thread(target=tell)
    teller.start()
    # In the middle of its work: it has committed some of this story, and not all of it.
    wait_until(lambda: handled_records(stage, victim) > handled, seconds=60, every=0.01)
    stage.kill(victim)
    stage.restart(victim)
    teller.join(timeout=120)
    assert not teller.is_alive()
    stage.settle()
    check(stage, sums)


def handled_records(stage: Stage, service: str) -> int:
    """Records the service has committed so far, as its own positions say; for the gateway those it wrote itself."""
    if service == "gateway":
        return len(stage.records_on(SALES))
    return int(stage.query(f"select coalesce(sum(next_offset), 0) as n from {service}.consumed_positions")[0]["n"])


def check(stage: Stage, sums: Sums) -> None:
    """Compare Kafka and Postgres with the world."""
    positions = stage.query("select sku, location, on_hand from policy.positions where tenant = $1", TENANT)
    assert {(row["sku"], row["location"]): row["on_hand"] for row in positions} == dict(sums.on_hand)
    demand = stage.query(
        "select sku, location, sum(quantity) as sold from forecaster.daily_demand where tenant = $1 group by 1, 2",
        TENANT,
    )
    assert {(row["sku"], row["location"]): row["sold"] for row in demand if row["sold"]} == dict(sums.sold)
    for topic in (SALES, STOCK):
        assert stage.records_on(topic, dead=True) == []
    check_outputs(stage)
    check_audit(stage)


def check_outputs(stage: Stage) -> None:
    """Whatever was published is there once: no order twice, no decision missing, no forecast for one cause twice."""
    orders = [orjson.loads(record.value) for record in distinct(stage, ORDERS)]
    assert max(Counter(one["order_id"] for one in orders).values(), default=1) == 1
    lines = Counter(line["recommendation_id"] for one in orders for line in one["lines"])
    assert max(lines.values(), default=1) == 1
    said = [orjson.loads(record.value) for record in distinct(stage, DECISIONS)]
    decisions = [one for one in said if "verdict" in one]
    by_line: dict[str, list[int]] = defaultdict(list)
    for one in decisions:
        by_line[one["line_id"]].append(one["version"])
    for versions in by_line.values():
        assert sorted(versions) == list(range(1, len(versions) + 1))
    decided = {
        one["recommendation_id"] for one in decisions if one["verdict"] in ("approved", "approved_by_rule", "amended")
    }
    assert set(lines) <= decided, "an order line that nobody approved"
    recommended = {orjson.loads(record.value)["recommendation_id"] for record in distinct(stage, RECOMMENDATIONS)}
    assert {one["recommendation_id"] for one in decisions} <= recommended
    assert distinct(stage, FORECASTS)


def check_audit(stage: Stage) -> None:
    """The log holds every record of the topics it watches exactly once, without a gap."""
    verified = stage.access.person(stage.local.gateway_url, "auditor")
    try:
        assert verified.post("/v1/audit/verification", {})["ok"]
    finally:
        verified.close()
    (log,) = stage.query("select count(*) as n, max(seq) + 1 as size from audit.entries where tenant = $1", TENANT)
    assert log["n"] == log["size"]


def distinct(stage: Stage, topic: Topic) -> list[Any]:
    """Records by event id: the relay may repeat a record after a kill, with the same id and the same bytes."""
    by_id: dict[bytes, Any] = {}
    for record in stage.records_on(topic):
        name = dict(record.headers)["ce_id"]
        if name in by_id:
            assert by_id[name].value == record.value, "one id with two contents"
        by_id[name] = record
    return list(by_id.values())


def test_an_approved_line_becomes_one_order_though_approvals_is_killed_after_it_said_yes(bare_stage: Stage) -> None:
    stage = bare_stage
    (line, *_) = stage.planner.get("/v1/recommendations", status="pending", limit=1)["items"] or pytest.skip(
        "the tiny world leaves no line to a person on this day"
    )
    # An approver: what the policy calls an exception takes one.
    approver = stage.access.person(stage.local.gateway_url, "approver")
    try:
        answer = approver.decide(line["recommendation_id"], line["version"], "approve")
    finally:
        approver.close()
    stage.kill("approvals")
    stage.restart("approvals")
    assert answer["status"] == "approved"
    orders: list[dict[str, object]] = []

    def is_ordered() -> bool:
        told = [orjson.loads(record.value) for record in distinct(stage, ORDERS)]
        orders[:] = [
            one
            for one in told
            if any(each["recommendation_id"] == line["recommendation_id"] for each in one.get("lines", ()))
        ]
        return bool(orders)

    assert wait_until(is_ordered, seconds=60)
    stage.settle()
    is_ordered()
    assert len(orders) == 1


def test_every_service_is_rebuilt_by_its_command_to_the_same_digest_and_says_nothing_again(
    bare_stage: Stage, sums: Sums
) -> None:
    stage = bare_stage
    stage.settle()
    said = everything_said(stage)
    for service in SERVICES:
        stage.local.service(service).stop(grace_seconds=20.0)
    told = {service: rebuilt(stage, service) for service in SERVICES}
    for service in SERVICES:
        stage.local.service(service).start()
    for service in SERVICES:
        stage.local.service(service).await_ready()
    stage.settle()
    assert everything_said(stage) == said
    assert sums.events["item.defined.v1"] > 0
    for service, one in told.items():
        assert one["differing"] == [], service
        assert one["before"] == one["after"], service
        assert one["records"] > 0, service


def test_after_all_restarts_every_recommendation_derives_from_the_exported_log_alone_on_another_machine(
    bare_stage: Stage, tmp_path: Path
) -> None:
    """Every service was killed or stopped by now. The other machine has the checkout and the export in a folder of its own, neither
    broker nor database, another clock, and a processor without this one's newer instructions."""
    stage = bare_stage
    auditor = stage.access.person(stage.local.gateway_url, "auditor")
    try:
        auditor.audit_export(tmp_path / "log.jsonl")
    finally:
        auditor.close()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")} | {
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "7",
        "TZ": "Pacific/Kiritimati",
        "NPY_DISABLE_CPU_FEATURES": " ".join(np.show_config(mode="dicts")["SIMD Extensions"]["found"]),
    }
    command = [sys.executable, "-m", "services.policy.derive", "--all", "--from", "log.jsonl"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    issued = [
        record
        for record in distinct(stage, RECOMMENDATIONS)
        if dict(record.headers)["ce_type"] == b"recommendation.issued.v1"
    ]
    assert issued
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith(f"{len(issued)} of {len(issued)} recommendations derived again byte for byte")


def rebuilt(stage: Stage, service: str) -> dict[str, Any]:
    """What `./run rebuild` says, called as a person calls it."""
    settings = stage.local.settings
    environment = {
        "COUNTERSIGN_NAMESPACE": settings.namespace,
        "COUNTERSIGN_KAFKA_BOOTSTRAP": stage.local.kafka_bootstrap,
        "COUNTERSIGN_DATABASE_ADMIN_URL": str(settings.database_admin_url),
        "COUNTERSIGN_DATABASE_NAME": settings.database_name,
    }
    command = [sys.executable, "-m", "cli", "rebuild", service, "--yes", "--json", "--data-dir", str(settings.data_dir)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, f"{service}: {done.stdout[-1000:]} {done.stderr[-2000:]}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def everything_said(stage: Stage) -> dict[str, Counter[bytes]]:
    """Event ids by topic, each with how often it is there; heads of the audit log apart, which are signed by the clock."""
    return {
        topic.name: Counter(dict(record.headers)["ce_id"] for record in stage.records_on(topic))
        for topic in ALL
        if topic != CHECKPOINTS
    }
