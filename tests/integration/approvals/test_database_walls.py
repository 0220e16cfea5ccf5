"""What SQL itself refuses, for code that is wrong and for statements that are not ours."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from kit.database import Database
from services.approvals import messages
from services.approvals.domain import lifecycle
from services.approvals.domain.arrivals import arrive
from services.approvals.domain.authority import Actor, Limits
from services.approvals.domain.deciding import Command, decide
from services.approvals.domain.lifecycle import Action, Moment
from services.approvals.domain.line import Line
from services.approvals.domain.orders import group_key, order_of
from services.approvals.store import decisions, lines, orders, recommendations
from tests.ground import FreshDatabase
from tests.integration.approvals.seat import DAY, issued

pytestmark = pytest.mark.integration
MOMENT = Moment(datetime(2026, 11, 21, 9, tzinfo=UTC), DAY, Limits(Decimal(50), Decimal(1000)), timedelta(seconds=10))


@pytest.fixture
async def app(database: FreshDatabase) -> AsyncIterator[Database]:
    """The schema, as the service's own role sees it."""
    opened = await Database.open(database.url("approvals"), "approvals", pool_max=2)
    try:
        yield opened
    finally:
        await opened.close()


async def approved(app: Database, number: int = 1, *, tenant: str = "acme", value: int = 2000) -> Line:
    """A line above the limit with both signatures, as the service would leave it."""
    body = issued(number, tenant=tenant, quantity=Decimal(value) / 10, value=Decimal(value))
    line = arrive(None, tenant, messages.proposal_of(body), MOMENT).line
    steps = []
    for actor in (Actor("ann", frozenset({"planner"})), Actor("eva", frozenset({"approver"}))):
        step = decide(line, Command(Action.APPROVE), actor, MOMENT)
        steps.append(step.decision)
        line = step.line
    async with app.transaction(tenant) as tx:
        await recommendations.add(tx, tenant, [(line.proposal, "current")])
        await lines.save(tx, [line])
        await decisions.add(tx, tenant, steps)
    return line


COLUMNS = (
    "tenant, line_id, version, decision_id, recommendation_id, verdict, quantity_before, quantity, value, decided_by, role, decided_at,"
    " rule_value_limit, second_signature_above, policy_version, needs_second, first_signer, second_signer"
)


def forged(needs_second: str, second_signer: str) -> str:
    """A decision made up from a good one."""
    changed = COLUMNS.replace(
        "needs_second, first_signer, second_signer", f"{needs_second}, first_signer, {second_signer}"
    )
    changed = changed.replace("version, decision_id", "version + 5, 'forged'", 1)
    return f"insert into decisions ({COLUMNS}) select {changed} from decisions where version = 2"


FORBIDDEN = [
    "update lines set second_signer = first_signer",
    "update lines set second_signer = null",
    "update lines set first_signer = null",
    "update lines set decision_id = null",
    "update lines set amended_by = 'eva'",
    "update lines set state = 'released'",
    forged("needs_second", "first_signer"),
    forged("needs_second", "null"),
    forged("false", "null"),
    f"insert into decisions ({COLUMNS}) select {COLUMNS} from decisions",
    "update decisions set decided_by = 'eva'",
    "delete from decisions",
    "truncate decisions",
    "truncate lines cascade",
    "alter table lines disable row level security",
    "drop table orders",
]


async def test_application_role_cannot_forge_a_signature(app: Database) -> None:
    await approved(app)
    refused = (asyncpg.IntegrityConstraintViolationError, asyncpg.InsufficientPrivilegeError)
    got_through = []
    for statement in FORBIDDEN:
        try:
            async with app.transaction("acme") as tx:
                await tx.execute(statement)
                got_through.append(statement)
        except refused:
            continue
    assert got_through == []


@pytest.mark.parametrize("change", [{"quantity": Decimal(999)}, {"decision_id": "made-up"}])
async def test_order_line_exists_only_through_the_decision_that_allows_it(
    app: Database, change: dict[str, object]
) -> None:
    line = await approved(app)
    made_up = replace(line, **change)  # type: ignore[arg-type]
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with app.transaction("acme") as tx:
            await orders.add(tx, "acme", [order_of(group_key(made_up, MOMENT.now), [made_up])], MOMENT.now)


async def test_first_signature_allows_no_order(app: Database) -> None:
    line = await approved(app)
    async with app.transaction("acme") as tx:
        first = await tx.fetchval("select decision_id from decisions where version = 1")
    unsigned = replace(line, decision_id=first)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with app.transaction("acme") as tx:
            await orders.add(tx, "acme", [order_of(group_key(unsigned, MOMENT.now), [unsigned])], MOMENT.now)


async def test_line_is_never_on_two_orders(app: Database) -> None:
    line = await approved(app)
    order = order_of(group_key(line, MOMENT.now), [line])
    async with app.transaction("acme") as tx:
        await orders.add(tx, "acme", [order], MOMENT.now)
        await lines.save(tx, [lifecycle.release(line, order.order_id)])
    with pytest.raises(asyncpg.UniqueViolationError):
        async with app.transaction("acme") as tx:
            await orders.add(tx, "acme", [replace(order, order_id="PO-other")], MOMENT.now)


async def test_tenants_do_not_see_or_touch_each_other(app: Database) -> None:
    await approved(app, 1, tenant="acme")
    await approved(app, 1, tenant="other")  # the same ids: keys hold the tenant
    async with app.transaction("acme") as tx:
        for table in ("lines", "decisions", "recommendations"):
            assert {row["tenant"] for row in await tx.fetch(f"select tenant from {table}")} == {"acme"}
        assert await tx.execute("update lines set rank_score = 0 where tenant = 'other'") == "UPDATE 0"
    for statement in (
        "update lines set tenant = 'other'",
        "insert into location_days values ('other', 'L', '2017-01-01')",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with app.transaction("acme") as tx:
                await tx.execute(statement)
    async with app.transaction() as tx:
        assert await tx.fetchval("select count(*) from lines") == 0, "without a tenant there is nothing to see"


async def test_every_table_with_a_tenant_is_behind_the_wall_with_the_tenant_in_each_unique_key(
    app: Database, database: FreshDatabase
) -> None:
    admin = await asyncpg.connect(database.admin_url)
    try:
        tables = await admin.fetch(
            "select c.oid, c.relname, c.relrowsecurity and c.relforcerowsecurity as walled, pg_get_userbyid(c.relowner) as owner from pg_class c"
            " join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant' where c.relnamespace = 'approvals'::regnamespace and c.relkind = 'r'"
        )
        keys = await admin.fetch(
            "select c.relname, i.indexrelid::regclass::text as index, exists (select from unnest(i.indkey) k join pg_attribute a"
            " on a.attrelid = c.oid and a.attnum = k where a.attname = 'tenant') as has_tenant from pg_index i join pg_class c on c.oid = i.indrelid"
            " where i.indisunique and c.relnamespace = 'approvals'::regnamespace"
        )
    finally:
        await admin.close()
    assert {row["relname"] for row in tables} >= {
        "lines",
        "decisions",
        "orders",
        "order_lines",
        "order_line_ends",
        "recommendations",
        "answered_requests",
    }
    assert [row["relname"] for row in tables if not row["walled"]] == ["tenants"]
    assert {row["owner"] for row in tables} == {"countersign_owner"}
    own_key = {
        "outbox",
        "migrations",
        "consumed_positions",
        "relay_positions",
        "rebuilds",
    }  # plumbing numbered per service, not per tenant
    assert [row["index"] for row in keys if not row["has_tenant"] and row["relname"] not in own_key] == []
