"""Changes to an item's open orders as lines of their own: which ones pay, and each of them in words.

Every change follows from the evidence of its item alone; `About` in it names the order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from kernel.distribution import DAYS
from services.policy.domain.beside_line import recommended_beside
from services.policy.domain.columns import Columns, arrival_of, arrivals_of, share_counted
from services.policy.domain.evidence import About, Evidence, OpenOrder
from services.policy.domain.line import Amounts, Line, Numbers, cost_at
from services.policy.domain.numbers import decimal_of, money, plain
from services.policy.domain.open_orders import CHANGEABLE, Change, Coming, Costs, changes_of
from services.policy.domain.outcome import Outcome, Recommendation, Withheld
from services.policy.domain.projection import projected
from services.policy.domain.reckoning import Reckoned, reckon
from services.policy.domain.render import what_of
from services.policy.domain.routing import confidence_of, reasons_beside
from services.policy.domain.scenarios import active, heeded
from services.policy.domain.screening import Fault, screen
from services.policy.domain.steps import Step, step
from services.policy.domain.supply_calendar import Opportunity

OPEN_ORDER = "open_order"
# An order counts as coming on the day by which it is as likely there as not.
LIKELY = 0.5
YEAR_DAYS = 365


@dataclass(frozen=True, slots=True)
class _Proposed:
    """A change that pays; `about` is the evidence of its line, which names the order; `row`: where it was reckoned."""

    about: Evidence
    opportunity: Opportunity
    change: Change
    row: int

    @property
    def order(self) -> OpenOrder:
        return next(one for one in self.about.open_orders if one.order_id == self.change.order_id)

    @property
    def as_of(self) -> date:
        assert self.about.as_of is not None  # screening refused it
        return self.about.as_of

    @property
    def believed(self) -> date:
        """When the order is believed to come as it is."""
        return _believed(self.order, self.about, self.as_of) or self.order.arrive_on

    @property
    def promise(self) -> date:
        """The day to agree on with the supplier."""
        if self.change.action in ("cancel", "reduce"):
            return self.order.arrive_on
        return self.change.arrive_on - _lag(self.order, self.believed, self.as_of)


def order_changes(evidences: Sequence[Evidence]) -> list[tuple[Evidence, Recommendation]]:
    """The changes that pay, each with the evidence it derives from. Items without an order that could change cost nothing."""
    ready = [
        (evidence, found)
        for evidence in evidences
        if any(_is_changeable(one) for one in evidence.open_orders)
        and not isinstance(found := screen(heeded(evidence)), Fault)
    ]
    if not ready:
        return []
    # A change is shown as if nobody had put the item to sleep and nothing were scarce: neither moves a number it is made of.
    bare = [replace(evidence, hold=None, allotment=None) for evidence, _found in ready]
    opportunities = [found for _evidence, found in ready]
    reckoned = reckon(bare, opportunities)
    proposed = [
        _Proposed(replace(bare[row], about=About(OPEN_ORDER, change.order_id)), opportunities[row], change, row)
        for row, changes in enumerate(_changes(bare, opportunities, reckoned))
        for change in changes
    ]
    return [(one.about, outcome) for one, outcome in zip(proposed, _recommended(proposed, reckoned), strict=True)]


def order_change(evidence: Evidence) -> Outcome:
    """What to do about the one order the evidence names: a change, or why it stays as it is."""
    about = evidence.about
    assert about is not None  # the caller dispatches on it
    found = screen(heeded(evidence))
    if isinstance(found, Fault):
        return Withheld(found.reason, found.says, found.field, evidence.as_of)
    reckoned = reckon([evidence], [found])
    for change in _changes([evidence], [found], reckoned)[0]:
        if change.order_id == about.code:
            return _recommended([_Proposed(evidence, found, change, 0)], reckoned)[0]
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


def _changes(
    evidences: Sequence[Evidence], opportunities: Sequence[Opportunity], reckoned: Reckoned
) -> list[list[Change]]:
    """What pays for each item."""
    looks = [
        _look(evidence, opportunity, reckoned, row)
        for row, (evidence, opportunity) in enumerate(zip(evidences, opportunities, strict=True))
    ]
    may_pay = sorted(_may_pay(reckoned, looks))
    changes: list[list[Change]] = [[] for _look in looks]
    stock = [max(looks[row].available, 0.0) for row in may_pay]
    short = reckoned.columns.demand.shortages_by_day(may_pay, stock).tolist()
    for row, short_before in zip(may_pay, short, strict=True):
        changes[row] = _of_item(reckoned, row, looks[row], short_before)
    return changes


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
        arrive_on = _believed(order, evidence, as_of)
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
        soonest = min(earliest + _lag(order, arrive_on, as_of), arrive_on)
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


def _believed(order: OpenOrder, evidence: Evidence, as_of: date) -> date | None:
    """The first day by whose opening the order is as likely there as not; None: not within the horizon."""
    curve = arrival_of(order, evidence, as_of)
    day = next((day for day, chance in enumerate(curve) if chance >= LIKELY), None)
    if day is None and order.status != "failed" and (order.arrive_on - as_of).days > DAYS:
        return order.arrive_on
    return None if day is None else as_of + timedelta(days=max(day, 1))


def _lag(order: OpenOrder, believed: date, as_of: date) -> timedelta:
    """How much later than its promise the order is believed to come: another promise will be kept no better."""
    return max(believed - max(order.arrive_on, as_of + timedelta(days=1)), timedelta())


def _may_pay(reckoned: Reckoned, looks: Sequence[_Look]) -> set[int]:
    """The rows where a change may pay, by a bound that costs one look at all their distributions together: most orders are
    right, and need no closer one."""
    found, doubtful = set(), {}
    for row, look in enumerate(looks):
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


def _recommended(proposed: Sequence[_Proposed], reckoned: Reckoned) -> list[Recommendation]:
    """The lines of changes: each as things are and as the change would make them. Only when orders come is another then."""
    if not proposed:
        return []
    columns, levels = reckoned.columns, reckoned.levels
    rows = np.asarray([one.row for one in proposed], dtype=np.int64)
    nothing = np.zeros(len(levels.available))
    before, _same, empty = projected(columns, levels, rows, nothing)
    arriving, _inside = arrivals_of([_after(one) for one in proposed], [one.opportunity for one in proposed])
    after, _same, _empty = projected(columns, levels, rows, nothing, arriving)
    short = _short(proposed, rows, columns)
    expected = np.stack([before, after], axis=1)
    return [
        _line_of(one, reckoned, int(empty[index]), expected[index], short[index]) for index, one in enumerate(proposed)
    ]


def _short(proposed: Sequence[_Proposed], rows: NDArray[np.int64], columns: Columns) -> list[tuple[float, float]]:
    """(units short until each order is believed to come, and until it would come with the change)."""
    days = [_days(one.as_of, day) for one in proposed for day in (one.believed, one.change.arrive_on)]
    stock = np.repeat([max(one.change.stock, 0.0) for one in proposed], 2)
    short = columns.demand.rows(np.repeat(rows, 2)).expected_shortage(days, stock).tolist()
    return list(zip(short[::2], short[1::2], strict=True))


def _line_of(
    one: _Proposed, reckoned: Reckoned, empty: int, expected: NDArray[np.float64], short: tuple[float, float]
) -> Recommendation:
    """The line of a change; `expected` stock by day, rows: as things are, and with the change; `short` as `_short` says."""
    order, change = one.order, one.change
    numbers = replace(
        Numbers.of(reckoned.columns, reckoned.levels, reckoned.lots, one.row, empty),
        # What a change leaves of the order; what a cancellation takes away.
        quantity=order.quantity if change.action == "cancel" else decimal_of(change.units),
    )
    line = _line(one.about, one.opportunity, numbers, money(decimal_of(change.saves)))
    what = what_of(line) | {
        "order_on": (line.as_of + timedelta(days=1)).isoformat(),
        "arrive_on": one.promise.isoformat(),
        "changes_order": order.order_id,
    }
    return recommended_beside(line, change.action, what, _told(line, one, short), expected)


def _line(evidence: Evidence, opportunity: Opportunity, numbers: Numbers, saves: Decimal) -> Line:
    item, terms, as_of = evidence.item, evidence.terms, evidence.as_of
    assert item is not None and terms is not None and as_of is not None  # screening refused the others
    unit_cost = cost_at(terms, numbers.quantity)
    zero = Decimal("0.00")
    amounts = Amounts(unit_cost, money(numbers.quantity * unit_cost), zero, saves, None, zero, None)
    numbers = replace(numbers, excess=Decimal(0))
    # Whatever is changed, another party has to agree to it: a person decides.
    reasons = reasons_beside(evidence, amounts.value, bool(active(evidence)), "supplier_exception")
    return Line(evidence, item, terms, as_of, opportunity, numbers, amounts, confidence_of(evidence), reasons)


def _after(proposed: _Proposed) -> Evidence:
    """The evidence as it would be with the change made and its promise given."""
    evidence, change = proposed.about, proposed.change
    kept = []
    for one in evidence.open_orders:
        if one.order_id != change.order_id:
            kept.append(one)
        elif change.action == "reduce":
            kept.append(replace(one, quantity=decimal_of(change.units)))
        elif change.action != "cancel":
            kept.append(replace(one, arrive_on=proposed.promise))
    return replace(evidence, open_orders=tuple(kept))


def _told(line: Line, proposed: _Proposed, short: tuple[float, float]) -> Step:
    order, change = proposed.order, proposed.change
    rules, unit = line.evidence.policy.parameters, line.item.unit
    saves = {"order_id": order.order_id, "units": plain(order.quantity), "saves": str(line.amounts.at_risk)}
    if change.action in ("reduce", "cancel"):
        total = line.numbers.available + sum((one.quantity for one in line.evidence.open_orders), Decimal(0))
        inputs = saves | {
            "position": plain(total),
            "order_up_to": plain(line.numbers.order_up_to),
            "arrive_on": order.arrive_on.isoformat(),
            "cost": str(money(rules.order_change_cost)),
        }
        return step(f"order_{change.action}", inputs, plain(line.numbers.quantity), unit=unit, binding=True)
    before, after = (decimal_of(one, 2) for one in short)
    cost = rules.order_change_cost
    if change.action == "expedite":
        cost += money(rules.expedite_cost_share * line.amounts.unit_cost * order.quantity)
    inputs = saves | {
        "arrive_on": proposed.believed.isoformat(),
        "short_before": plain(before),
        "short_after": plain(after),
        "earned": str(money(line.amounts.at_risk + cost)),
        "cost": str(money(cost)),
    }
    return step(f"order_{change.action}", inputs, change.arrive_on.isoformat(), binding=True)


def _days(as_of: date, arrive_on: date) -> int:
    return min(max((arrive_on - as_of).days - 1, 0), DAYS)
