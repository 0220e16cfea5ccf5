"""A small retailer or two, made from a seed: master data, a past, and endless days of sales, stock and closes.

Pure: the same seed tells the same events with the same ids, in the same order. Every code begins with its tenant's name,
so that a row of one tenant under another's name is seen at a glance.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from kernel.ids import derived_id
from lab.world.story import Event, instant

TENANTS = ("acme", "bolt")
FIRST_DAY = date(2026, 1, 5)
PAST_DAYS = 35
CURRENCY = "EUR"


@dataclass(slots=True)
class Shop:
    """One tenant's world. `day` is the business day that is open; events of a day are told by `sales` and `receipts`."""

    tenant: str
    seed: int
    skus: int = 4
    places: int = 2
    day: date = FIRST_DAY
    told: int = 0
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.seed}/{self.tenant}")

    @property
    def items(self) -> list[tuple[str, str]]:
        """(sku, location), all of them."""
        return [(f"{self.tenant}-s{s}", f"{self.tenant}-l{p}") for s in range(self.skus) for p in range(self.places)]

    @property
    def counted_sku(self) -> str:
        """The product whose shelves are counted now and then."""
        return f"{self.tenant}-s{self.skus - 1}"

    @property
    def locations(self) -> list[str]:
        """Places that sell."""
        return [f"{self.tenant}-l{p}" for p in range(self.places)]

    def event(self, source: str, kind: str, when: datetime, body: dict[str, Any]) -> Event:
        """An event of its own id: the n-th that this shop tells."""
        self.told += 1
        identity = derived_id("chaos", str(self.seed), self.tenant, str(self.told))
        return Event(identity, source, kind, instant(when), {"tenant": self.tenant, **body})

    def moment(self, day: date | None = None) -> datetime:
        """A moment of the open day, later than those before it; no two events of a shop share one."""
        return datetime.combine(day or self.day, time(6), UTC) + timedelta(seconds=self.told % 60_000)

    def master_data(self) -> Iterator[Event]:
        """Locations, one supplier that delivers daily, items and terms."""
        when = datetime.combine(FIRST_DAY, time(0), UTC)

        def defined(kind: str, **body: Any) -> Event:
            return self.event("erp/chaos", f"{kind}.defined.v1", when, {"defined_at": instant(when), **body})

        for location in self.locations:
            yield defined("location", location=location, name=f"Shop {location}", role="store")
        supplier = f"{self.tenant}-sup"
        yield defined("supplier", supplier=supplier, name=f"Supplier of {self.tenant}", currency=CURRENCY)
        for number in range(self.skus):
            sku = f"{self.tenant}-s{number}"
            yield defined("item", sku=sku, name=f"Product {sku}", price="19.90", currency=CURRENCY)
            yield defined(
                "supplier-item",
                supplier=supplier,
                sku=sku,
                lead_time_days=2,
                lead_time_sd_days=0.5,
                unit_cost=f"{4 + 3 * number}.00",
                currency=CURRENCY,
                moq="6",
                pack="6",
            )

    def past(self) -> Iterator[Event]:
        """An opening count, five weeks of sales, and the close of the last day; stock is nearly gone then."""
        for sku, location in self.items:
            yield self.stock_count(sku, location, 6 * PAST_DAYS + self.rng.randrange(40))
        for _ in range(PAST_DAYS):
            for sku, location in self.items:
                yield self.sale(sku, location, self.rng.randint(3, 8))
            last = self.closes()
            self.day += timedelta(days=1)
        yield from last

    def sale(self, sku: str, location: str, quantity: int, *, day: date | None = None) -> Event:
        """Units that left the shelf."""
        when = self.moment(day)
        body = {"sku": sku, "location": location, "quantity": str(quantity)}
        body |= {"business_date": (day or self.day).isoformat(), "sold_at": instant(when)}
        return self.event("pos/chaos", "sale.recorded.v1", when, body)

    def void(self, sold: Event) -> Event:
        """The sale that never was."""
        when = self.moment()
        body = {name: sold.data[name] for name in ("sku", "location", "quantity", "business_date")}
        return self.event(
            "pos/chaos", "sale.voided.v1", when, {**body, "sale_event_id": sold.id, "voided_at": instant(when)}
        )

    def gave_back(self, sku: str, location: str, quantity: int) -> Event:
        """A return to the shelf."""
        when = self.moment()
        body = {"sku": sku, "location": location, "quantity": str(quantity)}
        body |= {"business_date": self.day.isoformat(), "returned_at": instant(when)}
        return self.event("pos/chaos", "return.recorded.v1", when, body)

    def movement(self, sku: str, location: str, kind: str, quantity: int, **more: str) -> Event:
        """A stock movement of any kind."""
        when = self.moment()
        body = {"sku": sku, "location": location, "kind": kind, "quantity": str(quantity)}
        body |= {"business_date": self.day.isoformat(), "moved_at": instant(when), **more}
        return self.event("wms/chaos", "stock.moved.v1", when, body)

    def stock_count(self, sku: str, location: str, quantity: int) -> Event:
        """What was counted on the shelf."""
        when = self.moment()
        body = {"sku": sku, "location": location, "quantity": str(quantity)}
        body |= {"business_date": self.day.isoformat(), "counted_at": instant(when)}
        return self.event("wms/chaos", "stock.counted.v1", when, body)

    def till(self, size: int, *, hot: bool = False) -> list[Event]:
        """What the tills say next. Voids and returns only for items that are never counted again. `hot`: 90 % one item."""
        told: list[Event] = []
        while len(told) < size:
            sku, location = self.items[0] if hot and self.rng.random() < 0.9 else self.rng.choice(self.items)
            sold = self.sale(sku, location, self.rng.randint(1, 3))
            told.append(sold)
            chance = self.rng.random()
            if sku == self.counted_sku:
                continue
            if chance < 0.04:
                told.append(self.void(sold))
            elif chance < 0.08:
                told.append(self.gave_back(sku, location, 1))
        return told

    def warehouse(self, size: int) -> list[Event]:
        """What the warehouse says next: every kind of movement, quantities that keep the shelves alive."""
        told = []
        for _ in range(size):
            sku, location = self.rng.choice(self.items)
            kind = self.rng.choice(("receipt", "receipt", "adjustment", "shipment", "reservation", "release"))
            told.append(self.movement(sku, location, kind, 1 if kind != "receipt" else self.rng.randint(1, 6)))
        if self.rng.random() < 0.1:
            told.append(self.stock_count(self.counted_sku, self.rng.choice(self.locations), self.rng.randint(0, 60)))
        return told

    def closes(self) -> list[Event]:
        """The close of the open day, everywhere."""
        when = datetime.combine(self.day + timedelta(days=1), time(0, 30), UTC)
        return [
            self.event(
                "pos/chaos",
                "business-day.closed.v1",
                when,
                {"location": location, "business_date": self.day.isoformat(), "closed_at": instant(when)},
            )
            for location in self.locations
        ]

    def next_day(self) -> list[Event]:
        """Close the day and open the next; returns the closes."""
        closes = self.closes()
        self.day += timedelta(days=1)
        return closes
