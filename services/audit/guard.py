"""The restored-backup guard: what was published must still be true of the database before anything is signed again.

A database restored from a backup is consistent in itself; only what others already hold shows that it is old.
"""

from collections.abc import Iterable

import orjson
from aiokafka import TopicPartition

from kit import kafka, telemetry
from kit.database import Database, Transaction
from kit.settings import ServiceSettings
from schemas.topics import CHECKPOINTS
from services.audit.domain.checkpoints import Checkpoint, open_checkpoint
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import CompactRange
from services.audit.keys import LogKeys
from services.audit.store import reading

log = telemetry.get_logger()


class Guard:
    """Highest published checkpoint of each log; grows while this process signs."""

    def __init__(self) -> None:
        self._highest: dict[str, Checkpoint] = {}
        self._confirmed: dict[str, int] = {}
        self._forked: dict[str, AuditRefusal] = {}
        self.has_read_published = False

    def learn(self, tenant: str, checkpoint: Checkpoint) -> None:
        """Remember a checkpoint that was published; two of one size that differ stop the signing of that log for good."""
        known = self._highest.get(tenant)
        if known is not None and known.size == checkpoint.size and known.root != checkpoint.root:
            self._forked[tenant] = AuditRefusal(
                "log_forked", f"two checkpoints of {checkpoint.origin} at size {known.size} with different roots"
            )
        if known is None or checkpoint.size > known.size:
            self._highest[tenant] = checkpoint

    def published(self) -> dict[str, int]:
        """The size of the highest checkpoint published of each log, as far as they were read."""
        return {tenant: one.size for tenant, one in self._highest.items()}

    def signed(self, tenant: str, checkpoint: Checkpoint) -> None:
        """Remember a checkpoint of ours: it was checked when it was made."""
        self.learn(tenant, checkpoint)
        self._confirmed[tenant] = checkpoint.size

    async def check(self, tx: Transaction, tenant: str, head: CompactRange) -> None:
        """Raises AuditRefusal: database_restored (smaller than what was published), log_forked (another history)."""
        if tenant in self._forked:
            raise self._forked[tenant]
        published = self._highest.get(tenant)
        if published is None:
            return
        if head.size < published.size:
            raise AuditRefusal(
                "database_restored",
                f"log {tenant!r} has {head.size} entries, but a checkpoint of {published.size} was published: the database is older"
                " than what others hold. Restore a newer backup; signing stays off until then",
            )
        if self._confirmed.get(tenant) != published.size:
            if await reading.root_at(tx, tenant, published.size) != published.root:
                raise AuditRefusal(
                    "log_forked",
                    f"log {tenant!r} had another content when its checkpoint of {published.size} entries was published: history was"
                    " rewritten, or the database was restored and grew again. Restore the right database; signing stays off until then",
                )
            self._confirmed[tenant] = published.size


async def read_published(settings: ServiceSettings, database: Database, keys: LogKeys, guard: Guard) -> int:
    """Learn all checkpoints on the topic that this database may not know of; returns how many were read.

    The relay's stored position says what this database knows to be published. A restored database has an old position,
    so everything published since is read.
    """
    topic = CHECKPOINTS.on(settings.namespace)
    known = {
        row["partition"]: row["next_offset"]
        for row in await database.pool.fetch(
            "select partition, next_offset from relay_positions where topic = $1", topic
        )
    }
    consumer = kafka.plain_consumer(settings, "audit-guard")
    count = 0
    try:
        await consumer.start()
        places = [TopicPartition(topic, number) for number in range(CHECKPOINTS.partitions)]
        consumer.assign(places)
        starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        for place in places:
            # One before the known position, so that the newest checkpoint we know of is learnt as well.
            consumer.seek(place, min(max(known.get(place.partition, 0) - 1, starts[place]), ends[place]))
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                count += len(records)
                _learn_all((record.value for record in records), keys, guard)
    finally:
        await consumer.stop()
    guard.has_read_published = True
    log.info("published_checkpoints_read", records=count)
    return count


def _learn_all(values: Iterable[bytes | None], keys: LogKeys, guard: Guard) -> None:
    for value in values:
        try:
            body = orjson.loads(value or b"")
            verifiers = keys.verifiers(body["log_id"])
            guard.learn(body["log_id"], open_checkpoint(body["note"], verifiers[0].name, verifiers))
        except (AuditRefusal, orjson.JSONDecodeError, KeyError, TypeError) as error:
            # Signed by no key of ours: someone else's record. It cannot hold up signing.
            log.warning("published_checkpoint_not_ours", error=str(error))
