"""Whatever lies in a file, `./run import` reads rows, complains about rows, or refuses the file with a way out."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cli.errors import Trouble
from cli.import_csv import mapping, rows
from cli.import_csv.dialect import Dialect
from cli.import_csv.kinds import KINDS

HEAD = "SKU,Store,Qty,Day\n"
COLUMNS = "sku=SKU,location=Store,quantity=Qty,date=Day"
DIALECTS = [
    Dialect(time_zone=ZoneInfo("Pacific/Kiritimati")), Dialect(time_zone=ZoneInfo("America/Los_Angeles")),
    Dialect(encoding="utf-16"), Dialect(date_format="%Y"), Dialect(delimiter=";", decimal_comma=True),
]  # fmt: skip
cells = st.sampled_from(
    ["A", "F1", "2", "-1", "1e9", "9" * 40, '"', "", "2017-11-05", "0001-01-01", "9999-12-31T23:59:59", "0001", "\x00"]
)
tables = st.lists(st.lists(cells, min_size=1, max_size=5).map(",".join), max_size=4).map("\n".join)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("import") / "sales.csv"


@settings(deadline=None)
@given(tables.map(lambda text: (HEAD + text).encode()) | st.binary(max_size=200), st.sampled_from(DIALECTS))
@example((HEAD + "A,F1,1,0001-01-01\nA,F1,1,9999-12-31T23:59:59").encode(), DIALECTS[0])
@example((HEAD + "A,F1,1,0001-01-01\nA,F1,1,9999-12-31T23:59:59").encode(), DIALECTS[1])
@example(HEAD.encode("utf-16") + b"\x00", DIALECTS[2])
@example(b'"' + b"x" * 200_000, DIALECTS[0])
def test_no_bytes_do_more_than_be_refused(file: Path, content: bytes, dialect: Dialect) -> None:
    file.write_bytes(content)
    kind = KINDS["sales"]
    try:
        head = rows.header(file, dialect)
        fitted = mapping.check(kind, mapping.pairs(COLUMNS, "--map"), {}, head, dialect.delimiter)
        for row in rows.read(file, kind, fitted, dialect, "demo"):
            assert bool(row.events) != bool(row.complaints) or row.is_repeat
    except Trouble:
        pass  # it says what happened, why, and the way out by its type
