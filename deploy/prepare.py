"""Brings a database and a broker to what this version needs, before any service starts: roles, schemas, topics.

`python -m deploy.prepare` reads COUNTERSIGN_CREDENTIALS_DIR (`postgres/admin-url`, `<service>/database-url`),
COUNTERSIGN_KAFKA_BOOTSTRAP and COUNTERSIGN_NAMESPACE. It may run as often as one likes, also several at once.
COUNTERSIGN_PREPARE_TOPICS=false leaves topics to whoever owns them (an operator).
"""

import asyncio
import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from cli.errors import Trouble
from cli.platform import topics
from kit.database import SchemaMismatch, migrate
from kit.settings import ServiceSettings

SERVICES = ("forecaster", "policy", "approvals", "audit", "gateway")


async def database(credentials: Path) -> dict[str, list[str]]:
    """Make the database if it is missing, the services' roles with their passwords, and apply missing migrations."""
    admin_url = (credentials / "postgres" / "admin-url").read_text("utf-8").strip()
    applied = {}
    for service in SERVICES:
        own = urlsplit((credentials / service / "database-url").read_text("utf-8").strip())
        name = own.path.removeprefix("/")
        await make_database(admin_url, name)
        target = urlunsplit(urlsplit(admin_url)._replace(path=f"/{name}"))
        applied[service] = await migrate(target, service, password=unquote(own.password or ""))
    return applied


async def make_database(admin_url: str, name: str) -> None:
    """Make the database unless it exists. Raises ValueError for a name that would need quoting."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise ValueError(f"database name {name!r} needs lower-case letters, digits and underscores, at most 63")
    server = await asyncpg.connect(admin_url, timeout=15)
    try:
        if not await server.fetchval("select true from pg_database where datname = $1", name):
            try:
                await server.execute(f"create database {name}")
            except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                pass  # another prepare was faster
    finally:
        await server.close()


async def prepare() -> None:
    """Everything, in order."""
    settings = ServiceSettings()
    applied = await database(Path(os.environ["COUNTERSIGN_CREDENTIALS_DIR"]))
    for service, names in applied.items():
        print(f"{service}: {', '.join(names) if names else 'up to date'}")
    if os.environ.get("COUNTERSIGN_PREPARE_TOPICS", "true") == "true":
        outcome = await topics.ensure(settings.kafka_bootstrap, settings.namespace)
        print(
            f"topics: {len(outcome.created)} made, {len(outcome.corrected)} corrected, {len(outcome.unchanged)} as they should be"
        )


def main() -> int:
    """The command; what fails is said in one line and tried again by whoever started this."""
    try:
        asyncio.run(prepare())
    except (Trouble, SchemaMismatch, OSError, TimeoutError, ValueError, KeyError, asyncpg.PostgresError) as error:
        print(f"not prepared: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
