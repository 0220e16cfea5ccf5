"""Planning in the running service at scale: from what Postgres holds to recommendations and why-nots on their Kafka topic.

The policy service, its database and the broker are real; only how the tables were filled is a short cut (`plan_world`). Beside
the clock, processor seconds of all three are told: a busy machine changes them little.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import psutil

from lab.bench.machine import Memory, processor_seconds
from lab.bench.plan_offline import growth
from lab.bench.running import Admin, Say, Seat, filled, planned, until_published

SIZES = (1_000, 10_000, 30_000, 100_000)
TARGETS = {"plan_100000_seconds": 30.0, "plan_peak_mb": 2048}


def measure(seat: Seat, say: Say, sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """A run of each size, each for a tenant of its own, as one JSON-ready object."""
    return asyncio.run(_measure(seat, say, sizes))


async def _measure(seat: Seat, say: Say, sizes: Sequence[int]) -> dict[str, Any]:
    runs = []
    for items in sizes:
        async with filled(seat, items, say) as (admin, tenant):
            say(f"planning {items:,} item-locations")
            runs.append(await _planned(seat, admin, tenant, items))
    told: dict[str, Any] = {"runs": runs}
    if len(runs) > 2:
        told |= {"growth": growth(runs), "growth_of_processor_seconds": growth(runs, "processor_seconds")}
    return told


async def _planned(seat: Seat, admin: Admin, tenant: str, items: int) -> dict[str, Any]:
    memory = Memory({"policy": seat.pids["policy"]}, every_seconds=0.5)
    memory.start()
    before, load = processor_seconds(seat.pids), psutil.getloadavg()[0]
    began = time.monotonic()
    run = await planned(seat, tenant)
    planned_seconds = time.monotonic() - began
    await until_published(admin, tenant)
    seconds = time.monotonic() - began
    used = {name: round(now - before[name], 2) for name, now in processor_seconds(seat.pids).items()}
    events = await admin.fetchval("select count(*) from policy.outbox where tenant = $1", tenant)
    assert (run["done"], run["proposed"] + run["withheld"]) == (items, items)  # every item once
    return {
        "items": items,
        "seconds": round(seconds, 2),
        "planned_seconds": round(planned_seconds, 2),
        "processor_seconds": round(sum(used.values()), 2),
        "processor_seconds_by_part": used,
        "peak_mb": memory.stop()["peak_mb"],
        "load_average": round(load, 2),
        "proposed": run["proposed"],
        "events": events,
    }
