"""What follows from the sender of an event and from which fields it has: worked out once, for all that come like it.

A till or a handheld sends the same few shapes again and again.
"""

import functools
from typing import NamedTuple

from aiokafka.partitioner import murmur2

from schemas.topics import TOPIC_OF, Topic
from services.gateway.ingest.fragments import Plan, Writer, item_key

Header = tuple[str, bytes]
# Tills have one or two; who sends ever new ones gains nothing by being remembered.
SHAPES_MAX = 64
SHAPES_OF_TENANTS_CACHED = 256
KEYS_CACHED = 200_000


class Shapes:
    """How to write the messages of one type and tenant: a plan for each combination of fields that came so far."""

    def __init__(self, tenant: str, fast: Writer) -> None:
        self._tenant = tenant
        self._writer = fast
        self._plans: dict[tuple[str, ...], Plan | None] = {}

    def plan(self, names: tuple[str, ...]) -> Plan | None:
        """For messages of these fields; None: the whole check has to look at them."""
        try:
            return self._plans[names]
        except KeyError:
            if len(self._plans) >= SHAPES_MAX:
                self._plans.clear()
            self._plans[names] = self._writer.plan(self._tenant, names)
            return self._plans[names]


# Not per sender: whoever names ever new sources would have all of it remembered for each.
shapes = functools.lru_cache(maxsize=SHAPES_OF_TENANTS_CACHED)(Shapes)


class Sender(NamedTuple):
    """What the events of one tenant, source and type have in common. `identity`: what their ids are told apart within."""

    topic: Topic
    identity: str
    headers: tuple[Header, ...]
    shapes: Shapes


@functools.lru_cache(maxsize=KEYS_CACHED)
def key_of(message_type: str, tenant: str, sku: str, location: str) -> tuple[bytes, Header, int]:
    """The record key of a message about an item, the header that repeats it, and the partition it belongs to."""
    key = item_key(message_type, tenant, sku, location)
    return key, ("ce_partitionkey", key), partition_of(key, TOPIC_OF[message_type].partitions)


def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's own default partitioner (murmur2) puts a key, so that all producers agree."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)
