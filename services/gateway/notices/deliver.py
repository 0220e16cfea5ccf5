"""Delivers webhooks: to the address that was judged and no other, signed, with patience, each attempt on record."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson

from kit import telemetry
from kit.clock import Clock
from kit.database import Database
from services.gateway.domain import webhooks as rules
from services.gateway.domain.notices import Notice, document
from services.gateway.notices import discreet, tell
from services.gateway.store import notices

log = telemetry.get_logger()
DELIVERIES = telemetry.counter("webhook_deliveries_total", "Attempts to deliver a webhook, by outcome", ("outcome",))
ANSWER_TIMEOUT_SECONDS = 20.0
AT_ONCE_MAX = 20
KEPT = timedelta(days=30)


class NotAllowed(Exception):
    """The address of a webhook leads where none may go."""


async def judged_address(host: str, port: int, allowed: Sequence[rules.Network]) -> str:
    """An address of this host that may be called. Every one it has must be allowed: else a name could be turned between
    this look and the next. Raises NotAllowed, OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
    inner = [str(address) for address in addresses if not rules.may_be_called(address, allowed)]
    if inner or not addresses:
        raise NotAllowed(
            f"{host} leads to {', '.join(inner) or 'no address'}, which is not public; an operator can allow its network in"
            " COUNTERSIGN_WEBHOOK_NETWORKS"
        )
    return str(addresses[0])


class Deliverer:
    """Run it again and again; any number of gateways may."""

    def __init__(
        self, database: Database, clock: Clock, *, allowed: Sequence[rules.Network], due_before: timedelta
    ) -> None:
        self._database = database
        self._clock = clock
        self._allowed = allowed
        self._due_before = due_before
        # No redirects: where one leads was never judged. No proxies or credentials from the environment either.
        self._client = httpx2.AsyncClient(
            timeout=ANSWER_TIMEOUT_SECONDS,
            follow_redirects=False,
            trust_env=False,
            limits=httpx2.Limits(max_connections=AT_ONCE_MAX),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def run(self) -> None:
        """Tell of lines that are nearly due, then deliver what is waiting."""
        for tenant in await self._database.tenants():
            now = self._clock.now()
            async with self._database.transaction(tenant) as tx:
                due = await notices.nearly_due(tx, tenant, now, self._due_before)
                await notices.add(tx, tenant, [tell.of_nearly_due(tenant, row, now) for row in due])
                claimed = await notices.claim(tx, tenant, now, AT_ONCE_MAX)
            told = await discreet.fit_to_read(self._database, tenant, [notice for _, notice in claimed], now.date())
            rows = [row for row, _ in claimed]
            await asyncio.gather(*(self._attempt(tenant, row, one) for row, one in zip(rows, told, strict=True)))

    async def forget(self) -> None:
        """Drop what was settled a month ago."""
        for tenant in await self._database.tenants():
            async with self._database.transaction(tenant) as tx:
                await notices.forget(tx, tenant, self._clock.now() - KEPT)

    async def _attempt(self, tenant: str, row: dict[str, Any], notice: Notice) -> None:
        status, error = None, None
        try:
            status = await self._send(row, notice)
            if not 200 <= status < 300:
                error = f"answered {status}"
        except (NotAllowed, OSError, httpx2.HTTPError) as trouble:
            error = f"{type(trouble).__name__}: {trouble}"[:300]
        now = self._clock.now()
        wait = rules.next_attempt(row["attempts"])
        failed = error is not None
        async with self._database.transaction(tenant) as tx:
            if status == rules.GONE:
                await notices.disable(tx, tenant, row["webhook_id"], "the receiver answered 410 Gone", now)
            await notices.settle(
                tx,
                tenant,
                row["webhook_id"],
                notice.notice_id,
                state="delivered" if not failed else "failed" if wait is None or status == rules.GONE else "waiting",
                next_at=now + (wait or timedelta(0)),
                status=status,
                error=error,
                delivered_at=None if failed else now,
            )
        DELIVERIES.labels("failed" if failed else "delivered").inc()
        if failed:
            log.warning("webhook_failed", webhook=row["webhook_id"], attempt=row["attempts"], error=error)

    async def _send(self, row: dict[str, Any], notice: Notice) -> int:
        parts = urlsplit(row["url"])
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = await judged_address(host, port, self._allowed)
        body = orjson.dumps(document(notice))
        now: datetime = self._clock.now()
        secrets = [row["secret"]]
        if row["former_secret"] and row["former_until"] > now:
            secrets.append(row["former_secret"])
        sent = rules.headers(secrets, notice.notice_id, int(now.timestamp()), body) | {"host": parts.netloc}
        place = f"[{address}]" if ":" in address else address
        target = httpx2.URL(
            f"{parts.scheme}://{place}:{port}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")
        )
        request = self._client.build_request(
            "POST", target, content=body, headers=sent, extensions={"sni_hostname": host}
        )
        answer = await self._client.send(request, stream=True)
        await answer.aclose()  # what it says beyond its status is nobody's business, and may be endless
        return answer.status_code
