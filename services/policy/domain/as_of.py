"""A position as it was at a past moment: the movements up to it folded again, by all that is known or by what was known then."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from services.policy.domain.movements import DIRECTIONS

COUNT = "count"
# What moves something other than the shelf: no count speaks for it, so it matters however long ago it was.
PROMISES = tuple(sorted(kind for kind, (_shelf, *others) in DIRECTIONS.items() if any(others)))


class Entry(NamedTuple):
    """One ledger entry. `received_at`: when this service first took the event; None where that is not kept. `took_effect`: of a
    count, whether it changed on hand when it was booked."""

    event_hash: str
    kind: str
    quantity: Decimal
    occurred_at: datetime
    received_at: datetime | None
    order_id: str | None = None
    took_effect: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and what it is the sum of: the count it begins with, if there was one, and the movements since, oldest first."""

    quantity: Decimal
    counted: Entry | None
    moved: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class State:
    """A position at a moment."""

    on_hand: Figure
    reserved: Figure
    backorders: Figure


def was_known(entry: Entry, known_at: datetime) -> bool:
    """Whether this service had the event by then. One whose arrival is not kept is taken for known: nothing says it was late."""
    return entry.received_at is None or entry.received_at <= known_at


def state(entries: Iterable[Entry], at: datetime, known_at: datetime | None = None) -> State | None:
    """The position at `at` by the time at which things happened; None before the first of them.

    Without `known_at` everything known counts, however late it came; with it, only what had arrived by then. A count speaks for
    the shelf up to its own moment and for nothing after it, as in the ledger.
    """
    known = sorted(
        (one for one in entries if one.occurred_at <= at and (known_at is None or was_known(one, known_at))),
        key=lambda one: (one.occurred_at, one.event_hash),
    )
    if not known:
        return None
    counts = [one for one in known if one.kind == COUNT]
    # Of two counts of one moment the ledger took one: the one that changed something.
    counted = max(counts, key=lambda one: (one.occurred_at, one.took_effect, one.event_hash), default=None)
    moved = [one for one in known if one.kind != COUNT]
    since = [one for one in moved if counted is None or one.occurred_at > counted.occurred_at]
    return State(_figure(since, 0, counted), _figure(moved, 1), _figure(moved, 2))


def _figure(moved: Iterable[Entry], place: int, counted: Entry | None = None) -> Figure:
    """The sum of what moved this part (on hand, reserved, backorders) of a position."""
    mine = tuple(one for one in moved if DIRECTIONS[one.kind][place])
    begins = counted.quantity if counted is not None else Decimal(0)
    return Figure(
        sum((one.quantity * DIRECTIONS[one.kind][place] for one in mine), begins),
        counted,
        mine,
    )


def late(entries: Iterable[Entry], at: datetime, known_at: datetime) -> list[Entry]:
    """What had happened by `at` and was not known by `known_at`, in the order it came."""
    missed = [one for one in entries if one.occurred_at <= at and not was_known(one, known_at)]
    return sorted(missed, key=lambda one: (one.received_at or at, one.event_hash))
