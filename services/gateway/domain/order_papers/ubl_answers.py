"""A supplier's UBL 2.1 (or later 2.x) OrderResponse as the answer to an order. Codes of response: UNCL 4343, as Peppol BIS
Ordering 3 uses it; of lines: UNCL 1229. A time without a zone is UTC.
"""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from services.gateway.domain.order_papers.answers import LineAnswer, OrderAnswer, Status, decimal
from services.gateway.domain.order_papers.paper import PaperRefused
from services.gateway.domain.order_papers.ubl import NAMESPACE

ROOT: Final = f"{{{NAMESPACE}:OrderResponse-2}}OrderResponse"
CAC, CBC = f"{{{NAMESPACE}:CommonAggregateComponents-2}}", f"{{{NAMESPACE}:CommonBasicComponents-2}}"
STATUSES: Final[dict[str, Status]] = {"AB": "acknowledged", "AP": "confirmed", "CA": "confirmed", "RE": "failed"}
# UNCL 1229: changed, accepted without amendment, not accepted.
CHANGED, AS_ORDERED, NOT_ACCEPTED = "3", "5", "7"


def read(body: bytes) -> list[OrderAnswer]:
    """The one answer of the document. Raises PaperRefused."""
    root = _parsed(body)
    if root.tag != ROOT:
        raise PaperRefused(
            "", f"the document is a {root.tag.rpartition('}')[2]}; an answer to an order is an OrderResponse"
        )
    number = _text(root, f"{CAC}OrderReference/{CBC}ID")
    if len(root.findall(f"{CAC}OrderReference")) != 1 or not number:
        raise PaperRefused("OrderReference.ID", "one order is answered at a time, named by the ID it was sent with")
    code = _text(root, f"{CBC}OrderResponseCode")
    status = STATUSES.get(code)
    if status is None:
        raise PaperRefused("OrderResponseCode", f"{code!r} is not mapped; {', '.join(STATUSES)} are")
    lines = tuple(_line(line, at) for at, line in enumerate(root.findall(f"{CAC}OrderLine")))
    if code == "CA" and not lines:
        raise PaperRefused("OrderLine", "is missing: the order is accepted with changes, and which is not said")
    sender = _text(root, f"{CAC}SellerSupplierParty/{CAC}Party/{CAC}PartyIdentification/{CBC}ID")
    document = _text(root, f"{CBC}ID")
    if not document:
        raise PaperRefused("ID", "is missing: without it the same document sent twice would be two answers")
    note = _text(root, f"{CBC}Note")
    day = _delivery(root, "")
    return [OrderAnswer("", f"ubl/{sender}/{document}", number, status, _said_at(root), lines, day, note or None)]


def _parsed(body: bytes) -> Element:
    """The root element. A document type declaration is refused: entities are how a small document becomes a huge one, or
    reads a file. Raises PaperRefused."""
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise PaperRefused("", "the document has a document type declaration (DOCTYPE); UBL has none")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda tag, attributes: builder.start(_tag(tag), attributes)
    parser.EndElementHandler = lambda tag: builder.end(_tag(tag))
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise PaperRefused("", f"the document is not well-formed XML: {error}") from error
    except PaperRefused:
        raise
    except (LookupError, ValueError) as error:
        raise PaperRefused("", "the document declares an encoding nobody knows; UBL is UTF-8") from error
    return builder.close()


def _tag(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def _line(line: Element, at: int) -> LineAnswer:
    item = line.find(f"{CAC}LineItem")
    if item is None:
        raise PaperRefused(f"OrderLine.{at}.LineItem", "is missing")
    place = f"OrderLine.{at}"
    number = _text(line, f"{CAC}OrderLineReference/{CBC}LineID") or _text(item, f"{CBC}ID")
    status = _text(item, f"{CBC}LineStatusCode")
    if status not in ("", CHANGED, AS_ORDERED, NOT_ACCEPTED):
        raise PaperRefused(
            f"{place}.LineStatusCode", f"{status!r} is not mapped; {CHANGED}, {AS_ORDERED}, {NOT_ACCEPTED} are"
        )
    quantity, price = item.find(f"{CBC}Quantity"), item.find(f"{CAC}Price/{CBC}PriceAmount")
    comes = None
    if status == NOT_ACCEPTED:
        comes = Decimal(0)
    elif quantity is not None and status != AS_ORDERED:
        comes = decimal((quantity.text or "").strip(), f"{place}.Quantity")
    is_priced = price is not None and status not in (AS_ORDERED, NOT_ACCEPTED)
    other = line.find(f"{CAC}SellerSubstitutedLineItem/{CAC}Item")
    others = _codes(other) if other is not None else ()
    if other is not None and not others:
        raise PaperRefused(f"{place}.SellerSubstitutedLineItem", "names no product")
    return LineAnswer(
        place,
        int(number) if number.isascii() and number.isdigit() and len(number) < 7 else None,
        _codes(item.find(f"{CAC}Item")),
        comes,
        quantity.get("unitCode") if quantity is not None and comes else None,
        _delivery(item, f"{place}."),
        decimal((price.text or "").strip(), f"{place}.Price") if is_priced and price is not None else None,
        price.get("currencyID") if price is not None else None,
        others[0] if others else None,
    )


def _codes(item: Element | None) -> tuple[str, ...]:
    if item is None:
        return ()
    found = (_text(item, f"{CAC}{who}ItemIdentification/{CBC}ID") for who in ("Buyers", "Standard", "Sellers"))
    return tuple(code for code in found if code)


def _delivery(parent: Element, place: str) -> date | None:
    """The last day of the promised delivery."""
    period = parent.find(f"{CAC}Delivery/{CAC}PromisedDeliveryPeriod")
    if period is None:
        return None
    text = _text(period, f"{CBC}EndDate") or _text(period, f"{CBC}StartDate")
    return _date(text, f"{place}PromisedDeliveryPeriod") if text else None


def _said_at(root: Element) -> datetime:
    day, text = _date(_text(root, f"{CBC}IssueDate"), "IssueDate"), _text(root, f"{CBC}IssueTime")
    try:
        moment = datetime.combine(day, time.fromisoformat(text) if text else time(0))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:  # no time, or one on the other side of year 1
        raise PaperRefused("IssueTime", f"{text!r} is no time of {day}") from error


def _date(text: str, place: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise PaperRefused(place, f"{text!r} is no date (YYYY-MM-DD)") from error


def _text(parent: Element, path: str) -> str:
    return (parent.findtext(path) or "").strip()[:300]
