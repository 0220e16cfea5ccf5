"""Signals in business days of a place, and closed doors by the forecaster's own rule."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.forecaster.domain.known_ahead import KnownSignal
from services.gateway.domain.signals import days_of, is_closing, moments_of

NEW_YORK, AUCKLAND = ZoneInfo("America/New_York"), ZoneInfo("Pacific/Auckland")
CLOSING: dict[str, Any] = {
    "kind": "holiday_peak", "strength": 0, "probability": "1", "advisory": False, "scope": {"location": "367"},
}  # fmt: skip


@given(
    st.dates(date(2000, 1, 1), date(2090, 1, 1)),
    st.integers(0, 400),
    st.sampled_from(["UTC", "America/New_York", "Pacific/Auckland", "Asia/Kathmandu", "Africa/Cairo"]),
)
def test_days_told_are_the_days_shown_in_every_zone(first: date, more: int, zone: str) -> None:
    last = first + timedelta(days=more)
    assert days_of(*moments_of(first, last, ZoneInfo(zone)), ZoneInfo(zone)) == (first, last)


def test_the_day_on_which_clocks_change_has_its_own_length() -> None:
    """New York, 1 November 2026, the US rule of 2007: 25 hours."""
    begins, over = moments_of(date(2026, 11, 1), date(2026, 11, 1), NEW_YORK)
    assert (begins, over - begins) == (datetime(2026, 11, 1, 4, tzinfo=UTC), timedelta(hours=25))


def test_a_day_that_begins_at_one_o_clock_belongs_to_no_signal_that_ends_then() -> None:
    """Cairo, 30 April 2032, law 24 of 2023: clocks go from midnight of the last Friday of April to one o'clock."""
    cairo, day = ZoneInfo("Africa/Cairo"), date(2032, 4, 29)
    assert days_of(*moments_of(day, day, cairo), cairo) == (day, day)


def test_a_signal_is_shown_on_the_days_of_its_place_and_not_of_utc() -> None:
    begins, over = datetime(2026, 6, 9, 12, tzinfo=UTC), datetime(2026, 6, 11, 12, tzinfo=UTC)
    assert days_of(begins, over, AUCKLAND) == (date(2026, 6, 10), date(2026, 6, 11))
    assert days_of(begins, over, ZoneInfo("UTC")) == (date(2026, 6, 9), date(2026, 6, 11))


@pytest.mark.parametrize(
    ("change", "shuts"),
    [
        ({}, True),
        ({"kind": "promotion"}, True),
        ({"strength": 0.5}, False),
        ({"probability": "0.9"}, False),
        ({"kind": "supply_disruption"}, False),
        ({"scope": {"location": "367", "sku": "1"}}, False),
        ({"scope": {"location": "367", "category": "Milk"}}, False),
        ({"scope": {}}, False),
    ],
)
def test_doors_are_shut_here_exactly_where_the_forecaster_shuts_them(change: dict[str, Any], shuts: bool) -> None:
    told = CLOSING | change
    scope, moment = told["scope"], datetime(2026, 1, 1, tzinfo=UTC)
    known = KnownSignal(
        told["kind"], scope.get("sku"), scope.get("location"), scope.get("category"), float(told["strength"]),
        float(told["probability"]), moment, moment, moment,
    )  # fmt: skip
    assert is_closing(told) is known.is_closure is shuts


def test_what_is_only_advisory_shuts_nothing() -> None:
    assert not is_closing(CLOSING | {"advisory": True})
