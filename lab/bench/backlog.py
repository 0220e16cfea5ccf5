"""A backlog after an outage: a million sales wait, then every service that reads sales is started and catches up.

All readers run side by side on this machine, with the broker, the database and the rest of the product. Measured are
the rate of the slowest from its first commit to its last, the memory meanwhile, and processor time per event by
part. Afterwards every sum is checked, and peers do the same sums over the same records, each alone on the machine.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cli.platform.local import LocalPlatform
from kit.settings import ServiceSettings
from lab.bench import books, peers
from lab.bench.load import TENANT, Load, write
from lab.bench.machine import Memory, processor_seconds
from lab.world.build import World
from lab.world.story import master_data
from lab.world.wire import feed
from schemas.topics import SALES

STOP_SECONDS = 25


def measure(local: LocalPlatform, world: World, count: int, say: Any) -> dict[str, Any]:
    """Catch up with `count` sales, then let the peers do their sums; raises BooksDiffer when a sum is wrong."""
    prepare(local, world, say)
    load = Load.of(world, count)
    caught = catch_up(local, load, say)
    topic = SALES.on(local.namespace)
    told = {name: peers.run(name, local.kafka_bootstrap, topic, say) for name in peers.PEERS}
    ours = caught["events_per_second"]
    ratios = {name: round(ours / one["events_per_second"], 2) for name, one in told.items() if "skipped" not in one}
    return {**caught, "items": len(world.items), "peers": told, "ratios_to_peers": ratios, "sums_checked": True}


def prepare(local: LocalPlatform, world: World, say: Any) -> None:
    """The measurement's tenant knows the world's items, and nobody is behind."""
    world = replace(world, shape=replace(world.shape, tenant=TENANT))
    settings = ServiceSettings(namespace=local.namespace, kafka_bootstrap=local.kafka_bootstrap)
    asyncio.run(feed(settings, master_data(world)))
    books.be_still(local, books.READERS, say)


def catch_up(local: LocalPlatform, load: Load, say: Any, readers: Sequence[str] = books.READERS) -> dict[str, Any]:
    """Stop the readers, write the load, start them, watch them; checks the books of all. Raises BooksDiffer."""
    settings = ServiceSettings(namespace=local.namespace, kafka_bootstrap=local.kafka_bootstrap)
    before = asyncio.run(books.read(local))
    for name in readers:
        local.service(name).stop(grace_seconds=STOP_SECONDS)
    base = asyncio.run(books.positions(local, readers))
    say(f"writing {load.count:,} sales while {', '.join(readers)} are stopped")
    asyncio.run(write(settings, load, say))
    for name in readers:
        local.service(name).start()
    say("catching up")
    pids = {name: owned.pid for name in local.ledger.names() if (owned := local.ledger.find(name)) is not None}
    spent_before = processor_seconds(pids)
    memory = Memory({name: pid for name, pid in pids.items() if name in readers}, every_seconds=1.0)
    memory.start()

    def moved_first(name: str) -> None:
        # What starting cost (imports, a model) is no cost of an event.
        spent_before[name] = processor_seconds({name: pids[name]})[name]

    try:
        paces = asyncio.run(books.watch(local, base, load.count, moved_first))
    finally:
        sampled = memory.stop()
    spent = {name: used - spent_before.get(name, 0.0) for name, used in processor_seconds(pids).items()}
    for name in readers:
        local.service(name).await_ready()
    books.be_still(local, books.READERS, say)
    asyncio.run(books.read(local)).gained(before, load.units(), load.count)
    rates = {name: pace.rate(load.count) for name, pace in paces.items()}
    return {
        "events": load.count,
        # The slowest reader's own rate; beside it the strictest: from the first commit of any reader to the last of all,
        # with the seconds in it by which one imports longer than another.
        "events_per_second": min(rate["events_per_second"] for rate in rates.values()),
        "all_caught_up": books.caught_up(paces, load.count),
        "readers": rates,
        "processor_microseconds_per_event": {
            name: round(seconds / (load.count - (paces[name].steps[0][1] if name in paces else 0)) * 1e6, 1)
            for name, seconds in sorted(spent.items())
            if seconds > 0
        },
        "memory": {**sampled, "curve_mb": memory.curve()},
    }
