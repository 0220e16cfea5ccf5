"""The stage of the browser tests: real services on a real Kafka and PostgreSQL, a queue of lines, people with passwords."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from aiokafka import AIOKafkaProducer

from kit import kafka
from kit.events import headers_of, outgoing
from kit.settings import ServiceSettings
from schemas.base import Message
from schemas.catalogue import ItemDefined, LocationDefined, SupplierDefined, SupplierItemDefined
from schemas.forecasts import DAYS, HORIZONS_DAYS, LEVELS, DemandDistribution, ForecastIssued
from schemas.recommendations import ExceptionRaised, PolicyPublished, Projection, RecommendationIssued, Step
from services.gateway.accounts import bootstrap
from tests import ground
from tests.ground import FreshDatabase, Ground, Services

TENANT = "demo"
NEWCOMER = "newcomer"  # a tenant that has people and nothing else
DAY = date(2017, 11, 20)
WHEN = datetime(2017, 11, 21, 4, tzinfo=UTC)
PATIENCE_SECONDS = 60.0
LINES = 40
SUPPLIERS = (("SUP-1", "Meadow Dairy", Decimal(2500)), ("SUP-2", "Tropic Fruit Import", None))
PLACES = (("367", "Store 367"), ("406", "Store 406"))
REASONS = ("value_above_limit", "low_confidence", "constrained_supply", "new_item")
SERVICES = ("forecaster", "policy", "approvals", "audit", "gateway")
T = TypeVar("T")

# What a product name may hold in a system that does not look: each line would run script if it were taken as markup.
HOSTILE_NAMES = (
    "<script>window.harmed=1</script>",
    "<img src=x onerror=window.harmed=1>",
    '"><svg onload=window.harmed=1>',
    "' onmouseover='window.harmed=1",
    "{{constructor.constructor('window.harmed=1')()}}",
    "javascript:window.harmed=1//</title><script>window.harmed=1</script>",
    "${window.harmed=1}<a href=javascript:window.harmed=1>x</a>",
    "\u202emoc.live\u202c <b>bold</b>",
)


def eventually(condition: Callable[[], T], seconds: float = PATIENCE_SECONDS, why: str = "condition not met") -> T:
    """Poll a condition outside this process until it holds, and return what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, why
        time.sleep(0.1)


def name_of(number: int) -> str:
    """The name of product `number`; the last ones are hostile."""
    from_end = LINES - number
    return HOSTILE_NAMES[from_end] if from_end < len(HOSTILE_NAMES) else f"Product {number:02}"


def product(sku: str, name: str) -> ItemDefined:
    """A product of this name."""
    return ItemDefined(
        tenant=TENANT,
        defined_at=WHEN,
        sku=sku,
        name=name,
        category="Milk",
        abc_class="A",
        price=Decimal(15),
        currency="USD",
    )


def masters() -> list[Message]:
    """Products, places, suppliers and their terms."""
    made: list[Message] = [
        LocationDefined(tenant=TENANT, defined_at=WHEN, location=code, name=name, time_zone="America/New_York")
        for code, name in PLACES
    ]
    made += [
        SupplierDefined(tenant=TENANT, defined_at=WHEN, supplier=code, name=name, minimum_order_value=minimum)
        for code, name, minimum in SUPPLIERS
    ]
    for number in range(1, LINES + 1):
        made.append(product(f"sku-{number:02}", name_of(number)))
        made.append(
            SupplierItemDefined(
                tenant=TENANT,
                defined_at=WHEN,
                supplier=SUPPLIERS[number % 2][0],
                sku=f"sku-{number:02}",
                lead_time_days=3,
                unit_cost=Decimal(10),
                currency="USD",
                moq=Decimal(20),
                pack=Decimal(10),
            )
        )
    return made


def forecast(number: int) -> ForecastIssued:
    """Ten units a day, with the same spread over every horizon."""
    spread = (0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 1.6, 1.8, 2.0, 2.2, 2.5)
    rows = (tuple(int(days * 1000 * share) for share in spread[: len(LEVELS)]) for days in HORIZONS_DAYS)
    return ForecastIssued(
        tenant=TENANT,
        sku=f"sku-{number:02}",
        location=PLACES[number % 2][0],
        forecast_id=f"forecast-{number:02}",
        origin=DAY,
        strategy="seasonal_naive",
        model_id="model-1",
        demand=DemandDistribution(mean_e4=(100_000,) * DAYS, quantiles_e2=tuple(rows)),
        confidence=Decimal("0.8"),
    )


def issued(number: int, **changes: Any) -> RecommendationIssued:
    """Buy 50 units at 10.00; the higher the number, the less money is at risk."""
    with_order = tuple(Decimal(max(0, 30 - 10 * day) + (50 if day >= 3 else 0)) for day in range(14))
    without_order = tuple(Decimal(max(0, 30 - 10 * day)) for day in range(14))
    fields: dict[str, Any] = {
        "tenant": TENANT,
        "sku": f"sku-{number:02}",
        "location": PLACES[number % 2][0],
        "recommendation_id": f"rec-{number:02}-1",
        "line_id": f"line-{number:02}",
        "run_id": "run-1",
        "action": "buy",
        "origin": DAY,
        "quantity": Decimal(50),
        "unit": "each",
        "supplier": SUPPLIERS[number % 2][0],
        "unit_cost": Decimal(10),
        "value": Decimal(500),
        "currency": "USD",
        "order_on": DAY + timedelta(days=1),
        "arrive_on": DAY + timedelta(days=4),
        "moq": Decimal(20),
        "pack": Decimal(10),
        "on_hand": Decimal(30),
        "on_order": Decimal(0),
        "reserved": Decimal(0),
        "inventory_position": Decimal(30),
        "days_of_cover": 3.0,
        "stockout_on": DAY + timedelta(days=4),
        "stockout_probability": Decimal("0.7"),
        "reorder_point": Decimal(60),
        "order_up_to": Decimal(80),
        "money_at_risk": Decimal(1000 - number),
        "confidence": Decimal("0.8"),
        "approved_by_rule": False,
        "route_reasons": (REASONS[number % len(REASONS)],),
        "excess_from_rounding": Decimal(0),
        "excess_cost": Decimal(0),
        "steps": (
            Step(code="net", says="Inventory position: 30 on hand + 0 on order.", inputs={}, result="30", unit="each"),
            Step(code="pack", says="Whole packs of 10.", inputs={}, result="50", unit="each", binding=True),
        ),
        "explanation": "Order 50 units (5 packs).",
        "projection": Projection(origin=DAY, without_order=without_order, with_order=with_order),
        "policy_version": 1,
        "forecast_id": f"forecast-{number:02}",
        "code_version": "test",
        "evidence": {},
        "evidence_sha256": "0" * 64,
    }
    return RecommendationIssued(**fields | changes)


def raised() -> ExceptionRaised:
    """One exception, whose words are hostile too."""
    return ExceptionRaised(
        tenant=TENANT,
        exception_id="exc-1",
        kind="stockout_risk",
        subject="sku-01@406",
        sku="sku-01",
        location="406",
        says=f"Empty by Friday. {HOSTILE_NAMES[1]}",
        remedy="Approve the order.",
        money_at_stake=Decimal(214),
        raised_on=DAY,
    )


def policy() -> PolicyPublished:
    """The parameters in force."""
    return PolicyPublished(
        tenant=TENANT,
        scope="default",
        version=1,
        valid_from=DAY,
        parameters={"service_level": "0.97", "rule_value_limit": "50"},
        published_by="approver",
        reason="Start",
    )


@dataclass(slots=True)
class Stage:
    """Five running services and what a test needs of them."""

    ground: Ground
    namespace: str
    services: Services
    passwords: dict[str, str] = field(default_factory=dict)
    newcomers: dict[str, str] = field(default_factory=dict)
    produced: int = 0

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.services.port('gateway')}"

    def publish(self, *messages: Message) -> None:
        """As the services that own these topics would."""
        self.produced += 1
        ground.wait_for(self._publish(messages, f"browser-{self.produced}"))

    async def _publish(self, messages: Sequence[Message], cause: str) -> None:
        settings = ServiceSettings(namespace=self.namespace, kafka_bootstrap=self.ground.kafka_bootstrap)
        producer: AIOKafkaProducer = kafka.idempotent_producer(settings, "browser-test")
        await producer.start()
        try:
            for number, body in enumerate(messages):
                one = outgoing(body, service="policy", cause=f"{cause}-{number}", time=WHEN)
                topic = f"{self.namespace}.{one.topic}"
                await producer.send(topic, one.value, key=one.envelope.key.encode(), headers=headers_of(one))
            await producer.flush()
        finally:
            await producer.stop()

    def client(self, username: str) -> httpx2.Client:
        """The API, as a person who is signed in."""
        body = {"username": username, "password": self.passwords[username], "tenant": TENANT}
        answer = httpx2.post(f"{self.url}/v1/session", json=body, timeout=20)
        assert answer.status_code == 200, answer.text
        return httpx2.Client(base_url=self.url, timeout=20, cookies=dict(answer.cookies))

    def plan_one(self, sku: str, name: str, location: str) -> None:
        """A product at a place of its own, planned by the policy service itself, and its line in the queue."""
        terms = SupplierItemDefined(
            tenant=TENANT,
            defined_at=WHEN,
            supplier=SUPPLIERS[1][0],  # without a minimum to be filled up to
            sku=sku,
            lead_time_days=3,
            unit_cost=Decimal(10),
            currency="USD",
            moq=Decimal(20),
            pack=Decimal(10),
        )
        place = LocationDefined(
            tenant=TENANT, defined_at=WHEN, location=location, name=f"Store {location}", time_zone="America/New_York"
        )
        self.publish(place, product(sku, name), terms)
        self.publish(forecast(1).model_copy(update={"sku": sku, "location": location, "forecast_id": f"f-{sku}"}))
        with self.client("approver") as approver:

            def line() -> Any:
                asked = approver.post("/v1/planning-runs", json={"location": location})
                assert asked.status_code < 500 and asked.status_code != 404, asked.text
                return approver.get("/v1/recommendations", params={"location": location}).json()["items"]

            eventually(line, why=f"{sku} was never planned")

    def waiting(self) -> int:
        """Lines that wait for a signature, as the gateway counts them."""
        with self.client("planner") as planner:
            return int(planner.get("/v1/recommendations/summary").json()["waiting"])


def set_up(platform: Ground, namespace: str, database: FreshDatabase, folder: Path) -> Stage:
    """Start the five services, make accounts, publish the queue, and wait until the gateway shows all of it."""
    services = Services(platform, namespace, database, folder)
    processes = [
        services.process(
            name, undo_window_seconds="30", stream_heartbeat_seconds="2", consumer_session_milliseconds="6000"
        )
        for name in SERVICES
    ]
    stage = Stage(platform, namespace, services)
    for made in ground.wait_for(bootstrap(database.url("gateway"), TENANT)):
        stage.passwords[made.username] = made.password
    for made in ground.wait_for(bootstrap(database.url("gateway"), NEWCOMER)):
        stage.newcomers[made.username] = made.password
    for process in processes:
        process.start()
    for process in processes:
        process.await_ready(seconds=120)
    stage.publish(*masters(), policy(), raised())
    stage.publish(*(forecast(number) for number in range(1, LINES + 1)))
    stage.publish(*(issued(number) for number in range(1, LINES + 1)))
    eventually(lambda: stage.waiting() == LINES, why="the gateway never showed all lines")
    return stage
