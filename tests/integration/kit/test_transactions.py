"""A transaction of a service: its tenant and nothing of it outlives it, however it ends and whatever its tenant is called."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from kit.database import Database, Transaction, savepoint, scope
from tests.ground import FreshDatabase

pytestmark = pytest.mark.integration
NAMES = ("acme", "O'Brien", "a'; drop table lines; --", "\\x41", "日本 🛒", "$1", '"quoted"')


@pytest.fixture
async def one_connection(database: FreshDatabase) -> AsyncIterator[Database]:
    """A pool of one, so that each use finds what the use before left behind."""
    pool = await Database.open(database.url("approvals"), "approvals", pool_max=1)
    yield pool
    await pool.close()


async def state(database: Database) -> tuple[str, str, int]:
    """Tenant, role and locks of the pool's connection, as the next one to use it finds them."""
    row = await database.pool.fetchrow(
        "select coalesce(current_setting('app.tenant', true), '') as tenant, current_user::text as role,"
        " (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory') as locks"
    )
    assert row is not None
    return row["tenant"], row["role"], row["locks"]


UNTOUCHED = ("", "countersign_approvals", 0)


@pytest.mark.parametrize("name", NAMES)
async def test_a_tenant_is_its_name_letter_by_letter(one_connection: Database, name: str) -> None:
    async with one_connection.transaction(name) as tx:
        assert await tx.fetchval("select current_setting('app.tenant')") == name
    assert await state(one_connection) == UNTOUCHED


@pytest.mark.parametrize("name", ["a\x00b", "half a pair \ud83d"])
async def test_a_name_that_cannot_be_stored_is_refused_and_leaves_a_usable_connection(
    one_connection: Database, name: str
) -> None:
    with pytest.raises((asyncpg.DataError, UnicodeError)):
        async with one_connection.transaction(name):
            raise AssertionError("it began")
    assert await state(one_connection) == UNTOUCHED


async def test_what_fails_or_is_cancelled_is_taken_back(one_connection: Database) -> None:
    async def insert(tenant: str, then: str) -> None:
        async with one_connection.transaction(tenant) as tx:
            await tx.execute("insert into tenants (tenant) values ($1)", tenant)
            await tx.execute("select pg_advisory_xact_lock(7)")
            await tx.execute(then)

    with pytest.raises(asyncpg.DivisionByZeroError):
        await insert("failed", "select 1/0")
    working = asyncio.create_task(insert("cancelled", "select pg_sleep(60)"))
    await asyncio.sleep(0.2)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await state(one_connection) == UNTOUCHED
    await insert("kept", "select 1")
    assert await one_connection.tenants() == ["kept"]


async def test_a_failed_try_leaves_the_rest_of_its_transaction(one_connection: Database) -> None:
    async def tried(tx: Transaction) -> None:
        async with savepoint(tx):
            await tx.execute("insert into tenants (tenant) values ('outer')")
            async with savepoint(tx):
                await tx.execute("insert into tenants (tenant) values ('inner')")
            await tx.execute("insert into tenants (tenant) values ('before')")

    async with one_connection.transaction("acme") as tx:
        await tx.execute("insert into tenants (tenant) values ('before')")
        with pytest.raises(asyncpg.UniqueViolationError):
            await tried(tx)
        async with savepoint(tx):
            await tx.execute("insert into tenants (tenant) values ('after')")
    assert await one_connection.tenants() == ["after", "before"]


async def test_what_is_done_outside_of_transactions_is_put_in_order(one_connection: Database) -> None:
    for _ in range(2):  # also right after a transaction, which left nothing to put in order
        async with one_connection.pool.acquire() as connection:
            await connection.execute("set role countersign_approvals_relay")
            await connection.execute("select set_config('app.tenant', 'acme', false), pg_advisory_lock(7)")
        assert await state(one_connection) == UNTOUCHED
        async with one_connection.transaction("acme"):
            pass


async def test_one_statement_costs_three_round_trips(one_connection: Database) -> None:
    said: list[str] = []

    def note(record: object) -> None:
        said.append(str(getattr(record, "query", "")))

    async with one_connection.transaction("acme") as tx:
        tx.add_query_logger(note)
    said.clear()
    async with one_connection.transaction("acme") as tx:
        await tx.fetchval("select 1")
    async with one_connection.transaction() as tx:
        await scope(tx, "acme")
    assert len(said) == 6
