"""One row of numbers as exact decimals, with its money, confidence and route: what the words are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from services.policy.domain.columns import DAYS_PER_YEAR, NO_LIMIT, Columns, Floats, unit_margin
from services.policy.domain.evidence import Evidence, Item, Signal, Terms
from services.policy.domain.levels import Levels
from services.policy.domain.lots import Lots
from services.policy.domain.numbers import CENT, decimal_of, money
from services.policy.domain.routing import Facts, confidence_of, reasons_of
from services.policy.domain.supply_calendar import Opportunity

YEAR = Decimal(int(DAYS_PER_YEAR))


class Numbers(NamedTuple):
    """One row of the numeric cascade as exact decimals; units, days, shares.

    A named tuple, as `Line` and `Amounts` are: one of each is made for every order, in half the time of a frozen dataclass.
    """

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
    unlimited: Decimal
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
        (numbers,) = Numbers.of_rows(columns, levels, lots, [row], [first_empty_day])
        return numbers

    @staticmethod
    def of_rows(
        columns: Columns, levels: Levels, lots: Lots, rows: Sequence[int], first_empty_days: Sequence[int]
    ) -> "list[Numbers]":
        """The numbers of some rows, in their order. A column becomes Python's numbers at once: to ask numpy for them one by one
        took as long as to make decimals of them."""
        index = np.asarray(rows, dtype=np.int64)

        def told(column: Floats, places: int = 4) -> list[Decimal]:
            return [decimal_of(value, places) for value in column[index].tolist()]

        caps: list[float] = lots.shelf_cap[index].tolist()
        return list(
            map(  # in the order of the fields
                Numbers,
                told(levels.available),
                told(levels.position),
                told(columns.on_order),
                told(levels.protection_demand, 2),
                told(levels.daily_demand),
                told(levels.reorder_point),
                told(levels.safety_stock, 2),
                told(levels.economic_lot),
                told(levels.order_up_to),
                told(levels.days_of_cover, 1),
                told(levels.stockout_probability),
                told(levels.expected_shortage),
                told(lots.wanted),
                told(lots.unlimited),
                [None if cap == NO_LIMIT else decimal_of(cap) for cap in caps],
                told(lots.quantity),
                told(lots.excess),
                told(lots.service_after),
                told(lots.cover_after_days, 1),
                told(lots.average_stock),
                lots.is_expiry_limited[index].tolist(),
                lots.is_expiry_exceeded[index].tolist(),
                first_empty_days,
            )
        )


class Amounts(NamedTuple):
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
        yearly = money((item.price - unit_cost) * numbers.daily_demand * YEAR)
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


@dataclass(frozen=True, slots=True)
class Effect:
    """What one active signal does: the reorder point and the quantity as they would be without it, units."""

    signal: Signal
    reorder_point: Decimal
    quantity: Decimal


class Line(NamedTuple):
    """Everything the words and the document of one recommendation are made of."""

    evidence: Evidence
    item: Item
    terms: Terms
    as_of: date
    opportunity: Opportunity
    numbers: Numbers
    amounts: Amounts
    confidence: Decimal
    reasons: tuple[str, ...]
    effects: tuple[Effect, ...] = ()

    @property
    def stockout_on(self) -> str | None:
        """The first day expected stock is gone without the order; None: not within the horizon."""
        days = self.numbers.first_empty_day
        return (self.as_of + timedelta(days=days)).isoformat() if days else None


def line_of(evidence: Evidence, opportunity: Opportunity, numbers: Numbers, effects: tuple[Effect, ...] = ()) -> Line:
    """Money, confidence and route of one row of numbers."""
    item, terms, as_of = evidence.item, evidence.terms, evidence.as_of
    assert item is not None and terms is not None and as_of is not None  # screening refused the others
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
        bool(effects),
    )
    reasons = reasons_of(evidence, facts)
    return Line(evidence, item, terms, as_of, opportunity, numbers, amounts, confidence, reasons, effects)
