"""One database for the five services: made, its roles given passwords, its schemas migrated."""

import asyncio
import hmac
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from cli.errors import Exit, Trouble
from kit import database

SERVICES = ("forecaster", "policy", "approvals", "audit", "gateway")
# Roles belong to the whole server, so everything that touches them takes this lock in the server's own database.
_SERVER_LOCK = 7_203_115


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """A database on a server we administer, and the address each service uses."""

    admin_url: str
    name: str

    @property
    def url(self) -> str:
        """Administrator's address of this database."""
        return _with(self.admin_url, database=self.name)

    def service_url(self, service: str) -> str:
        """Address of this database as the role of `service`."""
        role = database.role_of(service)
        return _with(self.url, user=role, password=self.password(service))

    def password(self, service: str) -> str:
        """The password of a service's role: follows from the administrator's address, so it is stored nowhere.

        One server has one role per service, and several databases (tests side by side) must agree on its password.
        """
        secret = urlsplit(self.admin_url).password or "no administrator password"
        return hmac.new(secret.encode(), f"countersign role {service}".encode(), sha256).hexdigest()[:32]


async def ensure(target: ServiceDatabase, services: Sequence[str] = SERVICES) -> dict[str, list[str]]:
    """Make the database when missing and bring the schemas of `services` up to date; applied migrations by service.

    Raises Trouble: database_unreachable, database_name_invalid, migration_failed.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", target.name):
        raise Trouble(
            "database_name_invalid",
            f"{target.name!r} is no name for a database here.",
            why="names are lower-case letters, digits and underscores, at most 63, starting with a letter",
            way_out="choose another COUNTERSIGN_DATABASE_NAME",
            exit_code=Exit.USAGE,
        )
    applied: dict[str, list[str]] = {}
    async with _server(target.admin_url) as server:
        await server.execute("select pg_advisory_lock($1)", _SERVER_LOCK)
        if not await server.fetchval("select true from pg_database where datname = $1", target.name):
            await server.execute(f"create database {target.name}")
            await server.execute(f"revoke all on database {target.name} from public")
        for service in services:
            try:
                applied[service] = await database.migrate(target.url, service, password=target.password(service))
            except (asyncpg.PostgresError, database.SchemaMismatch) as error:
                raise _migration_failed(service, str(error)) from error
    return applied


async def remove(target: ServiceDatabase) -> None:
    """Drop the database and end the connections to it. The roles stay: they are shared by the server."""
    async with _server(target.admin_url) as server:
        await server.execute(f"drop database if exists {target.name} with (force)")


@asynccontextmanager
async def _server(admin_url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    try:
        connection = await asyncpg.connect(admin_url, timeout=15)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        place = urlsplit(admin_url)
        raise Trouble(
            "database_unreachable",
            f"PostgreSQL at {place.hostname}:{place.port or 5432} does not answer as administrator.",
            why=f"{type(error).__name__}: {error}",
            way_out="check COUNTERSIGN_DATABASE_ADMIN_URL (user, password, host, port), or unset it to use the embedded server",
            exit_code=Exit.MISSING,
        ) from error
    try:
        yield connection
    finally:
        await connection.close()


def _migration_failed(service: str, why: str) -> Trouble:
    return Trouble(
        "migration_failed",
        f"The schema of {service} could not be brought up to date.",
        why=why,
        way_out="restore the named migration file, or add a new one; local data only: `./run reset` starts anew",
    )


def _with(url: str, *, database: str | None = None, user: str | None = None, password: str | None = None) -> str:
    """The same address with another database, user or password."""
    parts = urlsplit(url)
    netloc = parts.netloc
    if user is not None:
        netloc = f"{quote(user)}:{quote(password or '')}@{netloc.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}" if database else parts.path))


def demand_server(target: ServiceDatabase) -> str:
    """The server's version. Raises Trouble: database_unreachable."""

    async def ask() -> str:
        async with _server(target.admin_url) as server:
            return str(await server.fetchval("select 'PostgreSQL ' || current_setting('server_version')"))

    return asyncio.run(ask())


def run(target: ServiceDatabase) -> dict[str, list[str]]:
    """`ensure` for callers without an event loop."""
    return asyncio.run(ensure(target))
