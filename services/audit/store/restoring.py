"""The rows only an import writes: checkpoints and cosignatures of another time, payloads erased before, a head that was signed.

Everything is added beside what is there; the triggers and grants of the log hold for an import as for the service.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from kit.database import Transaction
from services.audit.domain.merkle import CompactRange
from services.audit.store import growing
from services.audit.store.heads import StoredCheckpoint


async def add_erased(tx: Transaction, tenant: str, erased: Mapping[str, datetime]) -> None:
    """Let these commitments stand without payload, erased when the log says they were; also where the payload is still kept."""
    if not erased:
        return
    await tx.execute(
        "insert into payloads (tenant, sha256, is_salted, erased_at)"
        " select $1, s, true, at from unnest($2::bytea[], $3::timestamptz[]) as t(s, at)"
        " order by s on conflict (tenant, sha256) do nothing",
        tenant,
        [bytes.fromhex(sha256) for sha256 in erased],
        list(erased.values()),
    )
    for sha256, at in erased.items():
        await growing.erase_payload(tx, tenant, bytes.fromhex(sha256), at)


async def add_checkpoints(tx: Transaction, tenant: str, checkpoints: Sequence[StoredCheckpoint]) -> None:
    """Signed heads with the time they were signed at; one that is there stays as it is."""
    if checkpoints:
        await tx.execute(
            "insert into checkpoints (tenant, size, note, signed_at)"
            " select $1, * from unnest($2::bigint[], $3::text[], $4::timestamptz[]) on conflict (tenant, size) do nothing",
            tenant,
            [one.size for one in checkpoints],
            [one.note for one in checkpoints],
            [one.signed_at for one in checkpoints],
        )


async def end_at(tx: Transaction, tenant: str, head: CompactRange) -> None:
    """Let the log end here, signed as far as its newest checkpoint says."""
    await growing.move_head(tx, tenant, head)
    await tx.execute(
        "update heads set last_signed_size = coalesce((select max(size) from checkpoints where tenant = $1), 0) where tenant = $1",
        tenant,
    )
