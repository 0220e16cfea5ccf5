"""Signed heads of the logs: which are due, what was signed last, and what witnesses answered."""

from dataclasses import dataclass
from datetime import datetime

from kit.database import Transaction
from services.audit.domain.merkle import CompactRange


@dataclass(frozen=True, slots=True)
class Head:
    """The growing edge of a log and the size of its newest checkpoint."""

    range: CompactRange
    last_signed_size: int


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    size: int
    note: str
    signed_at: datetime


async def locked(tx: Transaction, tenant: str) -> Head | None:
    row = await tx.fetchrow("select size, stack, last_signed_size from heads where tenant = $1 for update", tenant)
    return None if row is None else Head(CompactRange(row["size"], tuple(row["stack"])), row["last_signed_size"])


async def is_due(tx: Transaction, tenant: str) -> bool:
    """Whether the log grew since it was signed."""
    return bool(await tx.fetchval("select size > last_signed_size from heads where tenant = $1", tenant))


async def was_ever_signed(tx: Transaction, tenant: str) -> bool:
    """Whether the head says that a checkpoint was made, whatever became of it."""
    return bool(await tx.fetchval("select last_signed_size > 0 from heads where tenant = $1", tenant))


async def store_checkpoint(tx: Transaction, tenant: str, size: int, note: str, signed_at: datetime) -> None:
    await tx.execute(
        "insert into checkpoints (tenant, size, note, signed_at) values ($1, $2, $3, $4)", tenant, size, note, signed_at
    )
    await tx.execute("update heads set last_signed_size = $2 where tenant = $1", tenant, size)


async def newest(tx: Transaction, tenant: str) -> StoredCheckpoint | None:
    row = await tx.fetchrow(
        "select size, note, signed_at from checkpoints where tenant = $1 order by size desc limit 1", tenant
    )
    return None if row is None else StoredCheckpoint(row["size"], row["note"], row["signed_at"])


async def checkpoint_at(tx: Transaction, tenant: str, size: int) -> StoredCheckpoint | None:
    row = await tx.fetchrow(
        "select size, note, signed_at from checkpoints where tenant = $1 and size = $2", tenant, size
    )
    return None if row is None else StoredCheckpoint(row["size"], row["note"], row["signed_at"])


async def covering(tx: Transaction, tenant: str, seq: int) -> StoredCheckpoint | None:
    """The newest checkpoint, if it covers entry `seq`."""
    found = await newest(tx, tenant)
    return found if found is not None and found.size > seq else None


async def checkpoints_after(tx: Transaction, tenant: str, size: int, limit: int) -> list[StoredCheckpoint]:
    rows = await tx.fetch(
        "select size, note, signed_at from checkpoints where tenant = $1 and size > $2 order by size limit $3",
        tenant,
        size,
        limit,
    )
    return [StoredCheckpoint(row["size"], row["note"], row["signed_at"]) for row in rows]


async def add_cosignature(tx: Transaction, tenant: str, size: int, witness: str, line: str) -> None:
    await tx.execute(
        "insert into cosignatures (tenant, size, witness, line) values ($1, $2, $3, $4) on conflict do nothing",
        tenant,
        size,
        witness,
        line,
    )


async def cosignatures(tx: Transaction, tenant: str, first: int, last: int) -> dict[int, list[str]]:
    """Signature lines of witnesses for checkpoints of sizes first..last, by size."""
    rows = await tx.fetch(
        "select size, line from cosignatures where tenant = $1 and size between $2 and $3 order by size, witness",
        tenant,
        first,
        last,
    )
    found = dict[int, list[str]]()
    for row in rows:
        found.setdefault(row["size"], []).append(row["line"])
    return found
