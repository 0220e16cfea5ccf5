"""The policy service as its own process, and a seat outside: writes to its topics, reads what it publishes, asks its API."""

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from cli.platform.ports import any_free
from kit.events import Envelope, Outgoing, headers_of
from kit.identity import Mint, Principal, ensure_keys
from schemas.base import Message
from schemas.catalogue import ItemDefined, LocationDefined, SupplierDefined, SupplierItemDefined
from schemas.decisions import OrderLine, OrderReleased
from schemas.demand import BusinessDayClosed, SaleRecorded, StockCounted, StockMoved
from schemas.forecasts import HORIZONS_DAYS, LEVELS, DemandDistribution, ForecastIssuedV2
from schemas.topics import TOPIC_OF
from tests.ground import FreshDatabase, Ground

DAY = date(2017, 11, 5)
NOON = datetime(2017, 11, 5, 12, tzinfo=UTC)
WAIT_SECONDS = 60.0
TENANT = "acme"


async def until(condition: Callable[[], Awaitable[Any]], what: str, seconds: float = WAIT_SECONDS) -> Any:
    """Ask again and again until the answer is true; fail with `what` was waited for."""
    end = time.monotonic() + seconds
    while True:
        answer = await condition()
        if answer:
            return answer
        assert time.monotonic() < end, f"after {seconds:.0f} s: {what}"
        await asyncio.sleep(0.05)


@dataclass
class Seat:
    """One policy process on a namespace and database of its own."""

    ground: Ground
    namespace: str
    database: FreshDatabase
    home: Path
    process: subprocess.Popen[bytes] | None = None
    port: int = field(default_factory=any_free)
    producer: AIOKafkaProducer | None = None

    def start(self) -> None:
        """Start the service as `./run` would: its own process, configured by its environment."""
        ensure_keys(self.home)
        environment = os.environ | {
            "COUNTERSIGN_NAMESPACE": self.namespace,
            "COUNTERSIGN_KAFKA_BOOTSTRAP": self.ground.kafka_bootstrap,
            "COUNTERSIGN_DATABASE_URL": self.database.url("policy"),
            "COUNTERSIGN_DATA_DIR": str(self.home),
            "COUNTERSIGN_HTTP_PORT": str(self.port),
            "COUNTERSIGN_PLAN_GRACE_SECONDS": "0",
            "COUNTERSIGN_PLAN_QUIET_SECONDS": "0",
            "COUNTERSIGN_PLAN_POLL_SECONDS": "0.2",
            "COUNTERSIGN_PLAN_CHUNK_ITEMS": "20",
            "COUNTERSIGN_SWEEP_SECONDS": "1",
            "OMP_NUM_THREADS": "1",
        }
        with (self.home / "policy.log").open("ab") as log:
            command = [sys.executable, "-m", "services.policy.main"]
            self.process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        """What the service has logged."""
        return (self.home / "policy.log").read_text()

    async def send(self, *messages: Message, ids: list[str] | None = None) -> None:
        """Put messages on their topics, each with a new id unless `ids` are given."""
        if self.producer is None:
            self.producer = AIOKafkaProducer(bootstrap_servers=self.ground.kafka_bootstrap, acks="all", linger_ms=5)
            await self.producer.start()
        for index, body in enumerate(messages):
            identity = ids[index] if ids else str(uuid.uuid4())
            envelope = Envelope(identity, "test/1", body.TYPE, NOON, body.tenant, body.record_key())
            out = Outgoing(TOPIC_OF[body.TYPE].name, envelope, body.model_dump_json(exclude_none=True).encode())
            await self.producer.send(
                f"{self.namespace}.{out.topic}", out.value, key=envelope.key.encode(), headers=headers_of(out)
            )
        await self.producer.flush()

    async def read(self, topic: str, enough: Callable[[list[dict[str, Any]]], bool], what: str) -> list[dict[str, Any]]:
        """Everything on a topic from its beginning, until there is enough of it."""
        consumer = AIOKafkaConsumer(
            f"{self.namespace}.{topic}", bootstrap_servers=self.ground.kafka_bootstrap, auto_offset_reset="earliest"
        )
        await consumer.start()
        found: list[dict[str, Any]] = []
        end = time.monotonic() + WAIT_SECONDS
        try:
            while not enough(found):
                assert time.monotonic() < end, (
                    f"{what}; found {len(found)}: {str(found[-3:])[:2000]}\n{self.log()[-3000:]}"
                )
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        kind = dict(record.headers)["ce_type"].decode()
                        found.append({"type": kind, **json.loads(record.value)})
        finally:
            await consumer.stop()
        return found

    async def rows(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Look behind the tenant wall."""
        connection = await asyncpg.connect(self.database.admin_url)
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        tenant: str = TENANT,
        *,
        subject: str = "pia",
        role: str = "planner",
        key: str | None = None,
    ) -> httpx2.Response:
        """Ask the service's API as the gateway would, on behalf of `subject`."""
        private, _public = ensure_keys(self.home)
        token = Mint(private).token(Principal(tenant, subject, frozenset({role})), "policy")
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key is not None else {})
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as client:
            return await client.request(method, path, json=body, headers=headers)

    async def close(self) -> None:
        """Stop what was started."""
        if self.producer is not None:
            await self.producer.stop()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


def catalogue(*skus: str, location: str = "L1", **terms: Any) -> list[Message]:
    """A location, a supplier, and products with terms."""
    said: list[Message] = [
        LocationDefined(tenant=TENANT, location=location, name="Store", defined_at=NOON),
        SupplierDefined(tenant=TENANT, supplier="SUP", name="Supplier", defined_at=NOON, currency="USD"),
    ]
    given: dict[str, Any] = {
        "lead_time_days": 2,
        "unit_cost": Decimal("2.00"),
        "moq": Decimal(6),
        "pack": Decimal(6),
    } | terms
    for sku in skus:
        said.append(
            ItemDefined(tenant=TENANT, sku=sku, name=sku, price=Decimal("3.00"), currency="USD", defined_at=NOON)
        )
        said.append(SupplierItemDefined(tenant=TENANT, supplier="SUP", sku=sku, defined_at=NOON, **given))
    return said


def sale(sku: str, quantity: int = 1, at: datetime = NOON, location: str = "L1") -> SaleRecorded:
    """A sale."""
    return SaleRecorded(
        tenant=TENANT, sku=sku, location=location, quantity=Decimal(quantity), business_date=at.date(), sold_at=at
    )


def receipt(sku: str, quantity: int, at: datetime = NOON, order_id: str | None = None) -> StockMoved:
    """A receipt."""
    return StockMoved(
        tenant=TENANT,
        sku=sku,
        location="L1",
        kind="receipt",
        quantity=Decimal(quantity),
        business_date=at.date(),
        moved_at=at,
        order_id=order_id,
    )


def count(sku: str, quantity: int, at: datetime) -> StockCounted:
    """An absolute count."""
    return StockCounted(
        tenant=TENANT, sku=sku, location="L1", quantity=Decimal(quantity), business_date=at.date(), counted_at=at
    )


def closed(day: date = DAY) -> BusinessDayClosed:
    """A closed business day."""
    at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=23)
    return BusinessDayClosed(tenant=TENANT, location="L1", business_date=day, closed_at=at)


def forecast(
    sku: str, daily: float = 2.0, origin: date = DAY, confidence: str = "0.9", flags: tuple[str, ...] = ()
) -> ForecastIssuedV2:
    """A forecast with a spread that grows with demand."""
    quantiles = tuple(
        tuple(round(daily * days * (0.4 + 1.6 * level) * 100) for level in LEVELS) for days in HORIZONS_DAYS
    )
    return ForecastIssuedV2(
        tenant=TENANT,
        sku=sku,
        location="L1",
        forecast_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{sku}/{origin}/{daily}")),
        origin=origin,
        strategy="test",
        model_id="m1",
        demand=DemandDistribution(mean_e4=(int(daily * 10_000),) * 56, quantiles_e2=quantiles),
        confidence=Decimal(confidence),
        flags=flags,
    )


def released(line: dict[str, Any], order_id: str, **changes: Any) -> OrderReleased:
    """An order of one recommendation, at 2.00 a unit."""
    body: dict[str, Any] = {
        "tenant": TENANT,
        "order_id": order_id,
        "kind": "purchase_order",
        "supplier": "SUP",
        "location": line["location"],
        "order_on": line["order_on"],
        "arrive_on": line["arrive_on"],
        "currency": "USD",
        "value": Decimal(line["value"]),
        "released_at": NOON,
        "lines": (
            OrderLine(
                line_no=1,
                recommendation_id=line["recommendation_id"],
                decision_id="d",
                sku=line["sku"],
                quantity=Decimal(line["quantity"]),
                unit="each",
                unit_cost=Decimal("2"),
                value=Decimal(line["value"]),
            ),
        ),
    }
    return OrderReleased.model_validate(body | changes)
