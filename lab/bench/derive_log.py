"""Derivation from the audit log alone: a tenant is planned by the running service, its log exported, everything stopped, and every
recommendation in the export computed again by the command that anybody has.

Also said: whether the export is the log that was signed (`./run verify`), and that it holds every recommendation there was.
"""

import asyncio
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import httpx2

from kit.identity import Mint, Principal, ensure_keys
from lab.bench.plan_world import fill

ITEMS = 20_000
TARGETS = {"recommendations": 10_000, "share": 1.0}
POLL_SECONDS = 0.5
PATIENCE_SECONDS = 900.0
COUNTED = re.compile(r"(\d+) of (\d+) recommendations derived again byte for byte, from (\d+) bytes")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Seat:
    """Where the two running services are, and their database as administrator."""

    policy_url: str
    audit_url: str
    database_admin_url: str
    data_dir: Path

    def client(self, tenant: str, service: str) -> httpx2.AsyncClient:
        """Asks a service as the gateway does, on behalf of a planner and auditor."""
        private, _public = ensure_keys(self.data_dir)
        caller = Principal(tenant, "bench", frozenset({"planner", "auditor"}))
        return httpx2.AsyncClient(
            base_url=self.policy_url if service == "policy" else self.audit_url,
            headers={"Authorization": f"Bearer {Mint(private).token(caller, service)}"},
            timeout=PATIENCE_SECONDS,
        )


def plan_and_export(seat: Seat, folder: Path, items: int, say: Say) -> dict[str, Any]:
    """Plan so many item-locations of a new tenant and export its audit log once all that was published is in it."""
    return asyncio.run(_plan_and_export(seat, folder, items, say))


async def _plan_and_export(seat: Seat, folder: Path, items: int, say: Say) -> dict[str, Any]:
    tenant = f"bench-{items}-{secrets.token_hex(4)}"
    admin = await asyncpg.connect(seat.database_admin_url)
    try:
        say(f"filling the tables of {items:,} item-locations")
        with TemporaryDirectory(prefix="countersign-bench-") as files:
            await fill(admin, tenant, Path(files), items)
        say("planning them")
        run = await _planned(seat, tenant)
        published = await admin.fetchval("select count(*) from policy.recommendations where tenant = $1", tenant)
        say(f"waiting until the audit log holds what was said of {published:,} recommendations and the other items")
        await _until_logged(admin, tenant)
    finally:
        await admin.close()
    log = folder / "audit.jsonl"
    async with seat.client(tenant, "audit") as auditor, auditor.stream("GET", "/audit/export") as answer:
        answer.raise_for_status()
        with log.open("wb") as file:
            async for part in answer.aiter_bytes():
                file.write(part)
    return {
        "items": run["items"],
        "published": published,
        "log": str(log),
        "log_mb": round(log.stat().st_size / 1e6, 1),
    }


async def _planned(seat: Seat, tenant: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    async with seat.client(tenant, "policy") as planner:
        run: dict[str, Any] = (await planner.post("/runs", json={})).raise_for_status().json()
        while run["state"] != "finished":
            assert time.monotonic() < deadline, f"{run['done']} planned; see the service's log"
            await asyncio.sleep(POLL_SECONDS)
            run = (await planner.get(f"/runs/{run['run_id']}")).raise_for_status().json()
    return run


async def _until_logged(admin: "asyncpg.Connection[asyncpg.Record]", tenant: str) -> None:
    """All that policy has said is published, and as many entries as that are in the log."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        waiting = await admin.fetchval(
            "select exists (select from policy.outbox where tenant = $1 and published_at is null)", tenant
        )
        said = await admin.fetchval("select count(*) from policy.outbox where tenant = $1", tenant)
        logged = await admin.fetchval("select count(*) from audit.entries where tenant = $1", tenant)
        if not waiting and said and logged >= said:
            return
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
