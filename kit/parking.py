"""Parked events: what nobody can interpret yet waits here, and so do the later events of its key, in order."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from kit import telemetry
from kit.database import Transaction
from kit.events import Received, decode
from kit.outbox import pack_headers, unpack_headers
from schemas.topics import ALL

PARKED = telemetry.counter("parked_events_total", "Events parked until somebody says what they mean", ("reason",))
_TOPICS = {topic.name: topic for topic in ALL}


async def park(tx: Transaction, tenant: str, received: Sequence[Received[Any]], reason: str | Sequence[str]) -> None:
    """Let these events wait, in this order, under their record keys; one reason for all, or one for each."""
    if not received:
        return
    reasons = [reason] * len(received) if isinstance(reason, str) else list(reason)
    await tx.execute(
        "insert into parked_events"
        " (tenant, record_key, event_hash, reason, topic, partition, record_offset, headers, value, stored_at_ms)"
        " select $1, k, h, r, t, p, o, hd, v, s from unnest("
        "$3::text[], $4::uuid[], $5::text[], $6::int[], $7::bigint[], $8::bytea[], $9::bytea[], $10::bigint[], $2::text[])"
        " with ordinality as x(k, h, t, p, o, hd, v, s, r, n) order by n on conflict (tenant, event_hash) do nothing",
        tenant,
        reasons,
        [one.envelope.key for one in received],
        [one.hash for one in received],
        [one.topic.name for one in received],
        [one.partition for one in received],
        [one.offset for one in received],
        [pack_headers(one.headers) for one in received],
        [one.value for one in received],
        [one.stored_at_ms for one in received],
    )
    for each in reasons:
        PARKED.labels(each).inc()


async def give_reasons(tx: Transaction, tenant: str, reasons: Mapping[UUID, str]) -> None:
    """Say what these parked events wait for now, where that has changed."""
    if reasons:
        await tx.execute(
            "update parked_events p set reason = r.reason from unnest($2::uuid[], $3::text[]) as r(event_hash, reason)"
            " where p.tenant = $1 and p.event_hash = r.event_hash and p.reason <> r.reason",
            tenant,
            list(reasons),
            list(reasons.values()),
        )


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


async def heads(tx: Transaction, tenant: str) -> list[Received[Any]]:
    """The first waiting event of every key that names an item or a location: what decides whether the key can flow."""
    rows = await tx.fetch(
        "select distinct on (record_key) * from parked_events where tenant = $1 and record_key like '%/%/%'"
        " order by record_key, seq",
        tenant,
    )
    return [_read(row) for row in rows]


async def heads_for(tx: Transaction, tenant: str, reason: str, *, seconds: float = 0.0) -> list[Received[Any]]:
    """The first waiting event of every key that has waited for this reason so long."""
    rows = await tx.fetch(
        "select distinct on (record_key) * from parked_events where tenant = $1 and reason = $2"
        " and parked_at <= clock_timestamp() - make_interval(secs => $3) order by record_key, seq",
        tenant,
        reason,
        seconds,
    )
    return [_read(row) for row in rows]


async def dropped(tx: Transaction, tenant: str, hashes: Sequence[UUID]) -> set[UUID]:
    """Which of these events a person has taken out for good."""
    rows = await tx.fetch(
        "select event_hash from dropped_events where tenant = $1 and event_hash = any($2::uuid[])", tenant, list(hashes)
    )
    return {row["event_hash"] for row in rows}


async def drop(
    tx: Transaction, tenant: str, key: str, *, event_hash: UUID | None, reason: str, by: str
) -> list[dict[str, Any]]:
    """Take one waiting event of a key (None: all of them) out for good, remembering who said so and why."""
    rows = await tx.fetch(
        "with taken as (delete from parked_events where tenant = $1 and record_key = $2"
        "  and ($3::uuid is null or event_hash = $3) returning *), kept as ("
        "  insert into dropped_events (tenant, event_hash, record_key, topic, headers, value, reason, dropped_by)"
        "  select tenant, event_hash, record_key, topic, headers, value, $4, $5 from taken on conflict do nothing)"
        " select * from taken order by seq",
        tenant,
        key,
        event_hash,
        reason,
        by,
    )
    return [describe(row) for row in rows]


async def keys_page(tx: Transaction, tenant: str, after: str, limit: int) -> list[dict[str, Any]]:
    """Keys that wait, in their order, each with its first event, the number that wait, and since when."""
    rows = await tx.fetch(
        "select * from (select distinct on (record_key) *, count(*) over (partition by record_key) as waiting"
        " from parked_events where tenant = $1 and record_key > $2 order by record_key, seq) heads"
        " order by record_key limit $3",
        tenant,
        after,
        limit,
    )
    return [describe(row) | {"waiting": row["waiting"]} for row in rows]


async def events_of(tx: Transaction, tenant: str, key: str, limit: int) -> list[dict[str, Any]]:
    """The waiting events of one key, in the order in which they will be handled."""
    rows = await tx.fetch(
        "select * from parked_events where tenant = $1 and record_key = $2 order by seq limit $3", tenant, key, limit
    )
    return [describe(row) for row in rows]


def describe(row: Any) -> dict[str, Any]:
    """A waiting event as a person reads it."""
    headers = {name: raw.decode(errors="replace") for name, raw in unpack_headers(row["headers"])}
    return {
        "record_key": row["record_key"],
        "event_hash": str(row["event_hash"]),
        "event_id": headers.get("ce_id", ""),
        "source": headers.get("ce_source", ""),
        "type": headers.get("ce_type", ""),
        "time": headers.get("ce_time", ""),
        "topic": row["topic"],
        "partition": row["partition"],
        "offset": row["record_offset"],
        "reason": row["reason"],
        "parked_at": row["parked_at"].isoformat(),
        "body": row["value"].decode(errors="replace"),
    }


async def release(tx: Transaction, tenant: str, keys: Iterable[str]) -> list[Received[Any]]:
    """Take the events of these keys out of the park, in the order they were parked, to be handled now."""
    rows = await tx.fetch(
        "with taken as (delete from parked_events where tenant = $1 and record_key = any($2::text[]) returning *)"
        " select * from taken order by seq",
        tenant,
        sorted(set(keys)),
    )
    return [_read(row) for row in rows]


def _read(row: Any) -> Received[Any]:
    # A structured event was stored by its data; its attributes must come from the headers then.
    return decode(
        _TOPICS[row["topic"]],
        row["partition"],
        row["record_offset"],
        row["record_key"].encode(),
        row["value"],
        unpack_headers(row["headers"]),
        row["stored_at_ms"],
    )
