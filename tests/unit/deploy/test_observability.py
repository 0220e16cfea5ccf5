"""Dashboards and alerts speak of metrics the code has, in PromQL that parses, and every alert has a page in the runbook."""

import ast
import functools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from deploy.observability import alerts, dashboards, objectives
from kit.http import BUCKETS_SECONDS
from services.approvals.release import DELAY_BUCKETS_SECONDS

ROOT = Path(__file__).resolve().parents[3]
STORIES = ("alerts_test.yaml", "objectives_test.yaml", "objectives_edges_test.yaml")
SLOW = {"objectives_test.yaml"}  # days of samples, looked at every five minutes
# What Prometheus itself adds, and what it renames when a metric has a label of the same name.
TARGET_LABELS = {"job", "service", "instance", "le", "__name__"}
OWN_METRICS = {"up": frozenset[str]()}


@dataclass(frozen=True)
class Metric:
    """A metric as the code declares it."""

    kind: str
    labels: frozenset[str]

    def series(self, name: str) -> Iterator[tuple[str, frozenset[str]]]:
        """The series names Prometheus stores for it."""
        suffixes = ("_bucket", "_count", "_sum") if self.kind == "histogram" else ("",)
        yield from ((f"countersign_{name}{suffix}", self.labels) for suffix in suffixes)


@functools.cache
def declared() -> dict[str, frozenset[str]]:
    """Every series of every `telemetry.counter/gauge/histogram(...)` in kit and services, read from the source, and those
    that the rules record."""
    found: dict[str, frozenset[str]] = OWN_METRICS | objectives.recorded()
    for path in [*ROOT.glob("kit/*.py"), *ROOT.glob("services/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("counter", "gauge", "histogram")
            ):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "telemetry"):
                continue
            name = ast.literal_eval(node.args[0])
            labels = frozenset(ast.literal_eval(node.args[2])) if len(node.args) > 2 else frozenset()
            found |= dict(Metric(node.func.attr, labels).series(name))
    return found


def selectors(expression: Any) -> Iterator[Any]:
    """Every vector selector of a parsed expression."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression
    elif isinstance(expression, promql_parser.MatrixSelector):
        yield from selectors(expression.vector_selector)
    elif isinstance(
        expression,
        promql_parser.AggregateExpr | promql_parser.UnaryExpr | promql_parser.ParenExpr | promql_parser.SubqueryExpr,
    ):
        yield from selectors(expression.expr)
    elif isinstance(expression, promql_parser.BinaryExpr):
        yield from selectors(expression.lhs)
        yield from selectors(expression.rhs)
    elif isinstance(expression, promql_parser.Call):
        for argument in expression.args:
            yield from selectors(argument)


def check(text: str) -> None:
    """Parse; every metric and every label must be real."""
    parsed = promql_parser.parse(text)
    used: set[str] = set()
    for selector in selectors(parsed):
        assert selector.name in declared(), f"{selector.name} is not a metric of the code: {text}"
        labels = declared()[selector.name]
        used |= labels
        for matcher in selector.matchers.matchers:
            assert matcher.name in labels | TARGET_LABELS, f"{selector.name} has no label {matcher.name}: {text}"
    assert used or "up" in text or declared(), text
    for group in re.findall(r"\bby \(([^)]*)\)", text):
        for label in (part.strip() for part in group.split(",")):
            assert label in used | TARGET_LABELS or label.removeprefix("exported_") in used, f"no label {label}: {text}"


PANELS = [
    pytest.param(text, id=f"{dashboard.uid}: {panel.title}: {legend}")
    for dashboard in dashboards.ALL
    for panel in dashboard.panels
    for text, legend in panel.queries
]


@pytest.mark.parametrize("text", PANELS)
def test_panel_asks_for_metrics_the_code_has(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "rule", tuple(objectives.rules()), ids=lambda rule: " ".join([rule["record"], *rule.get("labels", {}).values()])
)
def test_recording_rule_asks_for_metrics_the_code_has(rule: dict[str, Any]) -> None:
    check(rule["expr"])


@pytest.mark.parametrize("alert", alerts.ALERTS, ids=lambda alert: f"{alert.name} {alert.window}".strip())
def test_alert_asks_for_metrics_the_code_has_and_has_a_runbook(alert: alerts.Alert) -> None:
    check(alert.expr)
    headings = re.findall(r"^### (\S+)", (ROOT / "docs/runbook.md").read_text("utf-8"), re.MULTILINE)
    assert alert.name in headings, f"docs/runbook.md has no heading {alert.name}"
    assert alert.dashboard in {one.uid for one in dashboards.ALL}
    assert re.fullmatch(r"\d+[mh]", alert.wait)


@pytest.mark.parametrize("stories", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in STORIES])
def test_rules_fire_when_they_should_and_only_then(stories: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip(
            "promtool is not installed, so the alert rules were only parsed; install prometheus to run this check"
        )
    for words in (["check", "rules", "alerts.yaml"], ["test", "rules", stories]):
        done = subprocess.run(
            [promtool, *words], cwd=ROOT / "deploy/observability", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_story_in_which_it_fires() -> None:
    told = [yaml.safe_load((ROOT / "deploy/observability" / name).read_text("utf-8"))["tests"] for name in STORIES]
    rules = [rule for stories in told for story in stories for rule in story.get("alert_rule_test", [])]
    firing = {(rule["alertname"], one["exp_labels"].get("window", "")) for rule in rules for one in rule["exp_alerts"]}
    assert firing == {(alert.name, alert.window) for alert in alerts.ALERTS}


def test_runbook_speaks_of_every_alert_once_and_of_none_that_is_gone() -> None:
    headings = re.findall(r"^### (Countersign\S+)", (ROOT / "docs/runbook.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted({alert.name for alert in alerts.ALERTS})


def test_every_objective_is_guarded_by_two_windows_at_a_time_and_wakes_people_only_for_the_fast_half() -> None:
    for one in objectives.OBJECTIVES:
        rules = [alert for alert in alerts.BUDGETS if alert.name == one.alert]
        assert [(rule.window, rule.page) for rule in rules] == [
            ("1h", True),
            ("6h", True),
            ("1d", False),
            ("3d", False),
        ]
        for rule, burn in zip(rules, objectives.BURNS, strict=True):
            most = float(burn.times * one.budget)
            assert rule.expr.count(f"> {most:g} ") == 2, rule.expr
            assert objectives.ratio(burn.long) in rule.expr and objectives.ratio(burn.short) in rule.expr
    assert {window for burn in objectives.BURNS for window in (burn.long, burn.short)} < set(objectives.WINDOWS)


def test_what_is_judged_by_a_bucket_has_that_bucket_and_a_quantile_can_reach_what_alerts() -> None:
    """Beyond its last bucket a histogram tells no times apart: its quantiles stop there."""
    (reads,) = (one for one in objectives.OBJECTIVES if one.name == "reads")
    assert re.findall(r'le="([\d.]+)"', reads.bad) == ["0.3"] and 0.3 in BUCKETS_SECONDS
    asked = {alert.name: alert.expr for alert in alerts.ALERTS if "histogram_quantile" in alert.expr}
    largest = {"CountersignOrdersLate": max(DELAY_BUCKETS_SECONDS), "CountersignReadsSlow": max(BUCKETS_SECONDS)}
    assert asked.keys() == largest.keys()
    for name, expression in asked.items():
        assert float(expression.rpartition(" > ")[2]) < largest[name]


def test_a_point_on_a_latency_leads_to_its_trace() -> None:
    folder = ROOT / "deploy/observability/grafana/datasources"
    sources = {
        one["uid"]: one
        for path in folder.glob("*.yaml")
        for one in yaml.safe_load(path.read_text("utf-8"))["datasources"]
    }
    (destination,) = sources["countersign-prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert destination["name"] == "trace_id"
    assert sources[destination["datasourceUid"]]["type"] == "tempo"
    for panel in (panel for one in dashboards.ALL for panel in dashboards.document(one)["panels"]):
        wanted = [panel["type"] == "timeseries" and "_bucket" in target["expr"] for target in panel["targets"]]
        assert [target.get("exemplar", False) for target in panel["targets"]] == wanted


def test_check_finds_what_is_wrong() -> None:
    for wrong in (
        "sum(countersign_no_such_thing)",
        'countersign_decisions_total{colour="red"}',
        "sum by (colour) (countersign_decisions_total)",
    ):
        with pytest.raises(AssertionError):
            check(wrong)
    with pytest.raises(ValueError, match=r".+"):
        promql_parser.parse("sum(rate(x[5m])")


def test_dashboards_have_stable_ids_and_panels_that_do_not_overlap() -> None:
    documents = [dashboards.document(one) for one in dashboards.ALL]
    assert len({one["uid"] for one in documents}) == len(documents)
    for one in documents:
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in one["panels"]]
        assert len(set(places)) == len(places)
        assert all(
            panel["targets"] and panel["datasource"]["uid"] == "countersign-prometheus" for panel in one["panels"]
        )
        assert json.loads(json.dumps(one)) == one
    provisioned = yaml.safe_load((ROOT / "deploy/observability/grafana/datasources/prometheus.yaml").read_text("utf-8"))
    assert provisioned["datasources"][0]["uid"] == "countersign-prometheus"


def test_no_metric_is_labelled_with_what_has_no_bound() -> None:
    unbounded = {"sku", "tenant", "user", "location", "supplier", "order_id", "line_id", "id"}
    assert [name for name, labels in declared().items() if labels & unbounded] == []
