"""Every expression of every dashboard and alert, asked of a real Prometheus that scraped the five working services.

A panel that shows nothing while the system works is a lie in waiting. What may be empty is listed with the reason.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest

from cli.demo_progress import wait_until
from countersign_client import ApiProblem
from deploy.observability import alerts, dashboards, objectives
from lab.world.story import history, master_data
from schemas.topics import SALES
from tests.scenario.prometheus import Prometheus, scraping
from tests.scenario.stage import Stage, changed, record_of, sale

pytestmark = [pytest.mark.scenario, pytest.mark.integration, pytest.mark.timeout(300)]
SHOWN_SECONDS_MAX = 90.0
# Metric, and what it would take: nothing of this happens in a healthy system, nor is it provoked here.
EMPTY_BECAUSE = {
    "countersign_job_failures_total": "no repeated job fails in a healthy system",
    "countersign_parked_events_total": "every event of the tiny world names a product it knows",
    "countersign_trainings_total": "the stage trains no model: its stories need none",
    "countersign_sensing_restarts_total": "live sensing, which the stage leaves out, is not restarted in a healthy system",
    "countersign_exceptions_open": "nothing happens here that a person has to be asked about",
    "countersign_supplier_": "no order is received here, so no supplier has kept or missed anything",
    'status=~"5.."': "no service answers with a server error in a healthy system",
}
COMPARISON = re.compile(r"\s(?:==|>=?|<)\s[\d.]+$")
# A promise of a third of a second is no promise of a machine on which tests run side by side.
MAY_SPEAK = {"CountersignReadsBudget"}


@pytest.fixture(scope="module")
def prometheus(bare_stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Scrapes from before anything happens, so that it sees every counter move."""
    with scraping(bare_stage, tmp_path_factory.mktemp("prometheus")) as server:
        bare_stage.tell(chain(master_data(bare_stage.world), history(bare_stage.world)))
        bare_stage.settle()
        yield server


def provoke(stage: Stage, number: int) -> None:
    """What a day brings beside good news: a record nobody can read, one that comes twice, an id used twice."""
    good = record_of(sale(stage, 0, 1, f"twice {number}"))
    unreadable = changed(record_of(sale(stage, 0, 1, f"unreadable {number}")), value=b"no json %d" % number)
    for record in (good, good, record_of(sale(stage, 0, 5, f"twice {number}")), unreadable):
        stage.produce(record)
    wait_until(lambda: bool(stage.dead_letters(SALES, b"no json %d" % number)), seconds=60)


def work(stage: Stage, number: int) -> None:
    """A minute of everybody's day: sales come in, one of them late, a plan is made, somebody reads, decides, and decides
    too late. All of it in every round: what moved before the first sample shows no movement."""
    provoke(stage, number)
    late = stage.world.day(stage.world.shape.history_days - 10).isoformat()
    stage.send(sale(stage, 0, 1, f"late {number}", day=late))
    stage.send(sale(stage, 1, 1, f"round {number}"), sale(stage, 1, 1, f"round {number}"))
    stage.client.plan()
    for path in ("/v1/status", "/v1/items", "/v1/planning-runs", "/v1/training", "/v1/orders"):
        stage.client.get(path)
    # An approver: what the policy calls an exception takes one.
    with stage.access.person(stage.local.gateway_url, "approver") as planner:
        lines = list(planner.recommendations(limit=50))
        if lines:
            chosen = lines[number % len(lines)]
            name, version = str(chosen["recommendation_id"]), int(chosen["version"])
            if number % 2:
                planner.decide(name, version, "reject", reason="other", note="seen")
            else:
                planner.decide(name, version, "approve")
            with pytest.raises(ApiProblem):
                planner.decide(name, version, "approve")


def expected_empty(expression: str) -> bool:
    return any(part in expression for part in EMPTY_BECAUSE)


PANELS = [
    (f"{dashboard.title}, {panel.title}, {legend}", expression)
    for dashboard in dashboards.ALL
    for panel in dashboard.panels
    for expression, legend in panel.queries
]
# An alert is empty while all is well; what it looks at must not be.
WATCHED = [
    (alert.name, COMPARISON.sub("", side)) for alert in alerts.ALERTS for side in alert.expr.split(" and ")
]  # fmt: skip


def test_every_expression_of_a_working_system_says_something(stage_at_work: Prometheus) -> None:
    empty = [f"{where}: {expression}" for where, expression in shown_nothing(stage_at_work)]
    assert not empty, "\n".join(empty)


def shown_nothing(prometheus: Prometheus) -> list[tuple[str, str]]:
    return [
        (where, expression)
        for where, expression in [*PANELS, *WATCHED]
        if not expected_empty(expression) and not prometheus.values(expression)
    ]


@pytest.fixture(scope="module")
def stage_at_work(bare_stage: Stage, prometheus: Prometheus) -> Prometheus:
    """Rounds of work until every panel shows something, or until it is clear that one never will."""
    rounds = iter(range(1_000))

    def all_shown() -> bool:
        work(bare_stage, next(rounds))
        prometheus.await_scrape()
        return not shown_nothing(prometheus)

    wait_until(all_shown, seconds=SHOWN_SECONDS_MAX)
    return prometheus


def test_what_may_be_empty_is_measured_all_the_same(stage_at_work: Prometheus) -> None:
    """A counter nobody has moved has a description and no series: its name is right, its time will come."""
    known = stage_at_work.metrics()
    for _where, expression in [*PANELS, *WATCHED]:
        for name in re.findall(r"countersign_\w+", expression):
            assert {name, re.sub(r"_(bucket|count|sum|total)$", "", name)} & known, f"no service measures {name}"
    for part in EMPTY_BECAUSE:
        assert any(part in expression for _where, expression in [*PANELS, *WATCHED]), (
            f"nothing asks for {part} any more"
        )


def test_alerts_that_concern_a_fault_are_silent_in_a_working_system(stage_at_work: Prometheus) -> None:
    provoked = {"CountersignDeadLetters", "CountersignIdReused"}
    speaking = {alert.name for alert in alerts.ALERTS if stage_at_work.values(alert.expr)}
    assert speaking - MAY_SPEAK == provoked


def test_prometheus_loads_the_rules_and_finds_no_error_in_them(stage_at_work: Prometheus) -> None:
    def rules() -> list[dict[str, Any]]:
        return [rule for group in stage_at_work.get("/api/v1/rules")["groups"] for rule in group["rules"]]

    assert {rule["name"] for rule in rules()} == {alert.name for alert in alerts.ALERTS} | objectives.recorded().keys()
    assert wait_until(lambda: all(rule["health"] == "ok" for rule in rules()), seconds=60)
