"""The steps of one line: which inputs and which result each sentence is filled with."""

from datetime import timedelta
from decimal import Decimal

from services.policy.domain.columns import arrival_of, share_counted
from services.policy.domain.filling import FILLED_UP
from services.policy.domain.lead_times import RECEIPTS_MAX, lateness
from services.policy.domain.line import YEAR, Line
from services.policy.domain.numbers import CENT, decimal_of, plain
from services.policy.domain.routing import age_text, flags_text
from services.policy.domain.steps import Step, step
from services.policy.domain.supply_calendar import first_order_day


def steps_of(line: Line) -> tuple[Step, ...]:
    """All steps in the order they were taken."""
    return (
        *position_steps(line),
        *_scenarios(line),
        *_levels(line),
        *_constraints(line),
        *_guardrails(line),
        *route_steps(line),
    )


def beside_steps(line: Line, told: Step) -> tuple[Step, ...]:
    """The steps of a line beside the item's own order: the state it follows from, what it does, who decides."""
    return (*position_steps(line), _target(line), told, *route_steps(line))


def position_steps(line: Line) -> list[Step]:
    numbers, stock = line.numbers, line.evidence.stock
    leaving = _leaving(line)
    return [
        step(
            "net",
            {
                "on_hand": plain(stock.on_hand),
                "on_order": plain(numbers.on_order + leaving),
                "reserved": plain(stock.reserved),
                "backorders": plain(stock.backorders),
            }
            | ({"leaving": plain(leaving)} if leaving else {}),
            plain(numbers.position),
            unit=line.item.unit,
            sentence="net_leaving" if leaving else "net",
        ),
        *_open_orders(line),
        _calendar(line),
        *_lead_time(line),
        step(
            "stock_out",
            {"days_of_cover": plain(numbers.days_of_cover), "stockout_on": line.stockout_on or "not in sight"},
            plain(numbers.stockout_probability),
        ),
    ]


def _calendar(line: Line) -> Step:
    """Order and receipts; where the supplier's cut-off has passed, which day it was missed for and when that was known."""
    opportunity, terms, local_time = line.opportunity, line.terms, line.evidence.local_time
    inputs = {
        "order_on": opportunity.order_on.isoformat(),
        "arrive_on": opportunity.arrive_on.isoformat(),
        "protection_days": str(opportunity.protection_days),
    }
    result = opportunity.next_arrive_on.isoformat()
    earliest = first_order_day(line.as_of, terms.cut_off, local_time)
    if terms.cut_off is None or local_time is None or earliest <= local_time.date():
        return step("calendar", inputs, result)
    missed = {"cut_off": terms.cut_off, "missed_on": local_time.date().isoformat()}
    inputs |= missed | {"local_time": local_time.isoformat(" ")}
    return step("calendar", inputs, result, sentence="calendar_cut_off")


def _leaving(line: Line) -> Decimal:
    """What leaves for other locations before the receipt of the order after next, units."""
    believed = timedelta(days=int(line.evidence.policy.parameters.overdue_days_max))
    counted = (
        one
        for one in line.evidence.open_orders
        if one.quantity < 0 and line.as_of - believed <= one.arrive_on < line.opportunity.next_arrive_on
    )
    return -sum((one.quantity for one in counted), Decimal(0))


def _open_orders(line: Line) -> list[Step]:
    """One step for each overdue order, which counts at the probability that it still comes in time."""
    told = []
    for order in line.evidence.open_orders if line.evidence.deliveries is not None else ():
        curve = arrival_of(order, line.evidence, line.as_of)
        chance = share_counted(order, curve, line.as_of, line.opportunity)
        if 0.0 < chance < 1.0:
            inputs = {
                "order_id": order.order_id,
                "quantity": plain(order.quantity),
                "status": order.status,
                "arrive_on": order.arrive_on.isoformat(),
                "probability": plain(decimal_of(chance)),
            }
            counted = decimal_of(chance * float(order.quantity))
            told.append(step("open_order", inputs, plain(counted), unit=line.item.unit))
    return told


def _lead_time(line: Line) -> list[Step]:
    """What the supplier quotes beside what its deliveries have shown; nothing to say before the first."""
    known, terms = line.evidence.deliveries, line.terms
    if known is None or not known.after_promise or terms.lead_time_days is None:
        return []
    found = lateness(known.after_promise, float(terms.lead_time_sd_days))
    inputs = {
        "quoted_days": str(terms.lead_time_days),
        "quoted_spread": plain(terms.lead_time_sd_days),
        "receipts": str(found.receipts),
        "late_days": plain(decimal_of(sum(known.after_promise[-RECEIPTS_MAX:]) / found.receipts, 2)),
        "spread": plain(decimal_of(found.sd_days, 2)),
    }
    counted = decimal_of(max(terms.lead_time_days + found.mean_days, 0.0), 2)
    return [step("lead_time", inputs, plain(counted), unit="days")]


def _scenarios(line: Line) -> list[Step]:
    """One step per active signal, with the numbers as they would be without it."""
    return [
        step(
            "scenario",
            {
                "kind": one.signal.kind,
                "signal_id": one.signal.signal_id,
                "strength": plain(one.signal.strength),
                "probability": plain(one.signal.probability),
                "starts_on": one.signal.starts_on.isoformat(),
                "ends_on": one.signal.ends_on.isoformat(),
                "point_without": plain(one.reorder_point),
                "point_with": plain(line.numbers.reorder_point),
                "quantity_without": plain(one.quantity),
            },
            plain(line.numbers.quantity),
            unit=line.item.unit,
            binding=one.quantity != line.numbers.quantity,
        )
        for one in line.effects
    ]


def _goal(line: Line) -> dict[str, str]:
    """The service goal of the item's class, or what its objectives weigh."""
    rules, item = line.evidence.policy.parameters, line.item
    if rules.service_kind != "weighed":
        return {"goal": plain(rules.service_goal(item.abc_class, item.xyz_class))}
    names = ("weight_service", "weight_cost", "weight_risk")
    return {name: plain(weight) for name, weight in zip(names, rules.weights(item.abc_class), strict=True)}


def _target(line: Line) -> Step:
    numbers, rules = line.numbers, line.evidence.policy.parameters
    inputs = {
        "abc_class": line.item.class_name,
        **_goal(line),
        "protection_demand": plain(numbers.protection_demand),
        "safety_stock": plain(numbers.safety_stock),
    }
    point = plain(numbers.reorder_point)
    return step("target", inputs, point, unit=line.item.unit, sentence=f"target_{rules.service_kind}")


def _levels(line: Line) -> list[Step]:
    numbers, rules, unit = line.numbers, line.evidence.policy.parameters, line.item.unit
    return [
        _target(line),
        step(
            "economic_quantity",
            {
                "setup_cost": plain(rules.setup_cost),
                "carrying_rate": plain(rules.carrying_rate),
                "unit_cost": plain(line.amounts.unit_cost),
                "yearly_demand": plain((numbers.daily_demand * YEAR).quantize(CENT)),
                "lot_cover_max_days": plain(rules.lot_cover_max_days),
            },
            plain(numbers.economic_lot),
            unit=unit,
        ),
        step(
            "order_up_to",
            {
                "reorder_point": plain(numbers.reorder_point),
                "economic_lot": plain(numbers.economic_lot),
                "order_up_to": plain(numbers.order_up_to),
                "position": plain(numbers.position),
            },
            plain(numbers.wanted),
            unit=unit,
        ),
    ]


def _constraints(line: Line) -> list[Step]:
    numbers, terms, unit = line.numbers, line.terms, line.item.unit
    made = []
    if numbers.shelf_cap is not None:
        inputs = {"shelf_life_days": str(line.item.shelf_life_days), "cap": plain(numbers.shelf_cap)}
        room = max(numbers.shelf_cap - numbers.position, Decimal(0))
        made.append(step("shelf_life", inputs, plain(room), unit=unit, binding=numbers.is_expiry_limited))
    allotment = line.evidence.allotment
    if allotment is not None:
        inputs = {
            "rank": str(allotment.rank),
            "resource": allotment.resource,
            "shadow_price": plain(allotment.shadow_price),
            "unlimited": plain(numbers.unlimited),
        }
        is_binding = numbers.quantity != numbers.unlimited
        sentence = "filled_up" if allotment.resource in FILLED_UP else "allotment"
        told = numbers.quantity if allotment.resource in FILLED_UP else allotment.quantity
        made.append(step("allotment", inputs, plain(told), unit=unit, binding=is_binding, sentence=sentence))
    inputs = {
        "moq": "none" if terms.moq is None else plain(terms.moq),
        "pack": "none" if terms.pack is None else plain(terms.pack),
        "wanted": plain(numbers.wanted),
        "excess": plain(numbers.excess),
        "excess_cost": str(line.amounts.excess_cost),
    }
    made.append(step("minimum_and_pack", inputs, plain(numbers.quantity), unit=unit, binding=numbers.excess > 0))
    return made


def _guardrails(line: Line) -> list[Step]:
    numbers, amounts, rules = line.numbers, line.amounts, line.evidence.policy.parameters
    value = {
        "quantity": plain(numbers.quantity),
        "unit_cost": plain(amounts.unit_cost),
        "limit": plain(rules.auto_approve_value_limit),
    }
    minimum = {"minimum": plain(rules.gmroi_minimum)}
    if amounts.gmroi is None:
        gmroi = step("gmroi", minimum, "unknown", sentence="gmroi_unknown")
    else:
        inputs = {"yearly_margin": str(amounts.yearly_margin), "average_cost": str(amounts.average_cost), **minimum}
        gmroi = step("gmroi", inputs, plain(amounts.gmroi), binding="gmroi_below_threshold" in line.reasons)
    return [
        step("value", value, str(amounts.value), binding="value_above_limit" in line.reasons),
        step(
            "service",
            {"minimum": plain(rules.service_minimum)},
            plain(numbers.service_after),
            binding="service_below_minimum" in line.reasons,
        ),
        step(
            "cover",
            {"maximum": plain(rules.max_cover_days)},
            plain(numbers.cover_after_days),
            unit="days",
            binding=numbers.cover_after_days > rules.max_cover_days,
        ),
        gmroi,
    ]


def route_steps(line: Line) -> list[Step]:
    forecast, rules = line.evidence.forecast, line.evidence.policy.parameters
    assert forecast is not None  # screening refused the others
    inputs = {
        "forecast_confidence": plain(forecast.confidence),
        "age_days": age_text(line.evidence),
        "flags": flags_text(line.evidence),
        "minimum": plain(rules.confidence_minimum),
    }
    reasons = "+".join(line.reasons) or "within all limits"
    return [
        step("confidence", inputs, plain(line.confidence), binding="low_confidence" in line.reasons),
        step("route", {"reasons": reasons}, "to a person" if line.reasons else "approved by rule"),
    ]
