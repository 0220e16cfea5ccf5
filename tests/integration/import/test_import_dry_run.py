"""`./run import`: every bad row is named with line, column and reason; the others become events that repeat, never double."""

import json
import tracemalloc
from pathlib import Path

import pytest

from cli.errors import Exit
from cli.import_csv import mapping, rows
from cli.import_csv.dialect import Dialect
from cli.import_csv.kinds import KINDS
from cli.import_csv.rows import Row
from cli.main import main

SALES = "sku=SKU,location=Store,quantity=Qty,date=Day"
PLAIN = Dialect()
HEAD = "SKU,Store,Qty,Day,Price,Receipt\n"


def read(
    file: Path, columns: str = SALES, constants: str = "", dialect: Dialect = PLAIN, kind: str = "sales"
) -> list[Row]:
    fixed = mapping.pairs(constants, "--set") if constants else {}
    fitted = mapping.check(
        KINDS[kind], mapping.pairs(columns, "--map"), fixed, rows.header(file, dialect), dialect.delimiter
    )
    return list(rows.read(file, KINDS[kind], fitted, dialect, "demo"))


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "sales.csv"
    file.write_bytes(text.encode(encoding))
    return file


@pytest.mark.parametrize(
    ("row", "column", "why"),
    [
        (",S1,1,2017-11-05,,", "SKU", "is empty"),
        ("A,S1,one,2017-11-05,,", "Qty", "is not a number"),
        ('A,S1,"1,5",2017-11-05,,', "Qty", "give --decimal-comma"),
        ("A,S1,0,2017-11-05,,", "Qty", "nothing was sold"),
        ("A,S1,1,05.11.2017,,", "Day", "give --date-format"),
        ("A,S1,1,2017-02-30,,", "Day", "is not a date"),
        ("A,S1,1,2017-11-05,-3,", "Price", "greater than or equal to 0"),
        ("A,S/1,1,2017-11-05,,", "Store", "pattern"),
        ("A,S1,1", "(row)", "has 3 cells, the header has 6"),
        (f"{'A' * 65},S1,1,2017-11-05,,", "SKU", "at most 64"),
    ],
)
def test_a_bad_row_is_named_with_its_column_and_the_way_out(tmp_path: Path, row: str, column: str, why: str) -> None:
    file = write(tmp_path, HEAD + "A,S1,1,2017-11-05,,\n" + row + "\n")
    good, bad = read(file, SALES + ",price=Price", "currency=USD")
    assert good.complaints == []
    assert (bad.line, bad.events) == (3, [])
    assert bad.complaints[0].column == column
    assert why in bad.complaints[0].why


def test_a_file_in_another_encoding_is_told_and_read_when_it_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, HEAD + "Grünkohl,S1,1,2017-11-05,,\n", "cp1252")
    (bad,) = read(file)
    assert "give --encoding" in bad.complaints[0].why
    (good,) = read(file, dialect=Dialect(encoding="cp1252"))
    assert good.events[0].data["sku"] == "Grünkohl"


def test_importing_again_gives_the_same_ids_and_look_alikes_are_told_apart(tmp_path: Path) -> None:
    file = write(tmp_path, HEAD + "A,S1,1,2017-11-05,,\nA,S1,1,2017-11-05,,\nB,S1,1,2017-11-05,,\n")
    first = [event.id for row in read(file) for event in row.events]
    longer = write(
        tmp_path, HEAD + "C,S1,1,2017-11-04,,\nA,S1,1,2017-11-05,,\nA,S1,1,2017-11-05,,\nB,S1,1,2017-11-05,,\n"
    )
    again = [event.id for row in read(longer) for event in row.events]
    assert len(set(first)) == 3
    assert again[1:] == first


def test_a_receipt_line_that_comes_twice_is_a_duplicate(tmp_path: Path) -> None:
    file = write(tmp_path, HEAD + "A,S1,1,2017-11-05,,R1\nA,S1,1,2017-11-05,,R1\nB,S1,1,2017-11-05,,R1\n")
    kept = read(file, SALES + ",receipt_line=Receipt")
    assert [len(row.events) for row in kept] == [1, 0, 1]
    assert "repeats line 2" in kept[1].complaints[0].why


def test_a_negative_quantity_is_a_return(tmp_path: Path) -> None:
    (row,) = read(write(tmp_path, HEAD + "A,S1,-2,2017-11-05,,\n"))
    assert (row.events[0].type, row.events[0].data["quantity"]) == ("return.recorded.v1", "2")


def test_dates_and_numbers_are_read_as_the_file_writes_them(tmp_path: Path) -> None:
    from zoneinfo import ZoneInfo

    file = write(tmp_path, "SKU;Store;Qty;Day;Price\nA;S1;1,5;05.11.2017 00:30;3,99\n")
    dialect = Dialect(
        delimiter=";", decimal_comma=True, date_format="%d.%m.%Y %H:%M", time_zone=ZoneInfo("Europe/Berlin")
    )
    (row,) = read(file, SALES + ",price=Price", "currency=EUR", dialect)
    body = row.events[0].data
    assert (body["quantity"], body["unit_price"], body["business_date"], body["sold_at"]) == (
        "1.5",
        "3.99",
        "2017-11-05",
        "2017-11-04T23:30:00Z",
    )


def test_catalogue_rows_define_item_location_supplier_and_terms(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "sku,name,location,country,region,supplier,lead_time_days,unit_cost,pack,currency\n"
        "A,Apple,S1,GB,ENG,V1,3,0.40,6,USD\n",
    )
    (row,) = read(file, "sku=sku", kind="catalogue")
    place = row.events[1].data
    assert (place["location"], place["country"], place["region"]) == ("S1", "GB", "ENG")
    assert [event.type for event in row.events] == [
        "item.defined.v1",
        "location.defined.v1",
        "supplier.defined.v1",
        "supplier-item.defined.v1",
    ]


@pytest.mark.parametrize("amount", ["price", "unit_cost"])
def test_money_in_the_catalogue_needs_its_currency(tmp_path: Path, amount: str) -> None:
    file = write(tmp_path, f"sku,name,supplier,{amount}\nA,Apple,V,0.40\nB,Banana,V,\n")
    bad, good = read(file, "sku=sku", kind="catalogue")
    assert bad.complaints[0].column == "currency (not mapped)" and "--set currency" in bad.complaints[0].why
    assert good.complaints == []
    assert all(one.complaints == [] for one in read(file, "sku=sku", "currency=EUR", kind="catalogue"))


def test_locations_are_on_the_clock_of_the_file_unless_they_name_their_own(tmp_path: Path) -> None:
    from zoneinfo import ZoneInfo

    file = write(tmp_path, "location,name,time_zone\nS1,High Street,\nS2,,Europe/Paris\n")
    dialect = Dialect(time_zone=ZoneInfo("Europe/London"))
    told = [row.events[0].data for row in read(file, "location=location", dialect=dialect, kind="locations")]
    assert [(one["location"], one["name"], one["time_zone"]) for one in told] == [
        ("S1", "High Street", "Europe/London"),
        ("S2", "S2", "Europe/Paris"),
    ]


def test_what_a_kind_needs_and_knows_is_listed_where_nothing_feeds_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, "Store,Name\nS1,High Street\n")
    assert main(["import", str(file), "--kind", "locations", "--dry-run"]) == Exit.USAGE
    said = capsys.readouterr().err
    assert "mapping_incomplete" in said and "--map location=COLUMN" in said
    assert all(field in said for field in KINDS["locations"].fields)


def test_one_row_is_told_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["import", str(write(tmp_path, HEAD + "A,S1,1,2017-11-05,,\n")), "--map", SALES, "--dry-run"]) == Exit.OK
    )
    assert "1 row would become 1 event in" in capsys.readouterr().out


def test_memory_stays_flat_over_a_large_file(tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    with file.open("w") as handle:
        handle.write(HEAD)
        for number in range(20_000):
            handle.write(f"SKU-{number % 500},S{number % 7},1,2017-11-{number % 28 + 1:02},,R{number}\n")
    fitted = mapping.check(
        KINDS["sales"], mapping.pairs(SALES + ",receipt_line=Receipt", "--map"), {}, rows.header(file, Dialect()), ","
    )
    tracemalloc.start()
    try:
        count = sum(1 for _ in rows.read(file, KINDS["sales"], fitted, Dialect(), "demo"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 4_000_000


def test_a_dry_run_lists_every_bad_row_keeps_them_and_sends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, HEAD + "A,S1,1,2017-11-05,,\nB,S1,x,2017-11-05,,\nC,S1,y,2017-11-05,,\n")
    assert main(["import", str(file), "--map", SALES, "--dry-run", "--json"]) == Exit.FAILURE
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert (told["rows"], told["bad_rows"], told["events"], told["accepted"]) == (3, 2, 1, 0)
    assert "line 3, Qty" in printed.err
    assert "line 4, Qty" in printed.err
    kept = Path(told["rejects"]).read_text().splitlines()
    assert len(kept) == 3
    assert kept[1].startswith("3,Qty,")


def test_a_wrong_delimiter_is_told_with_the_right_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, "SKU;Store;Qty;Day\nA;S1;1;2017-11-05\n")
    assert main(["import", str(file), "--map", SALES, "--dry-run"]) == Exit.USAGE
    assert "give --delimiter ';'" in capsys.readouterr().err
