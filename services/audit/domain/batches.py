"""Hashed batches: high-volume records stand in the log as one digest over many, with the offsets they had.

The records stay on their topic. Who holds them (a consumer, a backup, an auditor) can show that they are the ones, and
nobody can show others.
"""

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from services.audit.domain.entries import Actor, Draft

BATCH_TYPE = "audit.batch.v1"
WRITER = Actor("countersign/audit", "service")
_PACK = struct.Struct(">I").pack
_ABSENT = _PACK(0xFFFFFFFF)  # the length that stands for "no key" or "no value"
# Nearly every part is shorter than this, and looking its length up is several times faster than packing it.
_LENGTHS = tuple(_PACK(size) for size in range(2048))


class Record(NamedTuple):
    """A record of a topic, as bytes."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def records_digest(records: Iterable[Record]) -> str:
    """Hex SHA-256 over key, headers and value of each record, each part with its length in 32 bits before it."""
    total = sha256()
    for record in records:
        key, value, headers = record.key, record.value, record.headers
        parts = [_ABSENT if key is None else _length(key) + key, _PACK(len(headers))]
        for name, text in headers:
            parts.append(_name(name))
            parts.append(_ABSENT if text is None else _length(text) + text)
        parts.append(_ABSENT if value is None else _length(value) + value)
        total.update(b"".join(parts))
    return total.hexdigest()


def _length(part: bytes) -> bytes:
    size = len(part)
    return _LENGTHS[size] if size < len(_LENGTHS) else _PACK(size)


@lru_cache(maxsize=1024)
def _name(name: str) -> bytes:
    """A header's name with its length: the same few in every record."""
    raw = name.encode()
    return _length(raw) + raw


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
