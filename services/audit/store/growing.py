"""The write side: lock a log's head, learn what it already holds, append, move the head. All in the caller's transaction."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from kernel.ids import derived_id
from kit import failpoints, telemetry
from kit.database import Transaction
from kit.events import event_hash
from services.audit.domain.appending import Appended, Candidate, Known, Payload, Placed, append
from services.audit.domain.batches import BATCH_TYPE
from services.audit.domain.entries import SALT_BYTES, Draft, commitment
from services.audit.domain.evidence import item_of
from services.audit.domain.merkle import CompactRange, TileRoot

log = telemetry.get_logger()
APPENDED = telemetry.counter("audit_entries_appended_total", "Entries appended to audit logs")
REPEATS = telemetry.counter("audit_repeats_total", "Events that were in the log already and were dropped")
CONFLICTS = telemetry.counter(
    "audit_conflicts_total", "Events that came with the id of another content; each is an alarm"
)


async def lock_head(tx: Transaction, tenant: str) -> CompactRange:
    """The head of the log, locked until the transaction ends; an empty log is begun here."""
    query = "select size, stack from heads where tenant = $1 for update"
    row = await tx.fetchrow(query, tenant)
    if row is None:
        await tx.execute("insert into heads (tenant) values ($1) on conflict do nothing", tenant)
        await tx.execute("insert into tenants (tenant) values ($1) on conflict do nothing", tenant)
        row = await tx.fetchrow(query, tenant)
    assert row is not None
    return CompactRange(row["size"], tuple(row["stack"]))


def payload_of(value: bytes, *, is_personal: bool) -> Payload:
    """The payload under its commitment; personal data under a fresh random salt."""
    salt = secrets.token_bytes(SALT_BYTES) if is_personal else None
    return Payload(commitment(value, salt or b""), salt, value)


async def append_candidates(tx: Transaction, tenant: str, candidates: Sequence[Candidate]) -> Appended:
    """Append what the log does not hold yet; says what it did. Raises AuditRefusal for a candidate that has no entry form."""
    head = await lock_head(tx, tenant)
    failpoints.reach("audit.head-locked")
    known = await _known(tx, tenant, candidates)
    done = append(tenant, head, candidates, known, matches=matches, conflict_id=conflict_id)
    REPEATS.inc(done.repeats)
    if not done.entries:
        return done
    await _insert(tx, tenant, done.entries)
    failpoints.reach("audit.entries-written")
    await add_tiles(tx, tenant, done.filled)
    await move_head(tx, tenant, done.head)
    failpoints.reach("audit.head-moved")
    APPENDED.inc(len(done.entries))
    for one in done.conflicts:
        CONFLICTS.inc()
        log.error("audit_conflict", tenant=tenant, seq=one.seq, event_id=one.draft.fields["event_id"])
    return done


async def add_tiles(tx: Transaction, tenant: str, filled: Sequence[TileRoot]) -> None:
    """Keep the roots of tiles that are full now."""
    if filled:
        await tx.execute(
            "insert into tile_roots (tenant, level, index, root)"
            " select $1, * from unnest($2::smallint[], $3::bigint[], $4::bytea[])",
            tenant,
            [one.level for one in filled],
            [one.index for one in filled],
            [one.root for one in filled],
        )


async def move_head(tx: Transaction, tenant: str, head: CompactRange) -> None:
    """Let the log end here."""
    await tx.execute("update heads set size = $2, stack = $3 where tenant = $1", tenant, head.size, list(head.stack))


def matches(candidate: Candidate, known: Known) -> bool:
    """Whether the candidate's content is what the log committed to under its id. What was erased cannot differ."""
    if known.is_erased or candidate.payload is None:
        return known.is_erased or candidate.draft.payload_sha256 == known.payload_sha256
    return commitment(candidate.payload.value, known.salt or b"") == known.payload_sha256


def conflict_id(candidate: Candidate) -> tuple[UUID, str]:
    """Identity of "this id came again with this content": the same conflict again is a repeat."""
    content = commitment(candidate.payload.value) if candidate.payload else candidate.draft.payload_sha256
    entry_id = derived_id("audit", "conflict", str(candidate.event_hash), content)
    return event_hash("countersign/audit", entry_id), entry_id


async def _known(tx: Transaction, tenant: str, candidates: Sequence[Candidate]) -> dict[UUID, Known]:
    found = await _known_hashes(tx, tenant, {one.event_hash for one in candidates})
    # Only a candidate whose id is taken can become a conflict, and then the conflict itself may be known too.
    taken = [one for one in candidates if one.event_hash in found]
    if taken:
        found |= await _known_hashes(tx, tenant, {conflict_id(one)[0] for one in taken})
    return found


async def _known_hashes(tx: Transaction, tenant: str, hashes: set[UUID]) -> dict[UUID, Known]:
    rows = await tx.fetch(
        "select seq, event_hash, entry from entries where tenant = $1 and event_hash = any($2::uuid[])",
        tenant,
        list(hashes),
    )
    commitments = {row["event_hash"]: orjson.loads(row["entry"])["payload_sha256"] for row in rows}
    kept = await tx.fetch(
        "select sha256, salt, erased_at is not null as is_erased from payloads"
        " where tenant = $1 and is_salted and sha256 = any($2::bytea[])",
        tenant,
        [bytes.fromhex(text) for text in commitments.values()],
    )
    salts = {row["sha256"].hex(): row for row in kept}
    known = dict[UUID, Known]()
    for row in rows:
        text = commitments[row["event_hash"]]
        side = salts.get(text)
        known[row["event_hash"]] = Known(
            row["seq"], text, side["salt"] if side else None, bool(side and side["is_erased"])
        )
    return known


async def _insert(tx: Transaction, tenant: str, placed: Sequence[Placed]) -> None:
    await add_entries(tx, tenant, [(one.seq, one.event_hash, one.raw, one.leaf) for one in placed])
    await add_terms(tx, tenant, [terms_of_draft(one.seq, one.draft) for one in placed])
    await add_payloads(tx, tenant, [one.payload for one in placed if one.payload is not None])


async def add_entries(tx: Transaction, tenant: str, rows: Sequence[tuple[int, UUID, bytes, bytes]]) -> None:
    """Write entries down: place, event hash, bytes, leaf hash."""
    await tx.execute(
        "insert into entries (tenant, seq, event_hash, entry, leaf)"
        " select $1, * from unnest($2::bigint[], $3::uuid[], $4::bytea[], $5::bytea[])",
        tenant,
        *(list(column) for column in zip(*rows, strict=True)),
    )


async def add_payloads(tx: Transaction, tenant: str, payloads: Sequence[Payload]) -> None:
    """Keep payloads under their commitments; one that is kept already stays as it is."""
    by_digest = {one.sha256: one for one in payloads}
    if by_digest:
        await tx.execute(
            "insert into payloads (tenant, sha256, is_salted, salt, value)"
            " select $1, s, k is not null, k, v from unnest($2::bytea[], $3::bytea[], $4::bytea[]) as t(s, k, v)"
            " order by s on conflict (tenant, sha256) do nothing",
            tenant,
            [bytes.fromhex(one.sha256) for one in by_digest.values()],
            [one.salt for one in by_digest.values()],
            [one.value for one in by_digest.values()],
        )


class Terms(NamedTuple):
    """What an entry is looked up by: the columns of `entry_terms`."""

    seq: int
    type: str
    subject: str
    item: str | None
    thread: str | None
    actor: str
    occurred_at: datetime


def terms_of_draft(seq: int, draft: Draft) -> Terms:
    """The terms of an entry that gets its place now."""
    item, thread = item_of(draft.fields), thread_of(draft.fields)
    return Terms(seq, draft.type, draft.subject, item, thread, draft.actor.sub, draft.occurred_at)


def terms_of_entry(entry: Mapping[str, Any]) -> Terms:
    """The same terms, from an entry as it stands in the log."""
    told_at = datetime.fromisoformat(entry["occurred_at"])
    subject, actor = entry["subject"], entry["actor"]["sub"]
    return Terms(entry["seq"], entry["type"], subject, item_of(entry), thread_of(entry), actor, told_at)


async def add_terms(tx: Transaction, tenant: str, terms: Sequence[Terms]) -> None:
    """Write down what these entries are looked up by."""
    await tx.execute(
        "insert into entry_terms (tenant, seq, type, subject, item, thread, actor, occurred_at)"
        " select $1, * from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])",
        tenant,
        *(list(column) for column in zip(*terms, strict=True)),
    )


def thread_of(fields: Mapping[str, Any]) -> str | None:
    """What ties entries of one story together: the recommendation, or the order."""
    thread = fields.get("recommendation_id") or fields.get("order_id")
    return str(thread) if thread else None


async def last_batched(tx: Transaction, tenant: str, places: Sequence[str]) -> dict[str, int]:
    """The last offset that stands in a batch, by `topic/partition`; places without a batch are left out."""
    rows = await tx.fetch(
        "select place, (select e.entry from entry_terms t join entries e using (tenant, seq)"
        " where t.tenant = $1 and t.subject = place and t.type = $3 order by t.seq desc limit 1) as entry"
        " from unnest($2::text[]) as place",
        tenant,
        list(places),
        BATCH_TYPE,
    )
    return {row["place"]: orjson.loads(row["entry"])["last_offset"] for row in rows if row["entry"] is not None}


async def erase_payload(tx: Transaction, tenant: str, sha256: bytes, now: datetime) -> bool:
    """Erase salt and value of a salted payload. False if there is none to erase."""
    done = await tx.execute(
        "update payloads set salt = null, value = null, erased_at = $3"
        " where tenant = $1 and sha256 = $2 and is_salted and erased_at is null",
        tenant,
        sha256,
        now,
    )
    return done == "UPDATE 1"
