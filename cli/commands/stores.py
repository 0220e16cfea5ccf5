"""`migrate` and `topics`: bring database and broker to what this checkout needs."""

import asyncio
import contextlib
from collections.abc import Iterator

import typer

from cli import output
from cli.local import load
from cli.options import AsJson, DataDir
from cli.platform import databases
from cli.platform import topics as broker_topics
from cli.platform.local import LocalPlatform
from cli.signals import ending_politely


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(migrate)
    app.command()(topics)


def migrate(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make the database, the services' roles, and apply the migrations that are missing.

    \b
    Examples:
      ./run migrate
      COUNTERSIGN_DATABASE_ADMIN_URL=postgresql://admin:…@db.example/postgres ./run migrate
    """
    local = LocalPlatform(load(data_dir), output.say)
    with ending_politely(), _stores(local):
        applied = databases.run(local.database)
    if as_json:
        output.result({"database": local.database.name, "applied": applied})
        return
    for service, names in applied.items():
        output.line(f"{service}: {', '.join(names) if names else 'up to date'}")


def topics(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make the catalogue's topics that are missing and correct settings that differ."""
    local = LocalPlatform(load(data_dir), output.say)
    with ending_politely(), _stores(local):
        outcome = asyncio.run(broker_topics.ensure(local.kafka_bootstrap, local.namespace))
    if as_json:
        output.result({"created": outcome.created, "corrected": outcome.corrected, "unchanged": outcome.unchanged})
        return
    for what, names in (("made", outcome.created), ("corrected", outcome.corrected)):
        for name in names:
            output.line(f"{what} {name}")
    output.line(f"{len(outcome.unchanged)} topics were as they should be")


@contextlib.contextmanager
def _stores(local: LocalPlatform) -> Iterator[None]:
    """The stores for the length of a `with` block; what had to be started is stopped at the end."""
    local.start(services=(), prepare=False)
    try:
        yield
    finally:
        local.stop_started()
