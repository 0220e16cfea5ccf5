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
from kit.rebuild import LONG_SECONDS, Derived, Table

FORMAT = 1
PORTION = 1_000
# What every service keeps of what it has read, beside its own tables; what people have dropped since stays dropped.
PLUMBING = (Table("inbox", ()), Table("name_versions", (), reset=None), Table("dropped_events", (), reset=None))
# Numbers that go on rising: a database that is new begins at one, and what is parked next would come before what waits.
COUNTED = (
    ("parked_events", "seq", "pg_get_serial_sequence('parked_events', 'seq')::regclass"),
    ("name_versions", "version", "'name_versions_drawn'::regclass"),
)


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
                    query = f"select row_to_json(t)::text as row from {table.name} t where tenant = $1"
                    async for row in connection.cursor(query, tenant, prefetch=PORTION):
                        file.write(f"{table.name}\t{tenant}\t{row['row']}\n")
                        rows += 1
    draft.rename(path)
    return Written(path, rows, hashlib.sha256(path.read_bytes()).hexdigest())


def _path(folder: Path, service: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{service}-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.ndjson.gz"


@dataclass(frozen=True, slots=True)
class Filling:
    """Puts a snapshot in the place of the derived state, inside the transaction of a rebuild.

    Rows and columns that a rebuild lets stay are newer here than in the snapshot and stay, too; a database that is new has
    none, and takes them all.
    """

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
                for statement in [one.emptying for one in _tables(self.derived) if one.emptying is not None]:
                    await tx.execute(statement, tenant, timeout=LONG_SECONDS)
            columns = {one.name: await _columns(tx, one.name) for one in _tables(self.derived)}
            staying = {one.name: await _staying(tx, one) for one in _tables(self.derived)}
            for tenant, table, rows in _portions(file):
                await scope(tx, tenant)
                await tx.execute(
                    f"insert into {table} ({columns[table]}) overriding system value"
                    f" select {columns[table]} from json_populate_recordset(null::{table}, $1::json) {staying[table]}",
                    f"[{','.join(rows)}]",
                    timeout=LONG_SECONDS,
                )
            for tenant in head["tenants"]:
                await scope(tx, tenant)
                await tx.execute(
                    "delete from parked_events p using dropped_events d"
                    " where p.tenant = $1 and d.tenant = $1 and d.event_hash = p.event_hash",
                    tenant,
                )
            await _go_on_counting(tx, head["tenants"])
            await tx.execute("delete from consumed_positions")
            await tx.executemany("insert into consumed_positions values ($1, $2, $3)", head["positions"])


async def _columns(tx: Transaction, table: str) -> str:
    """The columns that are written; others are generated out of them."""
    rows = await tx.fetch(
        "select quote_ident(attname) as name from pg_attribute"
        " where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = '' order by attnum",
        table,
    )
    return ", ".join(row["name"] for row in rows)


async def _staying(tx: Transaction, table: Table) -> str:
    """What becomes of a row of the snapshot where there is one that stays."""
    if table.reset == "":
        return ""
    if table.reset is None:
        return "on conflict do nothing"
    rows = await tx.fetch(
        "select a.attname as name, coalesce(a.attnum = any(i.indkey), false) as is_key from pg_attribute a"
        " join pg_index i on i.indrelid = a.attrelid and i.indisprimary"
        " where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum",
        table.name,
    )
    key = ", ".join(row["name"] for row in rows if row["is_key"])
    renewed = [row["name"] for row in rows if not row["is_key"] and row["name"] not in table.own]
    return f"on conflict ({key}) do update set {', '.join(f'{name} = excluded.{name}' for name in renewed)}"


async def _go_on_counting(tx: Transaction, tenants: Sequence[str]) -> None:
    """Draw numbers until the next one is above all that were filled in; the service may not set a sequence."""
    for table, column, sequence in COUNTED:
        highest = 0
        for tenant in tenants:
            await scope(tx, tenant)
            highest = max(highest, await tx.fetchval(f"select coalesce(max({column}), 0) from {table}"))
        drawn = await tx.fetchval(f"select nextval({sequence})")
        if drawn < highest:
            query = f"select count(nextval({sequence})) from generate_series(1, $1::bigint)"
            await tx.execute(query, highest - drawn, timeout=LONG_SECONDS)


def _tables(derived: Derived) -> tuple[Table, ...]:
    return (*PLUMBING, *derived.tables)


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
