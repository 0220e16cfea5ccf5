"""Who uses the system while it is hurt: tills over HTTP, warehouses straight into Kafka, planners, an ERP's seat.

Each is a thread that writes down every call before and after it. What got no answer is sent again as it is, until it is
answered: so must every real client. Nothing is told that is not in the history.
"""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any

import httpx2
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from cli.demo_access import Access
from countersign_client import ApiProblem, Client, Event, Retry, Unreachable
from kernel.ids import derived_id
from lab.chaos.history import History
from lab.chaos.stand import Stand
from lab.chaos.world import Shop
from lab.world.story import Event as Told
from lab.world.wire import Record, records
from schemas.topics import ORDERS

ONCE = Retry(attempts=1)
CALL_SECONDS_MAX = 20.0
SEND_SECONDS_MAX = 15.0
# After a call without an answer: long enough not to storm a service that is just starting.
AGAIN_SECONDS = 0.3
# What "no" means to a till: nothing of the batch was taken. 503 says that some of it may have been.
CERTAINLY_NOT = frozenset({400, 401, 403, 404, 409, 412, 413, 422, 428, 429})


@dataclass(slots=True)
class Pace:
    """How fast the world turns; faults change it."""

    till_events: int = 12
    till_seconds: float = 0.25
    hot: bool = False
    day_seconds: float = 12.0


@dataclass(slots=True)
class Crowd:
    """All clients of one run. `start`, hurt the system, `drain`: then every call that was begun has been answered."""

    stand: Stand
    history: History
    shops: Sequence[Shop]
    accesses: dict[str, Access]
    seed: int
    pace: Pace = field(default_factory=Pace)
    ending: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    locks: dict[str, threading.Lock] = field(default_factory=dict)

    def start(self) -> None:
        """Everybody begins."""
        for shop in self.shops:
            self.locks[shop.tenant] = threading.Lock()
            self._thread(f"till-{shop.tenant}", lambda shop=shop: self._till(shop))  # type: ignore[misc]
            self._thread(f"planner-{shop.tenant}", lambda shop=shop: self._planner(shop))  # type: ignore[misc]
        self._thread("warehouse", lambda: asyncio.run(self._warehouse()))
        self._thread("erp", lambda: asyncio.run(self._erp()))

    def drain(self, seconds: float = 90.0) -> None:
        """Nothing new is begun; what was begun is brought to its answer. Raises RuntimeError when that takes too long."""
        self.ending.set()
        deadline = time.monotonic() + seconds
        for thread in self.threads:
            if thread.name != "erp":
                thread.join(max(0.1, deadline - time.monotonic()))
        if self.failures:
            raise self.failures[0]
        late = [thread.name for thread in self.threads if thread.is_alive() and thread.name != "erp"]
        if late:
            raise RuntimeError(f"no answer for {', '.join(late)} within {seconds:.0f} s of calm")

    def stop(self) -> None:
        """The seat leaves too."""
        self.ending.set()
        self.over.set()
        for thread in self.threads:
            thread.join(30)

    def _thread(self, name: str, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # told to whoever drains: a client that died must not look like a calm one
                self.failures.append(error)

        thread = threading.Thread(target=run, name=name, daemon=True)
        self.threads.append(thread)
        thread.start()

    # Tills: HTTP, in batches, patient

    def _till(self, shop: Shop) -> None:
        process, day_began = f"till-{shop.tenant}", time.monotonic()
        client = Client(
            self.stand.gateway_url,
            api_key=self.accesses[shop.tenant].api_key,
            retry=ONCE,
            timeout_seconds=CALL_SECONDS_MAX,
        )
        with client:
            while not self.ending.is_set():
                with self.locks[shop.tenant]:
                    told = shop.till(self.pace.till_events, hot=self.pace.hot)
                    if time.monotonic() - day_began > self.pace.day_seconds:
                        day_began = time.monotonic()
                        told += shop.next_day()
                self.record(client, process, told)
                self.ending.wait(self.pace.till_seconds)

    def record(self, client: Client, process: str, told: Sequence[Told]) -> None:
        """Send a batch until it is answered."""
        value = [[one.source, one.id] for one in told]
        while not self.over.is_set():
            self.history.add(process, "invoke", "record", value)
            try:
                report = client.send(Event(one.id, one.source, one.type, one.time, one.data) for one in told)
            except ApiProblem as problem:
                kind = "fail" if problem.status in CERTAINLY_NOT else "info"
                self.history.add(process, kind, "record", value, f"{problem.status} {problem.code}")  # type: ignore[arg-type]
            except (Unreachable, httpx2.HTTPError) as silence:
                self.history.add(process, "info", "record", value, str(silence)[:200])
            else:
                taken = [pair for pair, one in zip(value, report.results, strict=True) if one.result != "rejected"]
                refused = [f"{one.field}: {one.reason}" for one in report.results if one.result == "rejected"]
                self.history.add(process, "ok", "record", taken, "; ".join(refused)[:300] or None)
                return
            self.over.wait(AGAIN_SECONDS)

    # Warehouses: straight into Kafka

    async def _warehouse(self) -> None:
        rng = random.Random(f"{self.seed}/warehouse")
        carrier = Carrier(self.stand.kafka_bootstrap, self.stand.namespace, self.history, self.over)
        try:
            while not self.ending.is_set():
                for shop in self.shops:
                    with self.locks[shop.tenant]:
                        told = shop.warehouse(rng.randint(1, 6))
                    await carrier.deliver("warehouse", told)
                await asyncio.sleep(0.3)
        finally:
            await carrier.close()

    # Planners: look, decide, and peek where they must not

    def _planner(self, shop: Shop) -> None:
        rng = random.Random(f"{self.seed}/planner/{shop.tenant}")
        process = f"planner-{shop.tenant}"
        client: Client | None = None
        while not self.ending.is_set():
            try:
                if client is None:
                    client = self.sign_in(shop.tenant, "planner")
                queue = list(client.recommendations(status="pending", limit=50))
                self.history.add(process, "ok", "list", [[row["sku"], row["recommendation_id"]] for row in queue])
                for row in rng.sample(queue, min(len(queue), 3)):
                    self._decide(client, process, rng, row)
                self._peek(client, process, shop)
            except (ApiProblem, Unreachable, httpx2.HTTPError) as error:
                if isinstance(error, ApiProblem) and error.status == 401 and client is not None:
                    client.close()
                    client = None
                self.ending.wait(AGAIN_SECONDS)
            self.ending.wait(rng.uniform(0.3, 1.2))
        if client is not None:
            client.close()

    def sign_in(self, tenant: str, username: str) -> Client:
        """A person's client that tries every call once."""
        client = Client(self.stand.gateway_url, retry=ONCE, timeout_seconds=CALL_SECONDS_MAX)
        try:
            client.sign_in(username, self.accesses[tenant].passwords[username], tenant)
        except BaseException:
            client.close()
            raise
        return client

    def _decide(self, client: Client, process: str, rng: random.Random, row: dict[str, Any]) -> None:
        verdict = rng.choices(("approve", "amend", "reject", "snooze"), (7, 2, 1, 1))[0]
        more: dict[str, Any] = {}
        if verdict == "amend":
            more = {"quantity": str(Decimal(row["quantity"]) + 6), "reason": "promotion_known"}
        elif verdict == "reject":
            more = {"reason": "not_needed"}
        elif verdict == "snooze":
            more = {"snooze_until": "2026-12-31"}
        self.decide(client, process, row["recommendation_id"], row["version"], verdict, more)

    def decide(
        self, client: Client, process: str, recommendation: str, version: int, verdict: str, more: dict[str, Any]
    ) -> None:
        """One decision, repeated under its key until it is answered."""
        key = derived_id("chaos", process, recommendation, str(version), verdict)
        value = {"recommendation_id": recommendation, "version": version, "verdict": verdict}
        while not self.over.is_set():
            self.history.add(process, "invoke", "decide", value)
            try:
                answer = client.decide(recommendation, version, verdict, idempotency_key=key, **more)
            except ApiProblem as problem:
                certain = problem.status in CERTAINLY_NOT and problem.code != "request_in_progress"
                kind = "fail" if certain else "info"
                self.history.add(process, kind, "decide", value, f"{problem.status} {problem.code}")  # type: ignore[arg-type]
                if certain:
                    return
            except (Unreachable, httpx2.HTTPError) as silence:
                self.history.add(process, "info", "decide", value, str(silence)[:200])
            else:
                self.history.add(process, "ok", "decide", value | {"answer": answer})
                return
            self.over.wait(AGAIN_SECONDS)

    def _peek(self, client: Client, process: str, shop: Shop) -> None:
        """Ask for what belongs to another tenant; whatever comes back is written down."""
        other = next(one for one in self.shops if one.tenant != shop.tenant)
        sku, location = other.items[0]
        try:
            answer = client.get(f"/v1/items/{sku}/{location}")
            self.history.add(process, "ok", "peek", {"sku": sku, "answer": str(answer)[:500]})
        except ApiProblem as problem:
            self.history.add(process, "fail", "peek", {"sku": sku}, f"{problem.status} {problem.code}")

    # The ERP's seat: reads orders, answers them, receives the goods

    async def _erp(self) -> None:
        carrier = Carrier(self.stand.kafka_bootstrap, self.stand.namespace, self.history, self.over)
        while not self.over.is_set():
            consumer = AIOKafkaConsumer(
                ORDERS.on(self.stand.namespace),
                bootstrap_servers=self.stand.kafka_bootstrap,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
            )
            try:
                await consumer.start()
                while not self.over.is_set():
                    for batch in (await consumer.getmany(timeout_ms=500)).values():
                        for record in batch:
                            await self._receive(carrier, record)
            except (KafkaError, OSError) as error:
                self.history.add("erp", "info", "see", None, f"{type(error).__name__}: {error}"[:200])
                await asyncio.sleep(AGAIN_SECONDS)
            finally:
                await consumer.stop()
        await carrier.close()

    async def _receive(self, carrier: "Carrier", record: Any) -> None:
        order = orjson.loads(record.value)
        digest = sha256(record.value).hexdigest()
        self.history.add("erp", "ok", "see", {"order_id": order["order_id"], "offset": record.offset, "sha256": digest})
        if "lines" in order and not self.ending.is_set():
            shop = next(one for one in self.shops if one.tenant == order["tenant"])
            await carrier.deliver("erp", answers(shop, order))


def answers(shop: Shop, order: dict[str, Any]) -> list[Told]:
    """What the ERP says to an order: confirmed as it is, and the goods on the dock. Ids follow from the order."""
    told = []
    when = order["released_at"]
    lines = [
        {"sku": line["sku"], "quantity": line["quantity"], "arrive_on": order["arrive_on"]} for line in order["lines"]
    ]
    # Event time: the goods arrive before the shop's day began, and so before whatever is counted on it.
    for status in ("acknowledged", "confirmed", "received"):
        body = {"tenant": shop.tenant, "order_id": order["order_id"], "status": status, "location": order["location"]}
        body |= {"business_date": order["order_on"], "updated_at": when}
        if status != "acknowledged":
            body["lines"] = lines
        told.append(
            Told(derived_id("chaos-erp", order["order_id"], status), "erp/chaos", "order.updated.v1", when, body)
        )
    for line in order["lines"]:
        body = {"tenant": shop.tenant, "sku": line["sku"], "location": order["location"], "kind": "receipt"}
        body |= {
            "quantity": line["quantity"],
            "business_date": order["order_on"],
            "moved_at": when,
            "order_id": order["order_id"],
        }
        identity = derived_id("chaos-erp", order["order_id"], line["sku"])
        told.append(Told(identity, "wms/chaos", "stock.moved.v1", when, body))
    return told


class Carrier:
    """Carries events straight into Kafka and writes down when all replicas have them."""

    def __init__(self, bootstrap: str, namespace: str, history: History, over: threading.Event) -> None:
        self._bootstrap, self._namespace, self._history, self._over = bootstrap, namespace, history, over
        self._producer: AIOKafkaProducer | None = None

    async def deliver(self, process: str, told: Sequence[Told]) -> None:
        """Until it is acknowledged."""
        await self.write(
            process, [one for each in told for one in records(each)], [[one.source, one.id] for one in told]
        )

    async def write(self, process: str, what: Sequence[Record], value: Any, f: str = "record") -> None:
        """Records as they are, until they are acknowledged; repeated whole when anything is in doubt."""
        while not self._over.is_set():
            self._history.add(process, "invoke", f, value)
            try:
                async with asyncio.timeout(SEND_SECONDS_MAX):
                    producer = await self._ready()
                    futures = [
                        await producer.send(
                            one.topic.on(self._namespace),
                            one.value,
                            key=one.key,
                            headers=one.headers,
                            partition=one.partition,
                        )
                        for one in what
                    ]
                    await asyncio.gather(*futures)
                self._history.add(process, "ok", f, value)
                return
            except (KafkaError, OSError, TimeoutError) as error:
                self._history.add(process, "info", f, value, f"{type(error).__name__}: {error}"[:200])
                await self.close()
                await asyncio.sleep(AGAIN_SECONDS)

    async def _ready(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks="all",
                enable_idempotence=True,
                max_request_size=3_000_000,
                request_timeout_ms=10_000,
            )
            self._producer = producer  # before it is started: `close` ends it whatever becomes of that
            await producer.start()
        return self._producer

    async def close(self) -> None:
        """Give the producer up; what it still held may or may not be written."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(5):
                    await producer.stop()
            except (TimeoutError, KafkaError, OSError, asyncio.CancelledError):
                return
