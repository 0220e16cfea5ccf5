"""A position at a past moment is the fold of the movements up to it, whatever came late, out of order or after it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from services.policy.domain.as_of import COUNT, PROMISES, Entry, State, late, state
from services.policy.domain.movements import DIRECTIONS, SIGNED_KINDS
from tests.examples import examples

START = datetime(2017, 11, 1, tzinfo=UTC)
HOURS = 12
hours = st.integers(0, HOURS)
units = st.integers(0, 50).map(Decimal)


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


@st.composite
def ledgers(draw: st.DrawFn) -> list[Entry]:
    """Movements and counts, few enough moments that they meet; each came when it happened or later, in any order."""
    number = count()

    def entry(kind: str, happened: int, delay: int | None) -> Entry:
        quantity = draw(units) * (draw(st.sampled_from((1, -1))) if kind in SIGNED_KINDS else 1)
        received = None if delay is None else hour(happened + delay)
        return Entry(f"{next(number):04}", kind, quantity, hour(happened), received, None, kind == COUNT)

    delays = st.none() | st.integers(0, HOURS)
    moved = [
        entry(kind, happened, delay)
        for kind, happened, delay in draw(
            st.lists(st.tuples(st.sampled_from(sorted(DIRECTIONS)), hours, delays), max_size=20)
        )
    ]
    # Of two counts of one moment nobody can say which is right, so there is one.
    counted = [entry(COUNT, happened, draw(delays)) for happened in draw(st.lists(hours, max_size=4, unique=True))]
    return draw(st.permutations(moved + counted))


def walked(entries: list[Entry], is_in: Callable[[Entry], bool]) -> tuple[Decimal, Decimal, Decimal] | None:
    """The position step by step: one entry after the other, a count after what happened in its moment."""
    position = [Decimal(0)] * 3
    told = [one for one in entries if is_in(one)]
    for one in sorted(told, key=lambda one: (one.occurred_at, one.kind == COUNT)):
        if one.kind == COUNT:
            position[0] = one.quantity
            continue
        for part, direction in enumerate(DIRECTIONS[one.kind]):
            position[part] += direction * one.quantity
    return (position[0], position[1], position[2]) if told else None


def had_come(one: Entry, by: datetime) -> bool:
    return one.received_at is None or one.received_at <= by


def numbers(found: State | None) -> tuple[Decimal, Decimal, Decimal] | None:
    if found is None:
        return None
    return found.on_hand.quantity, found.reserved.quantity, found.backorders.quantity


@given(ledgers(), hours)
@settings(max_examples=examples(200))
def test_state_as_of_a_moment_equals_folding_the_movements_up_to_it(entries: list[Entry], at: int) -> None:
    moment = hour(at)
    assert numbers(state(entries, moment)) == walked(entries, lambda one: one.occurred_at <= moment)


@given(ledgers(), hours, st.integers(0, 2 * HOURS))
@settings(max_examples=examples(200))
def test_state_as_known_folds_only_what_had_come(entries: list[Entry], at: int, known: int) -> None:
    moment, known_at = hour(at), hour(known)
    expected = walked(entries, lambda one: one.occurred_at <= moment and had_come(one, known_at))
    assert numbers(state(entries, moment, known_at)) == expected
    missed = late(entries, moment, known_at)
    then = [one for one in entries if had_come(one, known_at)]
    assert numbers(state([*then, *missed], moment)) == numbers(state(entries, moment)), "late is all that lies between"


@given(ledgers(), hours, st.integers(0, 2 * HOURS))
@settings(max_examples=examples(200))
def test_what_a_known_count_has_spoken_for_need_not_be_read(entries: list[Entry], at: int, known: int) -> None:
    """As `store.as_of` leaves it out."""
    moment, known_at = hour(at), hour(known)
    counts = [
        one.occurred_at
        for one in entries
        if one.kind == COUNT and one.occurred_at <= moment and had_come(one, known_at)
    ]
    base = max(counts, default=None)
    read = [
        one
        for one in entries
        if one.occurred_at <= moment
        and (
            base is None
            or one.occurred_at >= base
            or one.kind == COUNT
            or one.kind in PROMISES
            or not had_come(one, known_at)
        )
    ]
    for known_by in (None, known_at):
        assert numbers(state(read, moment, known_by)) == numbers(state(entries, moment, known_by))
    assert late(read, moment, known_at) == late(entries, moment, known_at)


@given(ledgers(), hours)
@settings(max_examples=examples(100))
def test_every_figure_is_the_sum_of_the_entries_it_names(entries: list[Entry], at: int) -> None:
    found = state(entries, hour(at))
    if found is None:
        return
    for part, figure in enumerate((found.on_hand, found.reserved, found.backorders)):
        begins = figure.counted.quantity if figure.counted else Decimal(0)
        assert figure.quantity == begins + sum(DIRECTIONS[one.kind][part] * one.quantity for one in figure.moved)
        assert {one.event_hash for one in figure.moved} <= {one.event_hash for one in entries}


def shelf(units_: int) -> tuple[Decimal, Decimal, Decimal]:
    return Decimal(units_), Decimal(0), Decimal(0)


def test_late_sale_changes_what_was_and_not_what_had_come() -> None:
    sold = Entry("a", "sale", Decimal(3), hour(1), hour(1))
    told_late = Entry("b", "sale", Decimal(5), hour(1), hour(6))
    counted = Entry("c", COUNT, Decimal(40), hour(4), hour(4), None, took_effect=True)
    entries = [sold, told_late, counted]
    assert numbers(state(entries, hour(2))) == shelf(-8)
    assert numbers(state(entries, hour(2), hour(2))) == shelf(-3)
    assert late(entries, hour(2), hour(2)) == [told_late]
    assert numbers(state(entries, hour(4))) == shelf(40), "the count has seen the late sale"
    assert state(entries, hour(0)) is None


def test_no_count_speaks_for_what_is_promised() -> None:
    assert PROMISES == ("backorder", "release", "reservation")
    entries = [
        Entry("a", "reservation", Decimal(4), hour(1), hour(1)),
        Entry("b", "backorder", Decimal(2), hour(1), hour(1)),
        Entry("c", COUNT, Decimal(40), hour(4), hour(4)),
    ]
    assert numbers(state(entries, hour(5))) == (Decimal(40), Decimal(4), Decimal(2))


def test_event_is_known_from_the_moment_it_came() -> None:
    (sold,) = entries = [Entry("a", "sale", Decimal(3), hour(1), hour(6))]
    assert state(entries, hour(2), hour(5)) is None
    assert late(entries, hour(2), hour(5)) == [sold]
    assert numbers(state(entries, hour(2), hour(6))) == shelf(-3)
    assert late(entries, hour(2), hour(6)) == []
