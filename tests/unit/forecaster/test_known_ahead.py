"""Promotions that were told are regressors of the days ahead: worlds whose truth is known, and no look into the future."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest

from services.forecaster.domain.calendars import Place
from services.forecaster.domain.features import LEAD_FEATURES, origin_features
from services.forecaster.domain.frame import Frame, ItemRecord
from services.forecaster.domain.known_ahead import HOLIDAY, KnownSignal, Told, knows, lay, learnable
from services.forecaster.domain.panel import FloatArray
from services.forecaster.domain.training import training_rows
from services.forecaster.model.gradient_boosting import GradientBoosting, known_names
from tests.unit.forecaster.worlds import FIRST_DAY, retail

LEADS = np.arange(1, 29)


def evening(day: date) -> datetime:
    return datetime.combine(day, time(20), tzinfo=UTC)


def frame_of(items: int, days: int, demand: FloatArray | None = None) -> tuple[Frame, FloatArray]:
    world, mean = retail(items, days, seed=11)
    world = world if demand is None else replace(world, demand=demand)
    records = tuple(
        ItemRecord(f"s{row}", "L1", 0, "even" if row % 2 == 0 else "odd", FIRST_DAY, world.last_day)
        for row in range(items)
    )
    zeros = np.zeros(items, dtype=np.int64)
    return Frame(records, world, zeros + days - 1, np.zeros((items, days), dtype=np.bool_), zeros, zeros), mean


def promotion(sku: str | None, first: int, last: int, told: int, *, strength: float = 2.0, **scope: str) -> KnownSignal:
    begins, ends = FIRST_DAY + timedelta(days=first), FIRST_DAY + timedelta(days=last + 1)
    return KnownSignal(
        "promotion", sku, scope.get("location"), scope.get("category"), strength, 1.0,
        datetime.combine(begins, time(), tzinfo=UTC), datetime.combine(ends, time(), tzinfo=UTC),
        evening(FIRST_DAY + timedelta(days=told)),
    )  # fmt: skip


@pytest.mark.slow
def test_a_promotion_that_was_told_is_in_the_forecast_at_its_true_effect_whatever_the_hint_said() -> None:
    """A week of promotion sells 2.5 times as much; the hint said three times. Blind, the week is far too low."""
    generator = np.random.default_rng(3)
    items, days, origin = 240, 330, 301
    plain, mean = frame_of(items, days)
    on = np.zeros((items, days), dtype=np.bool_)
    signals = []
    for item in range(items):
        for start in generator.integers(30, 295, 5).tolist():
            signals.append(promotion(f"s{item}", start, start + 6, start - 14, strength=3.0))
            on[item, start : start + 7] = True
    on[:, 302:] = False
    signals = [one for one in signals if one.ends_at.date() <= FIRST_DAY + timedelta(days=302)]
    for item in range(60):
        signals.append(promotion(f"s{item}", 308, 314, 290, strength=3.0))
        on[item, 308:315] = True
    demand = np.where(on, generator.poisson(plain.panel.demand * 2.5), plain.panel.demand).astype(np.float64)
    frame, _ = frame_of(items, days, demand)
    quick = GradientBoosting(rounds=80, rows_max=120_000, lead_max=28)
    week = slice(308 - 302, 315 - 302)
    truth = (2.5 * mean[:60, 308:315]).sum()
    cut = replace(frame, panel=frame.panel.until(origin))
    told = learnable(cut, Told(signals))
    assert told.panel.known_names == ("promotion",)
    fitted = quick.fit(told.panel)
    assert known_names(fitted.feature_names) == ("promotion",)
    said = fitted.expected(told.panel, origin, 28)
    assert said.by_day[:60, week].sum() == pytest.approx(truth, rel=0.15)
    blind = quick.fit(cut.panel).expected(cut.panel, origin, 28)
    assert blind.by_day[:60, week].sum() < 0.65 * truth
    # Items without a promotion ahead are not touched by those of others.
    assert said.by_day[60:, week].sum() == pytest.approx(mean[60:, 308:315].sum(), rel=0.1)
    assert knows(told, origin, np.array([0, 100])) == [("knows_promotion",), ()]


def test_what_is_told_after_an_origin_changes_nothing_at_it() -> None:
    frame, _ = frame_of(20, 120)
    early = [promotion("s3", 70, 80, 60), promotion(None, 85, 90, 62, category="odd")]
    late = [promotion("s3", 72, 78, 71), promotion("s4", 75, 79, 76), promotion(None, 71, 119, 71)]
    base, planted = (lay(frame, Told(signals), ["promotion"]) for signals in (early, [*early, *late]))
    one, other = (origin_features(each.panel, 65, LEADS) for each in (base, planted))
    untouched = np.array([row for row in range(20) if row != 3 and row % 2 == 0])
    np.testing.assert_array_equal(one.lead[untouched], other.lead[untouched])
    at_target = len(LEAD_FEATURES)
    assert not one.lead[4, :, at_target].any()
    assert origin_features(planted.panel, 76, LEADS).lead[4, :, at_target].all()  # told on day 71: it is known now
    # An origin before anything was told sees the same as a world without promotions.
    none = lay(frame, Told(), ["promotion"])
    before, empty = (origin_features(each.panel, 59, LEADS) for each in (planted, none))
    np.testing.assert_array_equal(before.lead, empty.lead)
    rows, plain = (training_rows(each.panel.until(60), seed=1) for each in (planted, none))
    np.testing.assert_array_equal(rows.features, plain.features)


def test_days_are_local_scopes_hold_and_a_kind_that_is_hardly_seen_is_left_to_those_who_plan() -> None:
    frame, _ = frame_of(6, 60)
    west = lay(frame, Told([promotion("s1", 10, 12, 5)], {"L1": Place("America/New_York")}), ["promotion"]).panel
    assert np.flatnonzero(west.known[1, :, 0]).tolist() == [9, 10, 11, 12]  # from 19:00 of the day before
    utc = lay(frame, Told([promotion(None, 10, 12, 5, category="odd")]), ["promotion"]).panel
    assert [np.flatnonzero(utc.known[row, :, 0]).tolist() for row in (0, 1)] == [[], [10, 11, 12]]
    assert utc.known[1, 10, 0] == pytest.approx(np.log(2.0))
    assert learnable(frame, Told([promotion("s1", 10, 12, 5)])).panel.known_names == ()
    assert learnable(frame, Told([promotion(None, 10, 40, 5)])).panel.known_names == ("promotion",)


@pytest.mark.slow
def test_holidays_of_a_locations_country_and_region_are_in_the_forecast_at_their_true_effect() -> None:
    """A public holiday sells three times as much. Two years teach it; a place whose country nobody said stays blind."""
    items, days, origin = 150, 730, (date(2024, 12, 15) - FIRST_DAY).days
    england = Place("Europe/London", "GB", "ENG")
    off = np.array([FIRST_DAY + timedelta(days=day) in england.holidays(FIRST_DAY, date(2025, 3, 1))
                    for day in range(days)])  # fmt: skip
    assert 16 <= off.sum() <= 18  # eight a year, and a coronation
    plain, mean = frame_of(items, days)
    frame, _ = frame_of(items, days, np.where(off, np.round(plain.panel.demand * 3.0), plain.panel.demand))
    cut = replace(frame, panel=frame.panel.until(origin))
    told = learnable(cut, Told(places={"L1": england}))
    assert told.panel.known_names == (HOLIDAY,)
    quick = GradientBoosting(rounds=80, rows_max=120_000, lead_max=28)
    ahead = days - 1 - origin
    said = quick.fit(told.panel).expected(told.panel, origin, ahead).by_day
    on = off[origin + 1 :]
    assert on.sum() == 2  # Christmas and Boxing Day
    truth = mean[:, origin + 1 :] * np.where(on, 3.0, 1.0)
    assert said[:, on].sum() == pytest.approx(truth[:, on].sum(), rel=0.2)
    assert said[:, ~on].sum() == pytest.approx(truth[:, ~on].sum(), rel=0.1)
    blind = learnable(cut, Told(places={"L1": Place("Europe/London")}))
    assert blind.panel.known_names == ()
    assert quick.fit(blind.panel).expected(blind.panel, origin, ahead).by_day[:, on].sum() < 0.6 * truth[:, on].sum()
    # Everybody knows the calendar: it flags nothing, and a few holidays teach nothing.
    assert knows(told, origin, np.array([0])) == [()]
    short = replace(frame, panel=frame.panel.until(60))
    assert learnable(short, Told(places={"L1": england})).panel.known_names == ()


def test_holidays_are_those_of_the_place_and_a_country_or_region_nobody_knows_is_no_failure() -> None:
    year = (date(2024, 1, 1), date(2024, 12, 31))
    assert date(2024, 7, 4) in Place(country="US").holidays(*year)
    assert date(2024, 1, 2) in Place(country="GB", region="SCT").holidays(*year)
    assert date(2024, 1, 2) not in Place(country="GB", region="ENG").holidays(*year)
    assert Place(country="GB", region="ZZ").holidays(*year) == Place(country="GB").holidays(*year)
    assert Place(country="XX").holidays(*year) == Place().holidays(*year) == {}
    frame, _ = frame_of(4, 200)
    far = replace(
        frame,
        items=tuple(replace(one, location=f"L{row}") for row, one in enumerate(frame.items)),
        panel=replace(frame.panel, location=np.arange(4)),
    )
    places = {"L0": Place(country="US"), "L1": Place(country="GB", region="ENG")}
    laid = lay(far, Told(places=places), ["promotion", HOLIDAY]).panel
    found = [{laid.day(column) for column in np.flatnonzero(laid.known[row, :, 1]).tolist()} for row in range(4)]
    until = FIRST_DAY + timedelta(days=199 + 56)
    assert found == [set(places[f"L{row}"].holidays(FIRST_DAY, until)) if row < 2 else set() for row in range(4)]
    assert not laid.known[:, :, 0].any()
