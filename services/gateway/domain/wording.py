"""The words a person reads for the codes the system writes. A code without words is shown with its underscores as blanks."""

from collections.abc import Mapping
from typing import Final

ROUTE_REASONS: Final[Mapping[str, str]] = {
    "value_above_limit": "Above limit",
    "low_confidence": "Low confidence",
    "forecast_anomaly": "Unusual demand",
    "constrained_supply": "Constrained supply",
    "substitution": "Substitute",
    "gmroi_below_threshold": "Return on stock below threshold",
    "service_below_minimum": "Service below minimum",
    "customer_commitment_at_risk": "Customer commitment at risk",
    "supplier_exception": "Supplier exception",
    "scenario_active": "Scenario active",
    "new_item": "New item",
    "policy_exception": "Policy exception",
}

WITHHELD_REASONS: Final[Mapping[str, str]] = {
    "enough_stock": "Enough stock",
    "resource_exhausted": "Budget used up",
    "no_longer_needed": "No longer needed",
    "snoozed": "Snoozed",
    "blocked": "Blocked",
    "no_supplier": "No supplier",
    "missing_lead_time": "Lead time missing",
    "missing_cost": "Cost missing",
    "missing_forecast": "No forecast yet",
    "unresolved_identity": "Unknown code",
}

EXCEPTION_KINDS: Final[Mapping[str, str]] = {
    "stockout_risk": "Stock-out risk",
    "overstock": "Overstock",
    "anomaly": "Unusual demand",
    "unresolved_identity": "Unknown code",
    "supplier_late": "Supplier late",
    "supplier_short": "Supplier short",
    "supplier_price": "Supplier price changed",
    "missing_master_data": "Master data missing",
    "audit_conflict": "Audit conflict",
    "model_drift": "Forecast model drifted",
}


def label(words: Mapping[str, str], code: str) -> str:
    """The words of `code`, or the code made readable."""
    return words.get(code) or code.replace("_", " ").capitalize()
