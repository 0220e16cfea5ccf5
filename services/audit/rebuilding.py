"""Makes again from a log's entries what stands beside them: search terms, hashes of full tiles, the growing edge.

The entries are the log and stay as they are. Every hash is computed anew and held against what is stored and against every
checkpoint; where one does not fit, nothing changes: that is no damage a rebuild may paper over.
"""

import time
from collections.abc import Sequence

from kit.database import Database, Transaction
from kit.rebuild import LONG_SECONDS, Outcome, Say, Table, digest
from services.audit.domain.checkpoints import parse_checkpoint
from services.audit.domain.entries import decode_entry
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import CompactRange, TileRoot, leaf_hash
from services.audit.domain.notes import parse_note
from services.audit.store import growing, heads, reading

PORTION = 2_000
TABLES = (
    Table("entry_terms", ("seq", "type", "subject", "item", "thread", "actor", "occurred_at")),
    Table("tile_roots", ("level", "index", "root")),
    Table("heads", ("size", "stack")),
)


async def rebuild(database: Database, say: Say) -> Outcome:
    """Every log of the service, each in one transaction; `records` are entries. Raises AuditRefusal when a log does not
    hold: entry_missing, leaf_differs, tile_differs, root_differs, and what `decode_entry` says of an entry."""
    started = time.perf_counter()
    before = await digest(database, TABLES)
    total = done = 0
    tenants = await database.tenants()
    for tenant in tenants:
        async with database.transaction(tenant) as tx:
            total += await tx.fetchval("select count(*) from entries where tenant = $1", tenant)
    for tenant in tenants:
        async with database.transaction(tenant) as tx:
            await tx.execute("set local statement_timeout = 0")
            done = await _again(tx, tenant, done, total, say)
    return Outcome(before, await digest(database, TABLES), done, time.perf_counter() - started)


async def _again(tx: Transaction, tenant: str, done: int, total: int, say: Say) -> int:
    """One log; returns entries done by now."""
    await tx.execute("delete from entry_terms where tenant = $1", tenant, timeout=LONG_SECONDS)
    await tx.execute("select from heads where tenant = $1 for update", tenant)
    head = CompactRange()
    while True:
        portion = await reading.entries_between(tx, tenant, head.size, head.size + PORTION)
        if not portion:
            break
        entries = [decode_entry(one.entry) for one in portion]
        for place, (one, entry) in enumerate(zip(portion, entries, strict=True), head.size):
            if (one.seq, entry["seq"], entry["tenant"]) != (place, place, tenant):
                raise _broken("entry_missing", tenant, f"entry {one.seq} stands where entry {place} belongs")
            if leaf_hash(one.entry) != one.leaf:
                raise _broken("leaf_differs", tenant, f"entry {place} is not what was hashed when it was written")
        grown, filled = head.extend(one.leaf for one in portion)
        signed = await heads.checkpoints_after(tx, tenant, head.size, PORTION)
        _check_roots(tenant, head, [one.leaf for one in portion], [one for one in signed if one.size <= grown.size])
        await growing.add_terms(tx, tenant, [growing.terms_of_entry(entry) for entry in entries])
        await _fill_tiles(tx, tenant, filled)
        head = grown
        say(done + head.size, total)
    newest = await heads.newest(tx, tenant)
    if newest is not None and newest.size > head.size:
        raise _broken("entry_missing", tenant, f"{head.size} entries, but a checkpoint of {newest.size} was signed")
    await growing.move_head(tx, tenant, head)
    return done + head.size


def _check_roots(
    tenant: str, head: CompactRange, leaves: Sequence[bytes], signed: Sequence[heads.StoredCheckpoint]
) -> None:
    """Hold the log against the checkpoints that end within these leaves, which follow `head`."""
    begun = head.size
    for one in signed:
        head, _filled = head.extend(leaves[head.size - begun : one.size - begun])
        if head.root() != parse_checkpoint(parse_note(one.note)[0]).root:
            raise _broken("root_differs", tenant, f"its first {one.size} entries are not those that were signed")


async def _fill_tiles(tx: Transaction, tenant: str, filled: Sequence[TileRoot]) -> None:
    """Put back tiles that are not there; one that is there must be right, because rows of the log only grow."""
    rows = await tx.fetch(
        "select level, index, root from tile_roots where tenant = $1"
        " and (level, index) in (select * from unnest($2::smallint[], $3::bigint[]))",
        tenant,
        [one.level for one in filled],
        [one.index for one in filled],
    )
    stored = {(row["level"], row["index"]): row["root"] for row in rows}
    for one in filled:
        if stored.get((one.level, one.index), one.root) != one.root:
            raise _broken(
                "tile_differs", tenant, f"tile {one.index} of level {one.level} is not the hash of its entries"
            )
    await growing.add_tiles(tx, tenant, [one for one in filled if (one.level, one.index) not in stored])


def _broken(code: str, tenant: str, what: str) -> AuditRefusal:
    return AuditRefusal(
        code,
        f"log {tenant!r} does not hold: {what}. Nothing was changed; find out with `./run verify`, restore a backup",
    )
