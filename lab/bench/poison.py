"""A poison event: how much longer the other keys of its partition wait because of it.

Sales flow to one partition at a steady rate; now and then a record comes that nobody can handle, of each kind in turn.
Watched is when the readers' committed position passes each sale. Its delay is counted from when it was handed to the
producer; what the poison costs is by how much the slowest of the sales right behind it is slower than usual.
"""

import asyncio
import itertools
import statistics
import time
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
from aiokafka import TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from cli.platform.local import LocalPlatform
from kit import kafka
from kit.settings import ServiceSettings
from lab.bench.backlog import prepare
from lab.bench.load import TENANT, Item, Load
from lab.bench.machine import percentiles
from lab.world.build import World
from lab.world.wire import Record, records
from schemas.topics import SALES

READERS = ("policy", "forecaster")
RATE = 200
# Sales behind a poison that may have waited for it: half a second of them.
BEHIND = 100  # and the next hundreds, up to the next poison, are what is usual
BETWEEN = 400
POLL_SECONDS = 0.002
REPEATS = 5
SETTLE_SECONDS = 3.0
CLOSED_PLACE = "nowhere"


@dataclass(frozen=True, slots=True)
class Sent:
    """A sale on its way: its offset, when it was handed over, the last poison before it, and how far that is."""

    offset: int
    at: float
    poison: str | None
    number: int
    behind: int


def poisons(good: Record) -> dict[str, Record]:
    """Records nobody can handle, one of each kind: bytes, envelope, contract, and one a handler refuses."""
    headers = dict(good.headers)
    headers["ce_id"] += b"-bad"

    def with_headers(**changed: bytes) -> list[tuple[str, bytes]]:
        return list((headers | changed).items())

    return {
        "not_json": replace(good, value=b"\x00\xffnot json"),
        "no_value": replace(good, value=b""),
        "unknown_type": replace(good, headers=with_headers(ce_type=b"sale.exploded.v9")),
        "tenant_mismatch": replace(good, headers=with_headers(ce_tenant=b"somebody-else")),
        "wrong_contract": replace(good, value=good.value.replace(b'"quantity":"', b'"quantity":"-')),
        # Passes the contract; the handlers find that a day cannot be over before it began.
        "handler_refuses": replace(
            good,
            key=f"{TENANT}//{CLOSED_PLACE}".encode(),
            value=(
                f'{{"tenant":"{TENANT}","location":"{CLOSED_PLACE}","business_date":"2030-01-01",'
                '"closed_at":"2017-12-01T00:00:00Z"}'
            ).encode(),
            headers=with_headers(ce_type=b"business-day.closed.v1", ce_partitionkey=b""),
        ),
    }


def measure(local: LocalPlatform, world: World, say: Any) -> dict[str, Any]:
    """Milliseconds a poison costs its neighbours, by reader and kind; raises AssertionError when a sale was not read."""
    prepare(local, world, say)
    say(f"{RATE} sales/s to one partition, a poison every {BETWEEN}")
    told: dict[str, Any] = asyncio.run(_run(local, Load.of(world, 10_000_000)))
    return told


async def _run(local: LocalPlatform, load: Load) -> dict[str, Any]:
    settings = ServiceSettings(namespace=local.namespace, kafka_bootstrap=local.kafka_bootstrap)
    partitions = list(range(SALES.partitions))
    mine = [
        one for one in load.items if DefaultPartitioner()(f"{TENANT}/{one[0]}/{one[1]}".encode(), partitions, partitions) == 0
    ]  # fmt: skip
    place = TopicPartition(SALES.on(settings.namespace), 0)
    stop = asyncio.Event()
    watching = {name: asyncio.create_task(_follow(local, name, place, stop)) for name in READERS}
    sent = await _send(settings, load, mine, place)
    await asyncio.sleep(SETTLE_SECONDS)
    stop.set()
    passed = {name: await task for name, task in watching.items()}
    return {
        "rate": RATE,
        "sales": len(sent),
        "poisons": REPEATS * len(poisons(_good(load, mine[0], 0))),
        "readers": {name: _judge(sent, steps) for name, steps in passed.items()},
        "worst_milliseconds": max(
            one["added_milliseconds"] for steps in passed.values() for one in _judge(sent, steps)["kinds"].values()
        ),
    }


def _good(load: Load, item: Item, number: int) -> Record:
    (record,) = records(load.event(number, item, load.days[0], 1))
    return record


async def _send(settings: ServiceSettings, load: Load, items: list[Item], place: TopicPartition) -> list[Sent]:
    producer = kafka.idempotent_producer(settings, "bench-poison")
    await producer.start()
    kinds = itertools.cycle(poisons(_good(load, items[0], 0)))
    last: str | None = None
    behind = which = 0
    pending: list[tuple[Any, float, str | None, int, int]] = []
    total = BETWEEN * (REPEATS * len(poisons(_good(load, items[0], 0))) + 1) - 1
    started = time.monotonic()
    try:
        for number in range(total):
            due = started + number / RATE
            if (pause := due - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            good = _good(load, items[number % len(items)], number)
            if number % BETWEEN == BETWEEN - 1:
                last, which, behind = next(kinds), which + 1, 0
                bad = poisons(good)[last]
                await producer.send(place.topic, bad.value, key=bad.key, headers=bad.headers, partition=0)
            behind += 1
            at = time.monotonic()
            future = await producer.send(
                place.topic, good.value, key=good.key, headers=good.headers, partition=place.partition
            )
            pending.append((future, at, last, which, behind))
        return [Sent((await sale).offset, at, kind, which, behind) for sale, at, kind, which, behind in pending]
    finally:
        await producer.stop()


async def _follow(
    local: LocalPlatform, service: str, place: TopicPartition, stop: asyncio.Event
) -> list[tuple[float, int]]:
    """When the service's committed position of the partition moved, and to where."""
    connection = await asyncpg.connect(local.database.url)
    steps: list[tuple[float, int]] = []
    query = f"select next_offset from {service}.consumed_positions where topic = $1 and partition = $2"
    try:
        while not stop.is_set():
            offset = await connection.fetchval(query, place.topic, place.partition) or 0
            if not steps or offset > steps[-1][1]:
                steps.append((time.monotonic(), offset))
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await connection.close()
    return steps


def _judge(sent: list[Sent], steps: list[tuple[float, int]]) -> dict[str, Any]:
    """The slowest of the hundred sales behind each poison, against the slowest of a hundred far from any.

    Both vary with what else the machine does; `added` is the difference of their medians, which that cancels out of.
    """
    moves = iter(steps)
    at, reached = next(moves)
    slowest: dict[tuple[str, int, int], float] = {}
    for one in sorted(sent, key=lambda sale: sale.offset):
        while reached <= one.offset:
            at, reached = next(moves, (0.0, -1))
            assert reached >= 0, f"the sale at offset {one.offset} was never read"
        if one.poison is not None and one.behind <= BEHIND * (BETWEEN // BEHIND):
            place = (one.poison, one.number, (one.behind - 1) // BEHIND)
            slowest[place] = max(slowest.get(place, 0.0), (at - one.at) * 1000)
    usual = [delay for (_, _, window), delay in slowest.items() if window > 0]
    kinds: dict[str, list[float]] = {}
    for (kind, _, window), delay in slowest.items():
        if window == 0:
            kinds.setdefault(kind, []).append(delay)
    middle = statistics.median(usual)
    return {
        "slowest_of_a_hundred_milliseconds": percentiles(usual),
        "kinds": {
            kind: {
                "slowest_behind_milliseconds": [round(one, 1) for one in sorted(found)],
                "added_milliseconds": round(statistics.median(found) - middle, 1),
            }
            for kind, found in kinds.items()
        },
    }
