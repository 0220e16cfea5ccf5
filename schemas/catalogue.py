"""Master data: what exists, who supplies it on which terms, and by which codes the world names it."""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.base import Code, Currency, Instant, Message, Money, NaturalQuantity, Part, PositiveQuantity, Text

Weekday = Annotated[int, Field(ge=0, le=6, description="0 = Monday")]


class CatalogueMessage(Message):
    """A fact of the master data. The newest `defined_at` wins; `active` false ends it without losing its history."""

    KIND: ClassVar[str]
    defined_at: Instant
    active: bool = True

    def identity(self) -> str:
        raise NotImplementedError(f"{type(self).__name__} does not say its identity")

    def record_key(self) -> str:
        return f"{self.tenant}/{self.KIND}/{self.identity()}"


class ItemDefined(CatalogueMessage):
    """A product. Price per stocking unit; shelf life in days from receipt; volume in cubic metres per unit."""

    TYPE: ClassVar[str] = "item.defined.v1"
    KIND: ClassVar[str] = "item"
    sku: Code
    name: Text
    unit: Code = "each"
    category: Text | None = None
    department: Text | None = None
    brand: Text | None = None
    price: Money | None = None
    currency: Currency | None = None
    shelf_life_days: Annotated[int, Field(ge=1, le=36500)] | None = None
    volume_m3: NaturalQuantity | None = None
    abc_class: Literal["A", "B", "C"] | None = None

    def identity(self) -> str:
        return self.sku


class LocationDefined(CatalogueMessage):
    """A place that holds stock. Time zone is an IANA name; business days and calendars are local to it. Holidays are those
    of `country` (ISO 3166-1) and `region` (ISO 3166-2 without the country: ENG of GB-ENG)."""

    TYPE: ClassVar[str] = "location.defined.v1"
    KIND: ClassVar[str] = "location"
    location: Code
    name: Text
    time_zone: Text = "UTC"
    role: Literal["store", "warehouse", "online"] = "store"
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    region: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,3}$")] | None = None

    def identity(self) -> str:
        return self.location


class ChannelDefined(CatalogueMessage):
    """A way of selling, such as store or web."""

    TYPE: ClassVar[str] = "channel.defined.v1"
    KIND: ClassVar[str] = "channel"
    channel: Code
    name: Text

    def identity(self) -> str:
        return self.channel


class SupplierDefined(CatalogueMessage):
    """Who delivers. Orders can be placed on `order_weekdays` (empty: any day) except `closed_on`."""

    TYPE: ClassVar[str] = "supplier.defined.v1"
    KIND: ClassVar[str] = "supplier"
    supplier: Code
    name: Text
    order_weekdays: tuple[Weekday, ...] = ()
    receipt_weekdays: tuple[Weekday, ...] = ()
    cut_off: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] | None = None
    closed_on: tuple[date, ...] = ()
    minimum_order_value: Money | None = None
    currency: Currency | None = None
    truck_volume_m3: NaturalQuantity | None = None

    def identity(self) -> str:
        return self.supplier


class PriceBreak(Part):
    """From `from_quantity` units on, a unit costs `unit_cost`."""

    from_quantity: NaturalQuantity
    unit_cost: Money


class SupplierItemDefined(CatalogueMessage):
    """Terms on which a supplier delivers a product, to one location or (location absent) to all.

    Lead time in days from order to receipt. MOQ and pack in stocking units. The lowest `priority` supplies first.
    """

    TYPE: ClassVar[str] = "supplier-item.defined.v1"
    KIND: ClassVar[str] = "supplier-item"
    supplier: Code
    sku: Code
    location: Code | None = None
    lead_time_days: Annotated[int, Field(ge=0, le=730)] | None = None
    lead_time_sd_days: Annotated[float, Field(ge=0, le=365)] | None = None
    unit_cost: Money | None = None
    currency: Currency | None = None
    price_breaks: tuple[PriceBreak, ...] = ()
    discount: Literal["all_units", "incremental"] = "all_units"
    moq: NaturalQuantity | None = None
    pack: PositiveQuantity | None = None
    layer: PositiveQuantity | None = None
    pallet: PositiveQuantity | None = None
    supplier_code: Code | None = None
    priority: Annotated[int, Field(ge=1, le=99)] = 1

    def identity(self) -> str:
        return f"{self.supplier}/{self.sku}/{self.location or '*'}"


# What a code may be a code of.
Subject = Literal["item", "location", "channel", "supplier", "purchase_order", "commitment"]


class AliasDefined(CatalogueMessage):
    """Another code for something. It names `target` from `valid_from` on."""

    scheme: str
    subject: str
    code: Code
    target: Code
    supplier: Code | None = None
    valid_from: date | None = None

    def identity(self) -> str:
        return f"{self.subject}/{self.scheme}/{self.supplier or '*'}/{self.code}"


class IdentityAliasDefined(AliasDefined):
    """Another code for something: GTIN, supplier code, legacy code. It names `target` from `valid_from` on."""

    TYPE: ClassVar[str] = "identity-alias.defined.v1"
    KIND: ClassVar[str] = "identity-alias"
    scheme: Literal["gtin", "supplier_code", "legacy_code", "own_code"]
    subject: Literal["item", "location", "channel", "supplier"]


class ReferenceAliasDefined(AliasDefined):
    """Another code for what events make: a purchase order, a customer commitment. It names `target` from `valid_from` on."""

    TYPE: ClassVar[str] = "reference-alias.defined.v1"
    KIND: ClassVar[str] = "reference-alias"
    scheme: Literal["supplier_code", "legacy_code", "own_code"]
    subject: Literal["purchase_order", "commitment"]


class SupersessionDefined(CatalogueMessage):
    """`successor` replaces `predecessor` from a day on; demand history moves forward, times `ratio` units per unit."""

    TYPE: ClassVar[str] = "supersession.defined.v1"
    KIND: ClassVar[str] = "supersession"
    predecessor: Code
    successor: Code
    effective_on: date
    ratio: PositiveQuantity

    def identity(self) -> str:
        return self.predecessor


class SubstituteDefined(CatalogueMessage):
    """`substitute` can stand in for `sku`; using it needs its own approval."""

    TYPE: ClassVar[str] = "substitute.defined.v1"
    KIND: ClassVar[str] = "substitute"
    sku: Code
    substitute: Code
    ratio: PositiveQuantity
    rank: Annotated[int, Field(ge=1, le=99)] = 1

    def identity(self) -> str:
        return f"{self.sku}/{self.substitute}"


class OwnerScopeDefined(CatalogueMessage):
    """Who answers for what: a person or role owns lines and exceptions of these suppliers, categories, locations."""

    TYPE: ClassVar[str] = "owner-scope.defined.v1"
    KIND: ClassVar[str] = "owner-scope"
    owner: Code
    suppliers: tuple[Code, ...] = ()
    categories: tuple[Text, ...] = ()
    locations: tuple[Code, ...] = ()

    def identity(self) -> str:
        return self.owner
