"""An export as portions of rows: the lines of a verified file in, what each table gets out, one page of entries at a time."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from kit.events import event_hash
from services.audit.domain.appending import Payload
from services.audit.domain.evidence import identity_of
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.notes import parse_note
from services.audit.exporting import PAGE_ENTRIES
from services.audit.inspecting import ImportRefused, Inspected, lines_of
from services.audit.store.growing import Terms, terms_of_entry
from services.audit.store.heads import StoredCheckpoint

WHILE_READ = "let nobody write to the file, and import it again; nothing was written"


@dataclass(slots=True)
class Portion:
    """Entries from `first` on with all that belongs to them. `lines`: what an export must say of them, with their seq."""

    first: int
    entries: list[tuple[int, UUID, bytes, bytes]] = field(default_factory=list)
    terms: list[Terms] = field(default_factory=list)
    payloads: list[tuple[int, Payload]] = field(default_factory=list)
    erased: dict[str, datetime] = field(default_factory=dict)
    checkpoints: list[StoredCheckpoint] = field(default_factory=list)
    cosignatures: list[tuple[int, str, str]] = field(default_factory=list)
    lines: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The place after its last entry."""
        return self.first + len(self.entries)


def portions(path: Path, seen: Inspected) -> Iterator[Portion]:
    """The portions of a file that was inspected, in order. Raises ImportRefused("export_changed") when it is not the same
    any more, at the latest after the last portion: commit nothing before this has ended."""
    digest, portion, is_left_out = hashlib.sha256(), Portion(0), False
    for line in lines_of(path, digest):
        try:
            record = orjson.loads(line)
            kind = record["record"]
            full = None
            if kind == "entry" and len(portion.entries) == PAGE_ENTRIES:
                full, portion = portion, Portion(portion.end)
            is_left_out = is_left_out or (kind == "entry" and portion.end == seen.size)
            if is_left_out:
                pass  # the rest is read for its digest only
            elif kind == "entry":
                _take_entry(portion, record, line)
            elif kind == "payload":
                _take_payload(portion, record, line, seen)
            elif kind == "checkpoint":
                _take_checkpoint(portion, record, line)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _changed(path) from error
        if full is not None:
            yield full
    if portion.entries:
        yield portion
    if digest.hexdigest() != seen.sha256:
        raise _changed(path)


def _changed(path: Path) -> ImportRefused:
    return ImportRefused("export_changed", f"{path} is not the file any more that was verified", WHILE_READ)


def _take_entry(portion: Portion, record: dict[str, Any], line: bytes) -> None:
    raw = str(record["entry"]).encode()
    entry = orjson.loads(raw)
    identity = identity_of(entry)
    stands_for = UUID(record["event_hash"]) if identity is None else event_hash(*identity)
    portion.lines.append((portion.end, line))
    portion.entries.append((portion.end, stands_for, raw, leaf_hash(raw)))
    portion.terms.append(terms_of_entry(entry))


def _take_payload(portion: Portion, record: dict[str, Any], line: bytes, seen: Inspected) -> None:
    seq, sha256 = portion.end - 1, str(record["sha256"])
    if record["salted"] and sha256 in seen.erasures:
        # The log's word counts, also over an export that was being written when the payload was erased and still has it.
        portion.erased[sha256] = seen.erasures[sha256]
        line = orjson.dumps(record | {"salt": None, "value": None})
    else:
        salt = base64.b64decode(record["salt"]) if record["salted"] else None
        portion.payloads.append((seq, Payload(sha256, salt, base64.b64decode(record["value"]))))
    portion.lines.append((seq, line))


def _take_checkpoint(portion: Portion, record: dict[str, Any], line: bytes) -> None:
    size = portion.end
    portion.lines.append((size - 1, line))
    portion.checkpoints.append(StoredCheckpoint(size, record["note"], datetime.fromisoformat(record["signed_at"])))
    text, _ = parse_note(record["note"])
    for cosignature in record["cosignatures"]:
        _, (signature,) = parse_note(f"{text}\n{cosignature}")
        portion.cosignatures.append((size, signature.name, cosignature))
