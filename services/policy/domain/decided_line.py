"""From a published recommendation and the days after it to what its decision is judged by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.policy.domain.columns import DAYS_PER_YEAR, unit_margin
from services.policy.domain.decision_value import Afterwards, Rates
from services.policy.domain.evidence import Evidence, Terms
from services.policy.domain.evidence_text import evidence_of
from services.policy.domain.supply_calendar import next_opportunity

ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Day:
    """One closed business day of an item: units sold (sales less voids), and whether it closed with nothing on hand."""

    sold: Decimal
    is_out: bool


def afterwards(document: Mapping[str, Any], days: tuple[Day, ...]) -> Afterwards | str:
    """`document`: a recommendation as published; `days`: from the day after its evidence to the last closed one. A code says
    why there is no value: `not_an_order` (a transfer, a change of an order, a substitute), `evidence_incomplete`."""
    if document["action"] != "buy":
        return "not_an_order"
    evidence = evidence_of(document["evidence"])
    as_of, terms = evidence.as_of, evidence.terms
    if as_of is None or terms is None or terms.unit_cost is None or terms.lead_time_days is None:
        return "evidence_incomplete"
    order_on, arrive_on = (date.fromisoformat(document[name]) for name in ("order_on", "arrive_on"))
    level, up_to = Decimal(document["reorder_point"]), Decimal(document["order_up_to"])
    return Afterwards(
        on_hand=evidence.stock.on_hand,
        committed=evidence.stock.reserved + evidence.stock.backorders,
        coming=_coming(evidence, as_of),
        receipt=(arrive_on - as_of).days,
        sold=tuple(one.sold for one in days),
        is_out=tuple(one.is_out for one in days),
        level=level,
        later=_later(terms, as_of, order_on, as_of + timedelta(days=len(days))),
        rates=_rates(evidence, terms, terms.unit_cost, up_to - level),
    )


def _coming(evidence: Evidence, as_of: date) -> dict[int, Decimal]:
    """What was on its way, by the day it was believed to come; what was late already, the day after."""
    coming: dict[int, Decimal] = {}
    for order in evidence.open_orders:
        if order.status != "failed":
            day = max((order.arrive_on - as_of).days, 1)
            coming[day] = coming.get(day, Decimal(0)) + order.quantity
    return coming


def _later(terms: Terms, as_of: date, order_on: date, last: date) -> dict[int, int]:
    """Order days after the line's and the day each of their orders arrives, as days after the evidence."""
    assert terms.lead_time_days is not None  # its caller has looked
    later: dict[int, int] = {}
    while True:
        found = next_opportunity(
            order_on, terms.lead_time_days, terms.order_weekdays, terms.receipt_weekdays, terms.closed_on
        )
        if found is None or found.order_on > last:
            return later
        order_on = found.order_on
        later[(order_on - as_of).days] = (found.arrive_on - as_of).days


def _rates(evidence: Evidence, terms: Terms, unit_cost: Decimal, lot: Decimal) -> Rates:
    """As the cascade prices them: margin (the cost where no price is known), carrying rate, setup cost."""
    price = None if evidence.item is None else evidence.item.price
    rules = evidence.policy.parameters
    units = max(lot, terms.moq or ONE, terms.pack or ONE, ONE)
    return Rates(
        margin=unit_margin(price, unit_cost),
        holding_a_day=rules.carrying_rate * unit_cost / Decimal(DAYS_PER_YEAR),
        ordering=rules.setup_cost,
        ordering_a_unit=rules.setup_cost / units,
    )
