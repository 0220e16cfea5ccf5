"""When an order can be placed and when it arrives: the supplier's weekdays and closed days, no constants."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

# Longer than any weekly pattern with a fortnight of holidays; a supplier closed for longer has no calendar to plan by.
SEARCH_DAYS_MAX = 60
ONE_DAY = timedelta(days=1)
# A movement dated later than this after the last closed day tells of a wrong clock, not of the time of the day.
CLOCK_TRUSTED_DAYS = 7


@dataclass(frozen=True, slots=True)
class Opportunity:
    """The next order, its receipt, and the receipt of the order after it.

    A receipt counts from the opening of its day, so demand before it is that of the days in between:
    `lead_days` until the receipt of the next order, `protection_days` (L + R) until that of the one after.
    """

    order_on: date
    arrive_on: date
    next_order_on: date
    next_arrive_on: date
    lead_days: int
    protection_days: int


@lru_cache(maxsize=65_536)
def next_opportunity(
    as_of: date,
    lead_time_days: int,
    order_weekdays: tuple[int, ...],
    receipt_weekdays: tuple[int, ...],
    closed_on: tuple[date, ...],
    not_before: date | None = None,
) -> Opportunity | None:
    """The next order opportunity after the close of `as_of`; None when the supplier takes no order in the next 60 days.

    Orders go out on `order_weekdays`, receipts come on `receipt_weekdays` (empty: any day), neither on `closed_on`; the
    first order goes out on `not_before` or later (see `first_order_day`).
    """
    order_on = _first(not_before or as_of + ONE_DAY, order_weekdays, closed_on)
    if order_on is None:
        return None
    arrive_on = _first(order_on + timedelta(days=lead_time_days), receipt_weekdays, closed_on)
    next_order_on = _first(order_on + ONE_DAY, order_weekdays, closed_on)
    if arrive_on is None or next_order_on is None:
        return None
    next_arrive_on = _first(next_order_on + timedelta(days=lead_time_days), receipt_weekdays, closed_on)
    if next_arrive_on is None:
        return None
    while next_arrive_on <= arrive_on:  # both orders reach the same receipt: the later one is no further opportunity
        following = _first(next_order_on + ONE_DAY, order_weekdays, closed_on)
        if following is None:
            return None
        next_order_on = following
        later = _first(next_order_on + timedelta(days=lead_time_days), receipt_weekdays, closed_on)
        if later is None:
            return None
        next_arrive_on = later
    return Opportunity(
        order_on,
        arrive_on,
        next_order_on,
        next_arrive_on,
        (arrive_on - as_of).days - 1,
        (next_arrive_on - as_of).days - 1,
    )


def first_order_day(as_of: date, cut_off: str | None, local_time: datetime | None) -> date:
    """The first day whose orders the supplier still takes: the day after the last closed one, unless its cut-off is over.

    `cut_off`: HH:MM on the location's clock; an order at that minute still counts for its day, one second later it is for
    the next order day. `local_time`: the newest event time known, on the same clock.
    """
    first = as_of + ONE_DAY
    if cut_off is None or local_time is None or not first <= local_time.date() <= as_of + timedelta(CLOCK_TRUSTED_DAYS):
        return first
    day = local_time.date()
    return day + ONE_DAY if is_over(day, cut_off, local_time) else day


def is_over(order_on: date, cut_off: str, local_time: datetime) -> bool:
    """Whether an order at this time on the location's clock comes too late for its order day; the cut-off itself does not."""
    return local_time > datetime.combine(order_on, time.fromisoformat(cut_off))


def _first(day: date, weekdays: tuple[int, ...], closed_on: tuple[date, ...]) -> date | None:
    for _ in range(SEARCH_DAYS_MAX):
        if (not weekdays or day.weekday() in weekdays) and day not in closed_on:
            return day
        day += ONE_DAY
    return None
