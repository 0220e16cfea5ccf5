"""What the services have committed, read from their tables: how far each is, and what its sums have come to.

A measurement looks before and after, so that whatever was in the data folder before does not matter; what the services
gained must be what was sent, item by item. Fast and wrong would be worth nothing.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from cli.platform.local import LocalPlatform
from lab.bench.load import TENANT, Item, Units
from schemas.topics import SALES

# Who reads sales. The gateway's read models do not; live sensing looks at the newest ones only.
READERS = ("policy", "forecaster", "audit")
POLL_SECONDS = 0.1
DRAIN_SECONDS_MAX = 600.0
STILL_SECONDS_MAX = 300.0

_HELD = "select sku, location, -on_hand as units from policy.positions where tenant = $1"
_SOLD = "select sku, location, sum(quantity) as units from forecaster.daily_demand where tenant = $1 group by 1, 2"
_LOGGED = (
    "select coalesce(sum((convert_from(e.entry, 'UTF8')::jsonb ->> 'count')::bigint), 0)"
    " from audit.entries e join audit.entry_terms t using (tenant, seq)"
    " where tenant = $1 and t.type = 'audit.batch.v1' and t.subject like $2"
)


class BooksDiffer(AssertionError):
    """A service's sums are not those of the events; args[0] says where."""


@dataclass(frozen=True, slots=True)
class Books:
    """Units by item in the ledger's positions and in daily demand, and sales records that stand in audit batches."""

    held: dict[Item, int]
    sold: dict[Item, int]
    logged: int

    def gained(self, before: "Books", units: Units, count: int) -> None:
        """Raise BooksDiffer unless exactly these units were added, and exactly `count` records logged."""
        for what, now, then in (("positions", self.held, before.held), ("daily demand", self.sold, before.sold)):
            for item in set(now) | set(then) | set(units):
                more = now.get(item, 0) - then.get(item, 0)
                if more != units[item]:
                    raise BooksDiffer(f"{what} of {item} gained {more} units, told {units[item]}")
        if self.logged - before.logged != count:
            raise BooksDiffer(f"the audit log gained {self.logged - before.logged} sales, told {count}")


@dataclass(slots=True)
class Pace:
    """How far one reader has come: (seconds since the watch began, records committed since), first to last movement."""

    steps: list[tuple[float, int]] = field(default_factory=list)

    def rate(self, count: int) -> dict[str, Any]:
        """From its first commit to its last, so that imports are not counted."""
        (begun, first), (ended, _) = self.steps[0], self.steps[-1]
        seconds = max(POLL_SECONDS, ended - begun)
        return {"seconds": round(seconds, 2), "events_per_second": round((count - first) / seconds)}


async def read(local: LocalPlatform) -> Books:
    """The books of the measurement's tenant as they are committed now."""
    connection = await asyncpg.connect(local.database.url)
    try:
        held, sold = [await connection.fetch(query, TENANT) for query in (_HELD, _SOLD)]
        logged = await connection.fetchval(_LOGGED, TENANT, f"{SALES.name}/%")
    finally:
        await connection.close()
    tables = [{(row["sku"], row["location"]): int(row["units"]) for row in rows} for rows in (held, sold)]
    return Books(tables[0], tables[1], int(logged))


async def positions(local: LocalPlatform, readers: Sequence[str]) -> dict[str, int]:
    """Sales records each reader has committed, by its own bookkeeping."""
    connection = await asyncpg.connect(local.database.url)
    try:
        return {name: await _position(connection, name, SALES.on(local.namespace)) for name in readers}
    finally:
        await connection.close()


async def _position(connection: Any, service: str, topic: str) -> int:
    query = f"select coalesce(sum(next_offset), 0) from {service}.consumed_positions where topic = $1"
    return int(await connection.fetchval(query, topic))


async def watch(
    local: LocalPlatform, base: dict[str, int], count: int, moved_first: Callable[[str], None] = lambda _: None
) -> dict[str, Pace]:
    """Follow the readers until each has committed `count` records more than `base`; says who moved for the first time.

    Raises TimeoutError.
    """
    connection = await asyncpg.connect(local.database.url)
    topic, started = SALES.on(local.namespace), time.monotonic()
    paces = {name: Pace() for name in base}
    waiting = set(base)
    try:
        while waiting:
            if time.monotonic() - started > DRAIN_SECONDS_MAX:
                raise TimeoutError(f"not drained in {DRAIN_SECONDS_MAX:.0f} s: {sorted(waiting)} are behind")
            for name in sorted(waiting):
                moved = await _position(connection, name, topic) - base[name]
                if moved > 0 and not paces[name].steps:
                    moved_first(name)
                if moved > 0:
                    paces[name].steps.append((time.monotonic() - started, moved))
                if moved >= count:
                    waiting.discard(name)
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await connection.close()
    return paces


def caught_up(paces: dict[str, Pace], count: int) -> dict[str, Any]:
    """All readers together: from the first commit of any to the last commit of the last."""
    begun = min(pace.steps[0][0] for pace in paces.values())
    ended = max(pace.steps[-1][0] for pace in paces.values())
    seconds = max(POLL_SECONDS, ended - begun)
    return {"seconds": round(seconds, 2), "events_per_second": round(count / seconds)}


def be_still(local: LocalPlatform, readers: Sequence[str], say: Callable[[str], None]) -> None:
    """Wait until the readers have no backlog: what was there before must not be measured."""
    deadline = time.monotonic() + STILL_SECONDS_MAX
    while time.monotonic() < deadline:
        checks = [local.service(name).readiness()[1].get("checks", {}) for name in readers]
        if all(one.get("consumer", {}).get("lag") == 0 for one in checks):
            return
        time.sleep(0.5)
    say("the services still had a backlog when the measurement began")
