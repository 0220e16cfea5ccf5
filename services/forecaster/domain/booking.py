"""Daily demand as a sum of events: commutative, so that late and out-of-order events land on the same numbers.

An event whose business day is already closed for its partition is a correction: it changes the day all the same, raises
the day's revision by one, and makes the item due for a new forecast.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

WHOLE_LOCATION = -1  # the partition of a close that names none
NOTHING = Decimal(0)

Day = tuple[str, str, date]  # sku, location, business date
Item = tuple[str, str]  # sku, location
Closing = tuple[str, int]  # location, partition of the sales topic


class Kind(Enum):
    """What happened at the till."""

    SALE = "sale"
    VOID = "void"
    RETURN = "return"


class Fact(NamedTuple):
    """One line: `quantity` > 0 in stocking units; `counts_again` for a promoted sale, or a return put back on sale.

    A named tuple: one is made per event, in half the time of a frozen dataclass.
    """

    kind: Kind
    sku: str
    location: str
    business_date: date
    quantity: Decimal
    partition: int
    cause: str
    cause_at: datetime
    counts_again: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    """All sales of `business_date` are in, for one partition of a location or (WHOLE_LOCATION) for all of it."""

    location: str
    partition: int
    business_date: date
    cause: str
    cause_at: datetime


@dataclass(slots=True)
class Change:
    """What a batch adds to one item's day, in units; `late` events arrived after the day was closed."""

    quantity: Decimal = NOTHING
    returned: Decimal = NOTHING
    restocked: Decimal = NOTHING
    promoted: Decimal = NOTHING
    late: int = 0

    @property
    def is_more_than_sales(self) -> bool:
        """Whether anything but the quantity changed; most days it did not."""
        return bool(self.late or self.returned or self.promoted)


@dataclass(slots=True)
class Booking:
    """What a batch of events comes to. `items` gives each item's partition and the first day seen in the batch."""

    days: dict[Day, Change] = field(default_factory=dict)
    items: dict[Item, tuple[int, date]] = field(default_factory=dict)
    corrected: dict[Item, tuple[str, datetime]] = field(default_factory=dict)
    closes: dict[Closing, Close] = field(default_factory=dict)


def last_closed(closed: Mapping[Closing, date], location: str, partition: int) -> date | None:
    """The last day that is closed for items of this partition, by its own close or one of the whole location."""
    days = [closed[key] for key in ((location, partition), (location, WHOLE_LOCATION)) if key in closed]
    return max(days, default=None)


def book(entries: Iterable[Fact | Close], closed: Mapping[Closing, date]) -> Booking:
    """Sum a batch, in order. `closed` is what was closed before it; closes in the batch count from where they stand.

    A close for a day that is closed already changes nothing.
    """
    booking = Booking()
    known = dict(closed)
    ends: dict[Closing, date | None] = {}  # what `last_closed` says, until the next close
    for entry in entries:
        if isinstance(entry, Close):
            before = known.get((entry.location, entry.partition))
            if before is None or entry.business_date > before:
                known[(entry.location, entry.partition)] = entry.business_date
                booking.closes[(entry.location, entry.partition)] = entry
                ends.clear()
            continue
        _add(booking, entry)
        place = (entry.location, entry.partition)
        if place not in ends:
            ends[place] = last_closed(known, *place)
        end = ends[place]
        if end is not None and entry.business_date <= end:
            booking.days[(entry.sku, entry.location, entry.business_date)].late += 1
            booking.corrected[(entry.sku, entry.location)] = (entry.cause, entry.cause_at)
    return booking


def without_corrections(booking: Booking) -> Booking:
    """The same sums, nothing of it late: for events whose corrections were counted when they came first."""
    days = {key: replace(change, late=0) for key, change in booking.days.items()}
    return Booking(days, booking.items, {}, booking.closes)


def _add(booking: Booking, fact: Fact) -> None:
    key = (fact.sku, fact.location, fact.business_date)
    change = booking.days.get(key)
    if change is None:
        change = booking.days[key] = Change()
    item = (fact.sku, fact.location)
    seen = booking.items.get(item)
    if seen is None or fact.business_date < seen[1]:
        booking.items[item] = (fact.partition, fact.business_date)
    if fact.kind is Kind.SALE:
        change.quantity += fact.quantity
        if fact.counts_again:
            change.promoted += fact.quantity
    elif fact.kind is Kind.VOID:
        change.quantity -= fact.quantity
    else:
        change.returned += fact.quantity
        if fact.counts_again:
            change.restocked += fact.quantity
