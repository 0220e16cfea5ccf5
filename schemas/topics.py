"""The topics as typed constants. Made from schemas/topics.yaml by `./run schemas`; change that file instead."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the catalogue; `on(namespace)` is its name on the broker, `.dead_on` its dead letters."""

    name: str
    partitions: int
    compacted: bool
    retention_days: int
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    messages: tuple[str, ...]

    def on(self, namespace: str) -> str:
        return f"{namespace}.{self.name}"

    def dead_on(self, namespace: str) -> str:
        return f"{namespace}.{self.name}.dead"


SALES = Topic(
    name="sales.v1",
    partitions=4,
    compacted=False,
    retention_days=-1,
    producers=("gateway",),
    consumers=("forecaster", "policy", "audit"),
    messages=("sale.recorded.v1", "return.recorded.v1", "sale.voided.v1", "business-day.closed.v1"),
)
STOCK = Topic(
    name="stock.v1",
    partitions=4,
    compacted=False,
    retention_days=-1,
    producers=("gateway",),
    consumers=("forecaster", "policy", "audit"),
    messages=("stock.moved.v1", "stock.counted.v1"),
)
CATALOGUE = Topic(
    name="catalogue.v1",
    partitions=1,
    compacted=True,
    retention_days=-1,
    producers=("gateway",),
    consumers=("forecaster", "policy", "approvals", "audit", "gateway"),
    messages=(
        "item.defined.v1",
        "location.defined.v1",
        "channel.defined.v1",
        "supplier.defined.v1",
        "supplier-item.defined.v1",
        "identity-alias.defined.v1",
        "reference-alias.defined.v1",
        "supersession.defined.v1",
        "substitute.defined.v1",
        "owner-scope.defined.v1",
    ),
)
SIGNALS = Topic(
    name="signals.v1",
    partitions=1,
    compacted=False,
    retention_days=400,
    producers=("gateway", "forecaster"),
    consumers=("forecaster", "policy", "audit", "gateway"),
    messages=("signal.observed.v1",),
)
FORECASTS = Topic(
    name="forecasts.v1",
    partitions=4,
    compacted=False,
    retention_days=400,
    producers=("forecaster",),
    consumers=("policy", "audit", "gateway"),
    messages=(
        "forecast.issued.v1",
        "forecast.issued.v2",
        "model.promoted.v1",
        "forecast-override.set.v1",
        "forecast-override.withdrawn.v1",
        "strategy-pin.set.v1",
        "strategy-pin.withdrawn.v1",
    ),
)
RECOMMENDATIONS = Topic(
    name="recommendations.v1",
    partitions=4,
    compacted=False,
    retention_days=400,
    producers=("policy",),
    consumers=("approvals", "audit", "gateway"),
    messages=("recommendation.issued.v1", "recommendation.withheld.v1"),
)
EXCEPTIONS = Topic(
    name="exceptions.v1",
    partitions=1,
    compacted=False,
    retention_days=400,
    producers=("forecaster", "policy", "approvals", "audit", "gateway"),
    consumers=("audit", "gateway"),
    messages=("exception.raised.v1", "exception.resolved.v1", "held-event.settled.v1"),
)
DECISIONS = Topic(
    name="decisions.v1",
    partitions=1,
    compacted=False,
    retention_days=-1,
    producers=("approvals",),
    consumers=("policy", "audit", "gateway"),
    messages=("decision.made.v1", "line.assigned.v1", "line.commented.v1"),
)
ORDERS = Topic(
    name="orders.v1",
    partitions=1,
    compacted=False,
    retention_days=-1,
    producers=("approvals",),
    consumers=("policy", "audit", "gateway"),
    messages=("order.released.v1", "order.cancelled.v1"),
)
ORDER_UPDATES = Topic(
    name="order-updates.v1",
    partitions=1,
    compacted=False,
    retention_days=-1,
    producers=("gateway",),
    consumers=("policy", "approvals", "audit", "gateway"),
    messages=("order.updated.v1",),
)
POLICIES = Topic(
    name="policies.v1",
    partitions=1,
    compacted=True,
    retention_days=-1,
    producers=("policy", "approvals"),
    consumers=("policy", "approvals", "audit", "gateway"),
    messages=("policy.published.v1", "approval-matrix.published.v1"),
)
ACCOUNTS = Topic(
    name="accounts.v1",
    partitions=1,
    compacted=False,
    retention_days=-1,
    producers=("gateway",),
    consumers=("audit",),
    messages=("account.changed.v1", "api-key.changed.v1"),
)
CHECKPOINTS = Topic(
    name="checkpoints.v1",
    partitions=1,
    compacted=False,
    retention_days=-1,
    producers=("audit",),
    consumers=("gateway",),
    messages=("checkpoint.signed.v1",),
)

ALL = (
    SALES,
    STOCK,
    CATALOGUE,
    SIGNALS,
    FORECASTS,
    RECOMMENDATIONS,
    EXCEPTIONS,
    DECISIONS,
    ORDERS,
    ORDER_UPDATES,
    POLICIES,
    ACCOUNTS,
    CHECKPOINTS,
)

TOPIC_OF = {message: topic for topic in ALL for message in topic.messages}
