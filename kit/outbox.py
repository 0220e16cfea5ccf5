"""The outbox: what a transaction wants to tell others becomes rows of that same transaction."""

import itertools
from collections.abc import Sequence

import orjson

from kit.database import Transaction, scope
from kit.events import Outgoing, header_texts
from kit.packing import pack


async def enqueue(tx: Transaction, messages: Sequence[Outgoing]) -> int:
    """Put messages into the outbox, in order; returns how many were new.

    A message whose id is there already is a repeat of the same cause and is left as it is. Leaves the transaction
    scoped to the tenant of the last message.
    """
    added = 0
    for tenant, group in itertools.groupby(messages, key=lambda message: message.envelope.tenant):
        batch = list(group)
        await scope(tx, tenant)
        # `with ordinality` keeps the order in which the messages were decided; the identity column then numbers it.
        rows = await tx.fetch(
            "insert into outbox (tenant, event_id, topic, record_key, headers, value)"
            " select $1, event_id, topic, record_key, headers, value"
            " from unnest($2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::bytea[])"
            " with ordinality as t(event_id, topic, record_key, headers, value, n) order by n"
            " on conflict (tenant, event_id, topic) do nothing returning 1",
            tenant,
            [message.envelope.id for message in batch],
            [message.topic for message in batch],
            [message.envelope.key for message in batch],
            [orjson.dumps(header_texts(message)) for message in batch],
            [pack(message.value) if message.packed is None else message.packed for message in batch],
        )
        added += len(rows)
    return added


def pack_headers(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """Record headers as bytes for a column; values that are not UTF-8 survive as latin-1 marked by a third element."""
    packed = []
    for name, raw in headers:
        try:
            packed.append([name, raw.decode()])
        except UnicodeDecodeError:
            packed.append([name, raw.decode("latin-1"), "latin-1"])
    return orjson.dumps(packed)


def unpack_headers(packed: bytes) -> list[tuple[str, bytes]]:
    """What `pack_headers` packed."""
    return [(name, text.encode(*encoding)) for name, text, *encoding in orjson.loads(packed)]
