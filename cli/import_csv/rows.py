"""A file as a stream: each row becomes events or a list of reasons why not. Memory does not grow with the file.

Ids follow from a row's content, so importing a file again, or a longer export that contains it, adds only what is new.
"""

import csv
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from cli.errors import Exit, Trouble
from cli.import_csv.dialect import Dialect
from cli.import_csv.kinds import BadField, Draft, Kind, Values
from cli.import_csv.mapping import Columns
from countersign_client import Event
from kernel.ids import derived_id
from schemas.registry import strict

SOURCE = "import/csv"
# A cell longer than this is a broken quote that swallowed half the file, not a value.
CELL_LENGTH_MAX = 10_000
# Where a contract calls a field otherwise than a file's owner would.
FIELD_OF = {
    "unit_price": "price",
    "business_date": "date",
    "sold_at": "date",
    "returned_at": "date",
    "counted_at": "date",
    "moved_at": "date",
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a row is bad: the column and the reason."""

    column: str
    why: str


@dataclass(slots=True)
class Row:
    """A row of the file: its line number, its cells, and its events or the complaints about it."""

    line: int
    cells: list[str]
    events: list[Event] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)
    is_repeat: bool = False


class Occurrences:
    """How often something was seen, kept in a temporary file that SQLite deletes, so that memory stays flat."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("create table seen (name text primary key, line integer, count integer) without rowid")

    def see(self, name: str, line: int) -> tuple[int, int]:
        """(times seen before, line of the first)."""
        found = self._database.execute("select count, line from seen where name = ?", (name,)).fetchone()
        if found is None:
            self._database.execute("insert into seen values (?, ?, 1)", (name, line))
            return 0, line
        self._database.execute("update seen set count = count + 1 where name = ?", (name,))
        return int(found[0]), int(found[1])

    def close(self) -> None:
        self._database.close()


def header(file: Path, dialect: Dialect) -> list[str]:
    """The first row. Raises Trouble: file_missing, file_empty, encoding_unknown, csv_broken."""
    try:
        with file.open(encoding=dialect.encoding, errors="surrogateescape", newline="") as handle:
            first = next(csv.reader(handle, delimiter=dialect.delimiter), None)
    except OSError as error:
        raise Trouble(
            "file_missing", f"{file} cannot be read.", why=str(error), way_out="check the path", exit_code=Exit.USAGE
        ) from error
    except LookupError as error:
        raise Trouble(
            "encoding_unknown",
            f"There is no encoding {dialect.encoding!r}.",
            why=str(error),
            way_out="for example --encoding cp1252 or latin-1",
            exit_code=Exit.USAGE,
        ) from error
    except (csv.Error, UnicodeError) as error:
        raise _broken(file, 0, error) from error
    if not first:
        raise Trouble(
            "file_empty",
            f"{file} has no header row.",
            why="its first line is empty",
            way_out="add a row with the columns' names",
            exit_code=Exit.USAGE,
        )
    return first


def _broken(file: Path, line: int, error: Exception) -> Trouble:
    return Trouble(
        "csv_broken",
        f"{file} cannot be read as CSV after line {line}.",
        why=str(error),
        way_out="look for a quote that is not closed there; give the right --delimiter and --encoding",
    )


def read(file: Path, kind: Kind, columns: Columns, dialect: Dialect, tenant: str) -> Iterator[Row]:
    """Every row after the header, in order, converted and checked against the contracts."""
    names = [name.strip() for name in header(file, dialect)]
    places = {name: names.index(column) for name, column in columns.columns.items()}
    seen = Occurrences()
    csv.field_size_limit(CELL_LENGTH_MAX * 10)
    try:
        with file.open(encoding=dialect.encoding, errors="surrogateescape", newline="") as handle:
            reader = csv.reader(handle, delimiter=dialect.delimiter)
            next(reader)
            line = reader.line_num + 1
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    row = Row(line, cells)
                    _convert(row, names, places, kind, columns, dialect, tenant, seen)
                    yield row
                line = reader.line_num + 1
    except (csv.Error, UnicodeError) as error:
        raise _broken(file, line, error) from error
    finally:
        seen.close()


def _convert(
    row: Row,
    names: list[str],
    places: dict[str, int],
    kind: Kind,
    columns: Columns,
    dialect: Dialect,
    tenant: str,
    seen: Occurrences,
) -> None:
    if len(row.cells) != len(names):
        row.complaints.append(Complaint("(row)", f"has {len(row.cells)} cells, the header has {len(names)}"))
        return
    for name, cell in zip(names, row.cells, strict=True):
        if not cell.isprintable() and any("\udc80" <= letter <= "\udcff" for letter in cell):
            row.complaints.append(
                Complaint(name, f"is not {dialect.encoding.removesuffix('-sig')}; give --encoding, for example cp1252")
            )
        elif len(cell) > CELL_LENGTH_MAX:
            row.complaints.append(Complaint(name, f"has {len(cell)} letters; is a quote not closed?"))
    if row.complaints:
        return
    raw = {**columns.constants, **{name: row.cells[place] for name, place in places.items()}}
    try:
        drafts = kind.drafts(Values(raw, dialect))
    except BadField as error:
        row.complaints.append(Complaint(columns.column_of(error.field), error.why))
        return
    for draft in drafts:
        row.complaints += _against_contract(draft, tenant, columns)
    if row.complaints:
        return
    unique = raw.get(kind.unique, "").strip() if kind.unique else ""
    if unique and not _is_first(row, unique, raw, kind, columns, seen):
        return
    row.events = [_event(draft, tenant, unique, row, seen) for draft in drafts]


def _against_contract(draft: Draft, tenant: str, columns: Columns) -> list[Complaint]:
    """The gateway's own check, so that a dry run finds what the gateway would refuse."""
    try:
        strict(draft.type).model_validate({**draft.data, "tenant": tenant})
    except ValidationError as error:
        complaints = []
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            name = str(one["loc"][0]) if one["loc"] else "(row)"
            complaints.append(Complaint(columns.column_of(FIELD_OF.get(name, name)), one["msg"]))
        return complaints
    return []


def _is_first(row: Row, unique: str, raw: dict[str, str], kind: Kind, columns: Columns, seen: Occurrences) -> bool:
    times, first = seen.see(f"{unique}/{raw.get('sku', '')}/{raw.get('location', '')}", row.line)
    if times:
        row.complaints.append(
            Complaint(
                columns.column_of(kind.unique or ""), f"repeats line {first}: the same {kind.unique} for the same item"
            )
        )
    return times == 0


def _event(draft: Draft, tenant: str, unique: str, row: Row, seen: Occurrences) -> Event:
    """The event; rows that look alike (two customers, one unit each) are told apart by counting them."""
    identity = derived_id(SOURCE, tenant, draft.type, unique, *draft.identity)
    if not unique:
        times, _ = seen.see(identity, row.line)
        is_fact = draft.type.endswith(".defined.v1")
        row.is_repeat = row.is_repeat or (times > 0 and not is_fact)
        if times and not is_fact:
            identity = derived_id(identity, str(times))
    return Event(identity, SOURCE, draft.type, draft.time, draft.data)
