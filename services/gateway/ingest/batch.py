"""A batch of events: bytes in, one result per event out."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, repeat
from typing import Any, Literal

import msgspec
import orjson

from kit import telemetry
from kit.http import Problem
from services.gateway.ingest.alike import Alike, check_alike, check_read
from services.gateway.ingest.check import Checked, Record, Refused, check
from services.gateway.ingest.publish import Publisher
from services.gateway.ingest.reading import Reader, lately, plain
from services.gateway.ingest.recent import Recent

EVENTS = telemetry.counter("ingest_events_total", "Events offered over HTTP by result", ("result",))
# Checking is pure computation; after this many events the loop gets a turn, so that other requests are not held up.
CHECKED_AT_ONCE = 250
CONFLICT = "was used before by this source for another content; every event needs its own id"

# Type and fields that all events of a batch have.
Shape = tuple[str, tuple[str, ...]]


class Result(msgspec.Struct, gc=False):
    """What became of the event at `index`; where it was refused, for which field and why."""

    index: int
    id: str | None
    result: Literal["accepted", "duplicate", "rejected"] = "accepted"
    field: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class Outcome:
    """A batch after checking: results in order with their counts, and what is to be written."""

    results: list[Result] = field(default_factory=list)
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    records: list[Record] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)

    def document(self) -> bytes:
        """As the caller reads it."""
        counts = {"accepted": self.accepted, "duplicates": self.duplicates, "rejected": self.rejected}
        return msgspec.json.encode({**counts, "results": self.results})


def read(body: bytes, tenant: str, events_max: int) -> tuple[list[Any], Reader | None]:
    """As `parse`, with the reader that knew their shape, if one did."""
    known = lately(tenant).read(body)
    if known is None or len(known[0]) > events_max:
        return parse(body, events_max), None
    return known


def parse(body: bytes, events_max: int) -> list[Any]:
    """The events of a request body. Raises Problem 400, 413 or 422."""
    try:
        events = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise malformed(error) from error
    if isinstance(events, dict):
        events = [events]
    if not isinstance(events, list):
        raise Problem(
            422,
            "not_a_batch",
            "The body is not a batch of events",
            "Send a JSON array of events (or one event as an object).",
        )
    if len(events) > events_max:
        raise Problem(
            413,
            "too_many_events",
            "The batch is too large",
            f"It has {len(events)} events, at most {events_max} are taken at once; split it.",
        )
    return events


def malformed(error: Exception) -> Problem:
    """A body that cannot be read at all."""
    return Problem(400, "malformed_json", "The body is not JSON", f"{error}. Nothing was taken.")


async def take(
    events: list[Any],
    tenant: str,
    publisher: Publisher,
    recent: Recent,
    *,
    reader: Reader | None = None,
    first: int = 0,
    patient: bool = False,
) -> Outcome:
    """Check, write and remember a batch; when this returns, every accepted event is durable. An event is what JSON gave,
    or the Refused that says why it was none, or what `reader` made of it.

    `events` is emptied on the way, so that what was checked is freed while the processor has it at hand. `first`: the index of the first event. `patient`: wait for room when Kafka is behind instead of refusing.
    """
    outcome = Outcome()
    shapes: set[Shape | None] = set()
    for start in range(0, len(events), CHECKED_AT_ONCE):
        if start:
            await asyncio.sleep(0)
        piece = events[start : start + CHECKED_AT_ONCE]
        shapes.add(_sort(first + start, piece, tenant, recent, outcome, reader))
        events[start : start + CHECKED_AT_ONCE] = repeat(None, len(piece))
        del piece
    if reader is None and len(shapes) == 1 and (shape := shapes.pop()) is not None:
        lately(tenant).learn(*shape)
    if outcome.records:
        await publisher.publish(outcome.records, patient=patient)
        recent.remember(outcome.taken)
    EVENTS.labels("accepted").inc(outcome.accepted)
    EVENTS.labels("duplicate").inc(outcome.duplicates)
    EVENTS.labels("rejected").inc(outcome.rejected)
    return outcome


def _sort(
    first: int,
    events: Sequence[Any],
    tenant: str,
    recent: Recent,
    outcome: Outcome,
    reader: Reader | None = None,
) -> Shape | None:
    """Check events and put down what became of each. Returns the shape they all have, if they were all taken for it."""
    found = check_alike(events, tenant) if reader is None else check_read(events, tenant, reader)
    if isinstance(found, Alike) and _are_new(found.identities, recent, outcome):
        outcome.taken.update(zip(found.identities, found.digests, strict=True))
        outcome.records += found.records
        outcome.accepted += len(events)
        outcome.results += map(Result, count(first), found.ids)
        return found.message_type, found.plan.names
    if reader is not None:
        events = [*map(plain, events)]
    if found is None:
        found = check_alike(events, tenant)
    ones = found.each() if isinstance(found, Alike) else found
    for index, (event, checked) in enumerate(zip(events, ones, strict=True), first):
        _sort_one(index, event, checked, tenant, recent, outcome)
    return None


def _are_new(identities: Sequence[str], recent: Recent, outcome: Outcome) -> bool:
    """Whether none of them came before: lately, in this batch, or twice among themselves."""
    alone = {*identities}
    return len(alone) == len(identities) and outcome.taken.keys().isdisjoint(alone) and recent.knows_none(alone)


def _sort_one(index: int, event: Any, checked: Checked | None, tenant: str, recent: Recent, outcome: Outcome) -> None:
    try:
        if isinstance(event, Refused):  # what came was not even JSON
            raise event
        identity, digest, records = check(event, tenant) if checked is None else checked
    except Refused as refusal:
        outcome.rejected += 1
        outcome.results.append(Result(index, _id(event), "rejected", refusal.field, refusal.reason))
        return
    known = outcome.taken.get(identity)
    verdict = recent.look(identity, digest) if known is None else "repeat" if known == digest else "conflict"
    if verdict == "new":
        outcome.taken[identity] = digest
        outcome.records += records
        outcome.accepted += 1
        outcome.results.append(Result(index, event["id"]))
    elif verdict == "repeat":
        outcome.duplicates += 1
        outcome.results.append(Result(index, event["id"], "duplicate"))
    else:
        outcome.rejected += 1
        outcome.results.append(Result(index, event["id"], "rejected", "id", CONFLICT))


def _id(event: Any) -> str | None:
    """What a refused event calls itself, if that is a text."""
    return event["id"][:128] if isinstance(event, dict) and isinstance(event.get("id"), str) else None
