"""The seats around approvals in its tests: policy that recommends, people who decide, the ERP that reads orders."""

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
from aiokafka import AIOKafkaProducer, TopicPartition

from cli.platform.ports import any_free
from kit import kafka
from kit.events import Received, decode, headers_of, outgoing
from kit.identity import Mint, Principal, ensure_keys
from kit.settings import ServiceSettings
from schemas.base import Message
from schemas.decisions import DecisionMade, LineAssigned
from schemas.recommendations import Projection, RecommendationIssued
from schemas.topics import DECISIONS, ORDERS, Topic
from tests.ground import FreshDatabase, Ground

ROOT = Path(__file__).resolve().parents[3]
DAY = date(2017, 11, 20)
WHEN = datetime(2017, 11, 21, 4, tzinfo=UTC)
PATIENCE_SECONDS = 40.0


def issued(number: int, *, tenant: str = "acme", **changes: Any) -> RecommendationIssued:
    """A recommendation to buy 50 units at 10.00, above the rule limit."""
    fields: dict[str, Any] = {
        "tenant": tenant,
        "sku": f"sku-{number:04}",
        "location": "367",
        "recommendation_id": f"rec-{number:04}",
        "line_id": f"line-{number:04}",
        "action": "buy",
        "origin": DAY,
        "quantity": Decimal(50),
        "unit": "each",
        "supplier": "SUP-17",
        "unit_cost": Decimal(10),
        "value": Decimal(500),
        "currency": "USD",
        "order_on": DAY + timedelta(days=1),
        "arrive_on": DAY + timedelta(days=4),
        "moq": Decimal(20),
        "pack": Decimal(10),
        "on_hand": Decimal(5),
        "on_order": Decimal(0),
        "reserved": Decimal(0),
        "inventory_position": Decimal(5),
        "stockout_on": DAY + timedelta(days=3),
        "stockout_probability": Decimal("0.7"),
        "reorder_point": Decimal(20),
        "order_up_to": Decimal(55),
        "money_at_risk": Decimal(100 + number),
        "confidence": Decimal("0.8"),
        "approved_by_rule": False,
        "route_reasons": ("value_above_limit",),
        "excess_from_rounding": Decimal(0),
        "excess_cost": Decimal(0),
        "steps": (),
        "explanation": "Because.",
        "projection": Projection(origin=DAY, without_order=(Decimal(3),), with_order=(Decimal(53),)),
        "policy_version": 1,
        "forecast_id": "forecast-1",
        "code_version": "test",
        "evidence": {},
        "evidence_sha256": "0" * 64,
    }
    return RecommendationIssued(**fields | changes)


def by_rule(number: int, **changes: Any) -> RecommendationIssued:
    """A recommendation worth 40.00 that nobody has to look at."""
    small: dict[str, Any] = {
        "quantity": Decimal(20),
        "unit_cost": Decimal(2),
        "value": Decimal(40),
        "approved_by_rule": True,
        "route_reasons": (),
    }
    return issued(number, **small | changes)


class Seat:
    """One approvals process on a namespace and database of its own, and everybody around it."""

    def __init__(
        self, platform: Ground, namespace: str, database: FreshDatabase, folder: Path, **environment: str
    ) -> None:
        self.platform = platform
        self.namespace = namespace
        self.database = database
        self.folder = folder
        self.port = any_free()
        ensure_keys(folder)
        self.mint = Mint(folder / "keys" / "internal.pem")
        self.settings = ServiceSettings(namespace=namespace, kafka_bootstrap=platform.kafka_bootstrap)
        self.environment = {
            **os.environ,
            "COUNTERSIGN_NAMESPACE": namespace,
            "COUNTERSIGN_KAFKA_BOOTSTRAP": platform.kafka_bootstrap,
            "COUNTERSIGN_DATABASE_URL": database.url("approvals"),
            "COUNTERSIGN_DATA_DIR": str(folder),
            "COUNTERSIGN_HTTP_PORT": str(self.port),
            # The shortest Kafka grants: after a kill -9 the group waits this long for the dead member.
            "COUNTERSIGN_CONSUMER_SESSION_MILLISECONDS": "6000",
            "COUNTERSIGN_UNDO_WINDOW_SECONDS": "0.2",
            "COUNTERSIGN_RELEASE_EVERY_SECONDS": "0.1",
            **environment,
        }
        self.process: asyncio.subprocess.Process | None = None
        self.producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> "Seat":
        self.producer = kafka.idempotent_producer(self.settings, "test")
        await self.producer.start()
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end(signal.SIGTERM)
        if self.producer is not None:
            await self.producer.stop()

    async def start(self, **environment: str) -> None:
        """Start the service as its own process and wait until it is ready."""
        with (self.folder / "approvals.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "services.approvals.main",
                cwd=ROOT,
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
            )
        async with httpx2.AsyncClient() as client:
            for _ in range(int(PATIENCE_SECONDS / 0.1)):
                if self.process.returncode is not None:
                    raise AssertionError("approvals ended: " + (self.folder / "approvals.log").read_text()[-3000:])
                try:
                    if (await client.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                await asyncio.sleep(0.1)
        raise AssertionError("approvals did not become ready: " + (self.folder / "approvals.log").read_text()[-3000:])

    async def end(self, how: signal.Signals) -> None:
        """Send the process a signal and wait until it is gone."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(how)
            await asyncio.wait_for(self.process.wait(), PATIENCE_SECONDS)

    async def send(self, bodies: Sequence[Message], *, cause: str | None = None, source: str = "policy") -> None:
        """Publish as the policy service (or whoever writes that topic) would."""
        assert self.producer is not None
        for body in bodies:
            message = outgoing(body, service=source, cause=cause or uuid.uuid4().hex, time=WHEN)
            topic = f"{self.namespace}.{message.topic}"
            await self.producer.send(
                topic, message.value, key=message.envelope.key.encode(), headers=headers_of(message)
            )
        await self.producer.flush()

    def person(self, subject: str, *roles: str, tenant: str = "acme") -> "Person":
        """Somebody the gateway vouches for."""
        return Person(self, Principal(tenant, subject, frozenset(roles)))

    async def sql(self, query: str, *args: object) -> list[asyncpg.Record]:
        """Look behind the wall, as the administrator."""
        connection = await asyncpg.connect(self.database.admin_url, server_settings={"search_path": "approvals"})
        try:
            return await connection.fetch(query, *args)
        finally:
            await connection.close()

    async def wait_for(self, query: str, *args: object) -> None:
        """Wait until the query's first value is true."""
        for _ in range(int(PATIENCE_SECONDS / 0.05)):
            if (await self.sql(query, *args))[0][0]:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"never true: {query}\n" + (self.folder / "approvals.log").read_text()[-3000:])

    async def wait_for_lines(self, count: int, state: str = "pending") -> None:
        """Wait until so many lines are in a state."""
        await self.wait_for("select count(*) = $1 from lines where state = $2", count, state)

    async def wait_until_published(self) -> None:
        """Wait until the outbox is empty."""
        await self.wait_for("select count(*) = 0 from outbox where published_at is null")

    async def read(self, topic: Topic) -> list[Received[Message]]:
        """Everything on a topic, by a plain consumer that sees committed records only."""
        consumer = kafka.plain_consumer(self.settings, "erp")
        await consumer.start()
        try:
            name = topic.on(self.namespace)
            places = [TopicPartition(name, number) for number in range(topic.partitions)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            await consumer.seek_to_beginning(*places)
            found = []
            while [place for place in places if await consumer.position(place) < ends[place]]:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [
                        decode(topic, r.partition, r.offset, r.key, r.value, r.headers, r.timestamp) for r in records
                    ]
            return found
        finally:
            await consumer.stop()

    async def orders(self) -> list[Any]:
        """What the ERP has received."""
        await self.wait_until_published()
        return [one.body for one in await self.read(ORDERS)]

    async def decisions(self) -> list[Any]:
        """What everybody else was told."""
        await self.wait_until_published()
        return [one.body for one in await self.read(DECISIONS) if isinstance(one.body, DecisionMade)]

    async def assigned(self) -> list[Any]:
        """Who was told to answer for which line."""
        await self.wait_until_published()
        return [one.body for one in await self.read(DECISIONS) if isinstance(one.body, LineAssigned)]


class Person:
    """Calls approvals the way the gateway does for somebody signed in."""

    def __init__(self, seat: Seat, principal: Principal) -> None:
        self.seat = seat
        self.principal = principal

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        headers: dict[str, str] | None = None,
        client: httpx2.AsyncClient | None = None,
    ) -> httpx2.Response:
        """One request with a fresh internal token."""
        token = self.seat.mint.token(self.principal, "approvals")
        sent = {"authorization": f"Bearer {token}", **(headers or {})}
        url = f"http://127.0.0.1:{self.seat.port}{path}"
        if client is not None:
            return await client.request(method, url, json=json, headers=sent, timeout=30)
        async with httpx2.AsyncClient() as own:
            return await own.request(method, url, json=json, headers=sent, timeout=30)

    async def decide(
        self,
        line: str,
        verdict: str,
        *,
        version: int = 0,
        key: str | None = None,
        client: httpx2.AsyncClient | None = None,
        **body: Any,
    ) -> httpx2.Response:
        """Decide one line at a version."""
        headers = {"if-match": f'"{version}"', "idempotency-key": key or uuid.uuid4().hex}
        return await self.call(
            "POST", f"/lines/{line}/decisions", json={"verdict": verdict, **body}, headers=headers, client=client
        )
