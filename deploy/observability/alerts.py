"""Alert rules: each says what hurts, for how long, and where the runbook is. One source for Prometheus and the operator."""

from dataclasses import dataclass
from typing import Any

import yaml

from deploy.observability import objectives
from deploy.observability.objectives import BURNS, OBJECTIVES, Burn, Objective

# A path in this repository; an overlay that publishes the docs elsewhere rewrites it.
RUNBOOK = "docs/runbook.md"


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition a person has to act on. `page`: wake somebody; otherwise it is a ticket. `window`: over which an error
    budget burns; rules of one name differ by it."""

    name: str
    expr: str
    wait: str
    summary: str
    dashboard: str
    page: bool = True
    window: str = ""

    @property
    def anchor(self) -> str:
        """Its heading in the runbook."""
        return self.name.lower()


FAULTS = (
    Alert(
        "CountersignServiceDown",
        'up{job=~".*countersign.*"} == 0',
        "2m",
        "{{ $labels.service }} does not answer",
        "countersign-overview",
    ),
    Alert(
        "CountersignEventsLate",
        "max by (service, topic) (countersign_consumer_lag_seconds) > 60",
        "5m",
        "{{ $labels.service }} is {{ $value }} s behind on {{ $labels.topic }}",
        "countersign-streams",
    ),
    Alert(
        "CountersignConsumerStuck",
        "sum by (service) (countersign_consumer_lag_records) > 0 and sum by (service) (rate(countersign_messages_handled_total[5m])) == 0",
        "5m",
        "{{ $labels.service }} has events waiting and handles none",
        "countersign-streams",
    ),
    Alert(
        "CountersignDeadLetters",
        'sum by (service, topic) (increase(countersign_messages_handled_total{outcome="dead"}[1h])) > 0',
        "0m",
        "{{ $labels.service }} could not read {{ $value }} events of {{ $labels.topic }} in an hour",
        "countersign-streams",
        page=False,
    ),
    Alert(
        "CountersignIdReused",
        "sum by (service, topic) (increase(countersign_inbox_conflicts_total[1h])) > 0",
        "0m",
        "A producer reused event ids on {{ $labels.topic }}",
        "countersign-streams",
        page=False,
    ),
    Alert(
        "CountersignOutboxStuck",
        "max by (service) (countersign_outbox_oldest_age_seconds) > 30",
        "2m",
        "{{ $labels.service }} has not published a message for {{ $value }} s",
        "countersign-streams",
    ),
    Alert(
        "CountersignNoRelay",
        "sum by (service) (countersign_outbox_relay_leading) < 1",
        "2m",
        "No instance of {{ $labels.service }} publishes",
        "countersign-streams",
    ),
    Alert(
        "CountersignOrdersLate",
        "histogram_quantile(0.99, sum by (le) (rate(countersign_order_release_delay_seconds_bucket[10m]))) > 65",
        "5m",
        "Approved lines wait {{ $value }} s beyond their undo window",
        "countersign-decisions",
    ),
    Alert(
        "CountersignJobFailing",
        "sum by (service) (increase(countersign_job_failures_total[10m])) > 3",
        "0m",
        "A repeated job of {{ $labels.service }} keeps failing",
        "countersign-decisions",
    ),
    Alert(
        "CountersignReadsSlow",
        'histogram_quantile(0.999, sum by (le) (rate(countersign_http_request_duration_seconds_bucket{service="gateway", method="GET"}[10m]))) > 1',
        "10m",
        "Reads at the gateway take {{ $value }} s",
        "countersign-http",
        page=False,
    ),
    Alert(
        "CountersignServerErrors",
        'sum by (service) (rate(countersign_http_request_duration_seconds_count{status=~"5.."}[5m])) > 0.1',
        "5m",
        "{{ $labels.service }} answers with server errors",
        "countersign-http",
    ),
    Alert(
        "CountersignAuditBroken",
        "max(countersign_audit_self_check_broken_logs) > 0",
        "0m",
        "The audit log does not verify",
        "countersign-decisions",
    ),
    Alert(
        "CountersignWitnessDisputes",
        "max(countersign_audit_witness_disputes) > 0",
        "0m",
        "The witness saw another history of the audit log",
        "countersign-decisions",
    ),
    Alert(
        "CountersignTrainingFails",
        'sum(increase(countersign_trainings_total{outcome="failed"}[1d])) > 0',
        "0m",
        "A model training failed",
        "countersign-decisions",
        page=False,
    ),
)


def _burning(one: Objective, burn: Burn) -> Alert:
    """An alert on an error budget: it goes so fast that it is a person's business."""
    return Alert(
        one.alert,
        objectives.condition(one, burn),
        "0m",
        f"{one.says}: at the rate of the last {burn.long} the month's error budget is gone in {burn.gone_in_days:.2g} days",
        one.dashboard,
        page=burn.page,
        window=burn.long,
    )


BUDGETS = tuple(_burning(one, burn) for one in OBJECTIVES for burn in BURNS)
ALERTS = FAULTS + BUDGETS


def _rule(alert: Alert) -> dict[str, Any]:
    labels = {"severity": "page" if alert.page else "ticket"}
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.wait,
        "labels": labels | ({"window": alert.window} if alert.window else {}),
        "annotations": {
            "summary": alert.summary,
            "runbook_url": f"{RUNBOOK}#{alert.anchor}",
            "dashboard": f"/d/{alert.dashboard}",
        },
    }


def groups() -> list[dict[str, Any]]:
    """The rule groups, as Prometheus and the operator's PrometheusRule both take them."""
    budgets = [*objectives.rules(), *map(_rule, BUDGETS)]
    return [
        {"name": "countersign", "rules": [*map(_rule, FAULTS)]},
        {"name": "countersign-objectives", "interval": f"{objectives.STEP_SECONDS}s", "rules": budgets},
    ]


def prometheus_text() -> str:
    """The rule file for Prometheus itself."""
    return "# Made by `python -m deploy.generate` from deploy/observability/alerts.py.\n" + yaml.safe_dump(
        {"groups": groups()}, sort_keys=False, width=1000
    )


def operator_text() -> str:
    """The same rules for the Prometheus operator."""
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "countersign", "labels": {"app.kubernetes.io/part-of": "countersign"}},
        "spec": {"groups": groups()},
    }
    return "# Made by `python -m deploy.generate` from deploy/observability/alerts.py.\n" + yaml.safe_dump(
        rule, sort_keys=False, width=1000
    )
