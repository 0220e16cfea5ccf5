"""Dead letters: what could not be handled, kept whole, with the reason, on the topic's `.dead` twin and in a table.

The twin is for other programs; the table is what a person looks at, replays from, and settles.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aiokafka import ConsumerRecord

from kernel.ids import derived_id
from kit import outbox
from kit.database import Transaction, scope
from kit.errors import Rejected
from kit.events import Envelope, Outgoing, Received, decode
from kit.outbox import pack_headers, unpack_headers
from schemas.topics import ALL, Topic

# Dead letters whose tenant cannot be read belong to nobody's tenant; only the operator of the installation sees them.
NOBODY = "unknown"
TYPE = "dead-letter.v1"
DETAIL_MAX = 500
SUFFIX = ".dead"
ORIGINAL = "original_"
_TOPICS = {topic.name: topic for topic in ALL}


def of(record: ConsumerRecord, topic: Topic, service: str, error: Rejected) -> Outgoing:
    """The dead letter of a record: its value as it was, its headers behind `original_`."""
    headers = {name: _text(raw) for name, raw in record.headers if raw is not None}
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return _letter(
        topic=topic,
        service=service,
        cause=place,
        tenant=headers.get("ce_tenant") or NOBODY,
        key=_text(record.key) if record.key is not None else "",
        value=record.value or b"",
        error=error,
        extra=tuple((f"{ORIGINAL}{name}", text) for name, text in headers.items())
        + (("dead_place", place), ("dead_stored_at_ms", str(record.timestamp))),
    )


def _text(raw: bytes) -> str:
    """Bytes from outside as text that every store takes: what is not UTF-8, and NUL, which Postgres refuses, is marked."""
    return raw.decode(errors="replace").replace("\x00", "\ufffd")


def conflict(received: Received[Any], service: str) -> Outgoing:
    """The dead letter of an event that came with an id already used for another content."""
    error = Rejected(
        "id_reused",
        f"event id {received.envelope.id!r} of {received.envelope.source!r} was used before for another content",
        field="id",
    )
    return refused(received, service, error)


def refused(received: Received[Any], service: str, error: Rejected) -> Outgoing:
    """The dead letter of an event that could be read, and not be handled."""
    place = f"{received.topic.name}/{received.partition}/{received.offset}"
    return _letter(
        topic=received.topic,
        service=service,
        cause=place,
        tenant=received.envelope.tenant,
        key=received.envelope.key,
        value=received.value,
        error=error,
        extra=tuple((f"{ORIGINAL}{name}", _text(raw)) for name, raw in received.headers)
        + (("dead_place", place), ("dead_stored_at_ms", str(received.stored_at_ms))),
    )


def _letter(
    *,
    topic: Topic,
    service: str,
    cause: str,
    tenant: str,
    key: str,
    value: bytes,
    error: Rejected,
    extra: tuple[tuple[str, str], ...],
) -> Outgoing:
    envelope = Envelope(
        id=derived_id("dead", service, cause),
        source=f"countersign/{service}",
        type=TYPE,
        time=datetime.now(UTC),
        tenant=tenant,
        key=key,
        causation_id=cause,
    )
    reason = (
        ("dead_code", error.code),
        ("dead_detail", error.message[:DETAIL_MAX]),
        ("dead_field", error.field or ""),
        ("dead_consumer", service),
    )
    return Outgoing(topic=f"{topic.name}{SUFFIX}", envelope=envelope, value=value, extra_headers=reason + extra)


async def enqueue(tx: Transaction, messages: Sequence[Outgoing]) -> None:
    """Put messages into the outbox, and the dead letters among them into their table. Leaves the transaction as `keep` does."""
    await keep(tx, messages)
    await outbox.enqueue(tx, messages)


async def keep(tx: Transaction, messages: Sequence[Outgoing]) -> None:
    """Put the dead letters among these messages into the table. Leaves the transaction scoped to the last one's tenant.

    One that dies again keeps its place and counts the attempt.
    """
    for letter in (one for one in messages if one.topic.endswith(SUFFIX)):
        extra = dict(letter.extra_headers)
        _topic, partition, offset = extra["dead_place"].rsplit("/", 2)
        original = [(name.removeprefix(ORIGINAL), text.encode()) for name, text in extra.items() if ORIGINAL in name]
        await scope(tx, letter.envelope.tenant)
        await tx.execute(
            "insert into dead_letters as d (tenant, letter_id, topic, partition, record_offset, record_key, headers, value,"
            " stored_at_ms, code, detail, field) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
            " on conflict (tenant, letter_id) do update set attempts = d.attempts + 1, code = excluded.code,"
            " detail = excluded.detail, field = excluded.field",
            letter.envelope.tenant,
            UUID(letter.envelope.id),
            letter.topic.removesuffix(SUFFIX),
            int(partition),
            int(offset),
            letter.envelope.key,
            pack_headers(original),
            letter.value,
            int(extra["dead_stored_at_ms"]),
            extra["dead_code"],
            extra["dead_detail"],
            extra["dead_field"],
        )


async def page(
    tx: Transaction, tenant: str, *, state: str, code: str | None, after: int, limit: int
) -> list[dict[str, Any]]:
    """Dead letters of a state (and reason code), oldest first; `seq` of the last one is the next page's `after`."""
    rows = await tx.fetch(
        "select * from dead_letters where tenant = $1 and state = $2 and ($3::text is null or code = $3) and seq > $4"
        " order by seq limit $5",
        tenant,
        state,
        code,
        after,
        limit,
    )
    return [describe(row) for row in rows]


async def find(tx: Transaction, tenant: str, letter_id: UUID, *, lock: bool = False) -> Any:
    """The row of one dead letter, or None."""
    query = "select * from dead_letters where tenant = $1 and letter_id = $2" + (" for update" if lock else "")
    return await tx.fetchrow(query, tenant, letter_id)


def read_again(row: Any) -> Received[Any]:
    """The event of a dead letter as if it had just been read. Raises Rejected as long as it cannot be read."""
    return decode(
        _TOPICS[row["topic"]],
        row["partition"],
        row["record_offset"],
        row["record_key"].encode() or None,
        row["value"],
        unpack_headers(row["headers"]),
        row["stored_at_ms"],
    )


def raise_if_letter(message: Outgoing) -> None:
    """Raise what a dead letter says as Rejected; nothing for any other message."""
    if message.topic.endswith(SUFFIX):
        extra = dict(message.extra_headers)
        raise Rejected(extra["dead_code"], extra["dead_detail"], field=extra["dead_field"] or None)


async def settle(tx: Transaction, tenant: str, letter_id: UUID, *, state: str, by: str, reason: str) -> bool:
    """Mark a waiting letter as replayed or dropped; False when it was settled before."""
    found = await tx.fetchval(
        "update dead_letters set state = $3, settled_by = $4, settled_reason = $5, settled_at = clock_timestamp()"
        " where tenant = $1 and letter_id = $2 and state = 'waiting' returning true",
        tenant,
        letter_id,
        state,
        by,
        reason,
    )
    return bool(found)


async def died_again(tx: Transaction, tenant: str, letter_id: UUID, error: Rejected) -> None:
    """Note a replay that failed, and why."""
    await tx.execute(
        "update dead_letters set attempts = attempts + 1, code = $3, detail = $4, field = $5"
        " where tenant = $1 and letter_id = $2",
        tenant,
        letter_id,
        error.code,
        error.message[:DETAIL_MAX],
        error.field or "",
    )


def describe(row: Any) -> dict[str, Any]:
    """A dead letter as a person reads it."""
    headers = {name: raw.decode(errors="replace") for name, raw in unpack_headers(row["headers"])}
    return {
        "letter_id": str(row["letter_id"]),
        "seq": row["seq"],
        "state": row["state"],
        "code": row["code"],
        "detail": row["detail"],
        "field": row["field"] or None,
        "attempts": row["attempts"],
        "topic": row["topic"],
        "partition": row["partition"],
        "offset": row["record_offset"],
        "record_key": row["record_key"],
        "event_id": headers.get("ce_id"),
        "source": headers.get("ce_source"),
        "type": headers.get("ce_type"),
        "time": headers.get("ce_time"),
        "died_at": row["died_at"].isoformat(),
        "settled_by": row["settled_by"],
        "settled_reason": row["settled_reason"],
        "settled_at": row["settled_at"].isoformat() if row["settled_at"] else None,
        "headers": headers,
        "body": row["value"].decode(errors="replace"),
    }
