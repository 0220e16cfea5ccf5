"""A supplier's X12 855 (purchase order acknowledgment), of any release since 004010, as answers to orders. Times are UTC.

What a line's ACK01 says decides; a code that is not in `ACCEPTED` or `REFUSED` is asked about, not guessed.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from services.gateway.domain.order_papers.answers import LineAnswer, OrderAnswer, Status, decimal
from services.gateway.domain.order_papers.paper import PaperRefused

# BAK02. Without detail: received, or everything as ordered, or nothing of it.
STATUSES: Final[dict[str, Status]] = {
    "AK": "acknowledged", "AD": "confirmed", "AT": "confirmed", "AC": "confirmed", "AE": "confirmed",
    "RD": "failed", "RF": "failed", "RJ": "failed",
}  # fmt: skip
# ACK01: as ordered, quantity, price, changes, date, backordered, substitution; and what does not come.
ACCEPTED: Final = frozenset({"IA", "IQ", "IP", "IC", "DR", "IB", "IS"})
REFUSED: Final = frozenset({"IR", "ID"})
# ACK04: days on which goods are where they belong. Days of shipping say nothing of that.
DELIVERED: Final = frozenset({"002", "017", "067", "069", "371"})
SHIPPED: Final = frozenset({"010", "011", "037", "038", "068", "079", "106", "118"})
HEADER_LENGTH: Final = 106
Segment = list[str]


def read(body: bytes) -> list[OrderAnswer]:
    """The answers of an interchange, one for each 855 in it. Raises PaperRefused."""
    segments = _segments(body)
    sender = "/".join(_at(segments[0], place).strip() for place in (5, 6, 13))
    stamp = _stamp(segments)
    answers, begin = [], None
    for at, segment in enumerate(segments):
        if segment[0] == "ST":
            if begin is not None:
                raise PaperRefused(
                    f"segment {at + 1}", "a transaction set begins before the one before it has ended (SE)"
                )
            begin = at
        elif segment[0] == "SE":
            if begin is None or _at(segment, 1) != str(at - begin + 1) or _at(segment, 2) != _at(segments[begin], 2):
                raise PaperRefused(
                    f"segment {at + 1}", "SE does not count the segments, or repeat the number, of its transaction set"
                )
            answers.append(_answer(segments[begin : at + 1], begin, f"x12/{sender}", stamp))
            begin = None
    if begin is not None or segments[-1][0] != "IEA" or _at(segments[-1], 2) != _at(segments[0], 13):
        raise PaperRefused("IEA", "the interchange is cut off: its end, with the control number of ISA13, is missing")
    if not answers:
        raise PaperRefused("ST", "there is no transaction set in the interchange")
    return answers


def _segments(body: bytes) -> list[Segment]:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PaperRefused("", f"the text is not UTF-8 at byte {error.start + 1}") from error
    text = text.lstrip("\ufeff \r\n")
    if not text.startswith("ISA") or len(text) < HEADER_LENGTH:
        raise PaperRefused("ISA", f"an X12 interchange begins with an ISA segment of {HEADER_LENGTH} characters")
    element, end = text[3], text[HEADER_LENGTH - 1]
    if text[:HEADER_LENGTH].count(element) != 16 or element == end:
        raise PaperRefused("ISA", f"does not have its 16 elements in its first {HEADER_LENGTH} characters")
    return [part.strip("\r\n").split(element) for part in text.split(end) if part.strip()]


def _stamp(segments: Sequence[Segment]) -> datetime:
    """When the interchange was made."""
    text = _at(segments[0], 9) + _at(segments[0], 10)
    try:
        return datetime.strptime(text, "%y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError as error:
        raise PaperRefused("ISA09", f"{text!r} is no date and time (YYMMDD, HHMM)") from error


def _answer(segments: Sequence[Segment], first: int, sender: str, stamp: datetime) -> OrderAnswer:
    place = f"ST {_at(segments[0], 2)}"
    if _at(segments[0], 1) != "855":
        raise PaperRefused(place, f"is a transaction set {_at(segments[0], 1)!r}; an answer to an order is an 855")
    head = next((one for one in segments if one[0] == "BAK"), None)
    if head is None or not _at(head, 3):
        raise PaperRefused(f"{place}.BAK03", "is missing: the number of the order that is answered")
    if _at(head, 1) not in ("00", "06", "11"):
        raise PaperRefused(
            f"{place}.BAK01", f"{_at(head, 1)!r} is not mapped; 00, 06 and 11 are first and confirming answers"
        )
    status = STATUSES.get(_at(head, 2))
    if status is None:
        raise PaperRefused(f"{place}.BAK02", f"{_at(head, 2)!r} is not mapped; {', '.join(STATUSES)} are")
    whole_id = next((_at(one, 2) for one in segments if one[0] == "REF" and _at(one, 1) == "CO" and _at(one, 2)), None)
    lines = [
        _line(segments[at], _following(segments[at + 1 :]), f"{place}.PO1 {_at(segments[at], 1) or first + at + 1}")
        for at, segment in enumerate(segments)
        if segment[0] == "PO1"
    ]
    return OrderAnswer(place, f"{sender}/{_at(segments[0], 2)}", whole_id or _at(head, 3), status, stamp, tuple(lines))


def _following(segments: Sequence[Segment]) -> list[Segment]:
    """The ACK segments of a line, up to the next one."""
    found = []
    for segment in segments:
        if segment[0] in ("PO1", "CTT", "SE"):
            break
        if segment[0] == "ACK":
            found.append(segment)
    return found


def _line(line: Segment, said: Sequence[Segment], place: str) -> LineAnswer:
    number = int(_at(line, 1)) if _at(line, 1).isascii() and _at(line, 1).isdigit() and len(_at(line, 1)) < 7 else None
    codes = tuple(line[at + 1] for at in range(6, len(line) - 1, 2) if line[at + 1])
    price = decimal(_at(line, 4), f"{place}.PO104") if _at(line, 4) else None
    if not said:
        quantity = decimal(_at(line, 2), f"{place}.PO102") if _at(line, 2) else None
        return LineAnswer(place, number, codes, quantity, _at(line, 3) or None, unit_cost=price)
    parts = [_part(ack, line, place) for ack in said]
    comes = [(quantity, day) for quantity, day in parts if quantity is None or quantity > 0]
    if len(parts) > 1 and any(quantity is None for quantity, _ in parts):
        raise PaperRefused(f"{place}.ACK02", "is missing: a line answered in parts says how much each part is")
    days = {day for _, day in comes}
    if len(days) > 1:
        raise PaperRefused(
            f"{place}.ACK05",
            "names several days for one line; an order's line has one: send order.updated.v1 when it is known",
        )
    quantities = [quantity for quantity, _ in parts if quantity is not None]
    meanings = {_at(ack, 1) for ack in said}
    substitutes = {_substitute(ack, place) for ack in said if _at(ack, 1) == "IS"}
    if len(substitutes) > 1 or (substitutes and len(said) > 1):
        raise PaperRefused(f"{place}.ACK08", "a line comes as one other product as a whole, or as ordered")
    return LineAnswer(
        place,
        number,
        codes,
        sum(quantities, Decimal(0)) if quantities else None,
        next((_at(ack, 3) for ack in said if _at(ack, 3)), _at(line, 3)) or None,
        next(iter(days), None),
        price if meanings & {"IP", "IC"} else None,
        substitute=next(iter(substitutes), None),
    )


def _part(ack: Segment, line: Segment, place: str) -> tuple[Decimal | None, date | None]:
    """How much comes and when, None: as ordered."""
    code = _at(ack, 1)
    if code in REFUSED:
        return Decimal(0), None
    if code not in ACCEPTED:
        known = ", ".join(sorted(ACCEPTED | REFUSED))
        raise PaperRefused(f"{place}.ACK01", f"{code!r} is not mapped; {known} are")
    quantity = decimal(_at(ack, 2), f"{place}.ACK02") if _at(ack, 2) else None
    if quantity is None and code in ("IQ", "IS"):
        raise PaperRefused(f"{place}.ACK02", f"is missing: {code} changes what comes, and to how much is not said")
    if code == "IP" and not _at(line, 4):
        raise PaperRefused(f"{place}.PO104", "is missing: IP changes the price, and to what is not said")
    day = _day(ack, place)
    if day is None and code in ("DR", "IB"):
        raise PaperRefused(f"{place}.ACK05", f"is missing: {code} moves the delivery, and to which day is not said")
    return quantity, day


def _day(ack: Segment, place: str) -> date | None:
    qualifier, text = _at(ack, 4), _at(ack, 5)
    if not text or qualifier in SHIPPED:
        return None
    if qualifier not in DELIVERED:
        known = ", ".join(sorted(DELIVERED))
        raise PaperRefused(f"{place}.ACK04", f"{qualifier!r} is no day of delivery; {known} are")
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day of a calendar has no zone
    except ValueError as error:
        raise PaperRefused(f"{place}.ACK05", f"{text!r} is no date (CCYYMMDD)") from error


def _substitute(ack: Segment, place: str) -> str:
    code = next((ack[at + 1] for at in range(7, len(ack) - 1, 2) if ack[at + 1]), None)
    if code is None:
        raise PaperRefused(f"{place}.ACK08", "is missing: IS sends another product, and which is not said")
    return code


def _at(segment: Segment, place: int) -> str:
    return segment[place] if place < len(segment) else ""
