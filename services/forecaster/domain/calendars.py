"""Public holidays of a place: known years ahead, and as old as the calendar itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import MappingProxyType

import holidays

# Calendars kept at once: a tenant's places lie in a handful of countries and regions.
KEPT_CALENDARS = 128


@dataclass(frozen=True, slots=True)
class Place:
    """Where a location is: IANA time zone, ISO 3166-1 country, ISO 3166-2 region without the country (None: not known)."""

    time_zone: str = "UTC"
    country: str | None = None
    region: str | None = None

    def holidays(self, first: date, last: date) -> dict[date, str]:
        """Its public holidays from `first` to `last`, as observed, by name; none where the country is not known."""
        if self.country is None:
            return {}
        years = range(first.year, last.year + 1)
        found = [one for year in years for one in _of_year(self.country, self.region, year).items()]
        return {day: name for day, name in sorted(found) if first <= day <= last}


Places = Mapping[str, Place]


@lru_cache(maxsize=KEPT_CALENDARS)
def _of_year(country: str, region: str | None, year: int) -> Mapping[date, str]:
    """From the package `holidays`. A region it does not know has its country's days; a country it does not know, none."""
    try:
        found = holidays.country_holidays(country, subdiv=region, years=year)
    except NotImplementedError:
        return _of_year(country, None, year) if region is not None else {}
    return MappingProxyType(dict(found))
