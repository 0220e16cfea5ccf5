"""From screened evidence to numeric columns: one row per item, so that a hundred thousand items are a few array operations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kernel.distribution import DAYS, HORIZONS_DAYS, LEVELS, DemandTable
from services.policy.domain.evidence import Evidence, OpenOrder
from services.policy.domain.filling import FILLED_UP
from services.policy.domain.formulas.lot_size import all_units_discount_lot, incremental_discount_lot
from services.policy.domain.lead_times import arrival_curve, lateness
from services.policy.domain.parameters import Parameters
from services.policy.domain.supply_calendar import Opportunity

Floats = NDArray[np.float64]
# Units counted in whole pieces; everything else can be ordered in thousandths (grams of a kilogram).
WHOLE_UNITS = frozenset({"each", "piece", "pcs", "ea", "unit", "case", "pack"})
FRACTION_STEP = 0.001
NO_LIMIT = float("inf")
UNWEIGHED = (1.0, 1.0, 0.0)
DAYS_PER_YEAR = 365.0


@dataclass(frozen=True, slots=True)
class Columns:
    """Inputs of the numeric cascade. Units, days and money as floats that came from exact decimals."""

    demand: DemandTable
    on_hand: Floats
    reserved: Floats
    backorders: Floats
    arrivals: Floats  # (n, DAYS + 1): units that arrive by the opening of day 0..56 after as_of, cumulated
    on_order: Floats  # what arrives before the receipt of the order after next
    lead_days: Floats
    protection_days: Floats
    lead_sd_days: Floats
    unit_cost: Floats
    margin: Floats  # per unit: price - cost, never below 0; the cost where no price is known
    step: Floats  # smallest quantity that exists: 1 for pieces
    pack: Floats
    moq: Floats
    shelf_life_days: Floats  # infinite when the product does not expire
    goal: Floats
    by_fill_rate: NDArray[np.bool_]
    by_weights: NDArray[np.bool_]
    weight_service: Floats
    weight_cost: Floats
    weight_risk: Floats
    holding_cost: Floats  # money per unit and year
    setup_cost: Floats
    lot_cover_max_days: Floats
    presentation_minimum: Floats
    expiry_risk_max: Floats
    expiry_risk_never: Floats
    discount_lot: Floats  # economic lot under price breaks; NaN where there are none
    reorder_most: Floats  # the reorder point signals may raise it to; infinite where they may raise it at will
    allotted: Floats  # what the run lets the item have; NaN where nothing is scarce
    fills_up: NDArray[np.bool_]  # the allotment may be more than is wanted: it fills up its supplier's order


def columns_of(evidences: Sequence[Evidence], opportunities: Sequence[Opportunity]) -> Columns:
    """Columns of items that passed `screening.screen`, in the given order."""
    count = len(evidences)
    forecasts = [one.forecast for one in evidences]
    means = np.frombuffer(b"".join(one.mean_e4 for one in forecasts if one), dtype="<i8").reshape(count, DAYS)
    shape = (count, len(HORIZONS_DAYS), len(LEVELS))
    nodes = np.frombuffer(b"".join(one.quantiles_e2 for one in forecasts if one), dtype="<i8").reshape(shape)
    demand = DemandTable.from_units(means / 10_000.0, nodes / 100.0)
    arrivals, on_order = arrivals_of(evidences, opportunities)
    rows = [_row(evidence, opportunity) for evidence, opportunity in zip(evidences, opportunities, strict=True)]
    table = np.asarray(rows, dtype=np.float64).reshape(count, len(_NAMES))
    plain = {name: np.ascontiguousarray(table[:, index]) for index, name in enumerate(_NAMES)}
    fill = np.asarray([one.policy.parameters.service_kind == "fill_rate" for one in evidences], dtype=bool)
    weighed = np.asarray([one.policy.parameters.service_kind == "weighed" for one in evidences], dtype=bool)
    yearly = demand.mean_cumulative[:, DAYS] / DAYS * DAYS_PER_YEAR
    lots = np.asarray([_discount_lot(one, float(units)) for one, units in zip(evidences, yearly, strict=True)])
    allotted = np.asarray(
        [float("nan") if one.allotment is None else float(one.allotment.quantity) for one in evidences]
    )
    return Columns(
        demand=demand,
        arrivals=arrivals,
        on_order=on_order,
        by_fill_rate=fill,
        by_weights=weighed,
        discount_lot=lots,
        reorder_most=np.full(count, NO_LIMIT),
        allotted=allotted,
        fills_up=np.asarray(
            [one.allotment is not None and one.allotment.resource in FILLED_UP for one in evidences], dtype=bool
        ),
        **plain,
    )


_NAMES = (
    "on_hand",
    "reserved",
    "backorders",
    "lead_days",
    "protection_days",
    "lead_sd_days",
    "unit_cost",
    "margin",
    "step",
    "pack",
    "moq",
    "shelf_life_days",
    "holding_cost",
    "goal",
    "setup_cost",
    "lot_cover_max_days",
    "presentation_minimum",
    "expiry_risk_max",
    "expiry_risk_never",
    "weight_service",
    "weight_cost",
    "weight_risk",
)


def _row(evidence: Evidence, opportunity: Opportunity) -> tuple[float, ...]:
    item, terms, stock, rules = evidence.item, evidence.terms, evidence.stock, evidence.policy.parameters
    assert item is not None and terms is not None and terms.unit_cost is not None  # screening refused the others
    cost = float(terms.unit_cost)
    step = 1.0 if item.unit in WHOLE_UNITS else FRACTION_STEP
    late = mean_lateness(evidence)
    lead_days = max(opportunity.lead_days + late, 0.0)
    return (
        float(stock.on_hand),
        float(stock.reserved),
        float(stock.backorders),
        lead_days,
        min(max(opportunity.protection_days + late, lead_days), float(DAYS)),
        float(terms.lead_time_sd_days),
        cost,
        float(unit_margin(item.price, terms.unit_cost)),
        step,
        float(terms.pack) if terms.pack is not None else step,
        float(terms.moq) if terms.moq is not None else 0.0,
        float(item.shelf_life_days) if item.shelf_life_days is not None else NO_LIMIT,
        float(rules.carrying_rate) * cost,
        *_of_rules(rules, item.abc_class, item.xyz_class),
    )


@lru_cache(maxsize=64)
def _of_rules(rules: Parameters, abc_class: str | None, xyz_class: str | None) -> tuple[float, ...]:
    """What the policy says of a class: all items of a run have the same few, and half of a row's time went into them."""
    return (
        float(rules.service_goal(abc_class, xyz_class)),
        float(rules.setup_cost),
        float(rules.lot_cover_max_days),
        float(rules.presentation_minimum_units),
        float(rules.expiry_risk_max),
        float(rules.expiry_risk_never),
        *(UNWEIGHED if rules.service_kind != "weighed" else map(float, rules.weights(abc_class))),
    )


def unit_margin(price: Decimal | None, unit_cost: Decimal) -> Decimal:
    """Money lost per unit not sold: the margin, never below 0; the cost stands in where no price is known."""
    return unit_cost if price is None else max(price - unit_cost, Decimal(0))


def mean_lateness(evidence: Evidence) -> float:
    """Days this supplier's deliveries are expected to come after their promise; 0 without experience."""
    known = evidence.deliveries
    return round(lateness(known.after_promise, 0.0).mean_days, 4) if known is not None else 0.0


def arrival_of(order: OpenOrder, evidence: Evidence, as_of: date) -> tuple[float, ...]:
    """P(the open order has come by the opening of day k after as_of), k = 0..56.

    Where nobody counts deliveries a promise is certain, and what is late comes tomorrow. What failed, or is longer overdue
    than the policy believes, does not come.
    """
    elapsed = (as_of - order.arrive_on).days
    if order.status == "failed" or elapsed > int(evidence.policy.parameters.overdue_days_max):
        return (0.0,) * (DAYS + 1)
    # Lorries between own locations keep no supplier's habits.
    if evidence.deliveries is not None and order.status not in ("proposed", "outgoing"):
        return arrival_curve(evidence.deliveries.about(order.status), elapsed)
    return _promised(max(-elapsed, 1))


@lru_cache(maxsize=1_024)
def _promised(first: int) -> tuple[float, ...]:
    return tuple(float(day >= first) for day in range(DAYS + 1))


def share_counted(order: OpenOrder, curve: Sequence[float], as_of: date, opportunity: Opportunity) -> float:
    """How much of an open order is in the inventory position.

    All of it while it is not due: how late it may come is in the protection interval already, as it is for the order to be
    placed now. When it is overdue, the probability that it comes before the receipt of the order after next.
    """
    if order.arrive_on > as_of and curve[-1] > 0.0:
        return float(order.arrive_on < opportunity.next_arrive_on)
    return curve[opportunity.protection_days]


def arrivals_of(evidences: Sequence[Evidence], opportunities: Sequence[Opportunity]) -> tuple[Floats, Floats]:
    """Open orders by day, each at its own probability, and what of them counts for this order; units."""
    arriving = np.zeros((len(evidences), DAYS + 1))
    inside = np.zeros(len(evidences))
    for row, (evidence, opportunity) in enumerate(zip(evidences, opportunities, strict=True)):
        as_of = evidence.as_of
        if as_of is None:
            continue
        for order in evidence.open_orders:
            curve = arrival_of(order, evidence, as_of)
            arriving[row] += np.multiply(curve, float(order.quantity))
            inside[row] += round(share_counted(order, curve, as_of, opportunity) * float(order.quantity), 4)
    return arriving, inside


def _discount_lot(evidence: Evidence, demand_per_year: float) -> float:
    terms, rules = evidence.terms, evidence.policy.parameters
    if terms is None or not terms.price_breaks or not demand_per_year > 0 or not rules.setup_cost > 0:
        return float("nan")
    solve = incremental_discount_lot if terms.discount == "incremental" else all_units_discount_lot
    return solve(
        setup_cost=float(rules.setup_cost),
        carrying_rate=float(rules.carrying_rate),
        demand_units=demand_per_year,
        breakpoints_units=[float(quantity) for quantity, _cost in terms.price_breaks],
        unit_costs=[float(cost) for _quantity, cost in terms.price_breaks],
    ).quantity_units
