"""Hashed batches: high-volume records stand in the log as one digest over many, with the offsets they had.

The records stay on their topic. Who holds them (a consumer, a backup, an auditor) can show that they are the ones, and
nobody can show others.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from services.audit.domain.entries import Actor, Draft

BATCH_TYPE = "audit.batch.v1"
WRITER = Actor("countersign/audit", "service")
_ABSENT = 0xFFFFFFFF  # the length that stands for "no key" or "no value"


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a topic, as bytes."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def records_digest(records: Iterable[Record]) -> str:
    """Hex SHA-256 over key, headers and value of each record, each part with its length in 32 bits before it."""
    total = sha256()
    pack = struct.Struct(">I").pack
    absent = pack(_ABSENT)
    for record in records:
        parts = [absent if record.key is None else pack(len(record.key)) + record.key, pack(len(record.headers))]
        for name, value in record.headers:
            raw = name.encode()
            parts += (pack(len(raw)), raw, absent if value is None else pack(len(value)) + value)
        parts.append(absent if record.value is None else pack(len(record.value)) + record.value)
        total.update(b"".join(parts))
    return total.hexdigest()


def batch_draft(topic: str, partition: int, records: Sequence[Record], *, batch_id: str) -> Draft:
    """The entry for these records of one partition, in order of offset; it happened when the last was stored."""
    last = records[-1]
    return Draft(
        id=batch_id,
        type=BATCH_TYPE,
        occurred_at=datetime.fromtimestamp(max(record.timestamp_ms for record in records) / 1000, UTC),
        actor=WRITER,
        subject=f"{topic}/{partition}",
        payload_sha256=records_digest(records),
        fields={
            "topic": topic,
            "partition": partition,
            "first_offset": records[0].offset,
            "last_offset": last.offset,
            "count": len(records),
        },
    )
