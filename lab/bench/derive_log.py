"""Derivation from the audit log alone: a tenant is planned by the running service, its log exported, everything stopped, and every
recommendation in the export computed again by the command that anybody has.

Also said: whether the export is the log that was signed (`./run verify`), and that it holds every recommendation there was.
"""

import asyncio
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lab.bench.running import PATIENCE_SECONDS, POLL_SECONDS, Admin, Say, Seat, filled, planned, until_published

ITEMS = 20_000
TARGETS = {"recommendations": 10_000, "share": 1.0}
COUNTED = re.compile(r"(\d+) of (\d+) recommendations derived again byte for byte, from (\d+) bytes")


def plan_and_export(seat: Seat, folder: Path, items: int, say: Say) -> dict[str, Any]:
    """Plan so many item-locations of a new tenant and export its audit log once all that was published is in it."""
    return asyncio.run(_plan_and_export(seat, folder, items, say))


async def _plan_and_export(seat: Seat, folder: Path, items: int, say: Say) -> dict[str, Any]:
    async with filled(seat, items, say) as (admin, tenant):
        say("planning them")
        run = await planned(seat, tenant)
        recommended = await admin.fetchval("select count(*) from policy.recommendations where tenant = $1", tenant)
        say(f"waiting until the audit log holds what was said of {recommended:,} recommendations and the other items")
        await _until_logged(admin, tenant)
    log = folder / "audit.jsonl"
    async with seat.client(tenant, "audit") as auditor, auditor.stream("GET", "/audit/export") as answer:
        answer.raise_for_status()
        with log.open("wb") as file:
            async for part in answer.aiter_bytes():
                file.write(part)
    return {
        "items": run["items"],
        "published": recommended,
        "log": str(log),
        "log_mb": round(log.stat().st_size / 1e6, 1),
    }


async def _until_logged(admin: Admin, tenant: str) -> None:
    """All that policy has said is published, and as many entries as that are in the log."""
    await until_published(admin, tenant)
    said = await admin.fetchval("select count(*) from policy.outbox where tenant = $1", tenant)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (logged := await admin.fetchval("select count(*) from audit.entries where tenant = $1", tenant)) < said:
        assert time.monotonic() < deadline, f"{logged} of {said} messages are in the audit log; see the service's log"
        await asyncio.sleep(POLL_SECONDS)


def derived(log: Path, published: int) -> dict[str, Any]:
    """What `./run derive --all --from LOG` and `./run verify LOG` say. Neither asks a server for anything."""
    began = time.monotonic()
    said = _run("derive", "--all", "--from", str(log))
    seconds = time.monotonic() - began
    found = COUNTED.search(said.stdout)
    if found is None:
        raise RuntimeError(f"derive ended with {said.returncode}: {(said.stdout + said.stderr)[-2000:]}")
    agree, count, size = (int(one) for one in found.groups())
    verified = _run("verify", str(log))
    return {
        "recommendations": count,
        "agree": agree,
        "share": agree / count,
        "are_all_published": count == published,
        "evidence_bytes": size,
        "seconds": round(seconds, 1),
        "log_is_verified": verified.returncode == 0,
        "differing": said.stderr.splitlines()[:20],
    }


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "cli", *arguments], capture_output=True, text=True, check=False)
