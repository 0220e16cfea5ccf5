"""The read side: entries, tiles, proofs and searches of one log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kit.database import Transaction
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import CompactRange, fold
from services.audit.domain.proofs import (
    Node,
    Range,
    build,
    consistency_ranges,
    inclusion_ranges,
    nodes_needed,
    perfect_nodes,
)
from services.audit.domain.tiles import TileName, span_of

PAGE_MAX = 500


@dataclass(frozen=True, slots=True)
class StoredEntry:
    seq: int
    entry: bytes
    leaf: bytes
    event_hash: UUID


async def size_of(tx: Transaction, tenant: str) -> int:
    """Entries in the log; 0 for a log that was never begun."""
    return await tx.fetchval("select size from heads where tenant = $1", tenant) or 0


async def entries_between(tx: Transaction, tenant: str, first: int, end: int) -> list[StoredEntry]:
    """Entries [first, end) in order."""
    rows = await tx.fetch(
        "select seq, entry, leaf, event_hash from entries where tenant = $1 and seq >= $2 and seq < $3 order by seq",
        tenant,
        first,
        end,
    )
    return [StoredEntry(row["seq"], row["entry"], row["leaf"], row["event_hash"]) for row in rows]


async def tile_hashes(tx: Transaction, tenant: str, name: TileName) -> list[bytes]:
    """Hashes of a hash tile, left to right. Raises AuditRefusal("hashes_missing")."""
    return await _hashes(tx, tenant, name.level or 0, name.first, name.width)


async def _hashes(tx: Transaction, tenant: str, level: int, first: int, count: int) -> list[bytes]:
    """Hashes [first, first + count) of a tile level: leaves at level 0, roots of the tiles below above it."""
    if level == 0:
        query = "select leaf from entries where tenant = $1 and seq >= $2 and seq < $3 order by seq"
        rows = await tx.fetch(query, tenant, first, first + count)
    else:
        query = (
            "select root from tile_roots where tenant = $1 and level = $4 and index >= $2 and index < $3 order by index"
        )
        rows = await tx.fetch(query, tenant, first, first + count, level - 1)
    if len(rows) != count:
        raise AuditRefusal("hashes_missing", f"level {level} from {first}: {len(rows)} of {count} hashes are stored")
    return [row[0] for row in rows]


async def nodes_at(tx: Transaction, tenant: str, nodes: set[Node]) -> dict[Node, bytes]:
    """Hashes of perfect subtrees, one read for each."""
    found = dict[Node, bytes]()
    for node in sorted(nodes):
        hashes = await _hashes(tx, tenant, *span_of(node))
        found[node] = fold(CompactRange().extend(hashes)[0].stack)
    return found


async def proof(tx: Transaction, tenant: str, ranges: Sequence[Range]) -> list[bytes]:
    nodes = await nodes_at(tx, tenant, nodes_needed(ranges))
    return build(ranges, nodes.__getitem__)


async def inclusion_proof(tx: Transaction, tenant: str, seq: int, size: int) -> list[bytes]:
    """Raises AuditRefusal("index_outside_tree")."""
    return await proof(tx, tenant, inclusion_ranges(seq, size))


async def consistency_proof(tx: Transaction, tenant: str, old: int, new: int) -> list[bytes]:
    """Raises AuditRefusal("sizes_out_of_order")."""
    return await proof(tx, tenant, consistency_ranges(old, new))


async def root_at(tx: Transaction, tenant: str, size: int) -> bytes:
    """The root the log had at `size`."""
    places = perfect_nodes(0, size)
    nodes = await nodes_at(tx, tenant, set(places))
    return fold([nodes[place] for place in places])


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; absent parts match everything. `item` is sku/location, `thread` a recommendation or order id."""

    after_seq: int = -1
    type: str | None = None
    subject: str | None = None
    item: str | None = None
    thread: str | None = None
    actor: str | None = None
    from_time: datetime | None = None
    to_time: datetime | None = None
    newest_first: bool = False
    limit: int = 50


async def search(tx: Transaction, tenant: str, wanted: Search) -> list[StoredEntry]:
    """One page of entries in order of seq (or newest first, then `after_seq` is the seq to stay below)."""
    conditions, arguments = ["t.tenant = $1"], list[Any]([tenant])

    def add(condition: str, value: Any) -> None:
        arguments.append(value)
        conditions.append(condition.replace("?", f"${len(arguments)}"))

    if not wanted.newest_first:
        add("t.seq > ?", wanted.after_seq)
    elif wanted.after_seq >= 0:
        add("t.seq < ?", wanted.after_seq)
    for column in ("type", "subject", "item", "thread", "actor"):
        value = getattr(wanted, column)
        if value is not None:
            add(f"t.{column} = ?", value)
    if wanted.from_time is not None:
        add("t.occurred_at >= ?", wanted.from_time)
    if wanted.to_time is not None:
        add("t.occurred_at < ?", wanted.to_time)
    arguments.append(min(wanted.limit, PAGE_MAX))
    rows = await tx.fetch(
        "select e.seq, e.entry, e.leaf, e.event_hash from entry_terms t join entries e using (tenant, seq)"
        f" where {' and '.join(conditions)} order by t.seq {'desc' if wanted.newest_first else 'asc'} limit ${len(arguments)}",
        *arguments,
    )
    return [StoredEntry(row["seq"], row["entry"], row["leaf"], row["event_hash"]) for row in rows]


@dataclass(frozen=True, slots=True)
class StoredPayload:
    sha256: str
    is_salted: bool
    salt: bytes | None
    value: bytes | None


async def payloads(tx: Transaction, tenant: str, digests: Sequence[str]) -> dict[str, StoredPayload]:
    """Payloads by the commitments (hex) that entries hold; erased ones come without value."""
    rows = await tx.fetch(
        "select sha256, is_salted, salt, value from payloads where tenant = $1 and sha256 = any($2::bytea[])",
        tenant,
        [bytes.fromhex(digest) for digest in digests],
    )
    found = (StoredPayload(row["sha256"].hex(), row["is_salted"], row["salt"], row["value"]) for row in rows)
    return {one.sha256: one for one in found}
