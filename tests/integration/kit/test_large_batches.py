"""Batches large enough for a plain insert: what repeats is found all the same, and nothing of a failed try is left."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from asyncpg.protocol import protocol

from kit import inbox
from kit.database import CONTAINERS, Database, savepoint
from kit.events import Received, decode
from kit.hopeful import CAREFUL_BATCHES, ROWS_MIN, Hopeful
from schemas.topics import SALES
from services.policy.store import ledger
from services.policy.store.ledger import Movement
from tests.ground import FreshDatabase

pytestmark = pytest.mark.integration
TENANT, DAY, NOON = "acme", date(2017, 11, 5), datetime(2017, 11, 5, 12, tzinfo=UTC)
MANY = ROWS_MIN + 50


@pytest.fixture
async def policy(database: FreshDatabase) -> AsyncIterator[Database]:
    """The policy service's own tables, as its own role."""
    pool = await Database.open(database.url("policy"), "policy", pool_max=2)
    yield pool
    await pool.close()


def received(event_id: str, units: int = 1) -> Received[Any]:
    """A sale as it is read."""
    headers = {"ce_id": event_id, "ce_source": "till", "ce_type": "sale.recorded.v1", "ce_time": "2017-11-05T12:00:00Z"}
    value = (
        f'{{"tenant":"{TENANT}","sku":"A","location":"L1","quantity":"{units}","business_date":"2017-11-05",'
        '"sold_at":"2017-11-05T12:00:00Z"}'
    )
    pairs = [(name, text.encode()) for name, text in (headers | {"ce_tenant": TENANT}).items()]
    return decode(SALES, 0, 0, f"{TENANT}/A/L1".encode(), value.encode(), pairs, 0)


async def offer(database: Database, events: Sequence[Received[Any]]) -> tuple[list[str], list[str]]:
    """Ids of what is fresh and of what is in conflict."""
    async with database.transaction(TENANT) as tx:
        fresh, conflicts = await inbox.fresh(tx, TENANT, events)
    return [one.envelope.id for one in fresh], [one.envelope.id for one in conflicts]


async def test_the_inbox_tells_fresh_from_known_in_batches_of_every_size(policy: Database) -> None:
    first = [received(f"a{number}") for number in range(MANY)]
    assert await offer(policy, [*first, first[0]]) == ([one.envelope.id for one in first], [])
    mixed = [*(received(f"b{number}") for number in range(MANY)), first[3], received("a4", units=9), first[3]]
    assert await offer(policy, mixed) == ([f"b{number}" for number in range(MANY)], ["a4"])
    assert await offer(policy, mixed[::-1]) == ([], ["a4"])
    assert await offer(policy, [received("c"), first[0]]) == (["c"], [])
    assert await policy.pool.fetchval("select count(*) from inbox") == 0, "behind the wall"
    async with policy.transaction(TENANT) as tx:
        assert await tx.fetchval("select count(*) from inbox") == 2 * MANY + 1


async def test_the_ledger_books_what_is_new_of_a_batch_once(policy: Database) -> None:
    made = [
        Movement(f"S{number % 7}", "L1", uuid.uuid4(), "receipt", Decimal(2), NOON, DAY) for number in range(2 * MANY)
    ]
    batches = (made[:MANY], made[: MANY + 20], made[5:], made)
    for batch in batches:
        async with policy.transaction(TENANT) as tx:
            await ledger.book(tx, TENANT, batch)
    async with policy.transaction(TENANT) as tx:
        rows = await tx.fetch("select sku, on_hand, movements from positions")
    expected = Counter(one.sku for one in made)
    assert {row["sku"]: (row["on_hand"], row["movements"]) for row in rows} == {
        sku: (2 * times, times) for sku, times in expected.items()
    }


async def test_a_batch_is_booked_as_its_movements_are_one_by_one(policy: Database) -> None:
    codes = ("A", "a,b", '"', "{NULL}", "null", "\\x1f", "日本 🛒", " ", "'")
    kinds = ("sale", "receipt", "sale", "backorder", "reservation", "release", "shipment", "scrapped_return", "sale")
    for kinds_of_batch in (kinds, ("sale",), ("receipt",)):
        made = [
            Movement(
                codes[number % len(codes)],
                codes[number % 5],
                uuid.uuid4(),
                kind := kinds_of_batch[number // 3 % len(kinds_of_batch)],
                Decimal(f"{number}.25"),
                NOON + timedelta(seconds=number),
                DAY,
                f"PO-{number}" if kind == "receipt" and number % 2 else None,
            )
            for number in range(MANY)
        ]
        booked = []
        for tenant, batches in (("whole", [made]), ("single", [[one] for one in made])):
            async with policy.transaction(tenant) as tx:
                for batch in batches:
                    await ledger.book(tx, tenant, batch)
                entries = await tx.fetch("select * from ledger order by event_hash")
                sums = await tx.fetch("select * from positions order by sku, location")
            booked.append([tuple(row.values())[1:] for row in (*entries, *sums)])
        assert booked[0] == booked[1]
        assert {
            row[2]: row[4] for row in booked[0] if len(row) == 11 and row[2] in {one.event_hash for one in made}
        } == {one.event_hash: one.quantity for one in made}


@pytest.mark.parametrize(
    "kept", [list, tuple, set, frozenset, dict.fromkeys, lambda values: dict.fromkeys(values).keys()]
)
async def test_containers_are_arrays_and_texts_are_not(policy: Database, kept: Any) -> None:
    assert protocol.IterableABC is CONTAINERS  # type: ignore[attr-defined]
    given = kept(["a", "b"])
    if isinstance(given, dict):
        with pytest.raises(asyncpg.DataError):
            await policy.pool.fetchval("select $1::text[]", given)
        return
    assert sorted(await policy.pool.fetchval("select $1::text[]", given)) == ["a", "b"]
    assert await policy.pool.fetchval("select $1::int[]", [[1, 2], [3, 4]]) == [[1, 2], [3, 4]]
    for text in ("ab", b"ab"):
        with pytest.raises(asyncpg.DataError):
            await policy.pool.fetchval("select $1::text[]", text)


async def test_a_plain_insert_that_meets_a_known_key_is_taken_back_and_not_tried_for_a_while(policy: Database) -> None:
    plain = Hopeful("insert into tenants (tenant) select * from unnest($1::text[])")

    async def tried(tx: Any, *names: str) -> bool:
        return await plain.fetch(tx, ROWS_MIN, list(names)) is not None

    async with policy.transaction() as tx:
        assert await plain.fetch(tx, ROWS_MIN - 1, ["small"]) is None
        assert await tried(tx, "a", "b")
        assert not await tried(tx, "c", "b")
        assert [await tried(tx, "d") for _ in range(CAREFUL_BATCHES)] == [False] * CAREFUL_BATCHES
        assert await tried(tx, "d")
        with pytest.raises(asyncpg.NotNullViolationError):  # only a taken key is a reason to be careful
            async with savepoint(tx):
                await plain.fetch(tx, ROWS_MIN, [None])
    assert await policy.tenants() == ["a", "b", "d"]
