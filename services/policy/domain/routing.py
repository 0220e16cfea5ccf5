"""Steps 6 to 8: guardrails, confidence and who decides. A breach never changes the number; it names its reason."""

from decimal import Decimal
from typing import NamedTuple

from services.policy.domain.evidence import Evidence
from services.policy.domain.numbers import plain

# The forecaster's flags that say its data look wrong, and those that say it had too little; others are information.
ANOMALY_FLAGS = frozenset(
    {"anomaly", "spike", "silence", "level_shift", "calendar_gap", "impossible_value", "negative_demand"}
)
NEW_ITEM_FLAGS = frozenset({"new_item", "no_sales"})
CONFIDENCE_LOST_PER_DAY = Decimal("0.02")  # a forecast loses a fiftieth of certainty with every day it grows old
NEW_ITEM_FACTOR = Decimal("0.8")
PLACES = Decimal("0.0001")
# In the order of the contract.
REASONS = (
    "value_above_limit", "low_confidence", "forecast_anomaly", "constrained_supply", "substitution", "gmroi_below_threshold",
    "service_below_minimum", "customer_commitment_at_risk", "supplier_exception", "scenario_active", "new_item", "policy_exception",
)  # fmt: skip
OF_OWN_ORDER = frozenset({"gmroi_below_threshold", "service_below_minimum", "constrained_supply"})


class Facts(NamedTuple):
    """What the guardrails look at."""

    value: Decimal
    gmroi: Decimal | None
    service_after: Decimal
    cover_after_days: Decimal
    confidence: Decimal
    available: Decimal
    is_expiry_exceeded: bool
    is_scenario_active: bool = False


def confidence_of(evidence: Evidence) -> Decimal:
    """The forecast's own confidence, less for its age on the planning date and for an item without history."""
    forecast, as_of = evidence.forecast, evidence.as_of
    if forecast is None or as_of is None:
        return Decimal(0)
    age_days = max((as_of - forecast.origin).days, 0)
    confidence = forecast.confidence - CONFIDENCE_LOST_PER_DAY * age_days
    if NEW_ITEM_FLAGS.intersection(forecast.flags):
        confidence *= NEW_ITEM_FACTOR
    return max(confidence, Decimal(0)).quantize(PLACES)


def reasons_of(evidence: Evidence, facts: Facts) -> tuple[str, ...]:
    """Why a person must decide, in the order of the contract; empty = approved by rule. Limits themselves still pass."""
    rules = evidence.policy.parameters
    flags = evidence.forecast.flags if evidence.forecast is not None else ()
    promised = evidence.stock.reserved + evidence.stock.backorders
    is_exception = (
        # Books that say less than nothing are wrong somewhere: a person looks before more is bought on their word.
        evidence.stock.on_hand < 0
        or facts.is_expiry_exceeded
        or facts.cover_after_days > rules.max_cover_days
        or facts.value > rules.order_value_maximum
    )
    checks = (
        ("value_above_limit", facts.value > rules.auto_approve_value_limit),
        ("low_confidence", facts.confidence < rules.confidence_minimum),
        ("forecast_anomaly", bool(ANOMALY_FLAGS.intersection(flags))),
        ("constrained_supply", any(one.is_short for one in evidence.open_orders)),
        ("gmroi_below_threshold", facts.gmroi is not None and facts.gmroi < rules.gmroi_minimum),
        ("service_below_minimum", facts.service_after < rules.service_minimum),
        ("customer_commitment_at_risk", promised > 0 and facts.available < 0),
        ("supplier_exception", any(_is_doubtful(evidence, index) for index in range(len(evidence.open_orders)))),
        ("scenario_active", facts.is_scenario_active),
        ("new_item", bool(NEW_ITEM_FLAGS.intersection(flags))),
        ("policy_exception", is_exception),
    )
    return tuple(reason for reason, holds in checks if holds)


def reasons_beside(
    evidence: Evidence, value: Decimal, is_scenario_active: bool, always: str | None = None
) -> tuple[str, ...]:
    """As `reasons_of` for a line beside the item's own order: what does not hang on an order of that size. `always`: the
    reason for which lines of this kind go to a person whatever they are worth."""
    whole = Facts(value, None, Decimal(1), Decimal(0), confidence_of(evidence), Decimal(0), False, is_scenario_active)
    found = {*reasons_of(evidence, whole), *(() if always is None else (always,))}
    return tuple(one for one in REASONS if one in found and (one == always or one not in OF_OWN_ORDER))


def _is_doubtful(evidence: Evidence, index: int) -> bool:
    """An open order that failed before its day, or should have arrived by the planning date."""
    order, as_of = evidence.open_orders[index], evidence.as_of
    if as_of is None:
        return False
    return order.arrive_on > as_of if order.status == "failed" else order.arrive_on <= as_of


def flags_text(evidence: Evidence) -> str:
    """The forecast's flags as one contract string."""
    flags = evidence.forecast.flags if evidence.forecast is not None else ()
    return "+".join(flags) or "none"


def age_text(evidence: Evidence) -> str:
    """The forecast's age on the planning date, whole days, as a contract string."""
    if evidence.forecast is None or evidence.as_of is None:
        return "unknown"
    return plain(Decimal(max((evidence.as_of - evidence.forecast.origin).days, 0)))
