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


# Why a forecast is to be looked at; `services/forecaster` sets them.
FORECAST_FLAGS: Final[Mapping[str, str]] = {
    "no_trained_model": "No model is trained yet: the seasonal mean speaks",
    "model_unreadable": "The model could not be read: the seasonal mean speaks",
    "model_outdated": "The model is of an older kind: the seasonal mean speaks",
    "new_item": "New item: fewer than 28 days are known",
    "short_history": "Short history: fewer than 91 days are known",
    "no_sales": "Never sold yet",
    "no_recent_sales": "Not sold for 13 weeks",
    "no_history": "Not one day is known yet: the answer is that of like items",
    "stock_out_days_masked": "Some of the last 56 days were without stock; they say nothing of demand",
    "negative_demand": "Returns were more than sales on some day, which counts as zero",
    "spike": "A day far beyond what is usual is kept out until somebody decides",
    "level_shift": "Sells twice or half of what it did before",
    "silence": "Nothing sold for longer than chance explains",
    "calendar_gap": "Nothing came from this whole location on its last closed day: was it shut, or is its data missing?",
    "late_correction": "Forecast again because of an event after the close",
    "pinned_strategy": "A planner chose how it is forecast",
    "knows_promotion": "A promotion ahead is in it",
    "knows_price_change": "A price change ahead is in it",
    "knows_closing": "Days ahead on which the location is shut are in it",
}


def label(words: Mapping[str, str], code: str) -> str:
    """The words of `code`, or the code made readable."""
    return words.get(code) or code.replace("_", " ").capitalize()
