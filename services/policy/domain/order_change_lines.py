"""Changes to open orders in words: a line each, as things are and as the change would make them."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from kernel.distribution import DAYS
from services.policy.domain.beside_line import recommended_beside
from services.policy.domain.columns import Columns, arrival_of, arrivals_of
from services.policy.domain.evidence import Evidence, OpenOrder
from services.policy.domain.line import Amounts, Line, Numbers, cost_at
from services.policy.domain.numbers import decimal_of, money, plain
from services.policy.domain.open_orders import Change
from services.policy.domain.outcome import Recommendation
from services.policy.domain.projection import projected
from services.policy.domain.reckoning import Reckoned
from services.policy.domain.render import what_of
from services.policy.domain.routing import confidence_of, reasons_beside
from services.policy.domain.scenarios import active
from services.policy.domain.steps import Step, step
from services.policy.domain.supply_calendar import Opportunity

# An order counts as coming on the day by which it is as likely there as not.
LIKELY = 0.5


@dataclass(frozen=True, slots=True)
class Proposed:
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
        return believed_on(self.order, self.about, self.as_of) or self.order.arrive_on

    @property
    def promise(self) -> date:
        """The day to agree on with the supplier."""
        if self.change.action in ("cancel", "reduce"):
            return self.order.arrive_on
        return self.change.arrive_on - lag(self.order, self.believed, self.as_of)


def believed_on(order: OpenOrder, evidence: Evidence, as_of: date) -> date | None:
    """The first day by whose opening the order is as likely there as not; None: not within the horizon."""
    day = bisect_left(arrival_of(order, evidence, as_of), LIKELY)
    if day <= DAYS:
        return as_of + timedelta(days=max(day, 1))
    return order.arrive_on if order.status != "failed" and (order.arrive_on - as_of).days > DAYS else None


def lag(order: OpenOrder, believed: date, as_of: date) -> timedelta:
    """How much later than its promise the order is believed to come: another promise will be kept no better."""
    return max(believed - max(order.arrive_on, as_of + timedelta(days=1)), timedelta())


def recommended(proposed: Sequence[Proposed], reckoned: Reckoned) -> list[Recommendation]:
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


def _short(proposed: Sequence[Proposed], rows: NDArray[np.int64], columns: Columns) -> list[tuple[float, float]]:
    """(units short until each order is believed to come, and until it would come with the change)."""
    days = [_days(one.as_of, day) for one in proposed for day in (one.believed, one.change.arrive_on)]
    stock = np.repeat([max(one.change.stock, 0.0) for one in proposed], 2)
    short = columns.demand.rows(np.repeat(rows, 2)).expected_shortage(days, stock).tolist()
    return list(zip(short[::2], short[1::2], strict=True))


def _line_of(
    one: Proposed, reckoned: Reckoned, empty: int, expected: NDArray[np.float64], short: tuple[float, float]
) -> Recommendation:
    """The line of a change; `expected` stock by day, rows: as things are, and with the change; `short` as `_short` says."""
    order, change = one.order, one.change
    numbers = Numbers.of(reckoned.columns, reckoned.levels, reckoned.lots, one.row, empty)._replace(
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
    numbers = numbers._replace(excess=Decimal(0))
    # Whatever is changed, another party has to agree to it: a person decides.
    reasons = reasons_beside(evidence, amounts.value, bool(active(evidence)), "supplier_exception")
    return Line(evidence, item, terms, as_of, opportunity, numbers, amounts, confidence_of(evidence), reasons)


def _after(proposed: Proposed) -> Evidence:
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


def _told(line: Line, proposed: Proposed, short: tuple[float, float]) -> Step:
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
