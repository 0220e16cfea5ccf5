"""Sorts events into those whose item, location and channel are certain and those that must wait; nothing is ever guessed.

An event waits when a code of it is unknown or ambiguous, or when an earlier event of its key waits. What a person has
dropped is left out. Both consumers of sales and stock go through here, so they never disagree about a name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import UUID

from kernel.naming import Meaning
from kit import parking
from kit.database import Transaction
from kit.events import Received
from kit.names import CHANNEL, COMMITMENT, ITEM, LOCATION, Names
from schemas.demand import SOLD

UNKNOWN, AMBIGUOUS, BEHIND = "unknown_identity", "ambiguous_identity", "behind_an_earlier_event"
UNKNOWN_COMMITMENT = "unknown_commitment"
# By the hash of an event: what the commitment it serves may mean, where that is nothing certain.
Unmade = Mapping[UUID, Meaning]
NONE: Unmade = MappingProxyType({})

Codes = tuple[str, str, str]  # of an event, as it was sent: item, location, channel; "" where it names none
Named = tuple[Received[Any], str, str]  # an event with the own codes of its item ("" if it names none) and location


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A code of an event that stands for nothing, or for more than one thing."""

    subject: str
    code: str
    meaning: Meaning

    @property
    def key(self) -> str:
        """What its exception is about."""
        return f"{self.subject}:{self.code}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that waits: for these codes, or (none) for an earlier event of its key."""

    event: Received[Any]
    unnamed: tuple[Unnamed, ...]

    @property
    def reason(self) -> str:
        if not self.unnamed:
            return BEHIND
        if all(one.subject == COMMITMENT for one in self.unnamed):
            return UNKNOWN_COMMITMENT
        return AMBIGUOUS if any(one.meaning.is_ambiguous for one in self.unnamed) else UNKNOWN


async def identify(
    tx: Transaction, tenant: str, events: Sequence[Received[Any]], names: Names, unmade: Unmade = NONE
) -> tuple[list[Named], list[Waiting]]:
    """Events with own codes, in order; the others are parked, in order, and returned with what they wait for.

    `unmade`: what would serve a customer commitment nobody has made; it waits, too.
    """
    if not events:
        return [], []
    state = await names.refresh(tx, tenant)
    events, behind = await _held(tx, tenant, events, state.has_parked, state.has_dropped)
    told = [*map(_codes, events)]
    await _learn(tx, tenant, told, names)
    items, places, channels = (names.plain(tenant, subject) for subject in (ITEM, LOCATION, CHANNEL))
    named: list[Named] = []
    waiting: list[Waiting] = []
    for one, (code, location, channel) in zip(events, told, strict=True):
        sku = items.get(code) if code else ""
        place = places.get(location)
        if sku is None or place is None or unmade or (channel and channel not in channels):
            sku, place, unnamed = _slowly(tenant, one, names, unmade)
        else:
            unnamed = ()
        if sku is None or place is None or unnamed or (behind and one.envelope.key in behind):
            waiting.append(Waiting(one, unnamed))
            behind.add(one.envelope.key)
        else:
            named.append((one, sku, place))
    await parking.park(tx, tenant, [one.event for one in waiting], [one.reason for one in waiting])
    return named, waiting


async def unnamed(
    tx: Transaction, tenant: str, events: Sequence[Received[Any]], names: Names, unmade: Unmade = NONE
) -> list[Waiting]:
    """What each of these parked events would still wait for; nothing for one that could be booked.

    Where that is something else by now, the park says so: an item may have become known and its commitment not.
    """
    await names.refresh(tx, tenant)
    await _learn(tx, tenant, [*map(_codes, events)], names)
    found = [Waiting(one, _slowly(tenant, one, names, unmade)[2]) for one in events]
    await parking.give_reasons(tx, tenant, {one.event.hash: one.reason for one in found if one.unnamed})
    return found


async def _learn(tx: Transaction, tenant: str, told: Sequence[Codes], names: Names) -> None:
    """Look up these codes."""
    for subject, codes in zip((ITEM, LOCATION, CHANNEL), zip(*told, strict=True), strict=False):
        await names.learn(tx, tenant, subject, {*codes} - {""})


def _codes(event: Received[Any]) -> Codes:
    body = event.body
    if type(body) in SOLD:
        return body.sku, body.location, body.channel
    return getattr(body, "sku", ""), body.location, ""


async def _held(
    tx: Transaction, tenant: str, events: Sequence[Received[Any]], has_parked: bool, has_dropped: bool
) -> tuple[Sequence[Received[Any]], set[str]]:
    """The events a person has not dropped, and the keys that have others waiting."""
    if has_dropped:
        dropped = await parking.dropped(tx, tenant, [one.hash for one in events])
        events = [one for one in events if one.hash not in dropped]
    behind = await parking.parked_keys(tx, tenant, {one.envelope.key for one in events}) if has_parked else set()
    return events, behind


def _slowly(
    tenant: str, one: Received[Any], names: Names, unmade: Unmade
) -> tuple[str | None, str | None, tuple[Unnamed, ...]]:
    """The meaning of codes that depend on the day or the moment, or that mean nothing."""
    body = one.body
    found: list[str | None] = []
    missing: list[Unnamed] = []
    asked = zip((ITEM, LOCATION, CHANNEL), _codes(one), strict=True)
    for subject, code in asked:
        if not code:
            found.append("")
            continue
        meaning = names.meaning(tenant, subject, code, body.business_date, one.stored_at_ms)
        found.append(meaning.target)
        if meaning.target is None:
            missing.append(Unnamed(subject, code, meaning))
    if one.hash in unmade:
        missing.append(Unnamed(COMMITMENT, body.commitment_served, unmade[one.hash]))
    return found[0], found[1], tuple(missing)
