"""The command: options in, events sent (or, in a dry run, nothing), every bad row listed and written beside the file."""

import csv
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from cli import demo_access, output
from cli.errors import Exit, Trouble
from cli.import_csv import mapping, rows
from cli.import_csv.dialect import Dialect
from cli.import_csv.kinds import KINDS
from cli.import_csv.mapping import Columns
from cli.import_csv.rows import SOURCE, Complaint, Row
from cli.local import load
from cli.options import AsJson, DataDir
from cli.platform.local import LocalPlatform
from countersign_client import Client, Event
from kernel.ids import derived_id

app = typer.Typer(add_completion=False)
# Rows are sent in groups of this many, so that memory stays flat and progress is seen.
GROUP_ROWS = 5_000
PROGRESS_SECONDS = 2.0

File = Annotated[Path, typer.Argument(help="A CSV file with a header row.", show_default=False)]
KindName = Annotated[
    str, typer.Option("--kind", help="sales, stock, catalogue or locations; without --map its fields are listed.")
]
Map = Annotated[str, typer.Option("--map", help="Which column feeds which field: sku=SKU,location=Store,…")]
Set = Annotated[str, typer.Option("--set", help="The same value for every row: currency=EUR,location=S1")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Send nothing; list every bad row and why.")]
Encoding = Annotated[str, typer.Option(help="Of the file: utf-8-sig (UTF-8 with or without mark), cp1252, latin-1, …")]
Delimiter = Annotated[str, typer.Option(help="Between cells: , ; | or tab")]
DecimalComma = Annotated[bool, typer.Option("--decimal-comma", help="Numbers are written 3,99.")]
DateFormat = Annotated[
    str | None, typer.Option(help="strptime codes, for example %d.%m.%Y; default ISO 8601.", show_default=False)
]
TimeZone = Annotated[str, typer.Option(help="Of the shops, an IANA name: dates and times are on their clock.")]
Closes = Annotated[
    bool,
    typer.Option("--close-days/--no-close-days", help="Sales: close every business day from the first to the last."),
]
Rejects = Annotated[Path | None, typer.Option(help="Where bad rows go.", show_default="FILE.rejects.csv")]
Url = Annotated[str | None, typer.Option(help="A gateway elsewhere.", show_default="the local one")]
Key = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        help="With scope ingest.",
        envvar="COUNTERSIGN_API_KEY",
        show_default="the one `./run accounts` or the demo made",
    ),
]
Tenant = Annotated[str, typer.Option(help="Whose data it is; the API key must be of the same tenant.")]


@dataclass(slots=True)
class Report:
    """What became of the file."""

    file: str
    kind: str
    dry_run: bool
    rows: int = 0
    bad_rows: int = 0
    repeated_rows: int = 0
    events: int = 0
    accepted: int = 0
    duplicates: int = 0
    closes: int = 0
    first_day: str | None = None
    last_day: str | None = None
    rejects: str | None = None
    seconds: float = 0.0
    days: dict[str, tuple[date, date]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {name: value for name, value in asdict(self).items() if name != "days"}


@app.command()
def import_csv(
    file: File,
    kind: KindName = "sales",
    columns: Map = "",
    constants: Set = "",
    dry_run: DryRun = False,
    encoding: Encoding = "utf-8-sig",
    delimiter: Delimiter = ",",
    decimal_comma: DecimalComma = False,
    date_format: DateFormat = None,
    time_zone: TimeZone = "UTC",
    close_days: Closes = True,
    rejects: Rejects = None,
    url: Url = None,
    api_key: Key = None,
    tenant: Tenant = "demo",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Turn CSV files of your own sales, stock, catalogue and locations into events, through the API.

    Nothing is guessed: encoding, delimiter, decimal mark and date format are what you say. A bad row never stops the
    others; it is listed with line, column and reason. Importing the same file again changes nothing.

    \b
    Examples:
      ./run import sales.csv --map sku=SKU,location=Store,quantity=Qty,date=Day --dry-run
      ./run import umsatz.csv --map sku=Artikel,location=Filiale,quantity=Menge,date=Tag,price=Preis --set currency=EUR
            --delimiter ';' --decimal-comma --date-format %d.%m.%Y --encoding cp1252 --time-zone Europe/Berlin
      ./run import items.csv --kind catalogue --map sku=SKU,name=Name,supplier=Vendor,lead_time_days=Days,unit_cost=Cost
            --set currency=EUR
      ./run import shops.csv --kind locations --map location=Store,name=Name,country=Land --time-zone Europe/Berlin
    """
    chosen = KINDS.get(kind)
    if chosen is None:
        raise Trouble(
            "kind_unknown",
            f"There is no kind {kind!r}.",
            why=f"the kinds are {', '.join(KINDS)}",
            way_out="give one with --kind",
            exit_code=Exit.USAGE,
        )
    dialect = Dialect(
        encoding, "\t" if delimiter in ("tab", "\\t") else delimiter, decimal_comma, date_format, _zone(time_zone)
    )
    head = rows.header(file, dialect)
    given = mapping.pairs(columns, "--map") if columns else {}
    fixed = mapping.pairs(constants, "--set") if constants else {}
    fitted = mapping.check(chosen, given, fixed, head, dialect.delimiter)
    report = Report(str(file), kind, dry_run)
    started = time.monotonic()
    target = rejects or file.with_name(file.name + ".rejects.csv")
    with demo_access.plain_refusals(), ExitStack() as open_things:
        client = None if dry_run else open_things.enter_context(_client(data_dir, url, api_key))
        bad = open_things.enter_context(_rejects(target, head, dialect, report))
        stream = rows.read(file, chosen, fitted, dialect, tenant)
        _carry(stream, client, bad, report, fitted)
        if client is not None and kind == "sales" and close_days:
            _close(client, report, dialect, tenant)
    report.seconds = round(time.monotonic() - started, 2)
    _tell(report, as_json=as_json)
    if report.bad_rows:
        raise typer.Exit(Exit.FAILURE)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Trouble(
            "time_zone_unknown",
            f"There is no time zone {name!r}.",
            why=str(error),
            way_out="give an IANA name such as Europe/Berlin",
            exit_code=Exit.USAGE,
        ) from error


def _client(data_dir: Path | None, url: str | None, api_key: str | None) -> Client:
    local = LocalPlatform(load(data_dir), output.say)
    key = api_key or demo_access.load(local.data_dir).api_key
    return Client(url or local.gateway_url, api_key=key)


class _RejectsFile:
    """Bad rows as they were, with line, column and reason in front; made when the first one comes."""

    def __init__(self, target: Path, head: list[str], dialect: Dialect, report: Report) -> None:
        self._target, self._head, self._dialect, self._report = target, head, dialect, report
        self._open = ExitStack()
        self._writer: Any = None

    def write(self, row: Row) -> None:
        self._report.bad_rows += 1
        if self._writer is None:
            handle = self._open.enter_context(
                self._target.open("w", encoding="utf-8", errors="surrogateescape", newline="")
            )
            self._writer = csv.writer(handle, delimiter=self._dialect.delimiter)
            self._writer.writerow(["_line", "_column", "_why", *self._head])
            self._report.rejects = str(self._target)
        for one in row.complaints:
            output.warn(f"line {row.line}, {one.column}: {one.why}")
        columns, reasons = "; ".join(one.column for one in row.complaints), "; ".join(one.why for one in row.complaints)
        self._writer.writerow([row.line, columns, reasons, *row.cells])

    def close(self) -> None:
        self._open.close()


@contextmanager
def _rejects(target: Path, head: list[str], dialect: Dialect, report: Report) -> Iterator[_RejectsFile]:
    bad = _RejectsFile(target, head, dialect, report)
    try:
        yield bad
    finally:
        bad.close()


def _carry(stream: Iterator[Row], client: Client | None, bad: _RejectsFile, report: Report, columns: Columns) -> None:
    """All rows, group by group: good ones to the gateway, bad ones to the rejects."""
    told_at = time.monotonic()
    while group := list(islice(stream, GROUP_ROWS)):
        report.rows += len(group)
        good = [row for row in group if not row.complaints]
        if client is not None:
            _send(client, good, report, columns)
        for row in group:
            if row.complaints:
                bad.write(row)
            else:
                report.events += len(row.events)
                report.repeated_rows += row.is_repeat
                _note_days(row, report)
        if time.monotonic() - told_at > PROGRESS_SECONDS:
            told_at = time.monotonic()
            output.say(f"{report.rows:,} rows, {report.bad_rows:,} bad")


def _send(client: Client, good: list[Row], report: Report, columns: Columns) -> None:
    """Send a group; what the gateway rejects becomes a complaint of its row."""
    owners = [(row, event) for row in good for event in row.events]
    told = client.send(event for _, event in owners)
    report.accepted += told.accepted
    report.duplicates += told.duplicate
    for one in told.rejected:
        row, _ = owners[one.index]
        row.complaints.append(
            Complaint(columns.column_of(one.field.removeprefix("data.")), f"the gateway says: {one.reason}")
        )


def _note_days(row: Row, report: Report) -> None:
    for event in row.events:
        day_text, location = event.data.get("business_date"), event.data.get("location")
        if day_text is None or location is None:
            continue
        day = date.fromisoformat(day_text)
        first, last = report.days.get(location, (day, day))
        report.days[location] = (min(first, day), max(last, day))
        report.first_day = min(report.first_day or day_text, day_text)
        report.last_day = max(report.last_day or day_text, day_text)


def _close(client: Client, report: Report, dialect: Dialect, tenant: str) -> None:
    """Close every business day of every location, so that forecasts know that all its sales are in."""

    def closes() -> Iterator[Event]:
        for location, (first, last) in sorted(report.days.items()):
            for number in range((last - first).days + 1):
                day = first + timedelta(days=number)
                midnight = datetime.combine(day + timedelta(days=1), clock(0, 0), dialect.time_zone)
                when = midnight.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ")
                body = {"location": location, "business_date": day.isoformat(), "closed_at": when}
                yield Event(
                    derived_id(SOURCE, tenant, "close", location, day.isoformat()),
                    SOURCE,
                    "business-day.closed.v1",
                    when,
                    body,
                )

    told = client.send(closes())
    report.closes = told.accepted + told.duplicate
    for one in told.rejected[:1]:
        raise Trouble(
            "closes_rejected",
            "The gateway did not take the closes of the business days.",
            why=one.reason,
            way_out="the sales are in; run the same command again",
        )


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        output.result(report.document())
        return
    verb = "would become" if report.dry_run else "became"
    output.line(
        f"{_many(report.rows, 'row')} {verb} {_many(report.events, 'event')} in {report.seconds:.1f} s;"
        f" {_many(report.bad_rows, 'bad row')}"
    )
    if report.repeated_rows:
        output.line(
            f"further sales, as they repeat an earlier row: {report.repeated_rows:,}; map a receipt line if they are copies"
        )
    if not report.dry_run:
        output.line(
            f"{report.accepted:,} new, {report.duplicates:,} known already, {_many(report.closes, 'business day')} closed"
        )
    if report.rejects:
        output.line(f"bad rows with reasons: {report.rejects}; correct them there and import that file")
