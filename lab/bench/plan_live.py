"""Planning in the running service at scale: from what Postgres holds to recommendations and why-nots on their Kafka topic.

The policy service, its database and the broker are real; only how the tables were filled is a short cut (`plan_world`). Beside
the clock, processor seconds of all three are told: a busy machine changes them little.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import httpx2
import psutil

from kit.identity import Mint, Principal, ensure_keys
from lab.bench.machine import Memory
from lab.bench.plan_offline import growth
from lab.bench.plan_world import fill

SIZES = (1_000, 10_000, 30_000, 100_000)
TARGETS = {"plan_100000_seconds": 30.0, "plan_peak_mb": 2048}
POLL_SECONDS = 0.5
PATIENCE_SECONDS = 900.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Seat:
    """The running service: where it is, its database as administrator, and the processes whose time is told."""

    url: str
    database_admin_url: str
    data_dir: Path
    pids: Mapping[str, int]

    async def call(self, tenant: str, method: str, path: str, body: Any = None) -> Any:
        """Ask the service's API as the gateway does."""
        private, _public = ensure_keys(self.data_dir)
        token = Mint(private).token(Principal(tenant, "bench", frozenset({"planner"})), "policy")
        async with httpx2.AsyncClient(base_url=self.url, timeout=60) as client:
            answer = await client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
            answer.raise_for_status()
            return answer.json()


def measure(seat: Seat, say: Say, sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """A run of each size, each for a tenant of its own, as one JSON-ready object."""
    return asyncio.run(_measure(seat, say, sizes))


async def _measure(seat: Seat, say: Say, sizes: Sequence[int]) -> dict[str, Any]:
    runs = []
    for items in sizes:
        say(f"filling the tables of {items:,} item-locations")
        tenant = f"bench-{items}-{secrets.token_hex(4)}"  # its own: the folder may hold an earlier measurement
        admin = await asyncpg.connect(seat.database_admin_url)
        try:
            with TemporaryDirectory(prefix="countersign-bench-") as folder:
                await fill(admin, tenant, Path(folder), items)
            say(f"planning {items:,} item-locations")
            runs.append(await _planned(seat, admin, tenant, items))
        finally:
            await admin.close()
    told: dict[str, Any] = {"runs": runs}
    if len(runs) > 2:
        told |= {"growth": growth(runs), "growth_of_processor_seconds": growth(runs, "processor_seconds")}
    return told


async def _planned(seat: Seat, admin: "asyncpg.Connection[asyncpg.Record]", tenant: str, items: int) -> dict[str, Any]:
    memory = Memory({"policy": seat.pids["policy"]}, every_seconds=0.5)
    memory.start()
    before, load = {name: spent(pid) for name, pid in seat.pids.items()}, psutil.getloadavg()[0]
    began = time.monotonic()
    run = await seat.call(tenant, "POST", "/runs", {})
    planned_seconds = 0.0
    while True:
        run = await seat.call(tenant, "GET", f"/runs/{run['run_id']}")
        if run["state"] == "finished":
            planned_seconds = planned_seconds or time.monotonic() - began
            waiting = await admin.fetchval(
                "select exists (select from policy.outbox where tenant = $1 and published_at is null)", tenant
            )
            if not waiting:
                break
        assert time.monotonic() - began < PATIENCE_SECONDS, f"{run['done']} of {items} planned; see the service's log"
        await asyncio.sleep(POLL_SECONDS)
    seconds = time.monotonic() - began
    used = {name: round(spent(pid) - before[name], 2) for name, pid in seat.pids.items()}
    published = await admin.fetchval("select count(*) from policy.outbox where tenant = $1", tenant)
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
        "events": published,
    }


def spent(pid: int) -> float:
    """Processor seconds of a process, the children it has and those that have ended."""
    process = psutil.Process(pid)
    own = process.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
