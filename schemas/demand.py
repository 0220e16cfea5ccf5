"""What POS and WMS systems publish: sales, returns, voids, business-day closes, stock movements, counts."""

from datetime import date
from typing import ClassVar, Literal

from pydantic import Field

from schemas.base import Code, Currency, Day, Instant, Message, Money, NaturalQuantity, PositiveQuantity, Quantity, Text

MovementKind = Literal[
    "receipt",  # + on hand; with `order_id` it also brings down what is on order
    "shipment",  # - on hand (customer or other outbound, not a sale at the till)
    "transfer_out",  # - on hand here, on its way to `counterpart_location`
    "transfer_in",  # + on hand here
    "adjustment",  # signed correction of on hand (damage, theft, found)
    "reservation",  # + reserved for a customer commitment
    "release",  # - reserved
    "backorder",  # + promised to customers and not yet delivered; negative when fulfilled or cancelled
]


class ItemMessage(Message):
    """A message about one product in one place."""

    sku: Code
    location: Code

    def record_key(self) -> str:
        return item_key(self.tenant, self.sku, self.location)


def item_key(tenant: str, sku: str, location: str) -> str:
    """The record key of messages about an item, for who writes one without building it."""
    return f"{tenant}/{sku}/{location}"


# The one channel that needs no definition: over the counter of the location.
COUNTER = "store"


class SaleRecorded(ItemMessage):
    """One line of a receipt: units that left the shelf. Quantity in stocking units, price per unit after discounts."""

    TYPE: ClassVar[str] = "sale.recorded.v1"
    quantity: PositiveQuantity
    unit: Code = "each"
    business_date: Day
    sold_at: Instant
    channel: Code = COUNTER
    unit_price: Money | None = None
    currency: Currency | None = None
    promotion: bool = False
    receipt_line: Code | None = None


class ReturnRecorded(ItemMessage):
    """Units a customer brought back. `restocked` says whether they are sellable again."""

    TYPE: ClassVar[str] = "return.recorded.v1"
    quantity: PositiveQuantity
    unit: Code = "each"
    business_date: Day
    returned_at: Instant
    channel: Code = COUNTER
    restocked: bool = True
    sale_event_id: Code | None = None


SOLD = frozenset({SaleRecorded, ReturnRecorded})  # what goes through a channel


class SaleVoided(ItemMessage):
    """A sale that never was: it takes `quantity` of the sale `sale_event_id` back, from demand and into stock.

    It carries what it takes back, so that it can be applied before or after the sale it voids. With `sold_at` (when the
    sale was recorded) a count taken between sale and void is known to have seen the goods, whatever comes first.
    """

    TYPE: ClassVar[str] = "sale.voided.v1"
    sale_event_id: Code
    quantity: PositiveQuantity
    business_date: Day
    voided_at: Instant
    sold_at: Instant | None = None


class BusinessDayClosed(Message):
    """All sales of `business_date` at this location are in (the Z-report).

    Sales of a location are spread over partitions, so a close is written once to every partition of the topic with
    `partition` set, and closes the items of that partition in order. Without it, it closes all items of the location.
    """

    TYPE: ClassVar[str] = "business-day.closed.v1"
    location: Code
    business_date: Day
    closed_at: Instant
    partition: int | None = Field(default=None, ge=0)

    def record_key(self) -> str:
        return f"{self.tenant}//{self.location}"


class StockMoved(ItemMessage):
    """One movement. The kind gives a positive quantity its direction; only adjustment and backorder may be negative."""

    TYPE: ClassVar[str] = "stock.moved.v1"
    kind: MovementKind
    quantity: Quantity
    unit: Code = "each"
    business_date: Day
    moved_at: Instant
    order_id: Code | None = None
    counterpart_location: Code | None = None
    commitment_id: Code | None = None
    expires_on: date | None = None
    note: Text | None = None

    @property
    def commitment_made(self) -> str | None:
        """The customer commitment this reserves for, or promises."""
        makes = self.kind == "reservation" or (self.kind == "backorder" and self.quantity >= 0)
        return self.commitment_id if makes else None

    @property
    def commitment_served(self) -> str | None:
        """The customer commitment whose promise this takes back or fulfils: it must have been made."""
        serves = self.kind == "release" or (self.kind == "backorder" and self.quantity < 0)
        return self.commitment_id if serves else None


class StockCounted(ItemMessage):
    """The shelf was counted: on hand is `quantity` at `counted_at`, whatever the books said."""

    TYPE: ClassVar[str] = "stock.counted.v1"
    quantity: NaturalQuantity
    unit: Code = "each"
    business_date: Day
    counted_at: Instant
