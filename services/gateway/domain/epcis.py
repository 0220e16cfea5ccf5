"""EPCIS 2.0 events as stock movements and counts: what happened to which GTIN at which GLN, and how many.

Source: EPCIS 2.0 and CBV 2.0 (GS1, 2022), JSON-LD binding. Steps that move nothing into or out of a place's stock are
understood and have no effect; whatever could mean two things is refused with a reason, never guessed.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from services.gateway.domain.epcis_ids import EpcisRefused, gln_of, gtin_of

RECEIVING, SHIPPING, VOID_SHIPPING = "receiving", "shipping", "void_shipping"
COUNTING: Final = frozenset({"cycle_counting", "stock_taking", "inventory_check"})
# New goods of a class at a place, and goods that end there.
CREATING: Final = frozenset({"commissioning", "creating_class_instance"})
ENDING: Final = frozenset({"decommissioning", "destroying", "dispensing", "killing"})
# Where goods are, what state they are in, or what they are packed with: the stock of the place stays what it is.
WITHOUT_EFFECT: Final = frozenset(
    {
        "accepting", "arriving", "collecting", "consigning", "departing", "encoding", "entering_exiting", "holding", "inspecting",
        "loading", "packing", "picking", "removing", "repairing", "sampling", "sensor_reporting", "staging_outbound", "stocking",
        "storing", "transporting", "unloading", "unpacking", "other",
    }
)  # fmt: skip
# With these, goods are lost to the place although nothing was shipped.
LOST: Final = frozenset({"destroyed", "disposed", "stolen"})
# UNECE Recommendation 20, and what our contracts call it.
UNITS: Final[Mapping[str, str]] = {
    "": "each", "EA": "each", "C62": "each", "H87": "each", "PCE": "each", "KGM": "kg", "GRM": "g", "LTR": "l", "MTR": "m",
}  # fmt: skip
_VOCABULARY = re.compile(
    r"^(?:urn:epcglobal:cbv:(?:bizstep|disp|btt|sdt):|(?:https?://(?:ref|ns)\.gs1\.org/cbv/|cbv:)(?:BizStep|Disp|BTT|SDT)-)"
)
# What our contracts take, so that nothing is rounded, overflows, or is written out with a million zeros.
_QUANTITY = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,4}0{0,12})?")
_OFFSET = re.compile(r"^([+-])(\d\d):(\d\d)$")
TYPES: Final = {
    "ObjectEvent": ("epcList", "quantityList"),
    "TransactionEvent": ("epcList", "quantityList"),
    "AggregationEvent": ("childEPCs", "childQuantityList"),
}
LINES_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of an event: a count when `kind` is None, else a movement of that kind. Quantity in `unit`."""

    gtin: str
    location: str
    kind: str | None
    quantity: Decimal
    unit: str
    at: datetime
    business_date: date
    order_id: str | None = None
    counterpart: str | None = None
    note: str | None = None


def movements(event: Any) -> list[Movement]:
    """What an event moves or counts; nothing when it has no effect on stock. Raises EpcisRefused."""
    if not isinstance(event, dict):
        raise EpcisRefused("", "an EPCIS event is a JSON object")
    kind = _word(event, "type") or _word(event, "isA")
    if kind not in TYPES:
        known = ", ".join(sorted(TYPES))
        raise EpcisRefused(
            "type", f"{kind!r} is not mapped to stock; {known} are. Send stock.moved.v1 to /v1/events instead"
        )
    if event.get("errorDeclaration") is not None:
        raise EpcisRefused("errorDeclaration", "is not undone here; send the opposite movement, or a count")
    at, business_date = _when(event)
    step = _vocabulary(_word(event, "bizStep"))
    direction = _direction(event, step)
    if direction is None:
        return []
    movement_kind, sign, counterpart = direction
    place = "readPoint" if step in (SHIPPING, VOID_SHIPPING) else "bizLocation"
    location = _place(event, place) or _place(event, "readPoint") or _place(event, "bizLocation")
    if location is None:
        raise EpcisRefused(place, "is missing: it says whose stock changes")
    order_id = _order(event) if movement_kind == "receipt" else None
    return [
        Movement(code, location, movement_kind, sign * quantity, unit, at, business_date, order_id, counterpart, step)
        for (code, unit), quantity in sorted(_quantities(event, TYPES[kind], is_count=movement_kind is None).items())
    ]


def _direction(event: Mapping[str, Any], step: str) -> tuple[str | None, int, str | None] | None:
    """(kind, sign, other place) of what the step does; None for no effect; kind None for a count. Raises EpcisRefused."""
    source, destination = _party(event, "source", "location"), _party(event, "destination", "location")
    if step == RECEIVING:
        # Goods that change hands come from a supplier; goods that do not, from another place of ours.
        is_own = source is not None and not _changes_owner(event) and _order(event) is None and _says_owner(event)
        return ("transfer_in", 1, source) if is_own else ("receipt", 1, None)
    if step == SHIPPING:
        is_own = destination is not None and not _changes_owner(event) and _says_owner(event)
        return ("transfer_out", 1, destination) if is_own else ("shipment", 1, None)
    if step == VOID_SHIPPING:
        return "adjustment", 1, None
    if step in COUNTING:
        return None, 1, None
    if step in CREATING:
        return "adjustment", 1, None
    if step in ENDING:
        return "adjustment", -1, None
    if step == "retail_selling":
        raise EpcisRefused(
            "bizStep", "is a sale: send it as sale.recorded.v1 to /v1/events, which the till does already"
        )
    if not step:
        raise EpcisRefused("bizStep", "is missing: without it nobody knows what the event did to the stock")
    if step not in WITHOUT_EFFECT:
        raise EpcisRefused("bizStep", f"{step!r} is not mapped to stock; send stock.moved.v1 to /v1/events instead")
    if _vocabulary(_word(event, "disposition")) in LOST:
        return "adjustment", -1, None
    return None


def _when(event: Mapping[str, Any]) -> tuple[datetime, date]:
    """The instant, and the day it was at the place: the business date."""
    text = _word(event, "eventTime")
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise EpcisRefused("eventTime", "must be an RFC 3339 time such as 2017-11-05T18:04:11Z") from error
    if at.tzinfo is None:
        raise EpcisRefused("eventTime", "needs an offset, for example 2017-11-05T18:04:11Z")
    found = _OFFSET.match(_word(event, "eventTimeZoneOffset"))
    if found is None or int(found[2]) > 14 or int(found[3]) > 59:
        raise EpcisRefused(
            "eventTimeZoneOffset", "must be the offset of the place, such as -06:00; it makes the business date"
        )
    minutes = (int(found[2]) * 60 + int(found[3])) * (-1 if found[1] == "-" else 1)
    try:
        return at, at.astimezone(timezone(timedelta(minutes=minutes))).date()
    except OverflowError as error:
        raise EpcisRefused("eventTime", "lies before the first or behind the last day of the calendar") from error


def _quantities(event: Mapping[str, Any], names: tuple[str, str], *, is_count: bool) -> dict[tuple[str, str], Decimal]:
    """Units by GTIN and unit: one for each serial number, and the quantities of classes. Raises EpcisRefused."""
    singles, classes = (_list(event, name) for name in names)
    if len(singles) + len(classes) > LINES_MAX:
        raise EpcisRefused(names[0], f"the event names more than {LINES_MAX} things; split it")
    found: Counter[tuple[str, str]] = Counter()
    sums: dict[tuple[str, str], Decimal] = {}
    for number, identifier in enumerate(singles):
        place = f"{names[0]}.{number}"
        if not isinstance(identifier, str):
            raise EpcisRefused(place, "must be an identifier")
        found[gtin_of(identifier, place), "each"] += 1
    for key, count in found.items():
        sums[key] = Decimal(count)
    for number, element in enumerate(classes):
        place = f"{names[1]}.{number}"
        if not isinstance(element, dict):
            raise EpcisRefused(place, "must be an object with epcClass and quantity")
        unit = UNITS.get(_word(element, "uom", place))
        if unit is None:
            raise EpcisRefused(f"{place}.uom", f"{element['uom']!r} is not known; {', '.join(filter(None, UNITS))} are")
        key = gtin_of(_word(element, "epcClass", place), f"{place}.epcClass"), unit
        sums[key] = sums.get(key, Decimal(0)) + _quantity(
            element.get("quantity"), f"{place}.quantity", is_count=is_count
        )
    if not sums:
        raise EpcisRefused(names[1], f"neither {names[0]} nor {names[1]} names anything")
    return sums


def _quantity(value: Any, place: str, *, is_count: bool) -> Decimal:
    written = str(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    if _QUANTITY.fullmatch(written) is None or (Decimal(written) == 0 and not is_count):
        raise EpcisRefused(
            place, "must be a number above 0 (a count may be 0), of at most 12 digits before the point and 4 behind it"
        )
    return Decimal(written)


def _place(event: Mapping[str, Any], name: str) -> str | None:
    """The GLN of a readPoint or bizLocation, given plainly or as {id}."""
    value = event.get(name)
    value = value.get("id") if isinstance(value, dict) else value
    if value is None:
        return None
    if not isinstance(value, str):
        raise EpcisRefused(name, "must be a location's identifier, or an object with its id")
    return gln_of(value, name)


def _party(event: Mapping[str, Any], side: str, kind: str) -> str | None:
    """The GLN of this kind in sourceList or destinationList."""
    for number, entry in enumerate(_list(event, f"{side}List")):
        if isinstance(entry, dict) and _vocabulary(_word(entry, "type")) == kind:
            return gln_of(_word(entry, side), f"{side}List.{number}.{side}")
    return None


def _changes_owner(event: Mapping[str, Any]) -> bool:
    return _owner(event, "source") != _owner(event, "destination")


def _says_owner(event: Mapping[str, Any]) -> bool:
    return _owner(event, "source") is not None


def _owner(event: Mapping[str, Any], side: str) -> str | None:
    return _party(event, side, "owning_party")


def _order(event: Mapping[str, Any]) -> str | None:
    """Our order's number: the last part of a purchase order's identifier."""
    for entry in _list(event, "bizTransactionList"):
        if isinstance(entry, dict) and _vocabulary(_word(entry, "type")) == "po":
            number = re.split(r"[:/]", _word(entry, "bizTransaction").rstrip("/"))[-1]
            if not number or len(number) > 64 or not number.isprintable():
                raise EpcisRefused("bizTransactionList", "the purchase order has no number of at most 64 characters")
            return number
    return None


def _list(event: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = event.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise EpcisRefused(name, "must be a list")
    return value


def _word(event: Mapping[str, Any], name: str, place: str = "") -> str:
    value = event.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 300:
        raise EpcisRefused(f"{place}.{name}" if place else name, "must be a text of at most 300 characters")
    return value


def _vocabulary(word: str) -> str:
    """A word of the Core Business Vocabulary without the namespace it was written in."""
    return _VOCABULARY.sub("", word)
