"""The ledger against a slow, obvious model of it: whatever order events come in, and however often."""

import asyncio
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from kit.database import scope
from services.policy.domain.movements import DIRECTIONS
from services.policy.store import ledger
from services.policy.store.ledger import Count, Movement
from tests.examples import examples
from tests.ground import FreshDatabase
from tests.integration.policy.seat import NOON

pytestmark = pytest.mark.integration
SKUS = st.sampled_from(["A", "B"])
# Minutes apart and never equal for two events of one test: what a tie means is nobody's promise.
UNITS = st.decimals(Decimal(1), Decimal(50), places=0)


class LedgerMachine(RuleBasedStateMachine):
    """Moves, counts and repeats in any order; after each step the position is what the model says."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.tenant = uuid.uuid4().hex
        self.events: dict[uuid.UUID, Movement | Count] = {}
        self.minutes: set[int] = set()
        self.connection: Any = None

    @initialize()
    def connect(self) -> None:
        self.connection = self.loop.run_until_complete(
            asyncpg.connect(self.url, server_settings={"search_path": "policy"})
        )

    def teardown(self) -> None:
        if self.connection is not None:
            self.loop.run_until_complete(self.connection.close())
        self.loop.close()

    async def _book(self, events: list[Movement | Count]) -> None:
        async with self.connection.transaction():
            await scope(self.connection, self.tenant)
            await ledger.book(self.connection, self.tenant, [one for one in events if isinstance(one, Movement)])
            await ledger.book_counts(self.connection, self.tenant, [one for one in events if isinstance(one, Count)])

    @rule(
        made=st.lists(
            st.tuples(SKUS, st.sampled_from([*DIRECTIONS, "count", "count"]), UNITS, st.integers(0, 100_000)),
            min_size=1,
            max_size=6,
        )
    )
    def batch(self, made: list[tuple[str, str, Decimal, int]]) -> None:
        fresh: list[Movement | Count] = []
        for sku, kind, units, minute in made:
            if minute in self.minutes:
                continue
            self.minutes.add(minute)
            at, identity = NOON + timedelta(minutes=minute), uuid.uuid4()
            if kind == "count":
                fresh.append(Count(sku, "L1", identity, units, at, at.date()))
            else:
                fresh.append(Movement(sku, "L1", identity, kind, units, at, at.date()))
            self.events[identity] = fresh[-1]
        self.loop.run_until_complete(self._book(fresh))

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        if self.events:
            chosen = data.draw(st.lists(st.sampled_from(list(self.events.values())), min_size=1, max_size=5))
            self.loop.run_until_complete(self._book(chosen))

    @invariant()
    def position_is_what_happened(self) -> None:
        if self.connection is None:
            return
        rows = self.loop.run_until_complete(self._positions())
        for sku in ("A", "B"):
            mine = [one for one in self.events.values() if one.sku == sku]
            if mine:
                assert rows[sku] == (*_truth(mine), len(mine))

    async def _positions(self) -> dict[str, tuple[Decimal, Decimal, Decimal, int]]:
        async with self.connection.transaction():
            await scope(self.connection, self.tenant)
            rows = await self.connection.fetch(
                "select p.sku, p.on_hand, p.reserved, p.backorders, p.movements, sum(l.on_hand) as booked, count(*) as entries"
                " from positions p join ledger l using (tenant, sku, location) where p.tenant = $1 group by 1, 2, 3, 4, 5",
                self.tenant,
            )
        assert all(row["on_hand"] == row["booked"] and row["movements"] == row["entries"] for row in rows)
        return {row["sku"]: (row["on_hand"], row["reserved"], row["backorders"], row["movements"]) for row in rows}


def _truth(events: list[Movement | Count]) -> tuple[Decimal, Decimal, Decimal]:
    """The newest count, and every movement after it; reservations and backorders are never counted away."""
    counts = [one for one in events if isinstance(one, Count)]
    last = max(counts, key=lambda one: one.counted_at) if counts else None
    totals = [last.quantity if last else Decimal(0), Decimal(0), Decimal(0)]
    for one in events:
        if isinstance(one, Movement):
            for index, direction in enumerate(DIRECTIONS[one.kind]):
                if index or last is None or one.occurred_at > last.counted_at:
                    totals[index] += one.quantity * direction
    return totals[0], totals[1], totals[2]


def test_the_position_is_what_happened_in_whatever_order_it_was_told(database: FreshDatabase) -> None:
    LedgerMachine.url = database.url("policy")
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=examples(12), stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
