"""The whole log of a tenant as JSON lines: what a stranger needs to verify it offline, in one pass."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from kit.database import Database, Transaction
from services.audit.domain.checkpoints import origin_of
from services.audit.domain.entries import instant_text
from services.audit.domain.evidence import identity_of
from services.audit.keys import LogKeys
from services.audit.store import heads, reading

FORMAT = "countersign-audit-export/1"
PAGE_ENTRIES = 500


@dataclass(frozen=True, slots=True)
class Extent:
    """What an export covers: entries [0, size). References of entries below `settled_size` must resolve within it:
    everything on the topics when the log had that size is in the log by now."""

    size: int
    settled_size: int


async def export(
    database: Database, keys: LogKeys, tenant: str, extent: Extent, witness_vkey: str | None
) -> AsyncIterator[bytes]:
    """Lines in the order a verifier needs: header, each entry followed by its payload and by the checkpoint of
    its size, end with the SHA-256 of all before it. Pages are read one by one; what only grows needs no snapshot."""
    digest = sha256()

    def hashed(page: bytes) -> bytes:
        digest.update(page)
        return page

    header = {
        "record": "log",
        "format": FORMAT,
        "tenant": tenant,
        "origin": origin_of(keys.deployment, tenant),
        "size": extent.size,
        "settled_size": extent.settled_size,
        "vkeys": [one.vkey() for one in keys.verifiers(tenant)],
        "witness_vkeys": [witness_vkey] if witness_vkey else [],
    }
    yield hashed(written([header]))
    for first in range(0, extent.size, PAGE_ENTRIES):
        async with database.transaction(tenant) as tx:
            page = await records_between(tx, tenant, first, min(first + PAGE_ENTRIES, extent.size))
        yield hashed(written(page))
    yield written([{"record": "end", "size": extent.size, "sha256": digest.hexdigest()}])


async def records_between(tx: Transaction, tenant: str, first: int, end: int) -> list[dict[str, Any]]:
    """The records of entries [first, end): each with its payload and the checkpoint of its size behind it."""
    entries = await reading.entries_between(tx, tenant, first, end)
    signed = {one.size: one for one in await heads.checkpoints_after(tx, tenant, first, end - first) if one.size <= end}
    lines = await heads.cosignatures(tx, tenant, first + 1, end)
    read = {one.seq: orjson.loads(one.entry) for one in entries}
    digests = {seq: str(entry["payload_sha256"]) for seq, entry in read.items()}
    payloads = await reading.payloads(tx, tenant, list(digests.values()))
    records = list[dict[str, Any]]()
    for one in entries:
        records.append({"record": "entry", "seq": one.seq, "entry": one.entry.decode()})
        if identity_of(read[one.seq]) is None:
            # An import needs it to know the event again; nearly always it follows from what the entry says.
            records[-1]["event_hash"] = str(one.event_hash)
        payload = payloads.get(digests[one.seq])
        if payload is not None:
            records.append(
                {
                    "record": "payload",
                    "sha256": payload.sha256,
                    "salted": payload.is_salted,
                    "salt": _text(payload.salt),
                    "value": _text(payload.value),
                }
            )
        checkpoint = signed.get(one.seq + 1)
        if checkpoint is not None:
            records.append(
                {
                    "record": "checkpoint",
                    "size": checkpoint.size,
                    "note": checkpoint.note,
                    "cosignatures": lines.get(checkpoint.size, []),
                    "signed_at": instant_text(checkpoint.signed_at),
                }
            )
    return records


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def written(records: list[dict[str, Any]]) -> bytes:
    """Records as an export writes them, the one way it does."""
    return b"".join(orjson.dumps(record) + b"\n" for record in records)
