"""What the routes stand on, built once in `main` and handed to each of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request

from kit.clock import Clock
from kit.consumer import BatchConsumer
from kit.database import Database, Transaction
from services.gateway.access import Caller, Door
from services.gateway.accounts import Passwords
from services.gateway.ingest.publish import Publisher
from services.gateway.ingest.recent import Recent
from services.gateway.live import Broadcaster
from services.gateway.owners import Owners
from services.gateway.remembered import Answer, Remembered
from services.gateway.sealing import Seal
from services.gateway.settings import GatewaySettings
from services.gateway.sign_on import SignOn
from services.gateway.store import coverage
from services.gateway.store.rows import Row


@dataclass(frozen=True, slots=True)
class Context:
    """The gateway's parts."""

    settings: GatewaySettings
    database: Database
    clock: Clock
    door: Door
    passwords: Passwords
    publisher: Publisher
    recent: Recent
    owners: Owners
    broadcaster: Broadcaster
    consumer: BatchConsumer
    up: Remembered[list[bool]]
    status: Remembered[Row]
    answers: Remembered[Answer]
    sign_on: SignOn
    seal: Seal

    @asynccontextmanager
    async def reading(self, who: Caller) -> AsyncIterator[Transaction]:
        """A transaction that sees what this caller may read of their tenant, and for a limited one can change nothing."""
        async with self.database.transaction(who.tenant) as tx:
            if who.reads_as is not None:
                await coverage.limit(tx, who.reads_as)
            yield tx


async def context(request: Request) -> Context:
    """Dependency: the parts. Async, because a plain function would be called in another thread."""
    found: Context = request.app.state.context
    return found
