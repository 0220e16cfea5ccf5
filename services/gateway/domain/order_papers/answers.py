"""What a supplier's document answers to one order, held against that order: the same for every format."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from kernel import gtin
from services.gateway.domain.order_papers.paper import Paper, PaperLine, PaperRefused, item_codes, plain

Status = Literal["acknowledged", "confirmed", "failed"]
# What our contracts take (schemas.base): nothing is rounded and nothing overflows.
_DIGITS_MAX: Final = 16
_PLACES_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """What is said about one line. `place` names it in the document; `codes` are all names it gives the item. None: nothing
    is said, so it is as ordered. `unit`: in which the quantity is counted."""

    place: str
    number: int | None
    codes: tuple[str, ...]
    quantity: Decimal | None = None
    unit: str | None = None
    arrive_on: date | None = None
    unit_cost: Decimal | None = None
    currency: str | None = None
    substitute: str | None = None


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """The answer to the order known by `number` (its id, or its X12 number). `document`: what makes this document another than
    the next one of its sender. `arrive_on`: for all lines that say nothing else."""

    place: str
    document: str
    number: str
    status: Status
    said_at: datetime
    lines: tuple[LineAnswer, ...] = ()
    arrive_on: date | None = None
    note: str | None = None


def update(answer: OrderAnswer, paper: Paper, units: dict[str, str]) -> dict[str, Any]:
    """The body of the `order.updated.v1` that says the same. Raises PaperRefused for what does not fit the order.

    A document may carry a day and no time: an answer is never earlier than the order it answers.
    """
    if paper.supplier is None:
        raise PaperRefused(
            f"{answer.place}.order".lstrip("."), f"{paper.order_id} went to no supplier; no supplier answers it"
        )
    lines = [_line(line, answer, paper, units) for line in answer.lines] if answer.status == "confirmed" else []
    if answer.status == "confirmed" and not lines and answer.arrive_on is not None:
        lines = [
            {"sku": line.sku, "quantity": plain(line.quantity), "arrive_on": answer.arrive_on.isoformat()}
            for line in paper.lines
        ]
    named = [line["sku"] for line in lines]
    twice = next((sku for at, sku in enumerate(named) if sku in named[:at]), None)
    if twice is not None:
        raise PaperRefused(
            f"{answer.place}.lines".lstrip("."), f"{twice} of {paper.order_id} is answered twice, in two ways"
        )
    if paper.changes_order is not None:
        lines = _as_a_whole(lines, answer, paper)
    body: dict[str, Any] = {
        "order_id": paper.order_id,
        "status": answer.status,
        "location": paper.location,
        "business_date": answer.said_at.date().isoformat(),
        "updated_at": max(answer.said_at, paper.released_at).isoformat(),
        "lines": lines,
    }
    return body | ({"note": answer.note[:200]} if answer.note else {})


def _as_a_whole(lines: list[dict[str, Any]], answer: OrderAnswer, paper: Paper) -> list[dict[str, Any]]:
    """A change is agreed to or not; agreeing to another one would be a third order."""
    asked = {line.sku: plain(line.quantity) for line in paper.lines}
    for line in lines:
        if line["quantity"] != asked[line["sku"]] or {"unit_cost", "substitute_sku"} & set(line):
            raise PaperRefused(
                f"{answer.place}.lines".lstrip("."),
                f"{paper.order_id} changes {paper.changes_order}: it is accepted or rejected as a whole, and {line['sku']} is not",
            )
    return []


def _line(line: LineAnswer, answer: OrderAnswer, paper: Paper, units: dict[str, str]) -> dict[str, Any]:
    ordered = _ordered(line, paper)
    if line.quantity is not None and line.unit is not None and line.unit != units.get(ordered.unit):
        raise PaperRefused(
            f"{line.place}.quantity",
            f"{ordered.sku} was ordered in {units.get(ordered.unit, ordered.unit)} and is answered in {line.unit}; nothing is converted",
        )
    if line.currency is not None and line.unit_cost is not None and line.currency != paper.currency:
        raise PaperRefused(
            f"{line.place}.price", f"is in {line.currency}; {paper.order_id} was ordered in {paper.currency}"
        )
    said: dict[str, Any] = {
        "sku": ordered.sku,
        "quantity": plain(ordered.quantity if line.quantity is None else line.quantity),
    }
    arrives = line.arrive_on or answer.arrive_on
    if arrives is not None:
        said["arrive_on"] = arrives.isoformat()
    if line.unit_cost is not None:
        said["unit_cost"] = plain(line.unit_cost)
    if line.substitute is not None:
        said["substitute_sku"] = line.substitute
    return said


def _ordered(line: LineAnswer, paper: Paper) -> PaperLine:
    """The order's line that is meant: by its item, by its number, and if both are said, by both."""
    codes = {gtin.canonical(code) or code for code in line.codes}
    by_code = {one.line_no: one for one in paper.lines if codes & item_codes(one)}
    by_number = {one.line_no: one for one in paper.lines if one.line_no == line.number}
    meant = by_code or by_number
    if by_code and by_number:
        meant = {no: one for no, one in by_code.items() if no in by_number}
    if by_number and codes and not by_code:
        # A number alone could be the sender's own count of lines; the item it names is none of these.
        meant = {}
    if len(meant) != 1:
        called = ", ".join(sorted(line.codes)) or "no item"
        raise PaperRefused(
            line.place,
            f"line {line.number or 'without a number'} ({called}) is no single line of {paper.order_id}; name the item by the code"
            " it was ordered by",
        )
    return next(iter(meant.values()))


def decimal(text: str, place: str) -> Decimal:
    """A number not below 0, of as many digits as our contracts take. Raises PaperRefused."""
    try:
        value = Decimal(text) if len(text) <= 2 * _DIGITS_MAX else None
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or value < 0 or value >= Decimal(10) ** (_DIGITS_MAX - _PLACES_MAX):
        raise PaperRefused(place, f"{text[:40]!r} is no number between 0 and {_DIGITS_MAX - _PLACES_MAX} digits")
    rounded = round(value, _PLACES_MAX)
    if rounded != value:
        raise PaperRefused(place, f"{text[:40]!r} has more than {_PLACES_MAX} digits behind the point")
    return rounded
