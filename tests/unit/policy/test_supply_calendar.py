"""Order and receipt days by the supplier's calendar: the interval to protect is counted, not assumed."""

from datetime import date, datetime, timedelta

import pytest

from services.policy.domain.supply_calendar import first_order_day, next_opportunity

SUNDAY = date(2017, 11, 5)
MONDAY, THURSDAY = (0,), (3,)


def test_any_day_gives_lead_time_and_one_day_of_review() -> None:
    found = next_opportunity(SUNDAY, 3, (), (), ())
    assert found is not None
    assert (found.order_on, found.arrive_on) == (date(2017, 11, 6), date(2017, 11, 9))
    assert (found.lead_days, found.protection_days) == (3, 4)


def test_a_weekly_order_day_protects_a_week_more() -> None:
    found = next_opportunity(SUNDAY, 3, MONDAY, (), ())
    assert found is not None
    assert (found.next_order_on, found.protection_days) == (date(2017, 11, 13), 10)


def test_receipts_wait_for_their_weekday() -> None:
    found = next_opportunity(SUNDAY, 1, (), THURSDAY, ())
    assert found is not None
    assert (found.arrive_on, found.next_arrive_on) == (date(2017, 11, 9), date(2017, 11, 16))


def test_a_closed_day_moves_the_order() -> None:
    found = next_opportunity(SUNDAY, 3, MONDAY, (), (date(2017, 11, 6),))
    assert found is not None
    assert found.order_on == date(2017, 11, 13)


def test_a_supplier_closed_for_good_gives_no_opportunity() -> None:
    assert next_opportunity(SUNDAY, 3, (), (), tuple(SUNDAY + timedelta(days=day) for day in range(70))) is None


@pytest.mark.parametrize("lead_time_days", range(8))
@pytest.mark.parametrize("order_weekdays", [(), (0,), (1, 4), (0, 2, 4, 6)])
@pytest.mark.parametrize("receipt_weekdays", [(), (2,), (0, 3)])
def test_the_later_receipt_is_always_later(
    lead_time_days: int, order_weekdays: tuple[int, ...], receipt_weekdays: tuple[int, ...]
) -> None:
    for offset in range(7):
        as_of = SUNDAY + timedelta(days=offset)
        found = next_opportunity(as_of, lead_time_days, order_weekdays, receipt_weekdays, ())
        assert found is not None
        assert as_of < found.order_on <= found.arrive_on < found.next_arrive_on
        assert 0 <= found.lead_days < found.protection_days


WORKDAYS = (0, 1, 2, 3, 4)
# Written by hand from a paper calendar. 5 November 2017 is a Sunday. Columns: planned after the close of, lead time, order
# weekdays, receipt weekdays, closed; then order, receipt, the order after it, its receipt, days until each receipt opens.
BY_HAND = [
    ("2017-11-05", 0, (), (), "", "11-06", "11-06", "11-07", "11-07", 0, 1),
    ("2017-11-05", 1, (), (), "", "11-06", "11-07", "11-07", "11-08", 1, 2),
    ("2017-11-05", 7, (), (), "", "11-06", "11-13", "11-07", "11-14", 7, 8),
    ("2017-11-05", 3, (0,), (), "", "11-06", "11-09", "11-13", "11-16", 3, 10),
    ("2017-11-05", 3, (0, 3), (), "", "11-06", "11-09", "11-09", "11-12", 3, 6),
    ("2017-11-05", 2, (1, 4), (), "", "11-07", "11-09", "11-10", "11-12", 3, 6),
    ("2017-11-05", 1, (), (3,), "", "11-06", "11-09", "11-09", "11-16", 3, 10),
    ("2017-11-05", 2, (0,), (2,), "", "11-06", "11-08", "11-13", "11-15", 2, 9),
    ("2017-11-05", 3, (0,), (2,), "", "11-06", "11-15", "11-13", "11-22", 9, 16),
    ("2017-11-05", 3, (0,), (), "2017-11-06", "11-13", "11-16", "11-20", "11-23", 10, 17),
    ("2017-11-05", 1, (), (), "2017-11-06 2017-11-07", "11-08", "11-09", "11-09", "11-10", 3, 4),
    ("2017-11-05", 2, (), (), "2017-11-08", "11-06", "11-09", "11-09", "11-11", 3, 5),
    ("2017-11-05", 0, (6,), (), "", "11-12", "11-12", "11-19", "11-19", 6, 13),
    ("2017-11-10", 1, WORKDAYS, WORKDAYS, "", "11-13", "11-14", "11-14", "11-15", 3, 4),
    ("2017-11-09", 1, WORKDAYS, WORKDAYS, "", "11-10", "11-13", "11-13", "11-14", 3, 4),
    ("2017-11-08", 2, WORKDAYS, WORKDAYS, "", "11-09", "11-13", "11-13", "11-15", 4, 6),
    ("2017-11-06", 14, (0,), (), "", "11-13", "11-27", "11-20", "12-04", 20, 27),
    ("2017-12-22", 2, (), (), "2017-12-24 2017-12-25 2017-12-26", "12-23", "12-27", "12-27", "12-29", 4, 6),
    ("2024-02-28", 1, (), (), "", "02-29", "03-01", "03-01", "03-02", 1, 2),
    ("2017-12-31", 5, (1,), (0,), "", "01-02", "01-08", "01-09", "01-15", 7, 14),
]


@pytest.mark.parametrize("row", BY_HAND, ids=range(1, len(BY_HAND) + 1))
def test_twenty_calendars_by_hand(
    row: tuple[str, int, tuple[int, ...], tuple[int, ...], str, str, str, str, str, int, int],
) -> None:
    as_of, lead, orders, receipts, closed = row[:5]
    found = next_opportunity(
        date.fromisoformat(as_of), lead, orders, receipts, tuple(date.fromisoformat(day) for day in closed.split())
    )
    assert found is not None
    told = (found.order_on, found.arrive_on, found.next_order_on, found.next_arrive_on)
    assert tuple(day.strftime("%m-%d") for day in told) == row[5:9]
    assert (found.lead_days, found.protection_days) == row[9:]


@pytest.mark.parametrize(
    ("local_time", "first"),
    [
        (None, "11-06"),
        ("2017-11-05T23:59:59", "11-06"),  # the day that closed
        ("2017-11-06T00:00:00", "11-06"),
        ("2017-11-06T12:00:00", "11-06"),  # the cut-off itself still counts
        ("2017-11-06T12:00:01", "11-07"),
        ("2017-11-07T11:59:00", "11-07"),  # a day that was not closed is over all the same
        ("2017-11-12T12:00:01", "11-13"),
        ("2017-11-13T08:00:00", "11-06"),  # a wrong clock, or no day closed for a week: nobody knows the time
    ],
)
def test_a_day_counts_until_its_cut_off(local_time: str | None, first: str) -> None:
    moment = None if local_time is None else datetime.fromisoformat(local_time)
    assert first_order_day(SUNDAY, "12:00", moment).strftime("%m-%d") == first
    assert first_order_day(SUNDAY, None, moment).strftime("%m-%d") == "11-06"


def test_after_the_cut_off_the_next_order_day_counts_and_not_just_the_next_day() -> None:
    missed = first_order_day(SUNDAY, "12:00", datetime.fromisoformat("2017-11-06T14:05"))
    found = next_opportunity(SUNDAY, 3, (0, 3), (), (), missed)
    assert found is not None
    assert (found.order_on, found.arrive_on) == (date(2017, 11, 9), date(2017, 11, 12))
    assert (found.next_order_on, found.next_arrive_on) == (date(2017, 11, 13), date(2017, 11, 16))
    assert (found.lead_days, found.protection_days) == (6, 10)
