"""Random codes, days and meanings against a plain model: an event moves a position only once its name is certain."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from kernel import naming
from kernel.naming import Fact
from kit.database import Database
from kit.events import Envelope, Outgoing, Received, decode, headers_of
from schemas.base import Message
from schemas.catalogue import ChannelDefined, IdentityAliasDefined
from schemas.topics import TOPIC_OF
from services.forecaster.stream import Intake
from services.policy.stream import Stream
from tests.examples import examples
from tests.ground import FreshDatabase
from tests.integration.events.both import DAY, NOON, SERVICES, item, place, sale

pytestmark = pytest.mark.integration
OWN = ("A", "B")
CODES = ("A", "x", "036000291452")
Scheme = Literal["gtin", "supplier_code", "legacy_code", "own_code"]
channels = st.sampled_from(["store", "store", "web"])
days = st.integers(0, 1).map(lambda number: DAY + timedelta(days=number))


Sold = tuple[date, int, int, str]  # business day, moment it was recorded, units, channel


class NamesMachine(RuleBasedStateMachine):
    """Sales under any code; facts about codes in any order; after each step both consumers are where the model is."""

    urls: dict[str, str] = {}  # set once by the test, hypothesis makes the instances

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.tenant = uuid.uuid4().hex[:12]
        self.now_ms = 0
        self.facts: list[Fact] = []
        self.waiting: dict[str, list[Sold]] = defaultdict(list)
        self.channels = {"store"}
        self.booked: dict[str, int] = defaultdict(int)
        self.databases: dict[str, Database] = {}
        self.intake, self.stream = Intake(lambda: None), Stream()

    @initialize()
    def connect(self) -> None:
        for service, url in self.urls.items():
            self.databases[service] = self.loop.run_until_complete(Database.open(url, service, pool_max=1))
        self._hand(place("L1"))

    def teardown(self) -> None:
        for database in self.databases.values():
            self.loop.run_until_complete(database.close())
        self.loop.close()

    @rule(sold=st.lists(st.tuples(st.sampled_from(CODES), days, st.integers(1, 9), channels), min_size=1, max_size=5))
    def sell(self, sold: list[tuple[str, date, int, str]]) -> None:
        events = []
        for code, day, units, channel in sold:
            events.append(sale(code, units, day, channel=channel))
            self.waiting[code].append((day, self.now_ms + len(events), units, channel))
        self._hand(*events)
        self._flow()

    @rule(sku=st.sampled_from(OWN))
    def define(self, sku: str) -> None:
        self._hand(item(sku))
        if not any(one.code == sku and one.scheme == naming.OWN for one in self.facts):
            self.facts.append(Fact(sku, naming.OWN, "", sku, True, None, NOON, self.now_ms))
        self._flow()

    @rule()
    def open_the_web_shop(self) -> None:
        self._hand(ChannelDefined(tenant=self.tenant, channel="web", name="Web shop", defined_at=NOON))
        self.channels.add("web")
        self._flow()

    @rule(
        code=st.sampled_from(CODES),
        stands_for=st.sampled_from(CODES),
        scheme=st.sampled_from(["gtin", "supplier_code", "legacy_code", "own_code"]),
        supplier=st.sampled_from([None, "S1", "S2"]),
        # Mostly from the second day on: a code whose first event waits while a later one could be named.
        valid_from=st.sampled_from([None, DAY + timedelta(days=1), DAY + timedelta(days=1)]),
        active=st.sampled_from([True, True, False]),
    )
    def name(
        self, code: str, stands_for: str, scheme: Scheme, supplier: str | None, valid_from: date | None, active: bool
    ) -> None:
        if code == stands_for or (scheme == "gtin" and not code.isdigit()):
            return
        at = NOON + timedelta(seconds=self.now_ms + 1)
        said = IdentityAliasDefined(
            tenant=self.tenant, scheme=scheme, subject="item", code=code, target=stands_for, supplier=supplier,
            valid_from=valid_from, active=active, defined_at=at,
        )  # fmt: skip
        self._hand(said)
        stored = naming.stored_code(scheme, code)
        self.facts.append(Fact(stored, scheme, supplier or "", stands_for, active, valid_from, at, self.now_ms))
        self._flow()

    def _flow(self) -> None:
        """The model: the first event of a key decides; behind it nothing moves."""
        for code, queue in self.waiting.items():
            while queue and not self._lacks(code, queue[0]):
                self.booked[self._means(code, queue[0]) or ""] += queue[0][2]
                queue.pop(0)

    def _means(self, code: str, sold: Sold) -> str | None:
        told = {one.code: [other for other in self.facts if other.code == one.code] for one in self.facts}
        return naming.meaning(told, code, sold[0], sold[1]).target

    def _lacks(self, code: str, sold: Sold) -> set[str]:
        """What a person has to be asked about this sale."""
        item = set() if self._means(code, sold) else {f"item:{code}"}
        return item | {f"channel:{channel}" for channel in {sold[3]} - self.channels}

    def _hand(self, *messages: Message) -> None:
        events = []
        for given in messages:
            self.now_ms += 1
            events.append(self._received(given.model_copy(update={"tenant": self.tenant})))
        self.loop.run_until_complete(self._handle(events))

    def _received(self, body: Message) -> Received[Message]:
        topic = TOPIC_OF[body.TYPE]
        envelope = Envelope(str(uuid.uuid4()), "test/1", body.TYPE, NOON, body.tenant, body.record_key())
        sent = Outgoing(topic.name, envelope, body.model_dump_json(exclude_none=True).encode())
        return decode(topic, 0, self.now_ms, envelope.key.encode(), sent.value, headers_of(sent), self.now_ms)

    async def _handle(self, events: Sequence[Received[Message]]) -> None:
        is_sale = hasattr(events[0].body, "quantity")
        for service, handler in (
            ("forecaster", self.intake.sales if is_sale else self.intake.catalogue),
            ("policy", self.stream.book if is_sale else self.stream.define),
        ):
            async with self.databases[service].transaction(self.tenant) as tx:
                await handler(tx, self.tenant, events)

    @invariant()
    def both_are_where_the_model_is(self) -> None:
        if len(self.databases) == len(SERVICES):
            self.loop.run_until_complete(self._compare())

    async def _compare(self) -> None:
        expected = {sku: Decimal(units) for sku, units in self.booked.items() if units}
        demand = await self._rows("forecaster", "select sku, sum(quantity) as n from daily_demand group by 1")
        assert {row["sku"]: row["n"] for row in demand} == expected
        stock = await self._rows("policy", "select sku, -on_hand as n from positions")
        assert {row["sku"]: row["n"] for row in stock} == expected
        held = {f"{self.tenant}/{code}/L1": len(queue) for code, queue in self.waiting.items() if queue}
        for service in SERVICES:
            rows = await self._rows(service, "select record_key, count(*) as n from parked_events group by 1")
            assert {row["record_key"]: row["n"] for row in rows} == held, service
        rows = await self._rows("policy", "select subject from open_exceptions")
        asked = {row["subject"] for row in rows}
        assert len(asked) == len(rows), "one exception per code"
        queues = [(code, queue) for code, queue in self.waiting.items() if queue]
        assert asked >= {lacked for code, queue in queues for lacked in self._lacks(code, queue[0])}
        assert asked <= {lacked for code, queue in queues for sold in queue for lacked in self._lacks(code, sold)}

    async def _rows(self, service: str, sql: str) -> list[Any]:
        async with self.databases[service].transaction(self.tenant) as tx:
            return list(await tx.fetch(sql))


def test_no_path_leads_from_an_uncertain_name_to_a_position(database: FreshDatabase) -> None:
    NamesMachine.urls = {service: database.url(service) for service in SERVICES}
    run_state_machine_as_test(
        NamesMachine,
        settings=settings(
            max_examples=examples(10), stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
