"""Behind the tenant wall: every table of the policy service shows one tenant, and its role owns nothing."""

import asyncpg
import pytest

from kit.database import Database
from services.policy.store import runs
from tests.ground import FreshDatabase

pytestmark = pytest.mark.integration


async def test_every_table_with_a_tenant_is_walled_and_keyed_by_it(database: FreshDatabase) -> None:
    database.url("policy")
    connection = await asyncpg.connect(database.admin_url)
    try:
        tables = await connection.fetch(
            "select c.relname, c.relrowsecurity and c.relforcerowsecurity as walled,"
            " pg_get_userbyid(c.relowner) as owner from pg_class c join pg_attribute a on a.attrelid = c.oid"
            " where c.relnamespace = 'policy'::regnamespace and c.relkind = 'r' and a.attname = 'tenant'"
        )
        keys = await connection.fetch(
            "select c.relname, pg_get_indexdef(i.indexrelid) as definition from pg_index i join pg_class c on c.oid = i.indrelid"
            " where c.relnamespace = 'policy'::regnamespace and i.indisunique"
        )
    finally:
        await connection.close()
    assert len(tables) > 15
    assert [row["relname"] for row in tables if not row["walled"]] == ["tenants"]
    assert {row["owner"] for row in tables} == {"countersign_owner"}
    walled = {row["relname"] for row in tables} - {"outbox"}
    assert not [row["definition"] for row in keys if row["relname"] in walled and "(tenant" not in row["definition"]]


async def test_another_tenants_rows_do_not_exist(database: FreshDatabase) -> None:
    opened = await Database.open(database.url("policy"), "policy")
    try:
        async with opened.transaction("acme") as tx:
            await tx.execute("insert into positions values ('acme', 'A', 'L1', 1, 0, 0, 1, now())")
        async with opened.transaction("other") as tx:
            assert await tx.fetchval("select count(*) from positions") == 0
            assert await runs.business_date(tx, "acme", "all") is None
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await tx.execute("insert into positions values ('acme', 'B', 'L1', 1, 0, 0, 1, now())")
    finally:
        await opened.close()


async def test_a_location_is_planned_when_its_forecasts_are_all_in_or_the_grace_is_over(
    database: FreshDatabase,
) -> None:
    opened = await Database.open(database.url("policy"), "policy")
    forecast = (
        "insert into forecasts values ('acme', $1, 'L1', 'f', '2017-11-05', 0, 0.9, '{}', 's', 'm', '', '')"
        " on conflict do nothing"
    )
    try:
        async with opened.transaction("acme") as tx:
            await tx.execute(
                "insert into closed_days (tenant, location, closed_on) values ('acme', 'L1', '2017-11-05')"
            )
            await tx.execute(
                "insert into positions select 'acme', s, 'L1', 1, 0, 0, 1, now() from unnest(array['A', 'B']) s"
            )
            assert await runs.locations_to_plan(tx, "acme", 60.0, 0.0) == []
            await tx.execute(forecast, "A")
            assert await runs.locations_to_plan(tx, "acme", 60.0, 0.0) == []
            assert len(await runs.locations_to_plan(tx, "acme", 0.0, 0.0)) == 1
            await tx.execute(forecast, "B")
            ((location, day),) = await runs.locations_to_plan(tx, "acme", 60.0, 60.0)
            await runs.mark_planned(tx, "acme", location, day)
            assert await runs.locations_to_plan(tx, "acme", 60.0, 60.0) == []
    finally:
        await opened.close()
