"""From contracts to rows of the read models: one function per kind of message, no decision taken."""

from collections.abc import Sequence
from typing import Any

from kit.events import Received
from schemas.base import Message
from schemas.decisions import (
    CheckpointSigned,
    DecisionMade,
    LineAssigned,
    LineCommented,
    OrderCancelled,
    OrderReleased,
    OrderUpdated,
)
from schemas.forecasts import HORIZONS_DAYS, LEVELS, ForecastIssued, ModelPromoted
from schemas.recommendations import (
    ExceptionRaised,
    ExceptionResolved,
    PolicyPublished,
    RecommendationIssued,
    RecommendationWithheld,
)
from schemas.signals import SignalObserved
from services.gateway.domain.lines import STATUS_AFTER, rank_score
from services.gateway.store.rows import Row

_NODE_28 = HORIZONS_DAYS.index(28)


def status_after(verdict: str) -> str:
    return STATUS_AFTER[verdict]


def is_beside(body: RecommendationIssued | RecommendationWithheld) -> bool:
    """Whether this is about a line beside the item's own order (a change of an order, a transfer), not the item's outcome."""
    return body.action != "buy" if isinstance(body, RecommendationIssued) else body.line_id is not None


def line(one: Received[RecommendationIssued]) -> Row:
    """A line of the queue, without the evidence: that stays on the topic and in the audit log."""
    body = one.body
    row = body.model_dump(
        mode="json", exclude={"tenant", "evidence", "excess_from_rounding", "excess_cost", "code_version", "supersedes"}
    )
    row["issued_at"] = one.envelope.time.isoformat()
    row["rank_score"] = rank_score(
        money_at_risk=float(body.money_at_risk),
        stockout_probability=float(body.stockout_probability),
        origin=body.origin,
        arrive_on=body.arrive_on,
        stockout_on=body.stockout_on,
    )
    return row


def outcome(one: Received[RecommendationIssued | RecommendationWithheld]) -> Row:
    body = one.body
    row = body.model_dump(
        mode="json",
        include={
            "sku", "location", "recommendation_id", "line_id", "origin", "on_hand", "on_order", "reserved", "inventory_position",
            "reorder_point", "order_up_to", "days_of_cover", "forecast_id", "policy_version",
        },
    )  # fmt: skip
    if isinstance(body, RecommendationWithheld):
        row |= {"withheld_reason": body.reason, "withheld_says": body.says}
    return row


def runs(events: Sequence[Received[Any]]) -> list[Row]:
    """How many outcomes of each kind every planning run brought in this batch."""
    counts: dict[str, Row] = {}
    for one in events:
        run_id = one.body.run_id
        if run_id is None:
            continue
        row = counts.setdefault(
            run_id, {"run_id": run_id, "origin": None, "proposed": 0, "withheld": 0, "finished_at": ""}
        )
        row["proposed" if isinstance(one.body, RecommendationIssued) else "withheld"] += 1
        row["finished_at"] = max(row["finished_at"], one.envelope.time.isoformat())
        if one.body.origin is not None:
            row["origin"] = max(row["origin"] or "", one.body.origin.isoformat())
    return list(counts.values())


def decision(one: Received[DecisionMade]) -> Row:
    return one.body.model_dump(mode="json", exclude={"tenant"}) | {"status": status_after(one.body.verdict)}


def comment(one: Received[LineCommented]) -> Row:
    return one.body.model_dump(mode="json", exclude={"tenant"})


def assignment(one: Received[LineAssigned]) -> Row:
    return one.body.model_dump(mode="json", exclude={"tenant"})


def order(one: Received[OrderReleased]) -> Row:
    return one.body.model_dump(mode="json", exclude={"tenant"})


def order_told(body: OrderReleased) -> dict[str, Any]:
    return {
        "order_id": body.order_id,
        "status": "released",
        "supplier": body.supplier,
        "location": body.location,
        "value": format(body.value, "f"),
        "line_count": len(body.lines),
        "recommendation_ids": [entry.recommendation_id for entry in body.lines],
    }


def order_update(one: Received[OrderUpdated]) -> Row:
    return one.body.model_dump(
        mode="json", include={"order_id", "status", "updated_at", "lines", "note", "business_date"}
    ) | {"event_id": one.envelope.id}


def cancellation(one: Received[OrderCancelled]) -> Row:
    body = one.body
    why = body.reason_code if body.note is None else f"{body.reason_code}: {body.note}"
    return {
        "order_id": body.order_id,
        "event_id": one.envelope.id,
        "status": "cancelled",
        "updated_at": body.cancelled_at.isoformat(),
        "lines": [],
        "note": f"cancelled by {body.cancelled_by}, {why}",
    }


def exception(one: Received[ExceptionRaised]) -> Row:
    return one.body.model_dump(mode="json", exclude={"tenant"})


def resolution(one: Received[ExceptionResolved]) -> Row:
    return one.body.model_dump(mode="json", include={"exception_id", "resolved_on", "says"})


def exception_told(body: ExceptionRaised | ExceptionResolved) -> dict[str, Any]:
    return {
        "exception_id": body.exception_id,
        "kind": body.kind if isinstance(body, ExceptionRaised) else None,
        "subject": body.subject,
        "status": "open" if isinstance(body, ExceptionRaised) else "resolved",
        "message": body.says,
    }


def forecast(one: Received[ForecastIssued]) -> Row:
    """The summary a list shows, and the whole distribution for the chart."""
    body = one.body
    row = body.model_dump(mode="json", exclude={"tenant"})
    at_28 = body.demand.quantiles_e2[_NODE_28]
    return row | {
        "demand": body.demand.model_dump(mode="json"),
        "mean_7": sum(body.demand.mean_e4[:7]) / 10_000,
        "mean_28": sum(body.demand.mean_e4[:28]) / 10_000,
        "low_28": at_28[LEVELS.index(0.1)] / 100,
        "high_28": at_28[LEVELS.index(0.9)] / 100,
    }


def model(one: Received[ModelPromoted]) -> Row:
    body = one.body
    row = body.model_dump(mode="json", include={"segment", "model_id", "strategy", "promoted_at"})
    return row | {"body": body.model_dump(mode="json", exclude={"tenant"})}


def catalogue(one: Received[Message]) -> Row:
    body: Any = one.body
    fields = body.model_dump(mode="json", exclude={"tenant"})
    return {
        "kind": body.KIND,
        "identity": body.identity(),
        "defined_at": fields["defined_at"],
        "active": body.active,
        "name": fields.get("name"),
        "category": fields.get("category"),
        "abc_class": fields.get("abc_class"),
        "body": fields,
    }


def signal(one: Received[SignalObserved]) -> Row:
    fields = one.body.model_dump(mode="json", exclude={"tenant"})
    scope = fields["scope"]
    places = {name: scope.get(name) for name in ("sku", "location", "category", "supplier")}
    return {name: fields[name] for name in ("signal_id", "kind", "starts_at", "ends_at")} | places | {"body": fields}


def policy(one: Received[PolicyPublished]) -> Row:
    return one.body.model_dump(mode="json", exclude={"tenant"}) | {"published_at": one.envelope.time.isoformat()}


def checkpoint(one: Received[CheckpointSigned]) -> Row:
    return one.body.model_dump(mode="json", exclude={"tenant"})
