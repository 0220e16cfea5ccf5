"""Policy parameters: what a tenant decides once and every recommendation follows. Versioned, validated, with defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from services.policy.domain.numbers import plain
from services.policy.domain.refusal import PolicyRefusal

SERVICE_KINDS = ("cycle_service", "fill_rate", "weighed")
CLASS_SOURCES = ("catalogue", "computed")
NO_LIMIT = "none"


@dataclass(frozen=True, slots=True)
class Parameters:
    """One version of the rules; money in the tenant's currency, shares between 0 and 1.

    service_kind: what the goals mean: `cycle_service` = probability of no stock-out in the protection interval,
    `fill_rate` = share of demand met from the shelf; `weighed` = no goal, but the level at which margin lost, holding and the
    worst tenth of outcomes weigh least, by weight_service_*, weight_cost_* and weight_risk_* of the ABC class. service_goal_*: by ABC class; items without a class use `b`.
    service_goal_y_less, service_goal_z_less: how much lower the goal is where demand varies (Y) or is erratic (Z).
    class_source: which ABC class counts where both are known, the catalogue's or the one computed from sales.
    service_minimum: below this probability of no stock-out after the order, a person decides.
    carrying_rate: cost of holding, share of unit cost per year. setup_cost: cost of one order line.
    auto_approve_value_limit: an order worth more than this goes to a person.
    second_signature_above: worth more than this needs two people (kept by the approvals service). order_value_maximum: as policy exception.
    gmroi_minimum: annual gross margin ÷ average inventory at cost. max_cover_days: cover after the order.
    lot_cover_max_days: the economic lot never covers more days of demand than this.
    confidence_minimum: of the forecast, after deductions for age. presentation_minimum_units: never plan to hold less.
    expiry_risk_max: probability that the last unit bought expires unsold, up to which it is bought without asking;
    expiry_risk_never: above it not even a minimum lot is proposed.
    viral_demand_max … after_holidays_min: how far a signal of this kind may move demand, lead time (supply_disruption_max)
    or the reorder point (viral_target_max), as factors.
    forecast_age_max_days, overdue_days_max: after how long a forecast, or an overdue receipt, no longer counts.
    order_change_cost: cost of changing or cancelling an open order. expedite_cost_share: extra cost of a unit brought forward,
    share of its cost. expedite_days: soonest an order brought forward can come, days after the decision.
    transfer_days: from one location to another; 0: stock does not move between locations. transfer_unit_cost,
    transfer_fixed_cost: of moving a unit, and of each line that moves.
    cash_budget, volume_budget_m3: money and cubic metres that all orders of a business date may take together; supplier_capacities:
    units that a supplier delivers of a business date's orders, as `SUP=500;OTHER=20`. `none`: no limit.
    """

    service_kind: str = "cycle_service"
    service_goal_a: Decimal = Decimal("0.98")
    service_goal_b: Decimal = Decimal("0.95")
    service_goal_c: Decimal = Decimal("0.90")
    service_minimum: Decimal = Decimal("0.80")
    carrying_rate: Decimal = Decimal("0.25")
    setup_cost: Decimal = Decimal("0.50")
    auto_approve_value_limit: Decimal = Decimal("25.00")
    second_signature_above: Decimal = Decimal("1000.00")
    order_value_maximum: Decimal = Decimal("5000.00")
    gmroi_minimum: Decimal = Decimal("1.00")
    max_cover_days: Decimal = Decimal(90)
    lot_cover_max_days: Decimal = Decimal(28)
    confidence_minimum: Decimal = Decimal("0.50")
    presentation_minimum_units: Decimal = Decimal(0)
    expiry_risk_max: Decimal = Decimal("0.50")
    expiry_risk_never: Decimal = Decimal("0.95")
    forecast_age_max_days: Decimal = Decimal(14)
    overdue_days_max: Decimal = Decimal(14)
    viral_demand_max: Decimal = Decimal(4)
    viral_target_max: Decimal = Decimal("2.5")
    holiday_peak_max: Decimal = Decimal(3)
    supply_disruption_max: Decimal = Decimal("1.8")
    competitor_out_max: Decimal = Decimal("1.5")
    economic_outlook_min: Decimal = Decimal("0.7")
    after_holidays_min: Decimal = Decimal("0.5")
    order_change_cost: Decimal = Decimal("2.00")
    expedite_cost_share: Decimal = Decimal("0.10")
    expedite_days: Decimal = Decimal(2)
    transfer_days: Decimal = Decimal(0)
    transfer_unit_cost: Decimal = Decimal("0.05")
    transfer_fixed_cost: Decimal = Decimal("2.00")
    service_goal_y_less: Decimal = Decimal(0)
    service_goal_z_less: Decimal = Decimal(0)
    class_source: str = "catalogue"
    weight_service_a: Decimal = Decimal(1)
    weight_service_b: Decimal = Decimal(1)
    weight_service_c: Decimal = Decimal(1)
    weight_cost_a: Decimal = Decimal(1)
    weight_cost_b: Decimal = Decimal(1)
    weight_cost_c: Decimal = Decimal(1)
    weight_risk_a: Decimal = Decimal(0)
    weight_risk_b: Decimal = Decimal(0)
    weight_risk_c: Decimal = Decimal(0)
    cash_budget: str = NO_LIMIT
    volume_budget_m3: str = NO_LIMIT
    supplier_capacities: str = NO_LIMIT

    def __hash__(self) -> int:
        """Of a few of the fields: what is written once per version is looked up for every item, and to hash all of them took
        longer than the look-up saved."""
        return hash((self.service_kind, self.cash_budget, self.auto_approve_value_limit, self.service_goal_b))

    def service_goal(self, abc_class: str | None, xyz_class: str | None = None) -> Decimal:
        """The goal of a class; without an ABC class that of B, without an XYZ class that of X."""
        goal = {"A": self.service_goal_a, "C": self.service_goal_c}.get(abc_class or "B", self.service_goal_b)
        return goal - {"Y": self.service_goal_y_less, "Z": self.service_goal_z_less}.get(xyz_class or "X", Decimal(0))

    def limit(self, name: str) -> Decimal | None:
        """A budget by its parameter's name; None: there is none. Raises ValueError when it is no number."""
        text = getattr(self, name)
        return None if text == NO_LIMIT else _amount(text)

    def capacities(self) -> dict[str, Decimal]:
        """Units by supplier. Raises ValueError when the text cannot be read."""
        if self.supplier_capacities == NO_LIMIT:
            return {}
        pairs = (one.split("=") for one in self.supplier_capacities.split(";") if one.strip())
        return {supplier.strip(): _amount(units) for supplier, units in pairs}

    def weights(self, abc_class: str | None) -> tuple[Decimal, Decimal, Decimal]:
        """How much margin lost, holding and risk count for a class; without a class as for B."""
        letter = (abc_class or "B").lower()
        service, cost, risk = (getattr(self, f"weight_{name}_{letter}") for name in ("service", "cost", "risk"))
        return service, cost, risk

    def as_text(self) -> dict[str, str]:
        """All parameters as contract strings."""
        pairs = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {name: plain(value) if isinstance(value, Decimal) else value for name, value in pairs}

    def as_evidence(self) -> dict[str, str]:
        """As contract strings for evidence: what came after the first version only where it is not the default, so that
        older evidence keeps its bytes."""
        return _evidence_of(self).copy()


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not (amount.is_finite() and amount >= 0):
        raise ValueError(f"{text!r} is not a finite number of at least 0")
    return amount


# Parameters that evidence of the first version did not know.
ADDED = frozenset(
    {
        "viral_demand_max",
        "viral_target_max",
        "holiday_peak_max",
        "supply_disruption_max",
        "competitor_out_max",
        "economic_outlook_min",
        "after_holidays_min",
        "order_change_cost",
        "expedite_cost_share",
        "expedite_days",
        "transfer_days",
        "transfer_unit_cost",
        "transfer_fixed_cost",
        "service_goal_y_less",
        "service_goal_z_less",
        "class_source",
        *(f"weight_{name}_{letter}" for name in ("service", "cost", "risk") for letter in "abc"),
        "cash_budget",
        "volume_budget_m3",
        "supplier_capacities",
    }
)
_DEFAULTS = Parameters().as_text()


# Few versions count at a time, and thousands of items are planned by each.
@lru_cache(maxsize=256)
def _evidence_of(parameters: Parameters) -> dict[str, str]:
    told = parameters.as_text()
    return {name: text for name, text in told.items() if name not in ADDED or text != _DEFAULTS[name]}


NAMES = tuple(one.name for one in fields(Parameters))
_TEXTS = frozenset({"service_kind", "class_source", "cash_budget", "volume_budget_m3", "supplier_capacities"})
_SHARES = ("service_goal_a", "service_goal_b", "service_goal_c", "service_minimum", "confidence_minimum")
_RISKS = ("expiry_risk_max", "expiry_risk_never")
_ABOVE_ZERO = ("carrying_rate", "max_cover_days", "lot_cover_max_days", "expedite_days")


def parse_parameters(given: Mapping[str, Any], *, ignore_unknown: bool = False) -> Parameters:
    """Parameters from contract strings; what is absent has its default. Unknown names are refused, or, where a version
    is read that other services have their own parameters in, left alone.

    Raises PolicyRefusal(policy_contradictory), its explanation begins with the name of the parameter that is wrong.
    """
    values: dict[str, Any] = {}
    for name, raw in given.items():
        if name not in NAMES:
            if ignore_unknown:
                continue
            raise PolicyRefusal("policy_contradictory", f"{name}: no such parameter; known are {', '.join(NAMES)}")
        if name in _TEXTS:
            values[name] = str(raw)
            continue
        try:
            values[name] = Decimal(str(raw))
        except InvalidOperation:
            raise PolicyRefusal("policy_contradictory", f"{name}: {raw!r} is not a number") from None
    parameters = Parameters(**values)
    _check(parameters)
    return parameters


def _check(given: Parameters) -> None:
    def refuse(name: str, why: str) -> PolicyRefusal:
        return PolicyRefusal("policy_contradictory", f"{name}: {getattr(given, name)} {why}")

    # First of all: what is no number can be compared with nothing below.
    for name in NAMES:
        value = getattr(given, name)
        if isinstance(value, Decimal) and not (value.is_finite() and value >= 0):
            raise refuse(name, "must be a finite number of at least 0")
    if given.service_kind not in SERVICE_KINDS:
        raise refuse("service_kind", f"is not one of {', '.join(SERVICE_KINDS)}")
    for letter in "abc":
        if given.service_kind == "weighed" and not sum(given.weights(letter)) > 0:
            raise refuse(f"weight_service_{letter}", f"and the cost and risk of class {letter.upper()} weigh nothing")
    if given.class_source not in CLASS_SOURCES:
        raise refuse("class_source", f"is not one of {', '.join(CLASS_SOURCES)}")
    for name, read in (
        ("cash_budget", lambda: given.limit("cash_budget")),
        ("volume_budget_m3", lambda: given.limit("volume_budget_m3")),
        ("supplier_capacities", given.capacities),
    ):
        try:
            read()
        except ValueError as error:
            raise refuse(name, f"cannot be read: {error}") from None
    for name in _SHARES + _RISKS:
        if not getattr(given, name) < 1:
            raise refuse(name, "must be below 1")
    for name in _ABOVE_ZERO:
        if not getattr(given, name) > 0:
            raise refuse(name, "must be above 0")
    for name in ("service_goal_a", "service_goal_b", "service_goal_c"):
        if getattr(given, name) < given.service_minimum:
            raise refuse(name, f"is below service_minimum {given.service_minimum}: every order would be an exception")
    lowest = min(given.service_goal_a, given.service_goal_b, given.service_goal_c)
    for name in ("service_goal_y_less", "service_goal_z_less"):
        if lowest - getattr(given, name) < given.service_minimum:
            raise refuse(name, f"takes the lowest goal {lowest} below service_minimum {given.service_minimum}")
    for name in (
        "viral_demand_max",
        "viral_target_max",
        "holiday_peak_max",
        "supply_disruption_max",
        "competitor_out_max",
    ):
        if getattr(given, name) < 1:
            raise refuse(name, "must be at least 1")
    for name in ("economic_outlook_min", "after_holidays_min"):
        if getattr(given, name) > 1:
            raise refuse(name, "must be at most 1")
    if given.expiry_risk_max > given.expiry_risk_never:
        raise refuse("expiry_risk_max", f"is above expiry_risk_never {given.expiry_risk_never}")
    if given.auto_approve_value_limit > given.order_value_maximum:
        raise refuse("auto_approve_value_limit", f"is above order_value_maximum {given.order_value_maximum}")
