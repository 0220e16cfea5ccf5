"""Log entries: the canonical bytes that are stored and hashed, and nothing else is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson

from services.audit.domain.canonical import profile_json
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.tiles import ENTRY_BYTES_MAX

VERSION = 1
SALT_BYTES = 32
Fields = Mapping[str, str | int]
_REQUIRED = frozenset({"v", "tenant", "seq", "id", "type", "occurred_at", "actor", "subject", "payload_sha256"})
_TEXTS = ("tenant", "id", "type", "subject")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, and in which role."""

    sub: str
    role: str


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has its place in a log. `payload_sha256` is hex; `fields` are the facts of its type."""

    id: str
    type: str
    occurred_at: datetime
    actor: Actor
    subject: str
    payload_sha256: str
    fields: Fields


def instant_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def commitment(payload: bytes, salt: bytes = b"") -> str:
    """What an entry says about a payload. With a random salt of 32 bytes, it says nothing once the salt is erased:
    without one, who can guess the payload can confirm the guess."""
    if salt and len(salt) != SALT_BYTES:
        raise AuditRefusal("salt_malformed", f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return sha256(salt + payload).hexdigest()


def encode_entry(draft: Draft, *, tenant: str, seq: int) -> bytes:
    """The bytes of an entry at its place. Raises AuditRefusal: not_in_profile, not_canonical, entry_too_large."""
    reserved = _REQUIRED.intersection(draft.fields)
    if reserved:
        raise AuditRefusal("not_in_profile", f"facts {sorted(reserved)} have the names of fields every entry has")
    entry: dict[str, Any] = {
        "v": VERSION,
        "tenant": tenant,
        "seq": seq,
        "id": draft.id,
        "type": draft.type,
        "occurred_at": instant_text(draft.occurred_at),
        "actor": {"sub": draft.actor.sub, "role": draft.actor.role},
        "subject": draft.subject,
        "payload_sha256": draft.payload_sha256,
        **draft.fields,
    }
    raw = profile_json(entry)
    if len(raw) > ENTRY_BYTES_MAX:
        raise AuditRefusal("entry_too_large", f"{len(raw)} bytes; an entry has at most {ENTRY_BYTES_MAX}")
    return raw


def decode_entry(raw: bytes) -> dict[str, Any]:
    """The fields of an entry that is exactly as `encode_entry` writes it.

    Comparing the bytes with the canonical form of what was read finds repeated names, blanks, escapes and order in one.
    Raises AuditRefusal: entry_too_large, not_json, not_in_profile, not_canonical, fields_malformed.
    """
    if len(raw) > ENTRY_BYTES_MAX:
        raise AuditRefusal("entry_too_large", f"{len(raw)} bytes; an entry has at most {ENTRY_BYTES_MAX}")
    try:
        entry = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise AuditRefusal("not_json", f"an entry is JSON: {error}") from error
    if type(entry) is not dict:
        raise AuditRefusal("not_in_profile", "an entry is an object")
    if profile_json(entry) != raw:
        raise AuditRefusal("not_canonical", "the bytes are not the canonical form of their content")
    _check_fields(entry)
    return entry


def _check_fields(entry: dict[str, Any]) -> None:
    missing = _REQUIRED.difference(entry)
    if missing:
        raise AuditRefusal("fields_malformed", f"{sorted(missing)} missing")
    actor = entry["actor"]
    is_sound = (
        entry["v"] == VERSION
        and type(entry["seq"]) is int
        and entry["seq"] >= 0
        and all(type(entry[name]) is str and entry[name] for name in _TEXTS)
        and type(entry["occurred_at"]) is str
        and _INSTANT.fullmatch(entry["occurred_at"]) is not None
        and type(actor) is dict
        and actor.keys() == {"sub", "role"}
        and all(type(part) is str for part in actor.values())
        and type(entry["payload_sha256"]) is str
        and _DIGEST.fullmatch(entry["payload_sha256"]) is not None
    )
    if not is_sound:
        raise AuditRefusal("fields_malformed", "a field that every entry has is not of its kind")
