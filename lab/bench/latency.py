"""From one sale to the changed recommendation on its topic, under a steady stream of sales.

Sales of one unit go straight to Kafka at a fixed rate; a plain consumer reads recommendations. A recommendation says the
units on hand that it was computed from, and each sale leaves an item with a number of units of its own: that is how the
two are matched. Measured are items that have an open recommendation; a sale that changes none (its order would be the
same, or a sale a moment later changed it with it) has no answer and is counted apart. A sale's clock starts before it is
handed to the producer and stops when the record that answers it has been read.
"""

import asyncio
import itertools
import time
from decimal import Decimal
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

from kernel.ids import derived_id
from kit import kafka
from kit.settings import ServiceSettings
from lab.bench.machine import percentiles
from lab.world.chance import share
from lab.world.story import Event
from lab.world.wire import records
from schemas.topics import RECOMMENDATIONS

# Of the sales, this share goes to the measured items; the rest is the load around them. One sale in twenty that changes
# a recommendation is far above a shop's own share, where an item is planned again a few times a week.
MEASURED_SHARE = 0.05
# What the items of the load are counted at first, so that selling them for a minute empties no shelf: a load that drains
# every shelf at once would measure a storm of replans, not the time one of them takes.
WELL_STOCKED_UNITS = "100000"
WARM_UP_SECONDS = 5.0
ANSWER_SECONDS_MAX = 10.0
Item = tuple[str, str]
Waiting = dict[tuple[bytes, Decimal], float]


async def measure(
    settings: ServiceSettings,
    tenant: str,
    items: list[Item],
    on_hand: dict[Item, Decimal],
    day: str,
    *,
    rate: int,
    seconds: float,
) -> dict[str, Any]:
    """Percentiles in milliseconds of the sales after the warm-up, and how many were never answered."""
    consumer = AIOKafkaConsumer(
        RECOMMENDATIONS.on(settings.namespace),
        **kafka.connection(settings),
        auto_offset_reset="latest",
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
    )
    await consumer.start()
    await consumer.seek_to_end()
    waiting: Waiting = {}
    answered: list[float] = []
    reader = asyncio.create_task(_read(consumer, waiting, answered))
    started = time.monotonic()
    try:
        sent = await _send(settings, tenant, items, dict(on_hand), day, waiting, rate=rate, seconds=seconds)
        await asyncio.sleep(ANSWER_SECONDS_MAX)
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await consumer.stop()
    return {
        "rate": rate,
        "rate_reached": round(sent / seconds),
        "seconds": round(time.monotonic() - started, 1),
        "measured_sales": len(answered),
        "sales_that_changed_nothing": len(waiting),
        "milliseconds": percentiles(answered) if answered else None,
    }


async def stock_up(settings: ServiceSettings, tenant: str, items: list[Item], day: str) -> None:
    """Count the items of the load, in the morning of `day`, at plenty."""
    producer = kafka.idempotent_producer(settings, "bench-stock")
    await producer.start()
    run = f"{time.time_ns():x}"
    try:
        for number, (sku, location) in enumerate(items):
            body = {"tenant": tenant, "sku": sku, "location": location, "quantity": WELL_STOCKED_UNITS}
            body |= {"business_date": day, "counted_at": f"{day}T06:00:00Z"}
            told = Event(derived_id(run, str(number)), "wms/bench", "stock.counted.v1", body["counted_at"], body)
            (record,) = records(told)
            name = record.topic.on(settings.namespace)
            await producer.send(name, record.value, key=record.key, headers=record.headers)
    finally:
        await producer.stop()


async def _send(
    settings: ServiceSettings, tenant: str, items: list[Item], on_hand: dict[Item, Decimal], day: str,
    waiting: Waiting, *, rate: int, seconds: float,
) -> int:  # fmt: skip
    producer = kafka.idempotent_producer(settings, "bench-latency")
    await producer.start()
    measured = sorted(on_hand)
    run, started = f"{time.time_ns():x}", time.monotonic()
    number = 0
    try:
        for number in itertools.count():
            due = started + number / rate
            now = time.monotonic()
            if now - started > seconds:
                break
            if due > now:
                await asyncio.sleep(due - now)
            is_measured = share(run, "kind", number) < MEASURED_SHARE
            pool = measured if is_measured else items
            sku, location = pool[int(share(run, number) * len(pool))]
            body = {"tenant": tenant, "sku": sku, "location": location, "quantity": "1", "business_date": day}
            body |= {"sold_at": f"{day}T15:00:00Z"}
            told = Event(derived_id(run, str(number)), "pos/bench", "sale.recorded.v1", f"{day}T15:00:00Z", body)
            (record,) = records(told)
            if (sku, location) in on_hand:
                on_hand[sku, location] -= 1
                if time.monotonic() - started > WARM_UP_SECONDS:
                    waiting[record.key, on_hand[sku, location]] = time.monotonic()
            await producer.send(
                record.topic.on(settings.namespace), record.value, key=record.key, headers=record.headers
            )
    finally:
        await producer.stop()
    return number


async def _read(consumer: AIOKafkaConsumer, waiting: Waiting, answered: list[float]) -> None:
    async for record in consumer:
        now = time.monotonic()
        found = orjson.loads(record.value).get("on_hand")
        sent_at = None if found is None else waiting.pop((record.key, Decimal(found)), None)
        if sent_at is not None:
            answered.append((now - sent_at) * 1000)
