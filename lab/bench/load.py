"""Sales of the measurements, as bytes on the topic: written many times faster than a POS would, with the same contract.

Each sale follows from its number, so that what the sums must come to is known without reading anything back.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from kit import kafka
from kit.settings import ServiceSettings
from lab.world.build import World
from lab.world.chance import share
from lab.world.story import Event
from lab.world.wire import records
from schemas.topics import SALES

TENANT = "bench"
DAYS = 14
# What one request to the broker carries of a partition; well below the topic's largest batch.
BATCH_BYTES_MAX = 200_000
SAY_EVERY = 100_000
PLACEHOLDERS = ("sku-goes-here", "location-goes-here")
Item = tuple[str, str]
Units = Counter[Item]


@dataclass(frozen=True, slots=True)
class Load:
    """`count` sales of one unit or two over these items and fourteen days. `run` makes their ids new.

    `hot_share` of them name the first item, as when a price mistake goes round; the others are spread evenly.
    """

    items: tuple[Item, ...]
    days: tuple[str, ...]
    run: str
    count: int
    hot_share: float = 0.0

    @classmethod
    def of(cls, world: World, count: int, *, hot_share: float = 0.0) -> "Load":
        """Sales of the days that follow the world's history, under ids nobody has used before."""
        days = tuple(world.day(world.shape.history_days + number).isoformat() for number in range(DAYS))
        items = tuple(zip(world.skus, world.places, strict=True))
        return cls(items, days, f"{time.time_ns():016x}"[-12:], count, hot_share)

    def sales(self) -> Iterator[tuple[int, Item, str, int]]:
        """(number, item, business date, units) of each sale, in the order in which they are written."""
        for number in range(self.count):
            drawn = share(self.run, number)
            if drawn < self.hot_share:
                item = self.items[0]
            else:
                item = self.items[int((drawn - self.hot_share) / (1 - self.hot_share) * len(self.items))]
            yield number, item, self.days[number % DAYS], 1 + number % 2

    def units(self) -> Units:
        """Units by item that the books must have gained once all sales are in."""
        sold: Units = Counter()
        for _, item, _, units in self.sales():
            sold[item] += units
        return sold

    def event(self, number: int, item: Item, day: str, units: int) -> Event:
        """One sale as the contract's event."""
        when = f"{day}T15:00:00Z"
        body = {"tenant": TENANT, "sku": item[0], "location": item[1], "quantity": str(units), "business_date": day}
        body |= {"sold_at": when, "channel": "store", "unit_price": "1.9900", "currency": "USD"}
        return Event(self.event_id(number), "pos/bench", "sale.recorded.v1", when, body)

    def event_id(self, number: int) -> str:
        """Shaped like the ids the gateway gives."""
        return f"{self.run[:8]}-{self.run[8:]}-5000-8000-{number:012x}"


async def write(settings: ServiceSettings, load: Load, say: Callable[[str], None] = lambda _: None) -> None:
    """Publish the whole load; returns when all replicas have acknowledged it.

    Values and headers are cut from those the contract gives: each differs from its model only in four places.
    """
    topic, partitions = SALES.on(settings.namespace), list(range(SALES.partitions))
    partition_of = {item: DefaultPartitioner()(_key(item), partitions, partitions) for item in load.items}
    stencils = {(day, units): _stencil(load, day, units) for day in load.days for units in (1, 2)}
    producer = kafka.idempotent_producer(settings, "bench-load")
    await producer.start()
    try:
        open_batches: dict[int, BatchBuilder] = {}
        sizes = dict.fromkeys(partitions, 0)
        sent = []

        async def close(partition: int) -> None:
            sent.append(await producer.send_batch(open_batches.pop(partition), topic, partition=partition))
            sizes[partition] = 0

        now_ms = int(time.time() * 1000)
        for number, item, day, units in load.sales():
            partition, key = partition_of[item], _key(item)
            value, headers = stencils[day, units].cut(load.event_id(number), item, key)
            if sizes[partition] > BATCH_BYTES_MAX:
                await close(partition)
            builder = open_batches.get(partition) or open_batches.setdefault(partition, producer.create_batch())
            while builder.append(key=key, value=value, timestamp=now_ms, headers=headers) is None:
                await close(partition)
                builder = open_batches.setdefault(partition, producer.create_batch())
            sizes[partition] += len(value) + 300
            if number % SAY_EVERY == SAY_EVERY - 1:
                say(f"{number + 1:,} of {load.count:,} sales written")
        for partition in list(open_batches):
            await close(partition)
        for acknowledged in sent:
            await acknowledged
    finally:
        await producer.stop()


def _key(item: Item) -> bytes:
    return f"{TENANT}/{item[0]}/{item[1]}".encode()


@dataclass(frozen=True, slots=True)
class _Stencil:
    """A record's bytes around its item and id."""

    value: tuple[bytes, bytes, bytes]
    headers: tuple[tuple[str, bytes], ...]

    def cut(self, event_id: str, item: Item, key: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
        before, between, after = self.value
        fresh = {"ce_id": event_id.encode(), "ce_partitionkey": key}
        headers = [(name, fresh.get(name, raw)) for name, raw in self.headers]
        return before + item[0].encode() + between + item[1].encode() + after, headers


def _stencil(load: Load, day: str, units: int) -> _Stencil:
    (made,) = records(load.event(0, PLACEHOLDERS, day, units))
    before, _, rest = made.value.partition(PLACEHOLDERS[0].encode())
    between, _, after = rest.partition(PLACEHOLDERS[1].encode())
    return _Stencil((before, between, after), tuple(made.headers))
