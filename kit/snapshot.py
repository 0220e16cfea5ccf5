"""A copy of what a service derived, with how far it had read: state and positions are of one instant, because the
service commits them together. With it a rebuild needs only the part of the log that came after."""

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kit.database import Database, Transaction, scope
from kit.rebuild import LONG_SECONDS, Derived

FORMAT = 1
PORTION = 1_000
# What every service keeps of what it has read, beside its own tables.
PLUMBING = ("inbox", "name_versions", "dropped_events")


@dataclass(frozen=True, slots=True)
class Written:
    """A snapshot file: rows in it, and the SHA-256 of the file."""

    path: Path
    rows: int
    sha256: str


async def write(database: Database, derived: Derived, folder: Path) -> Written:
    """Write a snapshot; the service may go on running."""
    path = _path(folder, database.service)
    draft = path.with_suffix(".draft")
    rows = 0
    async with database.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        with gzip.open(draft, "wt", encoding="utf-8") as file:
            places = await connection.fetch(
                "select topic, partition, next_offset from consumed_positions order by 1, 2"
            )
            tenants = [row["tenant"] for row in await connection.fetch("select * from tenants order by tenant")]
            head = {"format": FORMAT, "service": database.service, "tenants": tenants}
            file.write(json.dumps(head | {"positions": [list(row) for row in places]}) + "\n")
            for tenant in tenants:
                await scope(connection, tenant)
                for table in _tables(derived):
                    query = f"select row_to_json(t)::text as row from {table} t where tenant = $1"
                    async for row in connection.cursor(query, tenant, prefetch=PORTION):
                        file.write(f"{table}\t{tenant}\t{row['row']}\n")
                        rows += 1
    draft.rename(path)
    return Written(path, rows, hashlib.sha256(path.read_bytes()).hexdigest())


def _path(folder: Path, service: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{service}-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.ndjson.gz"


@dataclass(frozen=True, slots=True)
class Filling:
    """Puts a snapshot in the place of the derived state, inside the transaction of a rebuild."""

    derived: Derived
    service: str
    path: Path

    async def __call__(self, tx: Transaction, tenants: Sequence[str]) -> None:
        """Raises ValueError for a file that is no snapshot of this service."""
        with gzip.open(self.path, "rt", encoding="utf-8") as file:
            head = json.loads(next(file, "{}"))
            if head.get("format") != FORMAT or head.get("service") != self.service:
                raise ValueError(f"{self.path} is no snapshot of {self.service}; choose a file of `./run snapshot`")
            for tenant in sorted({*head["tenants"], *tenants}):
                await tx.execute("insert into tenants (tenant) values ($1) on conflict do nothing", tenant)
                await scope(tx, tenant)
                for table in _tables(self.derived):
                    await tx.execute(f"delete from {table} where tenant = $1", tenant, timeout=LONG_SECONDS)
            for tenant, table, rows in _portions(file):
                await scope(tx, tenant)
                await tx.execute(
                    f"insert into {table} overriding system value"
                    f" select * from json_populate_recordset(null::{table}, $1::json)",
                    f"[{','.join(rows)}]",
                    timeout=LONG_SECONDS,
                )
            await tx.execute("delete from consumed_positions")
            await tx.executemany("insert into consumed_positions values ($1, $2, $3)", head["positions"])


def _tables(derived: Derived) -> tuple[str, ...]:
    return (*PLUMBING, *(one.name for one in derived.tables))


def _portions(lines: Iterable[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Rows of one tenant and table at a time, as they were written: numbers must not become floats on their way."""
    at: tuple[str, str] | None = None
    rows: list[str] = []
    for line in lines:
        table, tenant, text = line.rstrip("\n").split("\t", 2)
        if at is not None and (at != (tenant, table) or len(rows) == PORTION):
            yield *at, rows
            rows = []
        at = (tenant, table)
        rows.append(text)
    if at is not None and rows:
        yield *at, rows
