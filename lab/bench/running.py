"""The running services as a measurement reaches them: asked as the gateway asks them, their database as administrator."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import asyncpg
import httpx2

from kit.identity import Mint, Principal, ensure_keys
from lab.bench.plan_world import fill

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 900.0
Say = Callable[[str], None]
Admin: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True, slots=True)
class Seat:
    """Where the services are (by name), their database as administrator, and the processes whose time is told."""

    urls: Mapping[str, str]
    database_admin_url: str
    data_dir: Path
    pids: Mapping[str, int] = field(default_factory=dict)

    def client(self, tenant: str, service: str) -> httpx2.AsyncClient:
        """Asks a service as the gateway does, on behalf of a planner and auditor."""
        private, _public = ensure_keys(self.data_dir)
        caller = Principal(tenant, "bench", frozenset({"planner", "auditor"}))
        auth = _Minted(Mint(private), caller, service)
        return httpx2.AsyncClient(base_url=self.urls[service], auth=auth, timeout=PATIENCE_SECONDS)


class _Minted(httpx2.Auth):
    """A token for each request: one lives for a minute, and a run of 100,000 items may take longer."""

    def __init__(self, mint: Mint, caller: Principal, service: str) -> None:
        self._mint, self._caller, self._service = mint, caller, service

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._mint.token(self._caller, self._service)}"
        yield request


@asynccontextmanager
async def filled(seat: Seat, items: int, say: Say) -> AsyncIterator[tuple[Admin, str]]:
    """A tenant with so many item-locations in the tables, its own: the folder may hold an earlier measurement."""
    tenant = f"bench-{items}-{secrets.token_hex(4)}"
    admin = await asyncpg.connect(seat.database_admin_url)
    try:
        say(f"filling the tables of {items:,} item-locations")
        with TemporaryDirectory(prefix="countersign-bench-") as files:
            await fill(admin, tenant, Path(files), items)
        yield admin, tenant
    finally:
        await admin.close()


async def planned(seat: Seat, tenant: str) -> dict[str, Any]:
    """Have all of a tenant planned; the run once it has finished."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    async with seat.client(tenant, "policy") as planner:
        run: dict[str, Any] = (await planner.post("/runs", json={})).raise_for_status().json()
        while run["state"] != "finished":
            assert time.monotonic() < deadline, f"{run['done']} planned; see the service's log"
            await asyncio.sleep(POLL_SECONDS)
            run = (await planner.get(f"/runs/{run['run_id']}")).raise_for_status().json()
    return run


async def until_published(admin: Admin, tenant: str) -> None:
    """Until all that policy has said of a tenant is on its topics."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while await admin.fetchval(
        "select exists (select from policy.outbox where tenant = $1 and published_at is null)", tenant
    ):
        assert time.monotonic() < deadline, "messages still wait to be published; see the service's log"
        await asyncio.sleep(POLL_SECONDS)
