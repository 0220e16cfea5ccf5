"""Postgres: a pool, transactions behind the tenant wall, and the runner of the numbered SQL migrations."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.protocol import protocol

from kit import failpoints

if TYPE_CHECKING:
    # Inside a transaction, with `app.tenant` set: row-level security shows that tenant and no other.
    Transaction = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
    PlainConnection = asyncpg.Connection[asyncpg.Record]
else:
    Transaction = Any
    Pool = Any
    PlainConnection = asyncpg.Connection

ROOT = Path(__file__).resolve().parent.parent
OWNER = "countersign_owner"
# One number for the whole installation: two migrations never run at once.
MIGRATION_LOCK = 7_203_114
ROLE_ATTEMPTS = 20
# A statement that takes longer is a fault, and a transaction left open would hold back the outbox and vacuum.
STATEMENT_TIMEOUT_MILLISECONDS = 60_000
IDLE_TRANSACTION_TIMEOUT_MILLISECONDS = 60_000

# What may be an array's values. asyncpg asks of every element whether it is an array itself, and asks an abstract class, which
# takes two fifths of the time of sending 16,000 movements (2.0 us each where it was 3.4); these it knows at sight.
CONTAINERS: tuple[type, ...] = (list, tuple, set, frozenset, type({}.keys()), type({}.values()))
protocol.IterableABC = CONTAINERS  # type: ignore[attr-defined]


class SchemaMismatch(RuntimeError):
    """The database is not at the version this code needs."""


def role_of(service: str) -> str:
    return f"countersign_{service}"


async def scope(tx: Transaction, tenant: str) -> None:
    """From here to its end, this transaction sees `tenant` only."""
    await tx.execute("select set_config('app.tenant', $1, true)", tenant)


def _begin(tenant: str | None) -> str:
    """A transaction and its tenant in one round trip. The name goes as hex digits: none of it can be read as SQL."""
    if tenant is None:
        return "begin"
    return (
        f"begin; select set_config('app.tenant', convert_from(decode('{tenant.encode().hex()}', 'hex'), 'UTF8'), true)"
    )


@asynccontextmanager
async def savepoint(tx: Transaction) -> AsyncIterator[None]:
    """What fails within it is taken back and leaves the rest of the transaction usable. One within another is possible."""
    await tx.execute("savepoint tried")
    try:
        yield
    except BaseException:
        if not tx.is_closed():
            await tx.execute("rollback to savepoint tried; release savepoint tried")
        raise
    await tx.execute("release savepoint tried")


class _Connection(PlainConnection):
    """Put in order by Postgres after every use, which is a round trip, unless that use can have left nothing behind."""

    _is_tidy = False

    def left_tidy(self) -> None:
        """Said after a transaction that was committed: its tenant, its settings and its locks ended with it."""
        self._is_tidy = True

    def get_reset_query(self) -> str:
        was_tidy, self._is_tidy = self._is_tidy, False
        # asyncpg's own leaves the role: what the relay becomes must not be what the next transaction is.
        return "" if was_tidy else f"reset role;\n{super().get_reset_query()}"


def left_tidy(connection: Transaction) -> None:
    """Say of a connection of the pool that its last use left nothing behind."""
    said: Any = connection  # the pool hands out proxies, which know the methods of the class by name only
    said.left_tidy()


class Database:
    """The pool of one service, as that service's role."""

    def __init__(self, pool: Pool, service: str) -> None:
        self.pool = pool
        self.service = service

    @staticmethod
    async def open(url: str, service: str, *, pool_max: int = 8, by_index: bool = False) -> "Database":
        """Connect. The search path is the service's own schema and nothing else. `by_index`: for work that seeks a few rows of
        large tables by their keys and nothing else. PostgreSQL would read such a table from end to end as long as it believes it
        small, which it does while a first run fills it."""
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=pool_max,
            command_timeout=STATEMENT_TIMEOUT_MILLISECONDS / 1000,
            connection_class=_Connection,
            server_settings={
                "search_path": service,
                "application_name": f"countersign-{service}",
                "statement_timeout": str(STATEMENT_TIMEOUT_MILLISECONDS),
                "idle_in_transaction_session_timeout": str(IDLE_TRANSACTION_TIMEOUT_MILLISECONDS),
                "timezone": "UTC",
                "enable_seqscan": "off" if by_index else "on",
            },
        )
        return Database(pool, service)

    async def close(self) -> None:
        await self.pool.close()

    @asynccontextmanager
    async def transaction(self, tenant: str | None = None) -> AsyncIterator[Transaction]:
        """One transaction. Without a tenant it sees no tenant's rows until `scope` names one. Three round trips with one
        statement in it, where asyncpg's own blocks make five: they are a third of what a small request costs."""
        async with self.pool.acquire() as connection:
            try:
                await connection.execute(_begin(tenant))
                yield connection
                failpoints.reach("transaction.before-commit")
            except BaseException:
                if not connection.is_closed():
                    await connection.execute("rollback")
                raise
            await connection.execute("commit")
            left_tidy(connection)
        failpoints.reach("transaction.after-commit")

    async def tenants(self) -> list[str]:
        """Tenants this service has seen, for jobs that go through all of them."""
        return [row["tenant"] for row in await self.pool.fetch("select tenant from tenants order by tenant")]

    async def check_version(self) -> None:
        """Raise SchemaMismatch unless every migration this code knows is applied as it stands here."""
        try:
            rows = await self.pool.fetch("select name, sha256 from migrations")
        except asyncpg.PostgresError as error:
            raise SchemaMismatch(f"schema {self.service!r} is not there ({error}); run `./run migrate`") from error
        applied = {row["name"]: row["sha256"] for row in rows}
        for path in migration_files(self.service):
            name = f"{path.parent.parent.name}/{path.name}"
            if applied.get(name) != hashlib.sha256(path.read_bytes()).hexdigest():
                state = "differs from what was applied" if name in applied else "is not applied"
                raise SchemaMismatch(
                    f"migration {name} {state}; run `./run migrate` (or, for a changed file, restore it)"
                )


def migration_files(service: str) -> list[Path]:
    """The plumbing first, then the service's own, each in the order of their numbers."""
    own = ROOT / "services" / service / "migrations"
    return [*sorted((ROOT / "kit/migrations").glob("*.sql")), *sorted(own.glob("*.sql"))]


async def migrate(admin_url: str, service: str, *, password: str | None = None) -> list[str]:
    """Bring `service`'s schema up to date; returns the names applied now.

    `admin_url` must be allowed to create roles and schemas. The app role gets `password` if given. Every file runs in
    one transaction with its entry in `migrations`; a file that changed after it was applied is refused.
    """
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute("select pg_advisory_lock($1)", MIGRATION_LOCK)
        for attempt in range(ROLE_ATTEMPTS):
            try:
                async with connection.transaction():
                    await _roles(connection, service, password)
                break
            except (asyncpg.InternalServerError, asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError):
                # Roles belong to the whole server, the lock only to this database: another database's migration was
                # at the same role ("tuple concurrently updated").
                if attempt == ROLE_ATTEMPTS - 1:
                    raise
        return await _apply(connection, service)
    finally:
        await connection.close()


async def _roles(connection: Transaction, service: str, password: str | None) -> None:
    app = role_of(service)
    for role, attributes in (
        (OWNER, "nologin"),
        (app, "login noinherit"),
        (f"{app}_relay", "nologin"),
        (f"{app}_reader", "nologin"),
    ):
        if not await connection.fetchval("select true from pg_roles where rolname = $1", role):
            await connection.execute(f"create role {role} {attributes}")
    if password is not None:
        quoted = await connection.fetchval("select quote_literal($1::text)", password)
        await connection.execute(f"alter role {app} password {quoted}")
    admin = await connection.fetchval("select current_user::text")
    for role, member in ((OWNER, admin), (f"{app}_relay", app), (f"{app}_reader", app)):
        has_it = "select true from pg_auth_members where roleid = $1::text::regrole and member = $2::text::regrole"
        if not await connection.fetchval(has_it, role, member):
            await connection.execute(f"grant {role} to {member}")
    database = await connection.fetchval("select quote_ident(current_database())")
    await connection.execute(f"grant connect on database {database} to {app}")
    await connection.execute(f"create schema if not exists {service} authorization {OWNER}")
    await connection.execute(f"grant usage on schema {service} to {app}")


async def _apply(connection: Transaction, service: str) -> list[str]:
    app = role_of(service)
    # {reader}: what a transaction becomes on behalf of somebody who may not read all of the tenant.
    names = {"app": app, "relay": f"{app}_relay", "reader": f"{app}_reader", "schema": service}
    await connection.execute(f"set role {OWNER}")
    await connection.execute(f"set search_path to {service}")
    for what, rights in (
        ("tables", "select, insert, update, delete"),
        ("sequences", "usage, select"),
        ("functions", "execute"),
    ):
        await connection.execute(f"alter default privileges in schema {service} grant {rights} on {what} to {app}")
    await connection.execute(
        "create table if not exists migrations"
        " (name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
    )
    applied = {row["name"]: row["sha256"] for row in await connection.fetch("select name, sha256 from migrations")}
    done = []
    for path in migration_files(service):
        name, text = f"{path.parent.parent.name}/{path.name}", path.read_text("utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        if name in applied:
            if applied[name] != digest:
                raise SchemaMismatch(
                    f"migration {name} was changed after it was applied; restore it and add a new file instead"
                )
            continue
        async with connection.transaction():
            for placeholder, value in names.items():
                text = text.replace("{" + placeholder + "}", value)
            await connection.execute(text)
            await connection.execute("insert into migrations (name, sha256) values ($1, $2)", name, digest)
        done.append(name)
    await connection.execute("reset role")
    return done
