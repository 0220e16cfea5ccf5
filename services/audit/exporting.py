"""The whole log of a tenant as JSON lines: what a stranger needs to verify it offline, in one pass."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from kit.database import Database, Transaction
from services.audit.domain.checkpoints import origin_of
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
    its size, end. Pages are read one by one; what only grows needs no snapshot."""
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
    yield _lines([header])
    for first in range(0, extent.size, PAGE_ENTRIES):
        async with database.transaction(tenant) as tx:
            page = await _page(tx, tenant, first, min(first + PAGE_ENTRIES, extent.size))
        yield _lines(page)
    yield _lines([{"record": "end", "size": extent.size}])


async def _page(tx: Transaction, tenant: str, first: int, end: int) -> list[dict[str, Any]]:
    entries = await reading.entries_between(tx, tenant, first, end)
    signed = {one.size: one for one in await heads.checkpoints_after(tx, tenant, first, end - first) if one.size <= end}
    lines = await heads.cosignatures(tx, tenant, first + 1, end)
    digests = {one.seq: str(orjson.loads(one.entry)["payload_sha256"]) for one in entries}
    payloads = await reading.payloads(tx, tenant, list(digests.values()))
    records = list[dict[str, Any]]()
    for one in entries:
        records.append({"record": "entry", "seq": one.seq, "entry": one.entry.decode()})
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
                }
            )
    return records


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _lines(records: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(record) + b"\n" for record in records)
