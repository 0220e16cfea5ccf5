"""Changes to an item's open orders as lines of their own: which ones pay.

Every change follows from the evidence of its item alone; `About` in it names the order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from kernel.distribution import DAYS
from services.policy.domain.columns import arrival_of, share_counted
from services.policy.domain.evidence import About, Evidence, OpenOrder
from services.policy.domain.open_orders import CHANGEABLE, Change, Coming, Costs, changes_of
from services.policy.domain.order_change_lines import LIKELY, Proposed, believed_on, lag, recommended
from services.policy.domain.outcome import Outcome, Recommendation, Withheld
from services.policy.domain.reckoning import Book, Reckoned, reckon
from services.policy.domain.scenarios import heeded
from services.policy.domain.screening import Fault, screen
from services.policy.domain.supply_calendar import Opportunity

OPEN_ORDER = "open_order"
YEAR_DAYS = 365


class _Asked(NamedTuple):
    """An item whose open orders are looked at; `row`: where it was reckoned."""

    evidence: Evidence
    opportunity: Opportunity
    row: int


def order_changes(evidences: Sequence[Evidence], book: Book | None = None) -> list[tuple[Evidence, Recommendation]]:
    """The changes that pay, each with the evidence it derives from. Items without an order that could change cost nothing; the
    numbers of others are taken from the `book` where they are in it."""
    known: dict[int, tuple[Reckoned, list[_Asked]]] = {}
    others: list[_Asked] = []
    for evidence in evidences:
        if not any(_is_changeable(one) for one in evidence.open_orders):
            continue
        # A change is shown as if nobody had put the item to sleep and nothing were scarce: neither moves a number it is made of.
        bare = evidence if evidence.hold is None else replace(evidence, hold=None)
        place = book.find(evidence) if book is not None and evidence.allotment is None else None
        if place is not None:
            opportunity, reckoned, row = place
            known.setdefault(id(reckoned), (reckoned, []))[1].append(_Asked(bare, opportunity, row))
        elif not isinstance(found := screen(heeded(evidence)), Fault):
            others.append(_Asked(replace(bare, allotment=None), found, len(others)))
    parts = list(known.values())
    if others:
        parts.append((reckon([one.evidence for one in others], [one.opportunity for one in others]), others))
    return [one for reckoned, asked in parts for one in _worthwhile(asked, reckoned)]


def _worthwhile(asked: Sequence[_Asked], reckoned: Reckoned) -> list[tuple[Evidence, Recommendation]]:
    proposed = [
        Proposed(replace(one.evidence, about=About(OPEN_ORDER, change.order_id)), one.opportunity, change, one.row)
        for one, changes in zip(asked, _changes(asked, reckoned), strict=True)
        for change in changes
    ]
    return [(one.about, outcome) for one, outcome in zip(proposed, recommended(proposed, reckoned), strict=True)]


def order_change(evidence: Evidence) -> Outcome:
    """What to do about the one order the evidence names: a change, or why it stays as it is."""
    about = evidence.about
    assert about is not None  # the caller dispatches on it
    found = screen(heeded(evidence))
    if isinstance(found, Fault):
        return Withheld(found.reason, found.says, found.field, evidence.as_of)
    reckoned = reckon([evidence], [found])
    for change in _changes([_Asked(evidence, found, 0)], reckoned)[0]:
        if change.order_id == about.code:
            return recommended([Proposed(evidence, found, change, 0)], reckoned)[0]
    return Withheld("order_stays", f"Order {about.code} is needed as it is.", None, evidence.as_of)


def _is_changeable(order: OpenOrder) -> bool:
    return order.status in CHANGEABLE and order.quantity > 0


@dataclass(frozen=True, slots=True)
class _Look:
    """What is on its way to one item: units available before it, what each order may be moved to, and what that costs."""

    as_of: date
    available: float
    coming: tuple[Coming, ...]
    costs: Costs


def _changes(asked: Sequence[_Asked], reckoned: Reckoned) -> list[list[Change]]:
    """What pays for each item."""
    looks = {one.row: _look(one.evidence, one.opportunity, reckoned, one.row) for one in asked}
    may_pay = sorted(_may_pay(reckoned, looks))
    stock = [max(looks[row].available, 0.0) for row in may_pay]
    short = reckoned.columns.demand.shortages_by_day(may_pay, stock).tolist()
    found = {
        row: _of_item(reckoned, row, looks[row], short_before) for row, short_before in zip(may_pay, short, strict=True)
    }
    return [found.get(one.row, []) for one in asked]


def _look(evidence: Evidence, opportunity: Opportunity, reckoned: Reckoned, row: int) -> _Look:
    """While more of an item is to be bought, orders are only brought forward, and only those its own order counts on:
    nothing is put off or given back that the same plan asks for."""
    as_of = evidence.as_of
    assert as_of is not None  # screening refused it
    levels, lots = reckoned.levels, reckoned.lots
    leaving = sum(float(one.quantity) for one in evidence.open_orders if one.quantity < 0)
    available, position = float(levels.available[row]) + leaving, float(levels.position[row])
    is_needed = bool(lots.is_needed[row])
    # What may be put off beyond the next receipt but one before the item would have to be bought again.
    slack = min(position, float(levels.order_up_to[row])) - float(levels.reorder_point[row])
    earliest = as_of + timedelta(days=int(evidence.policy.parameters.expedite_days))
    coming = []
    for order in evidence.open_orders:
        arrive_on = believed_on(order, evidence, as_of)
        if arrive_on is None or order.quantity < 0:
            continue
        # As the position counts it: what it counts on is not free to come later, however late it is believed to come.
        counted = share_counted(order, arrival_of(order, evidence, as_of), as_of, opportunity)
        is_inside, units = counted >= LIKELY, float(order.quantity)
        latest = arrive_on if is_needed else None
        if is_inside and not is_needed:
            # Where deliveries are counted, a later promise counts less even inside the interval.
            inside_until = opportunity.next_arrive_on - timedelta(days=1) if evidence.deliveries is None else arrive_on
            latest = None if slack >= units else inside_until
            slack -= units if latest is None else 0.0
        soonest = min(earliest + lag(order, arrive_on, as_of), arrive_on)
        soonest = soonest if is_inside or not is_needed else arrive_on
        coming.append(Coming(order.order_id, units, arrive_on, order.status, soonest, latest, is_inside))
    return _Look(as_of, available, tuple(coming), _costs(evidence))


def _of_item(reckoned: Reckoned, row: int, look: _Look, short_before: Sequence[float]) -> list[Change]:
    columns, levels, lots = reckoned.columns, reckoned.levels, reckoned.lots
    total = look.available + sum(one.units for one in look.coming)
    # What may come too late counts by its probability in the position, and is no surplus beyond it.
    counted = look.available + sum(one.units for one in look.coming if one.counts)
    doubtful = max(counted - float(levels.position[row]), 0.0)
    pace = float(levels.daily_demand[row])
    until = min(int(total / pace), 3 * YEAR_DAYS) if pace > 0 else 3 * YEAR_DAYS
    return changes_of(
        columns.demand.rows(np.asarray([row])),
        look.as_of,
        look.available,
        look.coming,
        needed_until=look.as_of + timedelta(days=until),
        order_up_to=float("inf") if lots.is_needed[row] else float(levels.order_up_to[row]) + doubtful,
        costs=look.costs,
        multiple=float(columns.pack[row]),
        short_before=short_before,
    )


def _may_pay(reckoned: Reckoned, looks: Mapping[int, _Look]) -> set[int]:
    """The rows where a change may pay, by a bound that costs one look at all their distributions together: most orders are
    right, and need no closer one."""
    found, doubtful = set(), {}
    for row, look in looks.items():
        if not look.coming:
            continue
        costs = look.costs
        surplus = look.available + sum(one.units for one in look.coming) - float(reckoned.levels.order_up_to[row])
        later = max(one.units for one in look.coming) * costs.holding * DAYS / YEAR_DAYS
        less = surplus * costs.holding * 3
        last = min(max((one.arrive_on - look.as_of).days - 1 for one in look.coming), DAYS)
        if max(later, less) > costs.change:
            found.add(row)
        elif last > 0:
            doubtful[row] = last
    if doubtful:
        rows = list(doubtful)
        stock = [max(looks[row].available, 0.0) for row in rows]
        short = reckoned.columns.demand.rows(rows).expected_shortage(list(doubtful.values()), stock).tolist()
        costly = zip(rows, short, strict=True)
        found |= {row for row, units in costly if looks[row].costs.margin * units > looks[row].costs.change}
    return found


def _costs(evidence: Evidence) -> Costs:
    item, terms, rules = evidence.item, evidence.terms, evidence.policy.parameters
    assert item is not None and terms is not None and terms.unit_cost is not None  # screening refused the others
    unit_cost = float(terms.unit_cost)
    margin = unit_cost if item.price is None else max(float(item.price) - unit_cost, 0.0)
    return Costs(
        holding=float(rules.carrying_rate) * unit_cost,
        margin=margin,
        change=float(rules.order_change_cost),
        expedite=float(rules.expedite_cost_share) * unit_cost,
    )
