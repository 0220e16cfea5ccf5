"""Closed doors, on public holidays and as told: a world whose truth is known, learned from the past only."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest

from kernel.distribution import HORIZONS_DAYS
from services.forecaster.domain.calendars import Place
from services.forecaster.domain.calibration import collect
from services.forecaster.domain.closures import shut_ahead
from services.forecaster.domain.frame import Frame, ItemRecord
from services.forecaster.domain.known_ahead import KnownSignal, Told, knows, lay
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


def closing(first: date, last: date, told: date, **more: object) -> KnownSignal:
    """A calendar's word that L1 keeps its doors shut."""
    midnight = (datetime.combine(day, time(), tzinfo=UTC) for day in (first, last + timedelta(days=1), told))
    scope = {"sku": None, "location": "L1", "category": None, "strength": 0.0, "probability": 1.0} | more
    kind = str(scope.pop("kind", "holiday_peak"))
    return KnownSignal(kind, **scope, **dict(zip(("starts_at", "ends_at", "told_at"), midnight, strict=True)))  # type: ignore[arg-type]


FITTING_OUT = (date(2024, 10, 14), date(2024, 10, 20))


def test_a_forecast_says_that_it_knows_of_closed_doors_from_when_they_were_told_until_they_open() -> None:
    plain, _ = world(set(), date(2024, 10, 30))
    frame = lay(plain, Told([closing(*FITTING_OUT, date(2024, 10, 1))]), ())
    days = {
        day: knows(frame, column(day), np.array([0, 7]))
        for day in (date(2024, 9, 30), date(2024, 10, 2), FITTING_OUT[1])
    }
    assert list(days.values()) == [[()] * 2, [("knows_closing",)] * 2, [()] * 2]
    early = lay(plain, Told([closing(*FITTING_OUT, date(2024, 6, 1))]), ())
    assert knows(early, column(date(2024, 8, 1)), np.array([0])) == [()], "it lies beyond the horizon"


def test_doors_that_were_told_to_be_shut_sell_nothing_on_those_days_and_as_before_on_the_others() -> None:
    until = date(2024, 10, 10)
    plain, mean = world(set(), until)
    origin, first = column(until), column(FITTING_OUT[0]) - column(until) - 1
    frame = lay(plain, Told([closing(*FITTING_OUT, date(2024, 10, 1))]), ())
    said, unaware = (baseline(one.panel, origin).forecast(one.panel, origin).by_day[:, :28] for one in (frame, plain))
    assert (said[:, first : first + 7] == 0).all()
    np.testing.assert_array_equal(
        np.delete(said, range(first, first + 7), 1), np.delete(unaware, range(first, first + 7), 1)
    )
    truth = np.delete(mean[:, origin + 1 : origin + 29], range(first, first + 7), 1).sum()
    assert said.sum() == pytest.approx(truth, rel=0.03)
    assert unaware.sum() > 1.2 * truth


def test_closures_speak_from_the_day_they_were_told_on_and_only_of_what_is_certain_of_the_whole_place() -> None:
    plain, _ = world(set(), date(2024, 10, 13))
    frame = lay(plain, Told([closing(*FITTING_OUT, date(2024, 10, 8))]), ())
    week = {FITTING_OUT[0] + timedelta(days=day) for day in range(7)}
    assert shut_days(frame, column(date(2024, 10, 7))) == set()
    assert shut_days(frame, column(date(2024, 10, 8))) == week
    assert shut_days(frame, column(date(2024, 10, 16))) == {day for day in week if day > date(2024, 10, 16)}
    for less in ({"sku": "s1"}, {"location": None}, {"category": "A"}, {"strength": 0.1}, {"probability": 0.9},
                 {"kind": "supply_disruption"}):  # fmt: skip
        told = Told([closing(*FITTING_OUT, date(2024, 10, 8), **less)])
        assert shut_days(lay(plain, told, ()), column(date(2024, 10, 13))) == set(), less


def test_a_small_place_that_was_told_to_be_shut_does_not_forget_what_it_sells() -> None:
    """Four items are too few for the days to tell by themselves that the doors were shut: the zeros would count."""
    shut = {date(2024, 10, 1) + timedelta(days=day) for day in range(14)}
    until = date(2024, 10, 16)
    frame, mean = world(shut, until)
    few = replace(frame, items=frame.items[:4], panel=frame.panel.take(np.arange(4)))
    told = lay(few, Told([closing(min(shut), max(shut), date(2024, 9, 20))]), ())
    origin = column(until)
    truth = mean[:4, origin + 1 : origin + 29].sum()
    knowing, naive = (SIMPLE["seasonal_mean"].expected(one.panel, origin, 28).by_day.sum() for one in (told, few))
    assert knowing == pytest.approx(truth, rel=0.1)
    assert naive < 0.85 * truth
    # A day that was told to be shut and sold something was open.
    opened = few.panel.demand.copy()
    opened[0, column(max(shut))] = 3.0
    kept = lay(
        replace(few, panel=replace(few.panel, demand=opened)), Told([closing(min(shut), max(shut), min(shut))]), ()
    )
    assert np.isnan(kept.panel.demand[:, column(min(shut))]).all()
    np.testing.assert_array_equal(kept.panel.demand[:, column(max(shut))], opened[:, column(max(shut))])
