"""Rows of an item file as evidence: every field read exactly, every fault named with its field; nothing is guessed."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from services.policy.domain.evidence import Evidence, Forecast, Item, OpenOrder, Policy, Stock, Terms

ZERO = Decimal(0)
REQUIRED = ("sku", "location", "on_hand")
OPTIONAL = (
    "as_of", "reserved", "backorders", "open_orders", "unit", "price", "currency", "shelf_life_days", "abc_class", "active",
    "supplier", "lead_time_days", "lead_time_sd_days", "unit_cost", "moq", "pack", "price_breaks", "discount",
    "order_weekdays", "receipt_weekdays", "closed_on", "cut_off", "local_time", "volume_m3",
)  # fmt: skip
ABC = ("A", "B", "C")
DISCOUNTS = ("all_units", "incremental")
CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
DECIMALS_MAX = 4  # of money and quantities, as in every contract
STATUSES = ("approved", "released", "acknowledged", "confirmed", "shipped", "failed")


class RowFault(ValueError):
    """A field that cannot be read; args are (field, sentence)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One item-location of the file: its evidence and the space of one unit."""

    evidence: Evidence
    volume_m3: float


@dataclass(frozen=True, slots=True)
class BadRow:
    """One that cannot be read: it becomes a why-not, never an order."""

    sku: str
    location: str
    field: str
    says: str


Forecasts = Callable[[str, str], Forecast | None]


def rows_of(
    columns: Mapping[str, Sequence[Any]], forecasts: Forecasts, policy: Policy, tenant: str
) -> Iterator[Row | BadRow]:
    """One result per row, in order. Columns that are absent are as if they were empty; empty means unknown."""
    names = [name for name in (*REQUIRED, *OPTIONAL) if name in columns]
    for values in zip(*(columns[name] for name in names), strict=True):
        yield row_of(dict(zip(names, values, strict=True)), forecasts, policy, tenant)


def row_of(given: Mapping[str, Any], forecasts: Forecasts, policy: Policy, tenant: str) -> Row | BadRow:
    """One row as evidence, or the field that is wrong and why."""
    sku, location = _plain_text(given.get("sku")), _plain_text(given.get("location"))
    try:
        for name, text in (("sku", sku), ("location", location)):
            if not text:
                raise RowFault(name, "is empty; every row needs it")
        forecast = forecasts(sku, location)
        as_of = _day("as_of", given.get("as_of"))
        evidence = Evidence(
            tenant=tenant,
            sku=sku,
            location=location,
            as_of=as_of or (forecast.origin if forecast is not None else None),
            stock=Stock(
                _number("on_hand", given.get("on_hand"), needed=True),
                _number("reserved", given.get("reserved"), least=ZERO),
                _number("backorders", given.get("backorders")),
                0,
            ),
            open_orders=_orders(given.get("open_orders")),
            forecast=forecast,
            item=_item(given),
            terms=_terms(given),
            policy=policy,
        )
        if evidence.terms is not None and evidence.terms.cut_off is not None:
            evidence = replace(evidence, local_time=_moment("local_time", given.get("local_time")))
        volume = _number("volume_m3", given.get("volume_m3"), least=ZERO)
    except RowFault as fault:
        field, says = fault.args
        return BadRow(sku, location, field, f"{field} {says}"[:400])
    return Row(evidence, float(volume))


def _item(given: Mapping[str, Any]) -> Item:
    days = _whole("shelf_life_days", given.get("shelf_life_days"))
    return Item(
        unit=_plain_text(given.get("unit")) or "each",
        price=_maybe("price", given.get("price")),
        currency=_plain_text(given.get("currency")) or None,
        shelf_life_days=days,
        abc_class=_one_of("abc_class", given.get("abc_class"), ABC),
        active=_truth("active", given.get("active")),
    )


def _terms(given: Mapping[str, Any]) -> Terms | None:
    supplier = _plain_text(given.get("supplier"))
    if not supplier:
        return None
    return Terms(
        supplier=supplier,
        lead_time_days=_whole("lead_time_days", given.get("lead_time_days")),
        lead_time_sd_days=_number("lead_time_sd_days", given.get("lead_time_sd_days")),
        unit_cost=_maybe("unit_cost", given.get("unit_cost")),
        currency=_plain_text(given.get("currency")) or None,
        moq=_maybe("moq", given.get("moq")),
        pack=_maybe("pack", given.get("pack")),
        price_breaks=_breaks(given.get("price_breaks")),
        discount=_one_of("discount", given.get("discount"), DISCOUNTS) or "all_units",
        order_weekdays=_weekdays("order_weekdays", given.get("order_weekdays")),
        receipt_weekdays=_weekdays("receipt_weekdays", given.get("receipt_weekdays")),
        closed_on=tuple(sorted(_needed_day("closed_on", one) for one in _several(given.get("closed_on")))),
        cut_off=_clock("cut_off", given.get("cut_off")),
    )


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and value != value)


def _plain_text(value: Any) -> str:
    return "" if _is_empty(value) else str(value).strip()


@lru_cache(maxsize=100_000)
def _decimal(text: str) -> Decimal | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _maybe(field: str, value: Any) -> Decimal | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        raise RowFault(field, f"is {value}; it must be a number")
    # A float holds no exact hundredths: it is read to the four decimals the contracts have.
    found = _decimal(f"{value:.4f}" if isinstance(value, float) else str(value).strip())
    if found is None:
        raise RowFault(field, f"is {value!r}; it must be a finite number")
    if -int(found.as_tuple().exponent) > DECIMALS_MAX:
        raise RowFault(field, f"is {found}; it may have {DECIMALS_MAX} decimals at most")
    return found


def _number(field: str, value: Any, *, needed: bool = False, least: Decimal | None = None) -> Decimal:
    found = _maybe(field, value)
    if found is None and needed:
        raise RowFault(field, "is empty; every row needs it")
    if found is not None and least is not None and found < least:
        raise RowFault(field, f"is {found}; it must be at least {least}")
    return found if found is not None else ZERO


def _whole(field: str, value: Any) -> int | None:
    found = None if isinstance(value, float) and value != value else _maybe(field, value)
    if found is None:
        return None
    if found != found.to_integral_value() or abs(found) > 10_000:
        raise RowFault(field, f"is {found}; it must be a whole number of days")
    return int(found)


def _truth(field: str, value: Any) -> bool:
    if _is_empty(value):
        return True
    found = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(str(value).lower())
    if found is None:
        raise RowFault(field, f"is {value!r}; it must be true or false")
    return found


def _one_of(field: str, value: Any, known: Sequence[str]) -> str | None:
    text = _plain_text(value)
    if text and text not in known:
        raise RowFault(field, f"is {text!r}; it must be one of {', '.join(known)}")
    return text or None


def _day(field: str, value: Any) -> date | None:
    if _is_empty(value):
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip()[:10])
    except ValueError:
        raise RowFault(field, f"is {value!r}; it must be a date like 2026-01-31") from None


def _clock(field: str, value: Any) -> str | None:
    text = value.isoformat("minutes") if isinstance(value, time) else _plain_text(value)
    if text and not CLOCK.fullmatch(text):
        raise RowFault(field, f"is {text!r}; it must be a time of the day like 11:30")
    return text or None


def _moment(field: str, value: Any) -> datetime | None:
    if _is_empty(value):
        return None
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise RowFault(field, f"is {value!r}; it must be a local time like 2026-01-31T14:05") from None
    if found.tzinfo is not None:
        raise RowFault(field, f"is {found.isoformat()}; it must be on the location's clock, without an offset")
    return found.replace(microsecond=0)


def _needed_day(field: str, value: Any) -> date:
    found = _day(field, value)
    if found is None:
        raise RowFault(field, "has an empty entry; it must be a date like 2026-01-31")
    return found


def _several(value: Any) -> Sequence[Any]:
    """A list column, a JSON text, or entries parted by `;` or `,`."""
    if _is_empty(value):
        return ()
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            try:
                return list(json.loads(text))
            except ValueError:
                return (text,)
        return [one for one in text.replace(",", ";").split(";") if one.strip()]
    return list(value)


def _weekdays(field: str, value: Any) -> tuple[int, ...]:
    found = []
    for one in _several(value):
        number = _maybe(field, one)
        if number is None or number not in (0, 1, 2, 3, 4, 5, 6):
            raise RowFault(field, f"has {one!r}; weekdays are 0 (Monday) to 6 (Sunday)")
        found.append(int(number))
    return tuple(sorted(set(found)))


def _breaks(value: Any) -> tuple[tuple[Decimal, Decimal], ...]:
    """`[{from_quantity, unit_cost}, …]`, `[[0, 2.00], …]` or `0:2.00;24:1.50`."""
    found = []
    for one in _several(value):
        parts = [one.get("from_quantity"), one.get("unit_cost")] if isinstance(one, Mapping) else one
        parts = parts.split(":") if isinstance(parts, str) else list(parts)
        if len(parts) != 2:
            raise RowFault("price_breaks", f"has {one!r}; each is a quantity and a cost, 24:1.50")
        quantity, cost = (_number("price_breaks", part, needed=True) for part in parts)
        found.append((quantity, cost))
    return tuple(found)


def _orders(value: Any) -> tuple[OpenOrder, ...]:
    """`[{order_id, quantity, arrive_on, status}, …]` or `PO7:12:2026-01-31:confirmed;…` (status may be left out)."""
    found = []
    for index, one in enumerate(_several(value), start=1):
        if isinstance(one, Mapping):
            parts = [one.get(name) for name in ("order_id", "quantity", "arrive_on", "status")]
        else:
            parts = [*str(one).split(":"), None, None, None][:4]
        order_id, quantity, arrive_on, status = parts
        units = _number("open_orders", quantity, needed=True)
        if not units > 0:
            raise RowFault("open_orders", f"has a quantity of {units}; it must be above zero")
        found.append(
            OpenOrder(
                _plain_text(order_id) or f"order-{index}",
                units,
                _needed_day("open_orders", arrive_on),
                _one_of("open_orders", status, STATUSES) or "released",
                isinstance(one, Mapping) and bool(one.get("is_short")),
            )
        )
    return tuple(sorted(found, key=lambda one: (one.arrive_on, one.order_id)))
