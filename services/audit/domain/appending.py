"""Appending: candidates and what the log already holds in, new entries with their places and the new head out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from services.audit.domain.entries import Draft, encode_entry
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import CompactRange, TileRoot, leaf_hash

CONFLICT_TYPE = "audit.conflict.v1"


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes an entry commits to, and the salt if the commitment has one. Kept beside the log, found by commitment."""

    sha256: str
    salt: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Candidate:
    """A draft that wants a place. `event_hash` stands for (source, id): it decides what is a repeat.

    `is_same(known_sha256)` says whether the content equals what the log committed to under that id.
    """

    event_hash: UUID
    draft: Draft
    payload: Payload | None


@dataclass(frozen=True, slots=True)
class Known:
    """An entry the log already has under an event hash: its place, its commitment, the salt if it had one.

    `is_erased`: salt and payload were erased, so that equal and other content can no longer be told apart.
    """

    seq: int
    payload_sha256: str
    salt: bytes | None
    is_erased: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry with its place: what is stored."""

    seq: int
    event_hash: UUID
    draft: Draft
    raw: bytes
    leaf: bytes
    payload: Payload | None


@dataclass(frozen=True, slots=True)
class Appended:
    head: CompactRange
    entries: tuple[Placed, ...]
    filled: tuple[TileRoot, ...]
    conflicts: tuple[Placed, ...]
    repeats: int


Matches = Callable[[Candidate, Known], bool]
ConflictId = Callable[[Candidate], tuple[UUID, str]]


def append(
    tenant: str,
    head: CompactRange,
    candidates: Sequence[Candidate],
    known: Mapping[UUID, Known],
    *,
    matches: Matches,
    conflict_id: ConflictId,
) -> Appended:
    """Give each new candidate the next place, in order.

    Same id and same content: a repeat, dropped. Same id with other content: an `audit.conflict.v1` entry that names the
    first one, so that both are provable; a repeat of the conflict is dropped again. `known` must hold the log's entries
    for the hashes of all candidates and of all their `conflict_id`s.
    """
    seen = dict(known)
    placed, conflicts, repeats = list[Placed](), list[Placed](), 0
    for candidate in candidates:
        first = seen.get(candidate.event_hash)
        is_conflict = first is not None and not matches(candidate, first)
        if first is not None and is_conflict:
            candidate = _as_conflict(candidate, first, *conflict_id(candidate))
        if candidate.event_hash in seen:
            repeats += 1
            continue
        seq = head.size + len(placed)
        try:
            raw = encode_entry(candidate.draft, tenant=tenant, seq=seq)
        except AuditRefusal as refusal:
            raise AuditRefusal(refusal.code, f"event {candidate.draft.id}: {refusal.args[1]}") from refusal
        one = Placed(seq, candidate.event_hash, candidate.draft, raw, leaf_hash(raw), candidate.payload)
        placed.append(one)
        if is_conflict:
            conflicts.append(one)
        salt = candidate.payload.salt if candidate.payload else None
        seen[candidate.event_hash] = Known(seq, candidate.draft.payload_sha256, salt)
    grown, filled = head.extend(one.leaf for one in placed)
    return Appended(grown, tuple(placed), tuple(filled), tuple(conflicts), repeats)


def _as_conflict(candidate: Candidate, first: Known, event_hash: UUID, entry_id: str) -> Candidate:
    fields = {
        name: value
        for name, value in candidate.draft.fields.items()
        if name in ("source", "topic", "partition", "offset", "key", "payload_form")
    }
    draft = replace(
        candidate.draft,
        id=entry_id,
        type=CONFLICT_TYPE,
        fields={
            **fields,
            "event_id": candidate.draft.id,
            "event_type": candidate.draft.type,
            "conflicts_with_seq": first.seq,
        },
    )
    return Candidate(event_hash, draft, candidate.payload)
