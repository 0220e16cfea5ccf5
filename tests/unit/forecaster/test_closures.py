"""Closed doors on public holidays: a world whose truth is known, learned from the past only."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from kernel.distribution import HORIZONS_DAYS
from services.forecaster.domain.calendars import Place
from services.forecaster.domain.calibration import collect
from services.forecaster.domain.closures import shut_ahead
from services.forecaster.domain.frame import Frame, ItemRecord
from services.forecaster.domain.known_ahead import Told, lay
from services.forecaster.domain.panel import FloatArray
from services.forecaster.model.pipeline import baseline
from services.forecaster.model.strategies import SIMPLE
from tests.unit.forecaster.worlds import FIRST_DAY, retail

ENGLAND = Place("Europe/London", "GB", "ENG")
ITEMS, DAYS = 60, 730
CHRISTMAS = (date(2023, 12, 25), date(2024, 12, 25))


def column(day: date) -> int:
    return (day - FIRST_DAY).days


def world(shut: set[date], until: date, place: Place = ENGLAND) -> tuple[Frame, FloatArray]:
    """One location with its calendar, known up to `until`, without a sale on the days it was shut; and its true means."""
    plain, mean = retail(ITEMS, DAYS, seed=12)
    demand = plain.demand.copy()
    for day in shut:
        demand[:, column(day)] = 0.0
        mean[:, column(day)] = 0.0
    origin = column(until)
    records = tuple(ItemRecord(f"s{row}", "L1", 0, None, FIRST_DAY, until) for row in range(ITEMS))
    zeros = np.zeros(ITEMS, dtype=np.int64)
    hidden = np.zeros((ITEMS, origin + 1), dtype=np.bool_)
    frame = Frame(records, replace(plain, demand=demand[:, : origin + 1]), zeros + origin, hidden, zeros, zeros)
    return lay(frame, Told(places={"L1": place}), ()), mean


def shut_days(frame: Frame, origin: int, days: int = 56) -> set[date]:
    found = shut_ahead(frame.panel, origin, days)
    return (
        set()
        if found is None
        else {frame.panel.day(origin + 1 + ahead) for ahead in np.flatnonzero(found.any(axis=0)).tolist()}
    )


def test_a_holiday_that_was_shut_last_year_sells_nothing_and_one_that_was_open_sells() -> None:
    until = date(2024, 12, 15)
    frame, mean = world(set(CHRISTMAS), until)
    origin, christmas = column(until), column(CHRISTMAS[1]) - column(until) - 1
    said = baseline(frame.panel, origin).forecast(frame.panel, origin).by_day[:, :14]
    assert (said[:, christmas] == 0).all() and (said[:, christmas + 1].mean() > 1)  # Boxing Day was open
    truth = mean[:, origin + 1 : origin + 15].sum()
    assert said.sum() == pytest.approx(truth, rel=0.03)
    nowhere, _ = world(set(CHRISTMAS), until, Place("Europe/London"))
    blind = baseline(nowhere.panel, origin).forecast(nowhere.panel, origin).by_day[:, :14]
    assert blind[:, christmas].mean() > 1 and blind.sum() > 1.05 * truth


def test_on_the_eve_of_closed_doors_every_quantile_of_the_next_day_is_zero_and_later_ones_are_not() -> None:
    eve = CHRISTMAS[1] - timedelta(days=1)
    frame, _ = world(set(CHRISTMAS), eve)
    for name in ("seasonal_mean", "theta", "tsb"):
        voice = baseline(frame.panel, column(eve), SIMPLE[name])
        said = voice.forecast(frame.panel, column(eve), np.array([0, 7, 59]))
        assert (said.quantiles[:, 0] == 0).all() and (said.quantiles[:, 1, -1] > 0).all()


def test_of_a_holiday_nobody_has_seen_the_others_speak_and_only_if_all_were_shut() -> None:
    until = date(2023, 12, 15)
    year = sorted(ENGLAND.holidays(FIRST_DAY, until))
    assert len(year) >= 5
    frame, _ = world(set(year), until)
    assert shut_days(frame, column(until), 17) == {date(2023, 12, 25), date(2023, 12, 26), date(2024, 1, 1)}
    frame, _ = world(set(year[:-1]), until)  # open on the last one
    assert shut_days(frame, column(until), 17) == set()


def test_what_the_doors_did_after_an_origin_does_not_speak_at_it() -> None:
    frame, _ = world(set(CHRISTMAS), date(2024, 11, 20))
    assert shut_days(frame, column(date(2023, 12, 15))) == set()
    assert shut_days(frame, column(date(2024, 11, 20))) == {CHRISTMAS[1]}


def test_a_place_that_sells_little_or_is_always_shut_on_that_weekday_says_nothing_about_its_doors() -> None:
    frame, _ = world({CHRISTMAS[0]}, date(2024, 12, 15))
    few = replace(frame, items=frame.items[:4], panel=frame.panel.take(np.arange(4)))
    few = lay(few, Told(places={"L1": ENGLAND}), ())
    assert shut_days(few, column(date(2024, 12, 15))) == set()
    mondays = {FIRST_DAY + timedelta(days=7 * week) for week in range(DAYS // 7)}
    frame, _ = world(mondays, date(2024, 12, 15))  # Christmas 2023 was a Monday
    assert shut_days(frame, column(date(2024, 12, 15))) == set()


def test_windows_over_a_day_of_closed_doors_are_not_lost_to_calibration_and_those_over_a_stock_out_are() -> None:
    frame, _ = world(set(CHRISTMAS), date(2024, 12, 31))
    demand = frame.panel.demand.copy()
    demand[:, [column(day) for day in CHRISTMAS]] = np.nan  # as the service keeps them
    demand[7, column(CHRISTMAS[1]) - 3] = np.nan  # out of stock
    origin = column(date(2024, 12, 12))
    fortnight = HORIZONS_DAYS.index(14)
    told, untold = (
        collect(replace(frame.panel, demand=demand, holidays=calendar), SIMPLE["seasonal_mean"], [origin])[fortnight]
        for calendar in (frame.panel.holidays, {})
    )
    # Whether the doors were expected to be shut or not: nothing was sold through them, and nothing counts as expected.
    np.testing.assert_allclose(told.expected, untold.expected)
    np.testing.assert_array_equal(told.realised, untold.realised)
    assert len(told.expected) == ITEMS - 1
    whole = SIMPLE["seasonal_mean"].expected(frame.panel.until(origin), origin, 14).by_day.sum()
    assert told.expected.sum() == pytest.approx(whole * 13 / 14, rel=0.05)
