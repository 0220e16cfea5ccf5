"""What a row of each kind of file becomes: field values in, event bodies out. Field names are those of the contracts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from cli.import_csv.dialect import BadCell, Dialect


class BadField(ValueError):
    """A field of the row is wrong; `field` is ours, the caller names the column."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


@dataclass(frozen=True, slots=True)
class Draft:
    """One event of a row: its type, when it was, its body without tenant, and what makes it this event and no other."""

    type: str
    time: str
    data: dict[str, Any]
    identity: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file. `unique`: a field that, when mapped, names a row for ever (a receipt line, a document line)."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    unique: str | None
    drafts: Callable[["Values"], list[Draft]]

    @property
    def fields(self) -> tuple[str, ...]:
        return self.required + self.optional


class Values:
    """The fields of one row, converted on demand by the file's dialect. Every method raises BadField."""

    def __init__(self, raw: Mapping[str, str], dialect: Dialect) -> None:
        self._raw = raw
        self._dialect = dialect

    def text(self, field: str) -> str | None:
        """The cell, None when it is empty or not mapped."""
        return self._raw.get(field, "").strip() or None

    def needed(self, field: str) -> str:
        """The cell, which may not be empty."""
        found = self.text(field)
        if found is None:
            raise BadField(field, "is empty")
        return found

    @property
    def time_zone(self) -> str:
        """The clock the whole file is on."""
        return self._dialect.time_zone.key

    def number(self, field: str) -> Decimal | None:
        """A number, None when the cell is empty."""
        found = self.text(field)
        return None if found is None else self._converted(field, self._dialect.number, found)

    def moment(self, field: str) -> tuple[str, str]:
        """Business date and instant as texts."""
        day, instant = self._converted(field, self._dialect.moment, self.needed(field))
        return day.isoformat(), _instant(instant)

    def flag(self, field: str) -> bool:
        """Yes or no; an empty cell is no."""
        return bool(self._converted(field, self._dialect.flag, self.text(field) or ""))

    @staticmethod
    def _converted(field: str, convert: Callable[[str], Any], text: str) -> Any:
        try:
            return convert(text)
        except BadCell as error:
            raise BadField(field, str(error)) from error


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _known(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _demand_currency(row: Values, *amounts: Decimal | None) -> None:
    """Raises BadField where there is money without one."""
    if row.text("currency") is None and any(one is not None for one in amounts):
        raise BadField("currency", "is missing beside a price or cost; map a column or give --set currency=USD")


def _sale(row: Values) -> list[Draft]:
    """A sale, or a return when the quantity is negative."""
    day, when = row.moment("date")
    quantity = row.number("quantity")
    if quantity is None or quantity == 0:
        raise BadField("quantity", "is empty" if quantity is None else "is 0: nothing was sold")
    place = _known(
        sku=row.needed("sku"),
        location=row.needed("location"),
        unit=row.text("unit"),
        channel=row.text("channel"),
        business_date=day,
    )
    identity = (
        place["sku"],
        place["location"],
        day,
        when,
        _plain(quantity) or "",
        row.text("price") or "",
        row.text("channel") or "",
    )
    if quantity < 0:
        return [
            Draft("return.recorded.v1", when, {**place, "quantity": _plain(-quantity), "returned_at": when}, identity)
        ]
    price = row.number("price")
    _demand_currency(row, price)
    more = _known(
        unit_price=_plain(price),
        currency=row.text("currency") if price is not None else None,
        promotion=row.flag("promotion") or None,
        receipt_line=row.text("receipt_line"),
    )
    return [Draft("sale.recorded.v1", when, {**place, **more, "quantity": _plain(quantity), "sold_at": when}, identity)]


def _stock(row: Values) -> list[Draft]:
    """A count (kind empty or `count`), or a movement of the contract's kinds."""
    day, when = row.moment("date")
    quantity = row.number("quantity")
    if quantity is None:
        raise BadField("quantity", "is empty")
    kind = row.text("kind") or "count"
    place = _known(
        sku=row.needed("sku"),
        location=row.needed("location"),
        unit=row.text("unit"),
        business_date=day,
        quantity=_plain(quantity),
    )
    identity = (kind, place["sku"], place["location"], day, when, place["quantity"])
    if kind == "count":
        return [Draft("stock.counted.v1", when, {**place, "counted_at": when}, identity)]
    more = _known(kind=kind, moved_at=when, order_id=row.text("order_id"), note=row.text("note"))
    return [Draft("stock.moved.v1", when, {**place, **more}, identity)]


def _defined(row: Values, kind: str, identity: tuple[str, ...], **fields: Any) -> Draft:
    """A fact of the catalogue, of the row's date; without one it is older than any that has one."""
    _, when = row.moment("date") if row.text("date") else ("", "1970-01-01T00:00:00Z")
    # The content is part of the id: a changed row is a new fact, an unchanged one is the old one again.
    body = {"defined_at": when, **_known(**fields)}
    return Draft(
        f"{kind}.defined.v1", when, body, (kind, *identity, *(f"{name}={body[name]}" for name in sorted(body)))
    )


def _location(row: Values, name: str | None) -> Draft:
    """A place that holds stock, on the clock that is named for it or for the whole file."""
    location = row.needed("location")
    return _defined(
        row,
        "location",
        (location,),
        location=location,
        name=name or location,
        time_zone=row.text("time_zone") or row.time_zone,
        role=row.text("role"),
        country=row.text("country"),
        region=row.text("region"),
    )


def _locations(row: Values) -> list[Draft]:
    return [_location(row, row.text("name"))]


def _channels(row: Values) -> list[Draft]:
    """A way of selling; sales under a channel nobody defined wait."""
    channel = row.needed("channel")
    return [_defined(row, "channel", (channel,), channel=channel, name=row.text("name") or channel)]


def _catalogue(row: Values) -> list[Draft]:
    """An item; with a supplier also the supplier and its terms; with a location also the location."""
    sku, currency = row.needed("sku"), row.text("currency")
    _demand_currency(row, row.number("price"), row.number("unit_cost"))
    item = _defined(
        row,
        "item",
        (sku,),
        sku=sku,
        name=row.needed("name"),
        unit=row.text("unit"),
        category=row.text("category"),
        department=row.text("department"),
        brand=row.text("brand"),
        price=_plain(row.number("price")),
        currency=currency,
        shelf_life_days=_whole(row, "shelf_life_days"),
        abc_class=row.text("abc_class"),
    )
    drafts = [item]
    location, supplier = row.text("location"), row.text("supplier")
    if location is not None:
        drafts.append(_location(row, row.text("location_name")))
    if supplier is not None:
        name = row.text("supplier_name") or supplier
        drafts.append(_defined(row, "supplier", (supplier,), supplier=supplier, name=name, currency=currency))
        terms = _known(
            lead_time_days=_whole(row, "lead_time_days"),
            unit_cost=_plain(row.number("unit_cost")),
            moq=_plain(row.number("moq")),
            pack=_plain(row.number("pack")),
            supplier_code=row.text("supplier_code"),
        )
        drafts.append(
            _defined(
                row,
                "supplier-item",
                (supplier, sku, location or "*"),
                supplier=supplier,
                sku=sku,
                location=location,
                currency=currency,
                **terms,
            )
        )
    return drafts


def _whole(row: Values, field: str) -> int | None:
    number = row.number(field)
    if number is not None and number != number.to_integral_value():
        raise BadField(field, f"{number} is not a whole number")
    return None if number is None else int(number)


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "sales",
            ("sku", "location", "quantity", "date"),
            ("price", "currency", "channel", "promotion", "unit", "receipt_line"),
            "receipt_line",
            _sale,
        ),
        Kind("stock", ("sku", "location", "quantity", "date"), ("kind", "unit", "order_id", "note", "document_line"), "document_line", _stock),
        Kind("channels", ("channel",), ("name", "date"), None, _channels),
        Kind("locations", ("location",), ("name", "time_zone", "role", "country", "region", "date"), None, _locations),
        Kind(
            "catalogue",
            ("sku", "name"),
            (
                "date", "unit", "category", "department", "brand", "price", "currency", "shelf_life_days", "abc_class", "location",
                "location_name", "time_zone", "role", "country", "region", "supplier", "supplier_name", "supplier_code", "lead_time_days", "unit_cost", "moq", "pack",
            ),
            None,
            _catalogue,
        ),
    )
}  # fmt: skip
