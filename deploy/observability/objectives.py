"""What the system promises, each as a share of a month; how fast its error budget goes, and when that is a person's business.

Google's SRE workbook, ch. 5: a budget that is used up N times too fast in a long window, and still is in a short one. What
has few events of its own (approved orders) is measured in time: one slow order of three would be a third of a budget.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MONTH_DAYS = 30
# How often the rules look. Sums over a window count looks, so that a rate summed up and multiplied by this is a number of events.
STEP_SECONDS = 30
BAD, ALL, LEFT = "countersign:slo_bad:rate", "countersign:slo_all:rate", "countersign:slo_budget_left:ratio"
# Kept waiting by design: probes are no reads, and a rationale takes as long as its language model.
_READS = 'service="gateway", method="GET", route!~"/livez|/readyz|/metrics|.+/rationale"'
_SALES = 'service="policy", topic="sales.v1"'
_DECIDED = 'service="approvals"'


@dataclass(frozen=True, slots=True)
class Objective:
    """`target` of what `every` counts a second is not what `bad` counts a second. `fewest`: less than this in the long
    window (requests, or seconds) is an accident of a quiet hour, or of a Prometheus that knows only minutes."""

    name: str
    says: str
    target: Decimal
    bad: str
    every: str
    fewest: int
    alert: str
    dashboard: str

    @property
    def budget(self) -> Decimal:
        """The share that may be bad."""
        return 1 - self.target


@dataclass(frozen=True, slots=True)
class Burn:
    """So many times faster than the month allows, in both windows."""

    times: Decimal
    long: str
    short: str
    page: bool

    @property
    def gone_in_days(self) -> Decimal:
        """How long a month's budget lasts at this rate."""
        return MONTH_DAYS / self.times


BURNS = (
    Burn(Decimal("14.4"), "1h", "5m", page=True),
    Burn(Decimal(6), "6h", "30m", page=True),
    Burn(Decimal(3), "1d", "2h", page=False),
    Burn(Decimal(1), "3d", "6h", page=False),
)
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", f"{MONTH_DAYS}d")
OBJECTIVES = (
    Objective(
        "sales",
        "Sales reach the stock they change within a minute",
        Decimal("0.99"),
        f"clamp_max((max(countersign_consumer_lag_seconds{{{_SALES}}}) > bool 60)"
        f" + (sum(countersign_consumer_lag_records{{{_SALES}}}) > bool 0)"
        f" * (sum(rate(countersign_messages_handled_total{{{_SALES}}}[2m])) == bool 0), 1)",
        f"group(countersign_consumer_lag_seconds{{{_SALES}}})",
        300,
        "CountersignSalesBudget",
        "countersign-streams",
    ),
    Objective(
        "reads",
        "Reads at the gateway are answered, without a server error, within 0.3 s",
        Decimal("0.999"),
        f"clamp_min(sum(rate(countersign_http_request_duration_seconds_count{{{_READS}}}[1m]))"
        f' - (sum(rate(countersign_http_request_duration_seconds_bucket{{{_READS}, status!~"5..", le="0.3"}}[1m])) or vector(0)), 0)',
        f"sum(rate(countersign_http_request_duration_seconds_count{{{_READS}}}[1m]))",
        10,
        "CountersignReadsBudget",
        "countersign-http",
    ),
    Objective(
        "orders",
        "What approvals decided is on its topic within 5 s",
        Decimal("0.99"),
        f"max(countersign_outbox_oldest_age_seconds{{{_DECIDED}}}) > bool 5",
        f"group(countersign_outbox_oldest_age_seconds{{{_DECIDED}}})",
        300,
        "CountersignOrdersBudget",
        "countersign-decisions",
    ),
)


def ratio(window: str) -> str:
    """The name of the share that was bad in a window."""
    return f"countersign:slo_bad:ratio{window}"


def recorded() -> dict[str, frozenset[str]]:
    """The series the rules make, with their labels."""
    return {str(rule["record"]): frozenset({"objective"}) for rule in rules()}


def rules() -> Iterator[dict[str, Any]]:
    """The recording rules, in the order they read each other."""
    for one in OBJECTIVES:
        yield {"record": BAD, "expr": one.bad, "labels": {"objective": one.name}}
        yield {"record": ALL, "expr": one.every, "labels": {"objective": one.name}}
    for window in WINDOWS:
        # Where nothing happened there is no share, and nothing to alert on.
        share = f"sum_over_time({BAD}[{window}]) / (sum_over_time({ALL}[{window}]) > 0)"
        yield {"record": ratio(window), "expr": share}
    for one in OBJECTIVES:
        left = f'1 - {ratio(f"{MONTH_DAYS}d")}{{objective="{one.name}"}} / {one.budget}'
        yield {"record": LEFT, "expr": left, "labels": {"objective": one.name}}


def condition(one: Objective, burn: Burn) -> str:
    """When a budget burns so fast that somebody is to be told."""
    of, most = f'{{objective="{one.name}"}}', (burn.times * one.budget).normalize()
    return (
        f"{ratio(burn.long)}{of} > {most:f} and {ratio(burn.short)}{of} > {most:f}"
        f" and {STEP_SECONDS} * sum_over_time({BAD}{of}[{burn.long}]) >= {one.fewest}"
    )
