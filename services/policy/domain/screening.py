"""What cannot be planned, and which field is to blame: bad input becomes a reason, never an order."""

import itertools
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from kernel.distribution import DAYS, HORIZONS_DAYS, LEVELS
from services.policy.domain.evidence import Evidence, Forecast, Terms
from services.policy.domain.supply_calendar import Opportunity, first_order_day, next_opportunity

# The three-point rule for the lead-time distribution reaches this many standard deviations (square root of 3).
LEAD_TIME_REACH = 1.7320508075688772
BYTES_PER_INTEGER = 8


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no plan: a stable code, a sentence for a person, and the field to mend (None: nothing is wrong)."""

    reason: str
    says: str
    field: str | None = None


def screen(evidence: Evidence) -> Fault | Opportunity:
    """The first reason not to plan this item, in the order a person would mend them; else its order opportunity."""
    as_of, item, terms, forecast = evidence.as_of, evidence.item, evidence.terms, evidence.forecast
    if evidence.policy.refusal is not None:
        return Fault(
            "policy_contradictory", f"The policy cannot be applied: {evidence.policy.refusal}"[:400], "parameters"
        )
    if item is None:
        return Fault("unresolved_identity", "The catalogue does not name this product.", "sku")
    if not item.active:
        return Fault("item_inactive", "The catalogue says this product has ended.", "active")
    if evidence.hold is not None and (as_of is None or as_of < evidence.hold.until):
        until = evidence.hold.until.isoformat()
        return Fault(evidence.hold.reason, f"A person decided not to order before business date {until}.")
    if terms is None:
        return Fault("no_supplier", "No active supplier delivers this product to this location.", "supplier")
    fault = _terms_fault(terms)
    if fault is not None:
        return fault
    if item.price is not None and not _is_positive(item.price):
        return Fault("price_not_positive", f"The selling price is {item.price}; it must be above zero.", "price")
    if item.shelf_life_days is not None and item.shelf_life_days <= 0:
        return Fault("shelf_life_invalid", "The shelf life must be at least one day.", "shelf_life_days")
    if forecast is None:
        return Fault("no_forecast", "No forecast has been published for this item yet.", "forecast")
    if as_of is None:
        return Fault("no_closed_day", "No business day has closed at this location yet.", "business_date")
    fault = _forecast_fault(forecast, evidence)
    if fault is not None:
        return fault
    assert terms.lead_time_days is not None  # _terms_fault has refused it
    opportunity = next_opportunity(
        as_of,
        terms.lead_time_days,
        terms.order_weekdays,
        terms.receipt_weekdays,
        terms.closed_on,
        None if terms.cut_off is None else first_order_day(as_of, terms.cut_off, evidence.local_time),
    )
    if opportunity is None:
        return Fault(
            "supplier_closed", "The supplier takes no order or makes no receipt in the next 60 days.", "closed_on"
        )
    # A quoted spread must fit into the forecast; one that deliveries have shown is cut off there: late receipts withhold nothing.
    is_learned = evidence.deliveries is not None and bool(evidence.deliveries.after_promise)
    spread = 0.0 if is_learned else float(terms.lead_time_sd_days)
    reach = opportunity.protection_days + LEAD_TIME_REACH * spread
    if reach > DAYS:
        says = f"The forecast reaches {DAYS} days; lead time and review need more."
        return Fault("lead_time_beyond_horizon", says, "lead_time_days")
    return opportunity


def _terms_fault(terms: Terms) -> Fault | None:
    if terms.lead_time_days is None:
        return Fault(
            "missing_lead_time", f"Supplier {terms.supplier} has no lead time for this product.", "lead_time_days"
        )
    if terms.lead_time_days < 0 or not _is_natural(terms.lead_time_sd_days):
        return Fault("lead_time_invalid", "The lead time and its spread must not be negative.", "lead_time_days")
    if terms.unit_cost is None:
        return Fault("missing_cost", f"Supplier {terms.supplier} has no unit cost for this product.", "unit_cost")
    if not _is_positive(terms.unit_cost):
        return Fault("cost_not_positive", f"The unit cost is {terms.unit_cost}; it must be above zero.", "unit_cost")
    if terms.pack is not None and not _is_positive(terms.pack):
        return Fault("pack_not_positive", "The pack size must be above zero.", "pack")
    if terms.moq is not None and not _is_natural(terms.moq):
        return Fault("moq_negative", "The minimum order quantity must not be negative.", "moq")
    if terms.price_breaks and not _breaks_are_valid(terms.price_breaks):
        says = "Price breaks must start at 0, rise in quantity, and fall in cost without reaching zero."
        return Fault("price_breaks_invalid", says, "price_breaks")
    return None


def _is_positive(value: Decimal) -> bool:
    # NaN cannot be compared: to ask whether it is above zero would end the run of all items instead of this one's plan.
    return value.is_finite() and value > 0


def _is_natural(value: Decimal) -> bool:
    return value.is_finite() and value >= 0


def _breaks_are_valid(breaks: tuple[tuple[Decimal, Decimal], ...]) -> bool:
    if not all(number.is_finite() for one in breaks for number in one):
        return False
    rising = all(a[0] < b[0] and a[1] > b[1] for a, b in itertools.pairwise(breaks))
    return breaks[0][0] == 0 and rising and breaks[-1][1] > 0


def _forecast_fault(forecast: Forecast, evidence: Evidence) -> Fault | None:
    sizes = (len(forecast.mean_e4), len(forecast.quantiles_e2))
    if sizes != (DAYS * BYTES_PER_INTEGER, len(HORIZONS_DAYS) * len(LEVELS) * BYTES_PER_INTEGER):
        return Fault("forecast_invalid", "The forecast's distribution is not complete.", "forecast")
    if not (forecast.confidence.is_finite() and 0 <= forecast.confidence <= 1):
        return Fault("forecast_invalid", "The forecast's confidence is not a number between 0 and 1.", "confidence")
    assert evidence.as_of is not None  # screened before
    age_max = int(evidence.policy.parameters.forecast_age_max_days)
    if forecast.origin + timedelta(days=age_max) < evidence.as_of:
        says = f"The forecast of {forecast.origin.isoformat()} is older than {age_max} days on {evidence.as_of.isoformat()}."
        return Fault("forecast_too_old", says, "forecast")
    return None
