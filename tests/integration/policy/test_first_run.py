"""A tenant's first run fills tables that PostgreSQL believes empty: no chunk may read more than its own rows for that."""

import asyncpg
import pytest

from kit.database import Database, Transaction
from services.policy.planner import default_policy
from services.policy.store import evidence, plans
from tests.ground import FreshDatabase

pytestmark = pytest.mark.integration
CHUNKS, CHUNK_ITEMS = 16, 250
# Written once, locked, read with the evidence and written over: each row is met a few times, whatever lies beside it.
READS_MAX = 8 * CHUNK_ITEMS


async def test_a_chunk_of_a_first_run_reads_its_own_plans_only(database: FreshDatabase) -> None:
    opened = await Database.open(database.url("policy"), "policy")
    admin = await asyncpg.connect(database.admin_url)
    try:
        await admin.execute("analyze")  # nothing is there yet, and that is what the planner knows from now on
        async with opened.transaction("acme") as tx:
            items = [(f"S{number:05}", "L1") for number in range(CHUNKS * CHUNK_ITEMS)]
            reads = []
            for start in range(0, len(items), CHUNK_ITEMS):
                before = await _reads(tx)
                await _plan(tx, items[start : start + CHUNK_ITEMS])
                reads.append(await _reads(tx) - before)
    finally:
        await admin.close()
        await opened.close()
    # The first chunk is left out: a table of a few pages is read as fast from end to end.
    assert max(reads[1:]) <= READS_MAX, reads


async def _plan(tx: Transaction, items: list[tuple[str, str]]) -> None:
    await evidence.load(tx, "acme", items, default_policy())
    await plans.keep(tx, "acme", [_withheld(*item) for item in items])


def _withheld(sku: str, location: str) -> plans.Plan:
    return plans.Plan(
        sku, location, None, None, "withheld", "no_forecast", None, None, False, None, None, None, None
    )  # fmt: skip


async def _reads(tx: Transaction) -> int:
    """Rows of plans that this transaction has looked at."""
    return int(
        await tx.fetchval(
            "select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables"
            " where schemaname = 'policy' and relname = 'plans'"
        )
    )
