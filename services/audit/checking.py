"""The log's check of itself: the same verification a stranger runs, over the same export, kept for the audit page."""

import asyncio
from datetime import datetime
from typing import Any

import orjson

from kit import telemetry
from kit.clock import Clock
from kit.consumer import BatchConsumer
from kit.database import Database
from services.audit.exporting import Extent, export
from services.audit.keys import LogKeys
from services.audit.store import heads, reading
from services.audit.verify.verification import Trust, Verification

log = telemetry.get_logger()
BROKEN = telemetry.gauge("audit_self_check_broken_logs", "Logs that failed their last self-check; page a human")
# How long an export waits for the consumer to catch up, so that every reference in it resolves.
SETTLE_SECONDS_MAX = 5.0
SETTLE_POLL_SECONDS = 0.05


async def extent_of(database: Database, consumer: BatchConsumer, tenant: str) -> Extent:
    """What an export of the log covers now: everything signed, and what came until the consumer had caught up."""
    async with database.transaction(tenant) as tx:
        before = await reading.size_of(tx, tenant)
    settled = 0
    loop = asyncio.get_running_loop()
    until = loop.time() + SETTLE_SECONDS_MAX
    while loop.time() < until:
        if consumer.lag() == 0:
            settled = before
            break
        await asyncio.sleep(SETTLE_POLL_SECONDS)
    async with database.transaction(tenant) as tx:
        newest = await heads.newest(tx, tenant)
        size = await reading.size_of(tx, tenant)
        was_signed = await heads.was_ever_signed(tx, tenant)
    if not was_signed:
        return Extent(0, 0)  # in its first second nobody vouches for anything yet: there is nothing to show or to break
    signed = newest.size if newest is not None else 0
    # End at a signed head when everything settled is under it; else the newest entries come unsigned, and are counted.
    return Extent(signed, min(settled, signed)) if signed >= settled > 0 else Extent(size, settled)


class SelfCheck:
    """Runs the verification and keeps its answer."""

    def __init__(self, database: Database, consumer: BatchConsumer, keys: LogKeys, clock: Clock) -> None:
        self._database = database
        self._consumer = consumer
        self._keys = keys
        self._clock = clock
        self._broken: set[str] = set()

    async def run(self, tenant: str) -> dict[str, Any]:
        """Verify the tenant's log from its first entry; the result, stored."""
        extent = await extent_of(self._database, self._consumer, tenant)
        verification = Verification(Trust(keys=tuple(self._keys.verifiers(tenant))))
        async for page in export(self._database, self._keys, tenant, extent, None):
            for line in page.split(b"\n"):
                verification.feed(line)
            await asyncio.sleep(0)  # a page takes tens of milliseconds; let requests and the consumer in between
        findings = verification.finish()
        now = self._clock.now()
        # For a page, `problem` is a sentence; `broken` holds its parts.
        result = findings.document() | {"checked_at": now.isoformat(), "problem": None, "broken": None}
        if findings.problem is not None:
            where = "" if findings.problem.seq is None else f"At entry {findings.problem.seq}: "
            result |= {"problem": f"{where}{findings.problem.message}.", "broken": findings.problem.document()}
        async with self._database.transaction(tenant) as tx:
            await tx.execute(
                "insert into self_checks (tenant, checked_at, result) values ($1, $2, $3)",
                tenant,
                self._clock.now(),
                orjson.dumps(result).decode(),
            )
        (self._broken.discard if result["ok"] else self._broken.add)(tenant)
        BROKEN.set(len(self._broken))
        if not result["ok"]:
            log.error("self_check_broken", log_id=tenant, problem=result["problem"])
        return result

    async def run_due(self, every_seconds: float) -> None:
        """Verify every log whose last answer is older than `every_seconds`, also over restarts."""
        for tenant in await self._database.tenants():
            last = await last_result(self._database, tenant)
            if (
                last is None
                or (self._clock.now() - datetime.fromisoformat(last["checked_at"])).total_seconds() >= every_seconds
            ):
                await self.run(tenant)


async def last_result(database: Database, tenant: str) -> dict[str, Any] | None:
    """The newest stored result."""
    async with database.transaction(tenant) as tx:
        text = await tx.fetchval(
            "select result from self_checks where tenant = $1 order by checked_at desc limit 1", tenant
        )
    return None if text is None else orjson.loads(text)
