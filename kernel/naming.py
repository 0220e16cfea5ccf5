"""What a code means: own codes and aliases as facts with two times, when they hold and when they were told.

A fact is never changed and never forgotten: moving a code to another product is a further fact. So one can ask what a
code meant for a business day (valid time) as it was known at a moment (told time), and a replay gives an event the
meaning it had when it was read first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from kernel import gtin

OWN = "own"  # the scheme of a code that is itself an item, location, supplier or channel
MERGED = "own_code"  # an alias of this scheme says that an own code now stands for another
GTIN = "gtin"
# An alias may point at a code that is an alias itself (a legacy code of a legacy code); longer chains are a loop.
STEPS_MAX = 4
ALWAYS = date.min
NOW_MS = 2**62  # as known by now, not as known when something was recorded


@dataclass(frozen=True, slots=True)
class Fact:
    """`code` stands for `target` on business days from `valid_from` on (None: on all); inactive: no longer.

    `told_at_ms` is the broker's time of the record that told it, `defined_at` what its source says. Facts of equal
    scheme, supplier and code are one history; within it the newest that holds on a day is the one that counts.
    """

    code: str
    scheme: str
    supplier: str
    target: str
    active: bool
    valid_from: date | None
    defined_at: datetime
    told_at_ms: int


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code stands for: `target` when there is exactly one answer, else all that it might be (none: unknown)."""

    target: str | None
    candidates: tuple[str, ...] = ()

    @property
    def is_ambiguous(self) -> bool:
        return self.target is None and bool(self.candidates)


UNKNOWN = Meaning(None)
Facts = Mapping[str, Sequence[Fact]]  # by code as stored: `spellings` says under which a code may be found


def spellings(code: str) -> tuple[str, ...]:
    """Under which codes facts about this one may be stored: itself, and its 14 digits if it is a GTIN."""
    whole = gtin.canonical(code)
    return (code,) if whole is None or whole == code else (code, whole)


def stored_code(scheme: str, code: str) -> str:
    """The code under which an alias is kept; a GTIN of any length by its 14 digits."""
    return (gtin.canonical(code) or code) if scheme == GTIN else code


def meaning(facts: Facts, code: str, on: date, at_ms: int) -> Meaning:
    """What `code` means for business day `on` in an event that was recorded at `at_ms`.

    With what was known then; an event nobody could name then takes the first single meaning it was given later, which
    is the one it got when it was freed from waiting.
    """
    known = known_meaning(facts, code, on, at_ms)
    if known.target is not None:
        return known
    for later in sorted({one.told_at_ms for one in _reachable(facts, code) if one.told_at_ms > at_ms}):
        known = known_meaning(facts, code, on, later)
        if known.target is not None:
            return known
    return known


def is_plain(facts: Facts, code: str) -> bool:
    """Whether the code's meaning never depends on day or moment, so that it can be remembered as one word."""
    for _ in range(STEPS_MAX):
        mine = [one for name in spellings(code) for one in facts.get(name, ())]
        if len(mine) != 1 or not mine[0].active or mine[0].valid_from is not None:
            return False
        if mine[0].scheme == OWN:
            return mine[0].code == code
        code = mine[0].target
    return False


def _reachable(facts: Facts, code: str) -> Iterable[Fact]:
    """All facts that can matter to a code, through aliases of aliases."""
    seen: set[str] = set()
    edge = list(spellings(code))
    for _ in range(STEPS_MAX + 1):
        step = [one for name in edge if name not in seen for one in facts.get(name, ())]
        seen.update(edge)
        yield from step
        edge = [one.target for one in step if one.target not in seen]


def known_meaning(facts: Facts, code: str, on: date, at_ms: int) -> Meaning:
    """What `code` meant for business day `on`, as far as was known at `at_ms`."""
    found = _follow(facts, code, on, at_ms, STEPS_MAX)
    if len(found) == 1:
        return Meaning(next(iter(found)))
    return Meaning(None, tuple(sorted(found)))


def _follow(facts: Facts, code: str, on: date, at_ms: int, steps: int) -> set[str]:
    """Own codes that a code may stand for. A merged own code stands for another; else an own code is itself."""
    holding = list(_holding(facts, code, on, at_ms))
    merged = [one for one in holding if one.scheme == MERGED and one.target != code]
    if not merged and any(one.scheme == OWN for one in holding):
        return {code}
    if steps == 0:
        return set()
    aliases = merged or [one for one in holding if one.scheme != OWN]
    return {end for one in aliases for end in _follow(facts, one.target, on, at_ms, steps - 1)}


def _holding(facts: Facts, code: str, on: date, at_ms: int) -> Iterable[Fact]:
    """The fact of each history that holds on this day as known at this moment."""
    told = [
        one
        for name in spellings(code)
        for one in facts.get(name, ())
        if one.told_at_ms <= at_ms and (one.valid_from or ALWAYS) <= on and (name == code or one.scheme == GTIN)
    ]

    def history(one: Fact) -> tuple[str, str, str]:
        return one.scheme, one.supplier, one.code

    for _, versions in groupby(sorted(told, key=history), key=history):
        newest = max(versions, key=lambda one: (one.valid_from or ALWAYS, one.defined_at, one.told_at_ms))
        if newest.active:
            yield newest
