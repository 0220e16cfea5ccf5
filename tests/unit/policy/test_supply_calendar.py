"""Order and receipt days by the supplier's calendar: the interval to protect is counted, not assumed."""

from datetime import date, timedelta

import pytest

from services.policy.domain.supply_calendar import next_opportunity

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
