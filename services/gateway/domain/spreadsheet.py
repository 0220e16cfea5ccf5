"""CSV that a spreadsheet opens without running it: no cell starts a formula."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

# What Excel, LibreOffice and Google Sheets take for the start of a formula (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# Excel reads a file as UTF-8 only when it starts with this mark.
BYTE_ORDER_MARK = "\ufeff"


def safe_cell(value: object) -> str:
    """The cell as text; a text that would start a formula gets an apostrophe in front. Numbers keep their minus sign."""
    text = "" if value is None else str(value)
    if text.startswith(_FORMULA_STARTS) and not _is_number(text):
        return "'" + text
    return text


def _is_number(text: str) -> bool:
    return (
        text.replace("-", "", 1).replace(".", "", 1).isascii()
        and text.replace("-", "", 1).replace(".", "", 1).isdigit()
    )


def write_rows(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """A CSV text with a header, a byte order mark and CRLF lines (RFC 4180)."""
    out = io.StringIO()
    out.write(BYTE_ORDER_MARK)
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(row.get(column)) for column in columns])
    return out.getvalue()
