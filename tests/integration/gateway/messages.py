"""Messages of the other services, as small as their contracts allow."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from schemas.catalogue import ItemDefined, LocationDefined, SupplierDefined
from schemas.decisions import DecisionMade, OrderLine, OrderReleased, OrderUpdated, Verdict
from schemas.forecasts import DAYS, HORIZONS_DAYS, LEVELS, DemandDistribution, ForecastIssuedV2
from schemas.recommendations import (
    ExceptionRaised,
    ExceptionResolved,
    PolicyPublished,
    Projection,
    RecommendationIssued,
    RecommendationWithheld,
    Step,
)

NOW = datetime(2017, 11, 21, 4, 0, 12, tzinfo=UTC)
ORIGIN = date(2017, 11, 20)


def issued(
    tenant: str = "acme", sku: str = "1029743", location: str = "367", number: int = 1, **changed: Any
) -> RecommendationIssued:
    """312 units for 839.28, 214.00 at risk."""
    line_id = changed.pop("line_id", f"line-{sku}-{location}")
    body: dict[str, Any] = {
        "tenant": tenant,
        "sku": sku,
        "location": location,
        "recommendation_id": f"rec-{sku}-{location}-{number}",
        "line_id": line_id,
        "run_id": "run-1",
        "action": "buy",
        "origin": ORIGIN,
        "quantity": Decimal(312),
        "unit": "each",
        "supplier": "SUP-17",
        "unit_cost": Decimal("2.69"),
        "value": Decimal("839.28"),
        "currency": "USD",
        "order_on": date(2017, 11, 21),
        "arrive_on": date(2017, 11, 24),
        "pack": Decimal(12),
        "on_hand": Decimal(58),
        "on_order": Decimal(96),
        "reserved": Decimal(0),
        "inventory_position": Decimal(154),
        "days_of_cover": 2.1,
        "stockout_on": date(2017, 11, 23),
        "stockout_probability": Decimal("0.71"),
        "reorder_point": Decimal(187),
        "order_up_to": Decimal(466),
        "money_at_risk": Decimal("214.00"),
        "confidence": Decimal("0.62"),
        "approved_by_rule": False,
        "route_reasons": ("value_above_limit",),
        "excess_from_rounding": Decimal(0),
        "excess_cost": Decimal(0),
        "steps": (
            Step(
                code="net",
                says="Inventory position: 58 on hand + 96 on order = 154.",
                inputs={"on_hand": "58", "on_order": "96", "abc_class": "AX"},
                result="154",
                unit="each",
            ),
        ),
        "explanation": "Order 312 units (26 cases), arriving 24 November.",
        "projection": Projection(
            origin=ORIGIN, without_order=(Decimal(16), Decimal(0)), with_order=(Decimal(16), Decimal(328))
        ),
        "policy_version": 14,
        "forecast_id": f"forecast-{sku}-{location}",
        "code_version": "test",
        "evidence": {"position": {"on_hand": "58"}},
        "evidence_sha256": "0" * 64,
    }
    return RecommendationIssued(**(body | changed))


def withheld(
    tenant: str = "acme", sku: str = "1029743", location: str = "367", number: int = 2, **changed: Any
) -> RecommendationWithheld:
    body: dict[str, Any] = {
        "tenant": tenant,
        "sku": sku,
        "location": location,
        "recommendation_id": f"why-{sku}-{location}-{number}",
        "run_id": "run-2",
        "origin": ORIGIN,
        "reason": "enough_stock",
        "says": "154 units cover the next 9 days.",
    }
    return RecommendationWithheld(**(body | changed))


def decided(
    about: RecommendationIssued, verdict: Verdict = "approved", version: int = 1, **changed: Any
) -> DecisionMade:
    body: dict[str, Any] = {
        "tenant": about.tenant,
        "decision_id": f"dec-{about.line_id}-{version}",
        "recommendation_id": about.recommendation_id,
        "line_id": about.line_id,
        "version": version,
        "verdict": verdict,
        "sku": about.sku,
        "location": about.location,
        "quantity_before": about.quantity,
        "quantity": about.quantity,
        "value": about.value,
        "currency": about.currency,
        "decided_by": "planner",
        "role": "planner",
        "decided_at": NOW,
    }
    return DecisionMade(**(body | changed))


def ordered(about: RecommendationIssued, decision: DecisionMade, order_id: str = "PO-1") -> OrderReleased:
    line = OrderLine(
        line_no=1,
        recommendation_id=about.recommendation_id,
        decision_id=decision.decision_id,
        sku=about.sku,
        quantity=decision.quantity,
        unit=about.unit,
        unit_cost=about.unit_cost,
        value=decision.value,
    )
    return OrderReleased(
        tenant=about.tenant,
        order_id=order_id,
        kind="purchase_order",
        supplier=about.supplier,
        location=about.location,
        order_on=about.order_on,
        arrive_on=about.arrive_on,
        currency=about.currency,
        value=decision.value,
        released_at=NOW,
        lines=(line,),
    )


def answered(order: OrderReleased, status: Any = "confirmed") -> OrderUpdated:
    return OrderUpdated(
        tenant=order.tenant,
        order_id=order.order_id,
        status=status,
        location=order.location,
        business_date=ORIGIN,
        updated_at=NOW,
    )


def forecast(tenant: str = "acme", sku: str = "1029743", location: str = "367", **changed: Any) -> ForecastIssuedV2:
    """Ten units a day, spread the same way over every horizon."""
    spread = (0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 1.6, 1.8, 2.0, 2.2, 2.5)
    demand = DemandDistribution(
        mean_e4=(100_000,) * DAYS,
        quantiles_e2=tuple(
            tuple(int(days * 1000 * share) for share, _ in zip(spread, LEVELS, strict=True)) for days in HORIZONS_DAYS
        ),
    )
    body: dict[str, Any] = {
        "tenant": tenant,
        "sku": sku,
        "location": location,
        "forecast_id": f"forecast-{sku}-{location}",
        "origin": ORIGIN,
        "strategy": "seasonal_naive",
        "model_id": "model-1",
        "demand": demand,
        "confidence": Decimal("0.8"),
    }
    return ForecastIssuedV2(**(body | changed))


def masters(tenant: str = "acme") -> list[ItemDefined | LocationDefined | SupplierDefined]:
    """Milk, one store, one dairy."""
    return [
        ItemDefined(
            tenant=tenant,
            defined_at=NOW,
            sku="1029743",
            name="Fluid milk, white, 1 gal",
            category="Milk",
            abc_class="A",
        ),
        LocationDefined(tenant=tenant, defined_at=NOW, location="367", name="Store 367", time_zone="America/New_York"),
        SupplierDefined(
            tenant=tenant, defined_at=NOW, supplier="SUP-17", name="Meadow Dairy", minimum_order_value=Decimal(250)
        ),
    ]


def raised(tenant: str = "acme", number: int = 1, **changed: Any) -> ExceptionRaised:
    body: dict[str, Any] = {
        "tenant": tenant,
        "exception_id": f"exc-{number}",
        "kind": "stockout_risk",
        "subject": "1029743@367",
        "sku": "1029743",
        "location": "367",
        "says": "Empty by Thursday.",
        "remedy": "Approve the order.",
        "money_at_stake": Decimal("214.00"),
        "raised_on": ORIGIN,
    }
    return ExceptionRaised(**(body | changed))


def resolved(about: ExceptionRaised) -> ExceptionResolved:
    return ExceptionResolved(
        tenant=about.tenant,
        exception_id=about.exception_id,
        subject=about.subject,
        resolved_on=ORIGIN,
        says="The order is out.",
    )


def policy(tenant: str = "acme", version: int = 14) -> PolicyPublished:
    return PolicyPublished(
        tenant=tenant,
        scope="default",
        version=version,
        valid_from=ORIGIN,
        parameters={"service_level": "0.97"},
        published_by="approver",
        reason="Start",
    )
