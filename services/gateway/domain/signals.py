"""Signals as people speak of them: in business days of a place, and one of them as what it is, a closed door."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from kernel.closing import shuts_doors

ONE_DAY = timedelta(days=1)
INSTANT = timedelta.resolution


def moments_of(first: date, last: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """When these days begin and are over at a place, both of them included, in UTC."""
    begins, over = (datetime.combine(day, time(), zone) for day in (first, last + ONE_DAY))
    return begins.astimezone(UTC), over.astimezone(UTC)


def days_of(starts_at: datetime, ends_at: datetime, zone: tzinfo) -> tuple[date, date]:
    """First and last day of a signal at a place. One that ends when a day begins says nothing of that day, also where the
    day begins at one o'clock, as in Cairo when the clocks are put forward."""
    first, last = (moment.astimezone(zone).date() for moment in (starts_at, ends_at.astimezone(UTC) - INSTANT))
    return first, max(first, last)


def in_days(signal: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
    """The same signal with its first and last business day in `zone`, and whether it shuts doors."""
    first, last = days_of(datetime.fromisoformat(signal["starts_at"]), datetime.fromisoformat(signal["ends_at"]), zone)
    return {**signal, "first_on": first.isoformat(), "last_on": last.isoformat(), "is_closing": is_closing(signal)}


def is_closing(signal: Mapping[str, Any]) -> bool:
    """Whether it shuts the doors of a location; what is advisory shuts nothing."""
    kind, strength, probability = signal["kind"], float(signal["strength"]), float(signal["probability"])
    return not signal["advisory"] and shuts_doors(kind, strength, probability, signal["scope"])
