"""An order as a paper: what every format writes of it, and what no format can write, with the reason."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from kernel import gtin

# UNECE Recommendation 20 (UBL) and X12 data element 355, of the units our contracts and EPCIS know.
UNECE: Final = {"each": "EA", "kg": "KGM", "g": "GRM", "l": "LTR", "m": "MTR"}
X12_UNITS: Final = {"each": "EA", "kg": "KG", "g": "GR", "l": "LT", "m": "MR"}
# What goes to a supplier. Transfers and allocations stay in the house and are read as CSV or events.
TO_SUPPLIERS: Final = frozenset({"purchase_order", "change", "cancel"})
# An X12 order number has 22 characters at most, an order id of ours 39: the prefix and half of the digits behind it.
_ORDER_ID: Final = re.compile(r"([A-Z]{2})-([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})")
_SHORT: Final = re.compile(r"([A-Z]{2})-([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{2})", re.IGNORECASE)


class PaperRefused(ValueError):
    """This order, or this answer, has no such paper: `field` names the place, `reason` says what is wrong and what would be
    right."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.field = place
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PaperLine:
    """One line. `gtin` (14 digits) and `supplier_code` only where exactly one is known."""

    line_no: int
    sku: str
    name: str
    quantity: Decimal
    unit: str
    unit_cost: Decimal
    value: Decimal
    gtin: str | None = None
    supplier_code: str | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """An order, with the names a person reads. `changes_order`: the order that a change or cancellation is about."""

    order_id: str
    kind: str
    buyer: str
    supplier: str | None
    supplier_name: str | None
    location: str
    location_name: str | None
    order_on: date
    arrive_on: date
    released_at: datetime
    currency: str
    value: Decimal
    lines: tuple[PaperLine, ...]
    changes_order: str | None = None


def seller_of(paper: Paper) -> str:
    """The supplier the paper goes to. Raises PaperRefused for an order that goes to none."""
    if paper.kind not in TO_SUPPLIERS or paper.supplier is None:
        raise PaperRefused("kind", f"{paper.kind} {paper.order_id} goes to no supplier; take it as CSV")
    return paper.supplier


def unit_code(line: PaperLine, codes: dict[str, str]) -> str:
    """The unit as the format writes it. Raises PaperRefused: a unit nobody defined is not guessed."""
    if line.unit not in codes:
        known = ", ".join(codes)
        raise PaperRefused(
            f"lines.{line.line_no}.unit", f"{line.unit!r} has no code there ({known} have); take the order as CSV"
        )
    return codes[line.unit]


def plain(value: Decimal) -> str:
    """A decimal as every format takes it: no exponent, no zeros behind."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def order_number(order_id: str) -> str:
    """What an order is called where 22 characters are all there is. Ids from elsewhere that fit stay as they are. Raises
    PaperRefused."""
    match = _ORDER_ID.fullmatch(order_id)
    if match is not None:
        prefix, *digits = match.groups()
        return f"{prefix}-{''.join(digits)[:18]}"
    if len(order_id) > 22:
        raise PaperRefused("order_id", f"{order_id!r} is longer than the 22 characters of an X12 order number")
    return order_id


def order_id_start(number: str) -> str | None:
    """The characters with which the id of the order of this number begins; None when it is no number of `order_number`."""
    match = _SHORT.fullmatch(number)
    if match is None:
        return None
    prefix, *digits = match.groups()
    return f"{prefix.upper()}-{'-'.join(digits).lower()}"


def item_codes(line: PaperLine) -> frozenset[str]:
    """Every code by which the other side may name the line's item."""
    names = {line.sku, line.supplier_code, line.gtin} - {None}
    return frozenset(gtin.canonical(name) or name for name in names if name)
