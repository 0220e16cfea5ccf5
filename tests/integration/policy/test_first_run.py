"""A tenant's first run fills tables that PostgreSQL believes empty: no chunk may read more than its own rows for that."""

import asyncio
from datetime import date
from decimal import Decimal

import asyncpg
import pytest

from kit.database import Database, Transaction
from services.policy.domain.outcome import Thresholds
from services.policy.planner import default_policy
from services.policy.store import beside, evidence, plans
from tests.ground import FreshDatabase
from tests.integration.policy.seat import until

pytestmark = pytest.mark.integration
CHUNKS, CHUNK_ITEMS = 16, 250
# Written once, locked, read with the evidence and written over: each row is met a few times, whatever lies beside it.
READS_MAX = 8 * CHUNK_ITEMS
FILLED = ("positions", "plans", "lines_beside")


async def test_a_chunk_of_a_first_run_reads_its_own_rows_only(database: FreshDatabase) -> None:
    opened = await Database.open(database.url("policy"), "policy")
    admin = await asyncpg.connect(database.admin_url)
    try:
        await admin.execute("analyze")  # nothing is there yet, and that is what the planner knows from now on
        async with opened.transaction("acme") as tx:
            items = [(f"S{number:05}", "L1") for number in range(CHUNKS * CHUNK_ITEMS)]
            reads: dict[str, list[int]] = {table: [] for table in FILLED}
            for start in range(0, len(items), CHUNK_ITEMS):
                before = await _reads(tx)
                await _plan(tx, items[start : start + CHUNK_ITEMS])
                after = await _reads(tx)
                for table in FILLED:
                    reads[table].append(after[table] - before[table])
    finally:
        await admin.close()
        await opened.close()
    # The first chunks are left out: a table of a few pages is read as fast from end to end.
    for table in FILLED:
        assert 0 < max(reads[table][2:]) <= READS_MAX, reads


async def test_of_two_that_plan_items_for_the_first_time_the_second_hears_what_the_first_said(
    database: FreshDatabase,
) -> None:
    opened = await Database.open(database.url("policy"), "policy")
    admin = await asyncpg.connect(database.admin_url)
    items = [("KNOWN", "L1"), ("NEW", "L1")]

    async def second() -> list[str]:
        async with opened.transaction("acme") as tx:
            return [one.outcome for _evidence, one in await evidence.load(tx, "acme", items, default_policy())]

    async def waits() -> bool:
        return bool(await admin.fetchval("select exists (select from pg_locks where not granted)"))

    try:
        async with opened.transaction("acme") as tx:
            await evidence.load(tx, "acme", items[:1], default_policy())
        async with opened.transaction("acme") as tx:
            # Nobody's lock but the new row itself holds the second back.
            await evidence.load(tx, "acme", items[1:], default_policy())
            waiting = asyncio.create_task(second())
            await until(waits, "the second waits for the first")
            await plans.keep(tx, "acme", [_withheld(*items[1])])
        assert await waiting == ["none", "withheld"]
    finally:
        await admin.close()
        await opened.close()


async def _plan(tx: Transaction, items: list[tuple[str, str]]) -> None:
    await tx.execute(
        "insert into positions (tenant, sku, location, on_hand, reserved, backorders, movements, moved_at)"
        " select 'acme', s, l, 5, 0, 0, 1, now() from unnest($1::text[], $2::text[]) as t(s, l)",
        [sku for sku, _location in items],
        [location for _sku, location in items],
    )
    await evidence.load(tx, "acme", items, default_policy())
    assert await beside.of_items(tx, "acme", items) == {}
    await beside.keep(tx, "acme", [_reduced(*item) for item in items])
    assert len(await beside.of_items(tx, "acme", items)) == len(items)
    await plans.keep(tx, "acme", [_withheld(*item) for item in items])
    await evidence.keep_thresholds(tx, "acme", items, [Thresholds(Decimal(1), None) for _ in items])


def _reduced(sku: str, location: str) -> beside.Kept:
    return beside.Kept(sku, location, "reduce", f"PO-{sku}", date(2024, 3, 5), f"rec-{sku}", f"line-{sku}", None, True)


def _withheld(sku: str, location: str) -> plans.Plan:
    return plans.Plan(
        sku, location, None, None, "withheld", "no_forecast", None, None, False, None, None, None, None
    )  # fmt: skip


async def _reads(tx: Transaction) -> dict[str, int]:
    """Rows that this transaction has looked at, by table."""
    rows = await tx.fetch(
        "select relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) as n from pg_stat_xact_user_tables"
        " where schemaname = 'policy' and relname = any($1::text[])",
        list(FILLED),
    )
    return {row["relname"]: int(row["n"]) for row in rows}
