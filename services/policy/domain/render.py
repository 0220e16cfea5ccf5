"""From one row of numbers to the recommendation's document: exact money, steps in words, evidence, identity."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from services.policy.domain.columns import DAYS_PER_YEAR, Columns, unit_margin
from services.policy.domain.evidence import CODE_VERSION, Evidence, Item, Terms, canonical, document_of, sha256_of
from services.policy.domain.levels import Levels
from services.policy.domain.lots import Lots
from services.policy.domain.numbers import CENT, decimal_of, money, plain
from services.policy.domain.routing import Facts, age_text, confidence_of, flags_text, reasons_of
from services.policy.domain.steps import Step, explanation, step
from services.policy.domain.supply_calendar import Opportunity

IDS = uuid.uuid5(uuid.NAMESPACE_URL, "countersign:recommendations")
CURRENCY_UNKNOWN = "XXX"  # ISO 4217: no currency


@dataclass(frozen=True, slots=True)
class Numbers:
    """One row of the numeric cascade as exact decimals; units, days, shares."""

    available: Decimal
    position: Decimal
    on_order: Decimal
    protection_demand: Decimal
    daily_demand: Decimal
    reorder_point: Decimal
    safety_stock: Decimal
    economic_lot: Decimal
    order_up_to: Decimal
    days_of_cover: Decimal
    stockout_probability: Decimal
    expected_shortage: Decimal
    wanted: Decimal
    shelf_cap: Decimal | None
    quantity: Decimal
    excess: Decimal
    service_after: Decimal
    cover_after_days: Decimal
    average_stock: Decimal
    is_expiry_limited: bool
    is_expiry_exceeded: bool
    first_empty_day: int

    @staticmethod
    def of(columns: Columns, levels: Levels, lots: Lots, row: int, first_empty_day: int) -> "Numbers":
        """The numbers of one row."""
        cap = float(lots.shelf_cap[row])
        return Numbers(
            available=decimal_of(float(levels.available[row])),
            position=decimal_of(float(levels.position[row])),
            on_order=decimal_of(float(columns.on_order[row])),
            protection_demand=decimal_of(float(levels.protection_demand[row]), 2),
            daily_demand=decimal_of(float(levels.daily_demand[row])),
            reorder_point=decimal_of(float(levels.reorder_point[row])),
            safety_stock=decimal_of(float(levels.safety_stock[row]), 2),
            economic_lot=decimal_of(float(levels.economic_lot[row])),
            order_up_to=decimal_of(float(levels.order_up_to[row])),
            days_of_cover=decimal_of(float(levels.days_of_cover[row]), 1),
            stockout_probability=decimal_of(float(levels.stockout_probability[row])),
            expected_shortage=decimal_of(float(levels.expected_shortage[row])),
            wanted=decimal_of(float(lots.wanted[row])),
            shelf_cap=None if cap == float("inf") else decimal_of(cap),
            quantity=decimal_of(float(lots.quantity[row])),
            excess=decimal_of(float(lots.excess[row])),
            service_after=decimal_of(float(lots.service_after[row])),
            cover_after_days=decimal_of(float(lots.cover_after_days[row]), 1),
            average_stock=decimal_of(float(lots.average_stock[row])),
            is_expiry_limited=bool(lots.is_expiry_limited[row]),
            is_expiry_exceeded=bool(lots.is_expiry_exceeded[row]),
            first_empty_day=first_empty_day,
        )


@dataclass(frozen=True, slots=True)
class Amounts:
    """Money of one recommendation."""

    unit_cost: Decimal
    value: Decimal
    excess_cost: Decimal
    at_risk: Decimal
    yearly_margin: Decimal | None
    average_cost: Decimal
    gmroi: Decimal | None


def amounts_of(item: Item, terms: Terms, numbers: Numbers) -> Amounts:
    """Exact money: value at the price of the reached break, the cost of rounding up, margin lost without the order."""
    assert terms.unit_cost is not None  # screening refused it
    value = purchase_value(terms, numbers.quantity)
    unit_cost = cost_at(terms, numbers.quantity)
    average_cost = money(numbers.average_stock * unit_cost)
    yearly = gmroi = None
    if item.price is not None:
        yearly = money((item.price - unit_cost) * numbers.daily_demand * Decimal(int(DAYS_PER_YEAR)))
        gmroi = (yearly / average_cost).quantize(CENT) if average_cost > 0 else None
    return Amounts(
        unit_cost=unit_cost,
        value=value,
        excess_cost=money(numbers.excess * unit_cost),
        at_risk=money(numbers.expected_shortage * unit_margin(item.price, terms.unit_cost)),
        yearly_margin=yearly,
        average_cost=average_cost,
        gmroi=gmroi,
    )


def cost_at(terms: Terms, quantity: Decimal) -> Decimal:
    """Cost of a unit in an order of this size: of the reached break, or the average over incremental breaks."""
    assert terms.unit_cost is not None
    if not terms.price_breaks:
        return terms.unit_cost
    if terms.discount == "incremental":
        return (_incremental_value(terms, quantity) / quantity).quantize(Decimal("0.0001"))
    return [cost for start, cost in terms.price_breaks if quantity >= start][-1]


def purchase_value(terms: Terms, quantity: Decimal) -> Decimal:
    """What an order of this size costs, to the cent."""
    if terms.price_breaks and terms.discount == "incremental":
        return money(_incremental_value(terms, quantity))
    return money(quantity * cost_at(terms, quantity))


def _incremental_value(terms: Terms, quantity: Decimal) -> Decimal:
    total = Decimal(0)
    ends = [start for start, _cost in terms.price_breaks[1:]]
    for (start, cost), end in zip(terms.price_breaks, [*ends, None], strict=True):
        upper = quantity if end is None else min(quantity, end)
        total += max(upper - start, Decimal(0)) * cost
    return total


def render(
    evidence: Evidence,
    opportunity: Opportunity,
    numbers: Numbers,
    without_order: list[float],
    with_order: list[float],
) -> tuple[str, dict[str, Any], Decimal, str]:
    """(recommendation id, document, value, signature). The id follows from the evidence: the same evidence, the same id."""
    item, terms, as_of, forecast = evidence.item, evidence.terms, evidence.as_of, evidence.forecast
    assert item is not None and terms is not None and as_of is not None and forecast is not None
    amounts = amounts_of(item, terms, numbers)
    confidence = confidence_of(evidence)
    facts = Facts(
        amounts.value,
        amounts.gmroi,
        numbers.service_after,
        numbers.cover_after_days,
        confidence,
        numbers.available,
        numbers.is_expiry_exceeded,
    )
    reasons = reasons_of(evidence, facts)
    stockout_on = (as_of + timedelta(days=numbers.first_empty_day)).isoformat() if numbers.first_empty_day else None
    steps = _steps(evidence, item, terms, opportunity, numbers, amounts, confidence, reasons, stockout_on)
    inputs = document_of(evidence)
    digest = sha256_of(inputs)
    identity = str(uuid.uuid5(IDS, digest))
    document: dict[str, Any] = {
        "tenant": evidence.tenant,
        "sku": evidence.sku,
        "location": evidence.location,
        "recommendation_id": identity,
        "action": "buy",
        "origin": as_of.isoformat(),
        "quantity": plain(numbers.quantity),
        "unit": item.unit,
        "supplier": terms.supplier,
        "unit_cost": plain(amounts.unit_cost),
        "value": str(amounts.value),
        "currency": terms.currency or item.currency or CURRENCY_UNKNOWN,
        "order_on": opportunity.order_on.isoformat(),
        "arrive_on": opportunity.arrive_on.isoformat(),
        "on_hand": plain(evidence.stock.on_hand),
        "on_order": plain(numbers.on_order),
        "reserved": plain(evidence.stock.reserved),
        "inventory_position": plain(numbers.position),
        "days_of_cover": float(numbers.days_of_cover),
        "stockout_probability": plain(numbers.stockout_probability),
        "reorder_point": plain(numbers.reorder_point),
        "order_up_to": plain(numbers.order_up_to),
        "money_at_risk": str(amounts.at_risk),
        "confidence": plain(confidence),
        "approved_by_rule": not reasons,
        "route_reasons": list(reasons),
        "excess_from_rounding": plain(numbers.excess),
        "excess_cost": str(amounts.excess_cost),
        "steps": [one.document() for one in steps],
        "explanation": explanation(steps),
        "projection": {
            "origin": as_of.isoformat(),
            "without_order": [plain_float(value) for value in without_order],
            "with_order": [plain_float(value) for value in with_order],
        },
        "policy_version": evidence.policy.version,
        "forecast_id": forecast.forecast_id,
        "code_version": CODE_VERSION,
        "evidence": inputs,
        "evidence_sha256": digest,
    }
    optional = {
        "moq": None if terms.moq is None else plain(terms.moq),
        "pack": None if terms.pack is None else plain(terms.pack),
        "stockout_on": stockout_on,
        "gmroi": None if amounts.gmroi is None else float(amounts.gmroi),
    }
    document.update({name: value for name, value in optional.items() if value is not None})
    names = ("action", "quantity", "supplier", "value", "order_on", "arrive_on", "route_reasons")
    return identity, document, amounts.value, canonical({name: document[name] for name in names}).decode()


def plain_float(value: float) -> str:
    """Two decimals at most, no idle zeros."""
    text = f"{value:.2f}"
    return text.rstrip("0").rstrip(".")


def _steps(
    evidence: Evidence,
    item: Item,
    terms: Terms,
    opportunity: Opportunity,
    numbers: Numbers,
    amounts: Amounts,
    confidence: Decimal,
    reasons: tuple[str, ...],
    stockout_on: str | None,
) -> tuple[Step, ...]:
    rules, stock, unit = evidence.policy.parameters, evidence.stock, item.unit
    abc_class = item.abc_class or "none"
    n = {name: plain(value) for name in _TEXTS if isinstance(value := getattr(numbers, name), Decimal)}
    made = [
        step(
            "net",
            {
                "on_hand": plain(stock.on_hand),
                "on_order": n["on_order"],
                "reserved": plain(stock.reserved),
                "backorders": plain(stock.backorders),
            },
            n["position"],
            unit=unit,
        ),
        step(
            "calendar",
            {
                "order_on": opportunity.order_on.isoformat(),
                "arrive_on": opportunity.arrive_on.isoformat(),
                "protection_days": str(opportunity.protection_days),
            },
            opportunity.next_arrive_on.isoformat(),
        ),
        step(
            "stock_out",
            {"days_of_cover": n["days_of_cover"], "stockout_on": stockout_on or "not in sight"},
            n["stockout_probability"],
        ),
        step(
            "target",
            {
                "abc_class": abc_class,
                "goal": plain(rules.service_goal(item.abc_class)),
                "protection_demand": n["protection_demand"],
                "safety_stock": n["safety_stock"],
            },
            n["reorder_point"],
            unit=unit,
            sentence=f"target_{rules.service_kind}",
        ),
        step(
            "economic_quantity",
            {
                "setup_cost": plain(rules.setup_cost),
                "carrying_rate": plain(rules.carrying_rate),
                "unit_cost": plain(amounts.unit_cost),
                "yearly_demand": plain((numbers.daily_demand * Decimal(int(DAYS_PER_YEAR))).quantize(CENT)),
                "lot_cover_max_days": plain(rules.lot_cover_max_days),
            },
            n["economic_lot"],
            unit=unit,
        ),
        step(
            "order_up_to",
            {
                "reorder_point": n["reorder_point"],
                "economic_lot": n["economic_lot"],
                "order_up_to": n["order_up_to"],
                "position": n["position"],
            },
            n["wanted"],
            unit=unit,
        ),
    ]
    if numbers.shelf_cap is not None:
        shelf = {"shelf_life_days": str(item.shelf_life_days), "cap": plain(numbers.shelf_cap)}
        room = max(numbers.shelf_cap - numbers.position, Decimal(0))
        made.append(step("shelf_life", shelf, plain(room), unit=unit, binding=numbers.is_expiry_limited))
    made.append(
        step(
            "minimum_and_pack",
            {
                "moq": "none" if terms.moq is None else plain(terms.moq),
                "pack": "none" if terms.pack is None else plain(terms.pack),
                "wanted": n["wanted"],
                "excess": n["excess"],
                "excess_cost": str(amounts.excess_cost),
            },
            n["quantity"],
            unit=unit,
            binding=numbers.excess > 0,
        )
    )
    return (*made, *_guardrail_steps(evidence, numbers, amounts, confidence, reasons))


_TEXTS = tuple(name for name, kind in Numbers.__annotations__.items() if kind is Decimal)


def _guardrail_steps(
    evidence: Evidence, numbers: Numbers, amounts: Amounts, confidence: Decimal, reasons: tuple[str, ...]
) -> tuple[Step, ...]:
    rules = evidence.policy.parameters
    limit = plain(rules.auto_approve_value_limit)
    minimum = {"minimum": plain(rules.gmroi_minimum)}
    if amounts.gmroi is None:
        gmroi = step("gmroi", minimum, "unknown", sentence="gmroi_unknown")
    else:
        inputs = {"yearly_margin": str(amounts.yearly_margin), "average_cost": str(amounts.average_cost), **minimum}
        gmroi = step("gmroi", inputs, plain(amounts.gmroi), binding="gmroi_below_threshold" in reasons)
    by = {"quantity": plain(numbers.quantity), "unit_cost": plain(amounts.unit_cost), "limit": limit}
    forecast = evidence.forecast
    assert forecast is not None
    return (
        step("value", by, str(amounts.value), binding="value_above_limit" in reasons),
        step(
            "service",
            {"minimum": plain(rules.service_minimum)},
            plain(numbers.service_after),
            binding="service_below_minimum" in reasons,
        ),
        step(
            "cover",
            {"maximum": plain(rules.max_cover_days)},
            plain(numbers.cover_after_days),
            unit="days",
            binding=numbers.cover_after_days > rules.max_cover_days,
        ),
        gmroi,
        step(
            "confidence",
            {
                "forecast_confidence": plain(forecast.confidence),
                "age_days": age_text(evidence),
                "flags": flags_text(evidence),
                "minimum": plain(rules.confidence_minimum),
            },
            plain(confidence),
            binding="low_confidence" in reasons,
        ),
        step(
            "route",
            {"reasons": "+".join(reasons) or "within all limits"},
            "to a person" if reasons else "approved by rule",
        ),
    )
