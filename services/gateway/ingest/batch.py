"""A batch of events: bytes in, one result per event out."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from kit import telemetry
from kit.http import Problem
from services.gateway.ingest.check import Checked, Record, Refused, check
from services.gateway.ingest.publish import Publisher
from services.gateway.ingest.recent import Recent

EVENTS = telemetry.counter("ingest_events_total", "Events offered over HTTP by result", ("result",))
# Checking is pure computation; after this many events the loop gets a turn, so that other requests are not held up.
CHECKED_AT_ONCE = 250

Result = Literal["accepted", "duplicate", "rejected"]


@dataclass(frozen=True, slots=True)
class EventResult:
    """What became of the event at `index` of the batch."""

    index: int
    id: str | None
    result: Result
    field: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class _Sorted:
    """A batch after checking: results in order, and what is to be written."""

    results: list[EventResult] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    taken: dict[bytes, bytes] = field(default_factory=dict)


def parse(body: bytes, events_max: int) -> list[Any]:
    """The events of a request body. Raises Problem 400, 413 or 422."""
    try:
        events = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, "malformed_json", "The body is not JSON", f"{error}. Nothing was taken.") from error
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


async def take(events: Sequence[Any], tenant: str, publisher: Publisher, recent: Recent) -> list[EventResult]:
    """Check, write and remember a batch; when this returns, every accepted event is durable."""
    batch = _Sorted()
    for index, event in enumerate(events):
        if index % CHECKED_AT_ONCE == CHECKED_AT_ONCE - 1:
            await asyncio.sleep(0)
        batch.results.append(_sort(index, event, tenant, recent, batch))
    if batch.records:
        await publisher.publish(batch.records)
    for identity, digest in batch.taken.items():
        recent.remember(identity, digest)
    for result in ("accepted", "duplicate", "rejected"):
        EVENTS.labels(result).inc(sum(1 for one in batch.results if one.result == result))
    return batch.results


def _sort(index: int, event: Any, tenant: str, recent: Recent, batch: _Sorted) -> EventResult:
    event_id = event["id"][:128] if isinstance(event, dict) and isinstance(event.get("id"), str) else None
    try:
        one: Checked = check(event, tenant)
    except Refused as refusal:
        return EventResult(index, event_id, "rejected", refusal.field, refusal.reason)
    earlier = batch.taken.get(one.identity)
    if earlier is None:
        verdict = recent.look(one.identity, one.digest)
    else:
        verdict = "repeat" if earlier == one.digest else "conflict"
    if verdict == "conflict":
        return EventResult(
            index,
            event_id,
            "rejected",
            "id",
            "was used before by this source for another content; every event needs its own id",
        )
    if verdict == "repeat":
        return EventResult(index, event_id, "duplicate")
    batch.taken[one.identity] = one.digest
    batch.records.extend(one.records)
    return EventResult(index, event_id, "accepted")
