"""Orders as ANSI X12 005010: 850 (purchase order), or 860 (purchase order change) for what changes or cancels one.

The control numbers follow from the order: the same order taken twice is the same interchange, and a receiver that has it
already says so. Times are UTC.
"""

import unicodedata
from collections.abc import Iterator
from datetime import UTC
from hashlib import sha256
from typing import Final

from services.gateway.domain.order_papers.paper import (
    X12_UNITS,
    Paper,
    PaperLine,
    PaperRefused,
    order_number,
    plain,
    seller_of,
    unit_code,
)

MEDIA_TYPE: Final = "application/edi-x12"
ELEMENT, SEGMENT, COMPONENT, REPETITION = "*", "~", ">", "^"
_SEPARATORS: Final = frozenset((ELEMENT, SEGMENT, COMPONENT, REPETITION))
PARTY_MAX, CODE_MAX, NAME_MAX = 15, 80, 60
# POC02: changes to line items, delete item.
CHANGE_CODES: Final = {"change": "CA", "cancel": "DI"}

Segment = tuple[str, ...]


def write(paper: Paper) -> bytes:
    """The interchange. Raises PaperRefused when the order goes to no supplier, or X12 cannot say what is in it."""
    seller, buyer = _address("supplier", seller_of(paper)), _address("tenant", paper.buyer)
    is_change = paper.changes_order is not None
    released = paper.released_at.astimezone(UTC)
    control = str(int.from_bytes(sha256(paper.order_id.encode()).digest()[:8]) % 999_999_999 + 1)
    body = [("ST", "860" if is_change else "850", "0001"), *_heading(paper), *_lines(paper)]
    body += [("CTT", str(len(paper.lines))), ("SE", str(len(body) + 2), "0001")]
    segments: list[Segment] = [
        (
            "ISA", "00", " " * 10, "00", " " * 10, "ZZ", buyer.ljust(PARTY_MAX), "ZZ", seller.ljust(PARTY_MAX),
            released.strftime("%y%m%d"), released.strftime("%H%M"), REPETITION, "00501", control.zfill(9), "0", "P", COMPONENT,
        ),
        (
            "GS", "PC" if is_change else "PO", buyer, seller, released.strftime("%Y%m%d"), released.strftime("%H%M"), control,
            "X", "005010",
        ),
        *body,
        ("GE", "1", control),
        ("IEA", "1", control.zfill(9)),
    ]  # fmt: skip
    return "".join(f"{ELEMENT.join(segment).rstrip(ELEMENT)}{SEGMENT}\n" for segment in segments).encode("ascii")


def _heading(paper: Paper) -> Iterator[Segment]:
    day, arrival = paper.order_on.strftime("%Y%m%d"), paper.arrive_on.strftime("%Y%m%d")
    if paper.changes_order is not None:
        # What is changed is the order of that number; the change is answered under its own id.
        yield ("BCH", "04", "SA", order_number(paper.changes_order), "", "", day)
        yield ("CUR", "BY", paper.currency)
        yield ("REF", "CO", _code("changes_order", paper.changes_order))
        yield ("REF", "ZZ", _code("order_id", paper.order_id))
    else:
        yield ("BEG", "00", "SA", order_number(paper.order_id), "", day)
        yield ("CUR", "BY", paper.currency)
        yield ("REF", "CO", _code("order_id", paper.order_id))
    yield ("DTM", "002", arrival)
    yield ("N1", "BY", _name(paper.buyer), "92", _code("tenant", paper.buyer))
    supplier = seller_of(paper)
    yield ("N1", "SU", _name(paper.supplier_name or supplier), "92", _code("supplier", supplier))
    yield ("N1", "ST", _name(paper.location_name or paper.location), "92", _code("location", paper.location))


def _lines(paper: Paper) -> Iterator[Segment]:
    for line in paper.lines:
        quantity, unit, price = plain(line.quantity), unit_code(line, X12_UNITS), plain(line.unit_cost)
        if paper.kind in CHANGE_CODES:
            left = "0" if paper.kind == "cancel" else quantity
            yield ("POC", str(line.line_no), CHANGE_CODES[paper.kind], quantity, left, unit, price, "", *_codes(line))
        else:
            yield ("PO1", str(line.line_no), quantity, unit, price, "", *_codes(line))
        yield ("PID", "F", "", "", "", _name(line.name, 80))


def _codes(line: PaperLine) -> Iterator[str]:
    """Buyer's item number, vendor's item number, GTIN of 14 digits: qualifier and code of each that is known."""
    yield from ("IN", _code(f"lines.{line.line_no}.sku", line.sku))
    if line.supplier_code is not None:
        yield from ("VN", _code(f"lines.{line.line_no}.supplier_code", line.supplier_code))
    if line.gtin is not None:
        yield from ("UK", line.gtin)


def _address(place: str, code: str) -> str:
    if len(code) > PARTY_MAX:
        raise PaperRefused(place, f"{code!r} is longer than the {PARTY_MAX} characters of an X12 interchange address")
    return _code(place, code)


def _code(place: str, code: str) -> str:
    """A code as it is, or not at all: another code would be another thing. Raises PaperRefused."""
    if len(code) > CODE_MAX or not code.isascii() or not code.isprintable() or _SEPARATORS & set(code):
        raise PaperRefused(
            place, f"{code!r} cannot be written in X12: printable ASCII without * ~ > ^, {CODE_MAX} characters at most"
        )
    return code


def _name(text: str, longest: int = NAME_MAX) -> str:
    """A name for a person to read, in the letters X12 has."""
    plainer = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    safe = "".join(" " if letter in _SEPARATORS or not letter.isprintable() else letter for letter in plainer)
    return " ".join(safe.split())[:longest].strip() or "-"
