"""What stock levels would have led to on the demand that really came: reviews, receipts and sales, day by day."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.policy.domain.columns import Floats
from services.policy.domain.refusal import PolicyRefusal

Days = NDArray[np.int64]
# The risk is what the worst tenth of the cycles cost on average (CVaR at 90 %), as on the forecast's own outcomes.
TAIL_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Stretch:
    """How the items are ordered from day `starts` on, one row each: the level up to which is ordered (units; NaN: the item is
    not planned), days with demand until a receipt, days between reviews (1 at the least)."""

    starts: int
    level: Floats
    lead_days: Days
    review_days: Days


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of each row: days that count; units asked for and short; unit-days left at the close; cycles; and the mean
    cost (money) of the worst tenth of its cycles."""

    days: Floats
    asked: Floats
    short: Floats
    left_days: Floats
    cycles: Floats
    tail: Floats


def replay(asked: Floats, stretches: Sequence[Stretch], margin: Floats, holding_a_day: Floats) -> Replayed:
    """Periodic review up to a level, (R, S), over the days of `asked` (n, days), units; NaN: nobody knows, the day does not count.

    An item begins with its level on the shelf. At a review it orders what is missing to the level, on hand and on order
    together; that arrives `lead_days` later, before the sales of its day. What is not there is lost, not owed. `margin`: money
    a unit short; `holding_a_day`: money a unit left at the close of a day. Raises PolicyRefusal: history_invalid.
    Source: Silver, Pyke & Thomas, section 6.9, with lost sales; the accounting is that of a stock ledger.
    """
    count, days = asked.shape
    if (asked < 0).any() or np.isinf(asked).any() or any((one.review_days < 1).any() for one in stretches):
        raise PolicyRefusal("history_invalid", "demand must be at least 0 and finite, and reviews at least a day apart")
    reach = max((int(one.lead_days.max(initial=0)) for one in stretches), default=0)
    coming, money = np.zeros((count, days + reach + 1)), np.zeros((count, max(days, 1)))
    on_hand, on_order, begun = np.zeros(count), np.zeros(count), np.zeros(count, dtype=bool)
    review_on, cycle = np.zeros(count, dtype=np.int64), np.full(count, -1)
    told = np.zeros((4, count))
    rows = np.arange(count)
    for day in range(days):
        stretch = _of(stretches, day)
        if stretch is None:
            continue
        planned = np.isfinite(stretch.level)
        on_hand = np.where(planned & ~begun, stretch.level, on_hand)
        begun |= planned
        due = planned & (day >= review_on)
        wanted = np.where(due, np.maximum(stretch.level - on_hand - on_order, 0.0), 0.0)
        coming[rows, day + stretch.lead_days] += wanted
        on_order += wanted - coming[:, day]
        on_hand += coming[:, day]
        review_on = np.where(due, day + stretch.review_days, review_on)
        cycle += due
        known = planned & np.isfinite(asked[:, day])
        units = np.where(known, asked[:, day], 0.0)
        sold = np.minimum(units, on_hand)
        on_hand -= sold
        left = np.where(known, on_hand, 0.0)
        told += np.stack([known.astype(np.float64), units, units - sold, left])
        money[rows, np.maximum(cycle, 0)] += (units - sold) * margin + left * holding_a_day
    cycles = (cycle + 1).astype(np.float64)
    counted, wished, short, left_days = told
    return Replayed(counted, wished, short, left_days, cycles, _tail(money, cycles))


def _of(stretches: Sequence[Stretch], day: int) -> Stretch | None:
    return next((one for one in reversed(stretches) if one.starts <= day), None)


def _tail(money: Floats, cycles: Floats) -> Floats:
    """Mean of the dearest tenth of each row's cycles, one at the least; 0 for a row without any."""
    dearest = np.cumsum(-np.sort(-money, axis=1), axis=1)
    count = np.maximum(np.ceil(np.round(cycles * TAIL_SHARE, 9)), 1.0)
    mean: Floats = dearest[np.arange(len(money)), count.astype(np.int64) - 1] / count
    return mean
