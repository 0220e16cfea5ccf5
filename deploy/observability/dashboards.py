"""Grafana dashboards in the classic JSON model, from a few lines each. `python -m deploy.generate` writes them."""

import json
from dataclasses import dataclass
from typing import Any

from deploy.observability import objectives

DATASOURCE = {"type": "prometheus", "uid": "countersign-prometheus"}
WIDTH, HEIGHT, ACROSS = 8, 7, 3


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture: a title that is a question or a noun, its expressions with legends, and the unit of its axis."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    says: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of panels; `uid` is stable, so that links last."""

    uid: str
    title: str
    panels: tuple[Panel, ...]


def rate(metric: str, by: str, where: str = "") -> str:
    """Events a second of a counter, by a label."""
    return f"sum by ({by}) (rate({metric}{{{where}}}[5m]))"


def quantile(share: str, metric: str, by: str = "", where: str = "") -> str:
    """A quantile of a histogram over five minutes."""
    labels = ", ".join(part for part in ("le", by) if part)
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{{{where}}}[5m])))"


OVERVIEW = Dashboard(
    "countersign-overview",
    "Countersign: overview",
    (
        Panel("Services up", (('sum by (service) (up{job=~".*countersign.*"})', "{{service}}"),), kind="stat"),
        Panel("Events offered over HTTP", ((rate("countersign_ingest_events_total", "result"), "{{result}}"),), "ops"),
        Panel(
            "Events handled",
            ((rate("countersign_messages_handled_total", "service", 'outcome="handled"'), "{{service}}"),),
            "ops",
        ),
        Panel(
            "Dead letters in an hour",
            (
                (
                    'sum by (service, topic) (increase(countersign_messages_handled_total{outcome="dead"}[1h]))',
                    "{{service}} {{topic}}",
                ),
            ),
            says="Should be zero. Each one is an event nobody could read.",
        ),
        Panel(
            "Age of what waits",
            (("max by (service, topic) (countersign_consumer_lag_seconds)", "{{service}} {{topic}}"),),
            "s",
        ),
        Panel(
            "Oldest unpublished message",
            (("max by (service) (countersign_outbox_oldest_age_seconds)", "{{service}}"),),
            "s",
        ),
        Panel("Forecasts issued", ((rate("countersign_forecasts_issued_total", "strategy"), "{{strategy}}"),), "ops"),
        Panel(
            "Planning runs in an hour",
            (("sum by (outcome) (increase(countersign_planning_runs_total[1h]))", "{{outcome}}"),),
        ),
        Panel(
            "Orders released in an hour",
            (("sum by (kind) (increase(countersign_orders_released_total[1h]))", "{{kind}}"),),
        ),
        Panel(
            "Undo window over until the order is out",
            (
                (quantile("0.99", "countersign_order_release_delay_seconds"), "p99"),
                (quantile("0.5", "countersign_order_release_delay_seconds"), "median"),
            ),
            "s",
        ),
        Panel("Audit entries", (("sum(rate(countersign_audit_entries_appended_total[5m]))", "entries"),), "ops"),
        Panel(
            "Audit log verified",
            (("max(countersign_audit_self_check_broken_logs)", "broken logs"),),
            kind="stat",
            says="Anything but 0: stop, read the runbook.",
        ),
        Panel(
            "Error budget left",
            ((objectives.LEFT, "{{objective}}"),),
            "percentunit",
            kind="stat",
            says=f"Of {objectives.MONTH_DAYS} days. Below 0 the promise is broken: "
            + "; ".join(f"{one.name}: {one.says}, {one.target:.1%}" for one in objectives.OBJECTIVES),
        ),
        Panel(
            "Error budget used, times too fast",
            tuple(
                (f'{objectives.ratio("1h")}{{objective="{one.name}"}} / {one.budget}', one.name)
                for one in objectives.OBJECTIVES
            ),
            says="Over the last hour. 1 uses up exactly the month's; 14.4 wakes somebody.",
        ),
    ),
)
STREAMS = Dashboard(
    "countersign-streams",
    "Countersign: streams",
    (
        Panel(
            "Handled by topic",
            ((rate("countersign_messages_handled_total", "service, topic"), "{{service}} {{topic}}"),),
            "ops",
        ),
        Panel("By outcome", ((rate("countersign_messages_handled_total", "outcome"), "{{outcome}}"),), "ops"),
        Panel(
            "Time of one batch",
            (
                (quantile("0.99", "countersign_handling_duration_seconds", "service"), "p99 {{service}}"),
                (quantile("0.5", "countersign_handling_duration_seconds", "service"), "median {{service}}"),
            ),
            "s",
        ),
        Panel(
            "Records waiting",
            (("sum by (service, topic) (countersign_consumer_lag_records)", "{{service}} {{topic}}"),),
        ),
        Panel(
            "Age of what waits",
            (("max by (service, topic) (countersign_consumer_lag_seconds)", "{{service}} {{topic}}"),),
            "s",
        ),
        Panel(
            "Repeats dropped",
            ((rate("countersign_inbox_repeats_total", "service, topic"), "{{service}} {{topic}}"),),
            "ops",
        ),
        Panel(
            "Same id, other content",
            (("sum by (service, topic) (increase(countersign_inbox_conflicts_total[1h]))", "{{service}} {{topic}}"),),
            says="A producer reuses ids: find it.",
        ),
        Panel(
            "Events parked in an hour",
            (("sum by (service, reason) (increase(countersign_parked_events_total[1h]))", "{{service}} {{reason}}"),),
        ),
        Panel(
            "Outbox published",
            ((rate("countersign_outbox_published_total", "service, topic"), "{{service}} {{topic}}"),),
            "ops",
        ),
        Panel("Outbox waiting", (("sum by (service) (countersign_outbox_waiting_records)", "{{service}}"),)),
        Panel(
            "Relays leading",
            (("sum by (service) (countersign_outbox_relay_leading)", "{{service}}"),),
            kind="stat",
            says="Exactly 1 of each service.",
        ),
        Panel(
            "Live sensing behind",
            (
                ("max(countersign_sensing_lag_records)", "records"),
                ("sum(increase(countersign_sensing_restarts_total[1h]))", "restarts in an hour"),
            ),
        ),
    ),
)
GATEWAY = Dashboard(
    "countersign-http",
    "Countersign: HTTP",
    (
        Panel(
            "Requests by route",
            ((rate("countersign_http_request_duration_seconds_count", "route", 'service="gateway"'), "{{route}}"),),
            "reqps",
        ),
        Panel(
            "Errors by status",
            (
                (
                    rate("countersign_http_request_duration_seconds_count", "service, status", 'status=~"[45].."'),
                    "{{service}} {{status}}",
                ),
            ),
            "reqps",
        ),
        Panel(
            "Read latency at the gateway",
            (
                (
                    quantile(
                        "0.999", "countersign_http_request_duration_seconds", where='service="gateway", method="GET"'
                    ),
                    "p99.9",
                ),
                (
                    quantile(
                        "0.5", "countersign_http_request_duration_seconds", where='service="gateway", method="GET"'
                    ),
                    "median",
                ),
            ),
            "s",
        ),
        Panel(
            "Decision latency at approvals",
            (
                (
                    quantile(
                        "0.99", "countersign_http_request_duration_seconds", where='service="approvals", method="POST"'
                    ),
                    "p99",
                ),
            ),
            "s",
        ),
        Panel(
            "Calls to the owners",
            (
                (
                    quantile("0.99", "countersign_owner_call_duration_seconds", "exported_service"),
                    "p99 {{exported_service}}",
                ),
            ),
            "s",
        ),
        Panel(
            "Stale decisions, repeats, refusals",
            (
                (
                    rate(
                        "countersign_http_request_duration_seconds_count",
                        "status",
                        'service="approvals", status=~"409|412|422|428"',
                    ),
                    "{{status}}",
                ),
            ),
            "reqps",
        ),
        Panel("Sign-ins", ((rate("countersign_sign_ins_total", "outcome"), "{{outcome}}"),), "ops"),
        Panel("Open live streams", (("sum(countersign_live_streams)", "streams"),), kind="stat"),
        Panel("Events waiting for Kafka", (("sum(countersign_ingest_in_flight_events)", "events"),)),
        Panel(
            "Ingest batch, first byte to durable",
            ((quantile("0.99", "countersign_ingest_batch_duration_seconds"), "p99"),),
            "s",
        ),
    ),
)
DECISIONS = Dashboard(
    "countersign-decisions",
    "Countersign: decisions and proof",
    (
        Panel(
            "Decisions in an hour", (("sum by (verdict) (increase(countersign_decisions_total[1h]))", "{{verdict}}"),)
        ),
        Panel(
            "By rule, as a share of approvals",
            (
                (
                    'sum(increase(countersign_decisions_total{verdict="approved_by_rule"}[1d])) / sum(increase(countersign_decisions_total{verdict=~"approved|amended|approved_by_rule"}[1d]))',
                    "by rule",
                ),
            ),
            "percentunit",
        ),
        Panel(
            "Overrides, as a share of what people decided",
            (
                (
                    'sum(increase(countersign_decisions_total{verdict=~"amended|rejected"}[1d])) / sum(increase(countersign_decisions_total{verdict=~"approved|amended|rejected"}[1d]))',
                    "amended or rejected",
                ),
            ),
            "percentunit",
        ),
        Panel(
            "Orders released in an hour",
            (("sum by (kind) (increase(countersign_orders_released_total[1h]))", "{{kind}}"),),
        ),
        Panel("Release delay", ((quantile("0.99", "countersign_order_release_delay_seconds"), "p99"),), "s"),
        Panel("Planning chunk", ((quantile("0.99", "countersign_planning_chunk_duration_seconds"), "p99"),), "s"),
        Panel("Forecast run", ((quantile("0.99", "countersign_forecast_run_seconds"), "p99"),), "s"),
        Panel("Trainings in a day", (("sum by (outcome) (increase(countersign_trainings_total[1d]))", "{{outcome}}"),)),
        Panel(
            "Checkpoints signed in an hour",
            (("sum(increase(countersign_audit_checkpoints_signed_total[1h]))", "signed"),),
        ),
        Panel("Witness disputes", (("max(countersign_audit_witness_disputes)", "disputed logs"),), kind="stat"),
        Panel(
            "Jobs that failed in an hour",
            (
                (
                    "sum by (service, exported_job) (increase(countersign_job_failures_total[1h]))",
                    "{{service}} {{exported_job}}",
                ),
            ),
        ),
    ),
)
BUSINESS = Dashboard(
    "countersign-business",
    "Countersign: how the business stands",
    (
        Panel(
            "Planned items by stock",
            (("max by (standing) (countersign_items_standing)", "{{standing}}"),),
            says="What the newest plan saw; every gateway says the same.",
        ),
        Panel("Lines that wait for a person", (("max(countersign_lines_waiting)", "lines"),)),
        Panel("Open exceptions", (("max by (kind) (countersign_exceptions_open)", "{{kind}}"),)),
        Panel("Orders no supplier has answered", (("max(countersign_orders_unanswered)", "orders"),)),
        Panel("The oldest of them", (("max(countersign_orders_unanswered_oldest_age_seconds)", "age"),), "s"),
        Panel(
            "What suppliers keep",
            (
                ("max(countersign_supplier_otif_ratio)", "on time and in full"),
                ("max(countersign_supplier_fill_rate_ratio)", "fill rate"),
            ),
            "percentunit",
        ),
    ),
)
ALL = (OVERVIEW, STREAMS, GATEWAY, DECISIONS, BUSINESS)


def document(dashboard: Dashboard) -> dict[str, Any]:
    """The dashboard in the classic model (schema version 39), which every Grafana since 10 reads from files."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["countersign"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": []},
        "annotations": {"list": []},
        "links": [{"title": "Countersign", "type": "dashboards", "tags": ["countersign"], "asDropdown": True}],
        "panels": [_panel(number, panel) for number, panel in enumerate(dashboard.panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": number + 1,
        "title": panel.title,
        "description": panel.says,
        "type": panel.kind,
        "datasource": DATASOURCE,
        "gridPos": {"x": number % ACROSS * WIDTH, "y": number // ACROSS * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            _target(chr(ord("A") + index), expression, legend, exemplars=panel.kind == "timeseries")
            for index, (expression, legend) in enumerate(panel.queries)
        ],
    }
    if panel.kind == "stat":
        made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "none"}
    return made


def _target(name: str, expression: str, legend: str, *, exemplars: bool) -> dict[str, Any]:
    """A query. Points of a latency lead to the trace of one request that took so long."""
    made = {"refId": name, "expr": expression, "legendFormat": legend, "datasource": DATASOURCE}
    return made | ({"exemplar": True} if exemplars and "_bucket" in expression else {})


def text(dashboard: Dashboard) -> str:
    """The file's text."""
    return json.dumps(document(dashboard), indent=1, sort_keys=True) + "\n"
