"""The stored read positions of one service: the next offset of each partition, locked while a batch is handled."""

import itertools
from collections.abc import Mapping, Sequence
from operator import attrgetter

from aiokafka import ConsumerRecord, TopicPartition

from kit.database import Transaction


async def lock(tx: Transaction, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Lock the positions of these partitions, in a fixed order, and return them; 0 for one never read.

    The row lock is the fence: a member that was paused and comes back finds the position beyond its batch.
    """
    ordered = sorted(places)
    topics, partitions = [place.topic for place in ordered], [place.partition for place in ordered]
    query = (
        "select p.topic, p.partition, p.next_offset from consumed_positions p"
        " join unnest($1::text[], $2::int[]) as t(topic, partition) using (topic, partition)"
        " order by 1, 2 for update of p"
    )
    rows = await tx.fetch(query, topics, partitions)
    if len(rows) < len(ordered):
        await tx.execute(
            "insert into consumed_positions select *, 0 from unnest($1::text[], $2::int[]) as t(a, b)"
            " order by 1, 2 on conflict do nothing",
            topics,
            partitions,
        )
        rows = await tx.fetch(query, topics, partitions)
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def advance(tx: Transaction, ends: Mapping[TopicPartition, int]) -> None:
    """Move the locked positions to `ends`."""
    ordered = sorted(ends)
    await tx.execute(
        "update consumed_positions p set next_offset = t.next_offset"
        " from unnest($1::text[], $2::int[], $3::bigint[]) as t(topic, partition, next_offset)"
        " where p.topic = t.topic and p.partition = t.partition",
        [place.topic for place in ordered],
        [place.partition for place in ordered],
        [ends[place] for place in ordered],
    )


def by_partition(records: Sequence[ConsumerRecord]) -> dict[TopicPartition, list[ConsumerRecord]]:
    """Records of each partition; those of one partition lie together, in the order of their offsets."""
    return {
        TopicPartition(topic, partition): list(part)
        for (topic, partition), part in itertools.groupby(records, key=attrgetter("topic", "partition"))
    }
