"""The world as events, in the order in which a shop would have published them.

In: a `World`. Out: master data, then day by day what arrived, what was sold, and the close of each store's business day.
Ids follow from what happened (receipt line, day, place), so telling the story twice adds nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from kernel.ids import derived_id
from lab.world.build import World, rows_of
from lab.world.receipts import TIME_ZONE

STORES_CLOCK = ZoneInfo(TIME_ZONE)
CURRENCY = "USD"
COUNT_AT, RECEIVE_AT = time(5, 0), time(6, 0)
# After midnight, when the last receipts of the day (23:59) are in.
CLOSE_AT = time(0, 30)
CLOSE_EVERY_DAYS = 7
TILL, WAREHOUSE, MASTER_DATA = "pos/complete-journey", "wms/simulated", "erp/simulated"


@dataclass(frozen=True, slots=True)
class Event:
    """One CloudEvent: `data` is the message body as JSON types; `time` is when it happened."""

    id: str
    source: str
    type: str
    time: str
    data: dict[str, Any]


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC, as contracts write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def at(day: date, clock: time) -> str:
    """A moment on the stores' clock."""
    return instant(datetime.combine(day, clock, STORES_CLOCK))


def event(source: str, kind: str, when: str, data: dict[str, Any], *cause: str) -> Event:
    """An event whose id follows from its cause."""
    return Event(derived_id(source, kind, *cause), source, kind, when, data)


def master_data(world: World) -> Iterator[Event]:
    """Locations, suppliers, items and terms, as they were before the first day."""
    tenant, when = world.shape.tenant, at(world.day(0), time(0, 0))

    def defined(kind: str, identity: str, **fields: Any) -> Event:
        known = {name: value for name, value in fields.items() if value is not None}
        return event(
            MASTER_DATA, f"{kind}.defined.v1", when, {"tenant": tenant, "defined_at": when, **known}, tenant, identity
        )

    yield defined("channel", "store", channel="store", name="Store")
    for location in world.locations:
        yield defined(
            "location",
            location,
            location=location,
            name=f"Store {location}",
            time_zone=TIME_ZONE,
            role="store",
            country="US",
        )
    for row in rows_of(world.suppliers):
        yield defined(
            "supplier",
            row["supplier"],
            supplier=row["supplier"],
            name=row["name"],
            order_weekdays=[int(day) for day in row["order_weekdays"]],
            cut_off="12:00",
            minimum_order_value=row["minimum_order_value"] or None,
            currency=CURRENCY,
        )
    for row in rows_of(world.items.drop_duplicates("sku")):
        yield defined(
            "item",
            row["sku"],
            sku=row["sku"],
            name=row["name"],
            category=row["category"],
            department=row["department"],
            brand=row["brand"],
            price=row["price"],
            currency=CURRENCY,
            shelf_life_days=row["shelf_life_days"] or None,
            abc_class=row["abc_class"],
        )
        yield defined(
            "supplier-item",
            f"{row['supplier']}/{row['sku']}",
            supplier=row["supplier"],
            sku=row["sku"],
            lead_time_days=int(row["lead_time_days"]),
            lead_time_sd_days=round(row["lead_time_days"] * 0.15, 2),
            unit_cost=row["unit_cost"],
            currency=CURRENCY,
            moq=str(row["moq"]),
            pack=str(row["pack"]),
        )


def history(world: World) -> Iterator[Event]:
    """Everything from the first day to the close of `today`.

    Of the past only every seventh day counted back from `today` is closed: a close says that all sales up to it are in.
    """
    for number in range(world.shape.history_days):
        yield from stock_of_day(world, number)
        yield from sales_of_day(world, number)
        if (world.shape.history_days - 1 - number) % CLOSE_EVERY_DAYS == 0:
            yield from closes_of_day(world, number)


def stock_of_day(world: World, number: int) -> Iterator[Event]:
    """Counts of the first morning and receipts of this one."""
    tenant, day, rows = world.shape.tenant, world.day(number), _of_day(world.movements, number)
    counted_at, moved_at = at(day, COUNT_AT), at(day, RECEIVE_AT)
    for row in rows_of(rows):
        sku, location = world.skus[row["item"]], world.places[row["item"]]
        body = {
            "tenant": tenant,
            "sku": sku,
            "location": location,
            "business_date": day.isoformat(),
            "quantity": str(row["quantity"]),
        }
        cause = (tenant, sku, location, day.isoformat())
        if row["kind"] == "count":
            yield event(WAREHOUSE, "stock.counted.v1", counted_at, {**body, "counted_at": counted_at}, *cause)
        else:
            yield event(
                WAREHOUSE, "stock.moved.v1", moved_at, {**body, "kind": "receipt", "moved_at": moved_at}, *cause
            )


def sales_of_day(world: World, number: int, sellable: dict[int, int] | None = None) -> Iterator[Event]:
    """Receipt lines of a day. With `sellable` (units by item number, changed in place) a line cannot sell what is not there."""
    tenant, day, rows = world.shape.tenant, world.day(number), _of_day(world.sales, number)
    for row in rows_of(rows):
        quantity = int(row["quantity"])
        if sellable is not None:
            quantity = min(quantity, sellable[row["item"]])
            sellable[row["item"]] -= quantity
        if quantity == 0:
            continue
        when = datetime.fromtimestamp(row["sold_at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = f"{row['basket_id']}-{world.skus[row['item']]}"
        yield event(
            TILL,
            "sale.recorded.v1",
            when,
            {
                "tenant": tenant,
                "sku": world.skus[row["item"]],
                "location": world.places[row["item"]],
                "quantity": str(quantity),
                "business_date": day.isoformat(),
                "sold_at": when,
                "channel": "store",
                "unit_price": f"{row['unit_price_e4'] // 10_000}.{row['unit_price_e4'] % 10_000:04d}",
                "currency": CURRENCY,
                "promotion": bool(row["promotion"]),
                "receipt_line": line,
            },
            tenant,
            line,
        )


def closes_of_day(world: World, number: int) -> Iterator[Event]:
    """The close of each store's business day, not yet fanned out to partitions."""
    tenant, day = world.shape.tenant, world.day(number)
    when = at(day + timedelta(days=1), CLOSE_AT)
    for location in world.locations:
        body = {"tenant": tenant, "location": location, "business_date": day.isoformat(), "closed_at": when}
        yield event(TILL, "business-day.closed.v1", when, body, tenant, location, day.isoformat())


def _of_day(frame: pd.DataFrame, number: int) -> pd.DataFrame:
    """Rows of one day of a frame that is sorted by day."""
    first, end = frame["day"].searchsorted([number, number + 1])
    return frame.iloc[first:end]
