"""Parked events: what nobody can interpret yet waits here, and so do the later events of its key, in order."""

from collections.abc import Iterable, Sequence
from typing import Any

from kit import telemetry
from kit.database import Transaction
from kit.events import Received, decode
from kit.outbox import pack_headers, unpack_headers
from schemas.topics import ALL

PARKED = telemetry.counter("parked_events_total", "Events parked until somebody says what they mean", ("reason",))
_TOPICS = {topic.name: topic for topic in ALL}


async def park(tx: Transaction, tenant: str, received: Sequence[Received[Any]], reason: str) -> None:
    """Let these events wait, in this order, under their record keys."""
    if not received:
        return
    await tx.execute(
        "insert into parked_events"
        " (tenant, record_key, event_hash, reason, topic, partition, record_offset, headers, value, stored_at_ms)"
        " select $1, k, h, $2, t, p, o, hd, v, s from unnest("
        "$3::text[], $4::uuid[], $5::text[], $6::int[], $7::bigint[], $8::bytea[], $9::bytea[], $10::bigint[])"
        " with ordinality as x(k, h, t, p, o, hd, v, s, n) order by n on conflict (tenant, event_hash) do nothing",
        tenant,
        reason,
        [one.envelope.key for one in received],
        [one.hash for one in received],
        [one.topic.name for one in received],
        [one.partition for one in received],
        [one.offset for one in received],
        [pack_headers(one.headers) for one in received],
        [one.value for one in received],
        [one.stored_at_ms for one in received],
    )
    PARKED.labels(reason).inc(len(received))


async def parked_keys(tx: Transaction, tenant: str, keys: Iterable[str]) -> set[str]:
    """Which of these keys have events waiting: later events of such a key must wait behind them."""
    rows = await tx.fetch(
        "select distinct record_key from parked_events where tenant = $1 and record_key = any($2::text[])",
        tenant,
        list(set(keys)),
    )
    return {row["record_key"] for row in rows}


async def waiting_keys(tx: Transaction, tenant: str, *, like: str) -> list[str]:
    """Parked keys of the tenant that match a SQL LIKE pattern, for finding what a new master-data fact sets free."""
    rows = await tx.fetch(
        "select distinct record_key from parked_events where tenant = $1 and record_key like $2 order by 1",
        tenant,
        like,
    )
    return [row["record_key"] for row in rows]


async def release(tx: Transaction, tenant: str, keys: Iterable[str]) -> list[Received[Any]]:
    """Take the events of these keys out of the park, in the order they were parked, to be handled now."""
    rows = await tx.fetch(
        "with taken as (delete from parked_events where tenant = $1 and record_key = any($2::text[]) returning *)"
        " select * from taken order by seq",
        tenant,
        sorted(set(keys)),
    )
    freed: list[Received[Any]] = []
    for row in rows:
        headers = unpack_headers(row["headers"])
        # A structured event was stored by its data; its attributes must come from the headers then.
        freed.append(
            decode(
                _TOPICS[row["topic"]],
                row["partition"],
                row["record_offset"],
                row["record_key"].encode(),
                row["value"],
                headers,
                row["stored_at_ms"],
            )
        )
    return freed
