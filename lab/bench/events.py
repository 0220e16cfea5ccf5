"""Sales events from Kafka to their committed effect: ledger and position in policy, daily demand in the forecaster.

The backlog is written while both are stopped, then both are started together, beside everything else that runs. The clock
runs from the first committed batch to the last one, so that imports are not counted; every sum is checked afterwards.
"""

import asyncio
import itertools
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import asyncpg
import orjson

from cli.platform.local import LocalPlatform
from cli.platform.processes import ROOT
from kit.events import derived_id
from kit.settings import ServiceSettings
from lab.world.build import World
from lab.world.chance import share
from lab.world.story import Event, master_data
from lab.world.wire import feed
from schemas.topics import SALES

TENANT = "bench"
MEASURED = ("policy", "forecaster")
POLL_SECONDS = 0.1
DRAIN_SECONDS_MAX = 300.0
PEER_SECONDS = 25


def measure(local: LocalPlatform, world: World, count: int, say: Any) -> dict[str, Any]:
    """Events per second of both consumers side by side, and of the peer; raises AssertionError when a sum is wrong."""
    world = replace(world, shape=replace(world.shape, tenant=TENANT))
    settings = ServiceSettings(namespace=local.namespace, kafka_bootstrap=local.kafka_bootstrap)
    asyncio.run(feed(settings, master_data(world)))
    say(f"writing {count:,} sales while policy and forecaster are stopped")
    _drained(local, say)
    for name in MEASURED:
        local.service(name).stop(grace_seconds=25)
    base = asyncio.run(_positions(local))
    run = f"{time.time_ns():x}"
    asyncio.run(feed(settings, itertools.islice(sales(world, run), count)))
    for name in MEASURED:
        local.service(name).start()
    say("draining")
    rates = asyncio.run(_drain(local, base, count))
    for name in MEASURED:
        local.service(name).await_ready()
    asyncio.run(_check(local, world, run, count))
    peer = faust_peer(local)
    slowest = min(one["events_per_second"] for one in rates.values())
    return {
        "events": count,
        "items": len(world.items),
        **rates,
        "events_per_second": slowest,
        "peer_faust_table": peer,
        "ratio_to_peer": round(slowest / peer["events_per_second"], 1) if peer["events_per_second"] else None,
        "sums_checked": True,
    }


def sales(world: World, run: str) -> Iterator[Event]:
    """Sales of one unit or two, spread evenly over all items and fourteen days; `run` makes their ids new."""
    pairs = list(zip(world.skus, world.places, strict=True))
    for number in itertools.count():
        sku, place = pairs[int(share(run, number) * len(pairs))]
        day = world.day(world.shape.history_days + number % 14).isoformat()
        body = {"tenant": TENANT, "sku": sku, "location": place, "quantity": str(1 + number % 2), "business_date": day}
        body |= {"sold_at": f"{day}T15:00:00Z", "channel": "store", "unit_price": "1.9900", "currency": "USD"}
        yield Event(derived_id(run, str(number)), "pos/bench", "sale.recorded.v1", f"{day}T15:00:00Z", body)


async def _positions(local: LocalPlatform) -> dict[str, int]:
    """Sales records each measured service has committed, by its own bookkeeping."""
    topic = SALES.on(local.namespace)
    connection = await asyncpg.connect(local.database.url)
    try:
        return {name: await _position(connection, name, topic) for name in MEASURED}
    finally:
        await connection.close()


async def _position(connection: Any, service: str, topic: str) -> int:
    query = f"select coalesce(sum(next_offset), 0) from {service}.consumed_positions where topic = $1"
    return int(await connection.fetchval(query, topic))


def _drained(local: LocalPlatform, say: Any) -> None:
    """Master data must be in before the backlog is made."""
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    while time.monotonic() < deadline:
        checks = [local.service(name).readiness()[1].get("checks", {}) for name in MEASURED]
        if all(one.get("consumer", {}).get("lag") == 0 for one in checks):
            return
        time.sleep(0.5)
    say("the services still had a backlog when the measurement began")


async def _drain(local: LocalPlatform, base: dict[str, int], count: int) -> dict[str, dict[str, Any]]:
    """Watch both positions move from first to last; rates from the first movement on."""
    topic = SALES.on(local.namespace)
    connection = await asyncpg.connect(local.database.url)
    first: dict[str, tuple[float, int]] = {}
    done: dict[str, float] = {}
    started = time.monotonic()
    try:
        while len(done) < len(MEASURED):
            if time.monotonic() - started > DRAIN_SECONDS_MAX:
                raise TimeoutError(
                    f"not drained in {DRAIN_SECONDS_MAX:.0f} s: {await _positions(local)}, wanted {count} more than {base}"
                )
            for name in MEASURED:
                moved = await _position(connection, name, topic) - base[name]
                if moved > 0 and name not in first:
                    first[name] = (time.monotonic(), moved)
                if moved >= count and name not in done:
                    done[name] = time.monotonic()
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await connection.close()
    rates = {}
    for name in MEASURED:
        seconds = max(POLL_SECONDS, done[name] - first[name][0])
        rates[name] = {"seconds": round(seconds, 2), "events_per_second": round((count - first[name][1]) / seconds)}
    return rates


async def _check(local: LocalPlatform, world: World, run: str, count: int) -> None:
    """The sums in Postgres are those of the events, item by item; fast and wrong would be worth nothing."""
    expected: Counter[tuple[str, str]] = Counter()
    for one in itertools.islice(sales(world, run), count):
        expected[one.data["sku"], one.data["location"]] += int(one.data["quantity"])
    connection = await asyncpg.connect(local.database.url)
    try:
        ledger = await connection.fetch("select sku, location, on_hand from policy.positions where tenant = $1", TENANT)
        demand = await connection.fetch(
            "select sku, location, sum(quantity) as sold from forecaster.daily_demand where tenant = $1 group by 1, 2",
            TENANT,
        )
    finally:
        await connection.close()
    held = {(row["sku"], row["location"]): -row["on_hand"] for row in ledger}
    sold = {(row["sku"], row["location"]): row["sold"] for row in demand}
    # Earlier runs in the same data folder add to both in the same way.
    for item, units in expected.items():
        assert held[item] == sold[item] >= Decimal(units), (
            f"{item}: ledger {held[item]}, demand {sold[item]}, told {units}"
        )
    assert sum(held.values()) == sum(sold.values())


def faust_peer(local: LocalPlatform) -> dict[str, Any]:
    """A plain Faust table doing the same sums over the same records, in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "lab.bench.faust_peer",
        local.kafka_bootstrap,
        SALES.on(local.namespace),
        str(PEER_SECONDS),
    ]
    ended = subprocess.run(command, capture_output=True, cwd=ROOT, check=True, timeout=PEER_SECONDS * 6)
    peer: dict[str, Any] = orjson.loads(ended.stdout.splitlines()[-1])
    return peer
