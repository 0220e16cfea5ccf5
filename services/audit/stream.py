"""Everything that was said becomes log entries: evidence one by one, high-volume records as hashed batches."""

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson
from aiokafka import ConsumerRecord

from kernel.ids import derived_id
from kit.consumer import BatchConsumer
from kit.database import Transaction, scope
from kit.errors import Rejected
from kit.events import Outgoing, Received, event_hash, outgoing
from schemas.recommendations import ExceptionRaised
from schemas.topics import (
    ACCOUNTS,
    CATALOGUE,
    DECISIONS,
    EXCEPTIONS,
    FORECASTS,
    ORDER_UPDATES,
    ORDERS,
    POLICIES,
    RECOMMENDATIONS,
    SALES,
    SIGNALS,
    STOCK,
)
from services.audit.domain.appending import Candidate, Placed
from services.audit.domain.batches import Record, batch_draft
from services.audit.domain.checkpoints import PLATFORM
from services.audit.domain.errors import AuditRefusal
from services.audit.domain.evidence import PERSONAL, Source, event_draft
from services.audit.store import growing

# Causes before what follows from them: within a batch, the log reads in this order.
EVIDENCE = (
    *(ACCOUNTS, CATALOGUE, POLICIES, SIGNALS, FORECASTS, RECOMMENDATIONS, DECISIONS, ORDERS, ORDER_UPDATES, EXCEPTIONS),
)
VOLUME = (SALES, STOCK)
_TENANT = re.compile(r"[^/\x00-\x1f\x7f]{1,64}")


def attach(consumer: BatchConsumer, namespace: str) -> None:
    """Consume the whole catalogue but our own checkpoints. The log's unique ids drop repeats, so there is no inbox."""
    consumer.on(EVIDENCE, record_evidence, dedupe=False)

    async def record_volume(tx: Transaction, records: Sequence[ConsumerRecord]) -> list[Outgoing]:
        return await record_batches(tx, records, namespace)

    consumer.on_raw(VOLUME, record_volume)


async def record_evidence(tx: Transaction, tenant: str, events: Sequence[Received[Any]]) -> list[Outgoing]:
    """One entry per event, its payload kept by commitment. Says `audit_conflict` for an id that came with other content."""
    if tenant == PLATFORM:
        raise Rejected(
            "tenant_reserved", f"{PLATFORM!r} names the platform's own log, no tenant can have it", field="tenant"
        )
    try:
        done = await growing.append_candidates(tx, tenant, [_candidate(one) for one in events])
    except AuditRefusal as refusal:
        raise Rejected(refusal.code, str(refusal.args[1])) from refusal
    return [_conflict(tenant, one) for one in done.conflicts]


def _candidate(event: Received[Any]) -> Candidate:
    envelope = event.envelope
    source = Source(
        id=envelope.id,
        source=envelope.source,
        type=envelope.type,
        time=envelope.time,
        key=envelope.key,
        subject=envelope.subject,
        correlation_id=envelope.correlation_id,
        causation_id=envelope.causation_id,
        topic=event.topic.name,
        partition=event.partition,
        offset=event.offset,
    )
    payload = growing.payload_of(event.value, is_personal=envelope.type in PERSONAL)
    return Candidate(event.hash, event_draft(source, orjson.loads(event.value), payload.sha256), payload)


def _conflict(tenant: str, placed: Placed) -> Outgoing:
    fields = placed.draft.fields
    event_id = str(fields["event_id"])
    body = ExceptionRaised(
        tenant=tenant,
        exception_id=derived_id("audit", "conflict", placed.draft.id),
        kind="audit_conflict",
        subject=f"event {event_id}"[:64].replace("/", "_"),
        says=f"An event came with the id of entry {fields['conflicts_with_seq']}, but with other content; both are in the audit log."[
            :400
        ],
        remedy=f"Compare entries {fields['conflicts_with_seq']} and {placed.seq} on the audit page and correct the sender.",
        owner="auditor",
        raised_on=placed.draft.occurred_at.date(),
        details={
            "first_seq": fields["conflicts_with_seq"],
            "second_seq": placed.seq,
            "event_type": fields["event_type"],
        },
    )
    return outgoing(body, service="audit", cause=placed.draft.id, time=placed.draft.occurred_at)


async def record_batches(tx: Transaction, records: Sequence[ConsumerRecord], namespace: str) -> list[Outgoing]:
    """One entry per tenant and partition over the bytes of these records, readable or not; nothing is decoded.

    Records that name no tenant go to the platform's log: no byte of a topic is left out.
    """
    groups: dict[tuple[str, str, int], list[Record]] = defaultdict(list)
    for record in records:
        groups[_tenant_of(record), record.topic, record.partition].append(
            Record(record.offset, record.timestamp, record.key, record.value, record.headers)
        )
    tenants: dict[str, dict[tuple[str, int], list[Record]]] = defaultdict(dict)
    for tenant, topic, partition in sorted(groups):
        tenants[tenant][topic.removeprefix(f"{namespace}."), partition] = groups[tenant, topic, partition]
    # The platform's log is locked last, as the signing does it, so that the two cannot wait for each other.
    for tenant in sorted(tenants, key=lambda name: (name == PLATFORM, name)):
        await scope(tx, tenant)
        await growing.lock_head(tx, tenant)
        reached = await growing.last_batched(
            tx, tenant, [f"{topic}/{partition}" for topic, partition in tenants[tenant]]
        )
        candidates = list[Candidate]()
        for (topic, partition), group in tenants[tenant].items():
            # A replay of the topic starts batches elsewhere; what stands in one already is not batched again.
            fresh = [record for record in group if record.offset > reached.get(f"{topic}/{partition}", -1)]
            if fresh:
                candidates.append(_batch_candidate(tenant, topic, partition, fresh))
        if candidates:
            await growing.append_candidates(tx, tenant, candidates)
    return []


def _batch_candidate(tenant: str, topic: str, partition: int, records: Sequence[Record]) -> Candidate:
    batch_id = derived_id("audit", "batch", tenant, topic, str(partition), str(records[0].offset))
    draft = batch_draft(topic, partition, records, batch_id=batch_id)
    return Candidate(event_hash("countersign/audit", batch_id), draft, None)


def _tenant_of(record: ConsumerRecord) -> str:
    """The tenant a record says it is of, from its header, else from its key; the platform's log when it says none."""
    for name, value in record.headers:
        if name == "ce_tenant" and value is not None:
            return _tenant(value)
    return _tenant((record.key or b"").partition(b"/")[0])


@lru_cache(maxsize=1024)
def _tenant(raw: bytes) -> str:
    stated = raw.decode(errors="replace")
    return stated if _TENANT.fullmatch(stated) else PLATFORM
