"""Takes an export back in: a verified file and an empty log (or a prefix of it) in, the same log out, to the byte.

Only the command line calls this (`./run audit import`), as the service's own role; nothing that answers HTTP imports it.

All or nothing, in one transaction. With one transaction per portion, a log that ends in the middle of its own history would be
there to be seen, signed and grown by whoever starts the service too early, and no import could ever mend that. What a kill
costs is the time of the import alone. The head stays locked throughout, as every writer of a log locks it, so that an import
and a service that runs after all are one after the other, and the second finds what the first wrote.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import asyncpg
from aiokafka import TopicPartition

from kit import kafka
from kit.database import Database, Transaction
from kit.settings import ServiceSettings
from services.audit.domain.checkpoints import hash_text, origin_of
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import CompactRange, TileRoot
from services.audit.domain.notes import Verifier
from services.audit.domain.tiles import TILE_WIDTH
from services.audit.exporting import records_between, written
from services.audit.guard import Guard, read_published
from services.audit.inspecting import TAKE_ANOTHER, ImportRefused, Inspected, inspect
from services.audit.keys import LogKeys
from services.audit.portioning import Portion, portions
from services.audit.store import growing, heads, reading, restoring
from services.audit.stream import VOLUME

Say = Callable[[int, int], None]
ANOTHER_LOG = (
    "import into an empty database (or the backup this export continues); what stands in this one was left as it is"
)


@dataclass(frozen=True, slots=True)
class Imported:
    """What was done. `published_size`: of the highest head the topic has of this log; without one, nothing but the file says
    that it is the newest. `awaited`: logs with published heads that are not here (whole) yet; audit would not sign them."""

    tenant: str
    origin: str
    size: int
    root: str
    added: int
    left_out: int
    checkpoints: int
    published_size: int | None
    awaited: tuple[str, ...]
    seconds: float


async def import_log(
    settings: ServiceSettings, database: Database, keys: LogKeys, witnesses: tuple[Verifier, ...],
    path: Path, tenant: str, say: Say, *, signed_only: bool = False,
) -> Imported:  # fmt: skip
    """Verify the export, then restore it. Raises ImportRefused; then nothing was written."""
    started = time.perf_counter()
    origin, trusted = origin_of(keys.deployment, tenant), tuple(keys.verifiers(tenant))
    seen = inspect(path, origin=origin, tenant=tenant, keys=trusted, witnesses=witnesses, signed_only=signed_only)
    guard = Guard()
    await read_published(settings, database, keys, guard)
    await demand_topics(settings, seen.reached)
    before, root = await restore(database, path, seen, guard, say)
    published, awaited = guard.published(), list[str]()
    for other, size in published.items():
        async with database.transaction(other) as tx:
            if await reading.size_of(tx, other) < size:
                awaited.append(other)
    return Imported(
        tenant, origin, seen.size, root, seen.size - before, seen.left_out, seen.findings.checkpoints,
        published.get(tenant), tuple(sorted(awaited)), time.perf_counter() - started,
    )  # fmt: skip


async def demand_topics(settings: ServiceSettings, reached: Mapping[tuple[str, int], int]) -> None:
    """Raise ImportRefused where a batch of the log speaks of offsets the topics here never had.

    What lies below the last offset of a batch is dropped as known. On topics that began anew, records nobody has ever seen
    would be taken for those of old, and stand in no batch for as long as the new offsets need to pass the old ones.
    """
    if not reached:
        return
    topics = {topic.name: topic for topic in VOLUME}
    unknown = [place for place in reached if place[0] not in topics or not 0 <= place[1] < topics[place[0]].partitions]
    if unknown:
        raise _of_other_topics(f"its batches speak of {unknown[0][0]}/{unknown[0][1]}, which is not in the catalogue")
    places = {TopicPartition(topics[name].on(settings.namespace), number): (name, number) for name, number in reached}
    consumer = kafka.plain_consumer(settings, "audit-import")
    try:
        await consumer.start()
        ends = await consumer.end_offsets(list(places))
    finally:
        await consumer.stop()
    for place, end in ends.items():
        name, number = places[place]
        if end <= reached[name, number]:
            raise _of_other_topics(
                f"its batches reach offset {reached[name, number]} of {name}/{number}, the topic ends at {end}"
            )


def _of_other_topics(what: str) -> ImportRefused:
    return ImportRefused(
        "topics_differ",
        f"the log was written from other topics: {what}",
        "import where the topics are that the log was written from: a log and its topics are one history",
    )


async def restore(database: Database, path: Path, seen: Inspected, guard: Guard, say: Say) -> tuple[int, str]:
    """Restore what was inspected; the size before, the root after. One transaction: see above."""
    try:
        async with database.transaction(seen.tenant) as tx:
            before = await growing.lock_head(tx, seen.tenant)
            if before.size > seen.size:
                raise ImportRefused(
                    "log_longer", f"the log here has {before.size} entries, the export {seen.size}", ANOTHER_LOG
                )
            head = CompactRange()
            for portion in portions(path, seen):
                head = await _restore_portion(tx, seen.tenant, portion, head, before)
                say(head.size, seen.size)
            await restoring.end_at(tx, seen.tenant, head)
            # What the service would refuse to sign at its next start must not be put before it.
            await guard.check(tx, seen.tenant, head)
    except ImportRefused:
        raise
    except AuditRefusal as refusal:
        raise ImportRefused(
            refusal.code,
            f"the log in the export is not what was published last: {refusal.args[1]}",
            "give an export that was taken after the newest published head (`./run verify FILE --checkpoint NOTE` tells)",
        ) from refusal
    except asyncpg.UniqueViolationError as error:
        raise ImportRefused("id_twice", f"two entries stand for one event: {error.detail}", TAKE_ANOTHER) from error
    return before.size, hash_text(head.root())


async def _restore_portion(
    tx: Transaction, tenant: str, portion: Portion, head: CompactRange, before: CompactRange
) -> CompactRange:
    """Add what is not there, and read all of the portion back as an export would say it; returns the grown head."""
    leaves = [leaf for *_, leaf in portion.entries]
    if portion.first < before.size <= portion.end and head.extend(leaves[: before.size - portion.first])[0] != before:
        raise _differs(tenant, before.size, before.size - 1)
    head, filled = head.extend(leaves)
    fresh = [one for one in portion.entries if one[0] >= before.size]
    if fresh:
        await growing.add_entries(tx, tenant, fresh)
        await growing.add_terms(tx, tenant, [one for one in portion.terms if one.seq >= before.size])
        await growing.add_payloads(tx, tenant, [one for seq, one in portion.payloads if seq >= before.size])
        await growing.add_tiles(tx, tenant, [one for one in filled if _end_of(one) > before.size])
    await restoring.add_erased(tx, tenant, portion.erased)
    await restoring.add_checkpoints(tx, tenant, portion.checkpoints)
    for size, witness, line in portion.cosignatures:
        await heads.add_cosignature(tx, tenant, size, witness, line)
    again = written(await records_between(tx, tenant, portion.first, portion.end)).split(b"\n")[:-1]
    for said, stored in zip_longest(portion.lines, again):
        if said is None or said[1] != stored:
            seq = portion.end - 1 if said is None else said[0]
            if seq < before.size:
                raise _differs(tenant, before.size, seq)
            raise ImportRefused(
                "export_malformed",
                f"what the export says at entry {seq} is not written as an export writes it, and would come out otherwise",
                TAKE_ANOTHER,
            )
    return head


def _end_of(tile: TileRoot) -> int:
    """The first entry after a full tile."""
    return int((tile.index + 1) * TILE_WIDTH ** (tile.level + 1))


def _differs(tenant: str, size: int, seq: int) -> ImportRefused:
    return ImportRefused(
        "log_differs",
        f"log {tenant!r} has {size} entries here, and they are not those the export begins with: they part at entry {seq} or before",
        ANOTHER_LOG,
    )
