"""A queue of thousands of lines for the bench of the pages: products, terms and recommendations, straight to Kafka.

The lines are made up, evenly and without chance: what is measured is how the pages and the services carry them.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from kit import kafka
from kit.events import headers_of, outgoing
from kit.settings import ServiceSettings
from schemas.base import Message
from schemas.catalogue import ItemDefined, LocationDefined, SupplierDefined
from schemas.recommendations import Projection, RecommendationIssued, RouteReason, Step
from schemas.topics import CATALOGUE, DECISIONS, RECOMMENDATIONS, Topic

DAY = date(2026, 3, 2)
WHEN = datetime(2026, 3, 3, 4, tzinfo=UTC)
PLACES = tuple(f"L{number:02}" for number in range(10))
# So many that no supplier's lines of a day add up to a split order, which would take two signatures each.
SUPPLIERS = 250
CATEGORIES = ("Milk", "Bread", "Fruit", "Frozen", "Household", "Drinks")
REASONS: tuple[RouteReason, ...] = ("value_above_limit", "low_confidence", "constrained_supply", "new_item")
HORIZON_DAYS = 28
IN_FLIGHT_MAX = 2_000


def sku_of(number: int) -> str:
    """The product of line `number`."""
    return f"B{number:05}"


def masters(tenant: str, count: int) -> Iterator[Message]:
    """Places, suppliers and one product for each line."""
    for place in PLACES:
        yield LocationDefined(
            tenant=tenant, defined_at=WHEN, location=place, name=f"Store {place}", time_zone="Europe/Berlin"
        )
    for number in range(SUPPLIERS):
        yield SupplierDefined(
            tenant=tenant,
            defined_at=WHEN,
            supplier=f"S{number:03}",
            name=f"Supplier {number:03}",
            minimum_order_value=None,
        )
    for number in range(count):
        yield ItemDefined(
            tenant=tenant,
            defined_at=WHEN,
            sku=sku_of(number),
            name=f"Product {number:05}",
            category=CATEGORIES[number % len(CATEGORIES)],
            abc_class=("A", "B", "C")[number % 3],
            price=Decimal(6),
            currency="EUR",
        )


def line(tenant: str, number: int) -> RecommendationIssued:
    """Buy ten of product `number` at 4.00, with the derivation a person reads; the higher the number, the less urgent."""
    expected = 2 + number % 5
    without = tuple(Decimal(max(0, 14 - expected * day)) for day in range(HORIZON_DAYS))
    arriving = tuple(units + (10 if day >= 3 else 0) for day, units in enumerate(without))
    codes = ("net", "stock_out", "target", "economic_quantity", "order_up_to", "minimum_and_pack", "value", "route")
    return RecommendationIssued(
        tenant=tenant,
        sku=sku_of(number),
        location=PLACES[number % len(PLACES)],
        recommendation_id=f"bench-{number:05}",
        line_id=f"bench-line-{number:05}",
        run_id="bench",
        action="buy",
        origin=DAY,
        quantity=Decimal(10),
        unit="each",
        supplier=f"S{number % SUPPLIERS:03}",
        unit_cost=Decimal(4),
        value=Decimal(40),
        currency="EUR",
        order_on=DAY + timedelta(days=1),
        arrive_on=DAY + timedelta(days=4),
        moq=Decimal(5),
        pack=Decimal(5),
        on_hand=Decimal(14),
        on_order=Decimal(0),
        reserved=Decimal(0),
        inventory_position=Decimal(14),
        days_of_cover=round(14 / expected, 1),
        stockout_on=DAY + timedelta(days=1 + 14 // expected),
        stockout_probability=Decimal("0.6"),
        reorder_point=Decimal(20),
        order_up_to=Decimal(24),
        money_at_risk=Decimal(20_000 - number) / 100,
        confidence=Decimal("0.7"),
        approved_by_rule=False,
        route_reasons=(REASONS[number % len(REASONS)],),
        excess_from_rounding=Decimal(0),
        excess_cost=Decimal(0),
        steps=tuple(
            Step(code=code, says=f"Step {code}: 14 of 24.", inputs={"position": "14", "up_to": "24"}, result="10")
            for code in codes
        ),
        explanation="Order 10 units (2 packs).",
        projection=Projection(origin=DAY, without_order=without, with_order=arriving),
        policy_version=1,
        forecast_id=f"bench-forecast-{number:05}",
        code_version="bench",
        evidence={},
        evidence_sha256="0" * 64,
    )


async def publish(settings: ServiceSettings, tenant: str, count: int) -> None:
    """Every product and every line, acknowledged. Raises aiokafka's KafkaError when one is refused."""
    await _send(settings, CATALOGUE, masters(tenant, count), "gateway")
    await _send(settings, RECOMMENDATIONS, (line(tenant, number) for number in range(count)), "policy")


async def _send(settings: ServiceSettings, topic: Topic, bodies: Iterable[Message], service: str) -> None:
    producer = kafka.idempotent_producer(settings, "bench-queue")
    await producer.start()
    try:
        waiting: list[asyncio.Future[object]] = []
        for number, body in enumerate(bodies):
            one = outgoing(body, service=service, cause=f"bench-{topic.name}-{number}", time=WHEN)
            waiting.append(
                await producer.send(
                    topic.on(settings.namespace), one.value, key=one.envelope.key.encode(), headers=headers_of(one)
                )
            )
            if len(waiting) >= IN_FLIGHT_MAX:
                await asyncio.gather(*waiting)
                waiting.clear()
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()


async def decisions_told(settings: ServiceSettings, wanted: set[str], seconds: float) -> list[str]:
    """Ids of the decisions on the decisions topic, read from its beginning until all `wanted` came or time is over."""
    consumer = AIOKafkaConsumer(**kafka.connection(settings), isolation_level="read_committed")
    await consumer.start()
    found: list[str] = []
    try:
        places = [TopicPartition(DECISIONS.on(settings.namespace), number) for number in range(DECISIONS.partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        missing, deadline = set(wanted), time.monotonic() + seconds
        while missing and time.monotonic() < deadline:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    found += _decision_ids(record.value)
            missing -= set(found)
    finally:
        await consumer.stop()
    return found


def _decision_ids(value: bytes | None) -> list[str]:
    """The decision a record tells of; assignments and owners on the same topic tell of none."""
    document = orjson.loads(value) if value else {}
    return [str(document["decision_id"])] if "decision_id" in document else []
