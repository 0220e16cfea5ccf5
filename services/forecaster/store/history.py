"""Reading daily records: all of a tenant as one frame for the models, one item as rows for people."""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from kit.database import Transaction
from services.forecaster.domain.booking import WHOLE_LOCATION
from services.forecaster.domain.frame import Cells, Frame, FrameBuilder, ItemRecord, Records
from services.forecaster.domain.panel import FloatArray, IntArray
from services.forecaster.domain.succession import affected, move
from services.forecaster.store import arrays, succession

# Items read at once: 2,000 items x 2 years are some 30 MB of records beside the frame.
PORTION = 2_000
# One row per item, its days and values as binary arrays: no number becomes a Python object on its way into the frame.
_DAYS = "array_send(array_agg((business_date - date '1970-01-01') order by business_date)) as days"
_OF = " where tenant = $1 and (sku, location) in (select * from unnest($2::text[], $3::text[])) group by sku, location"
_DEMAND = (
    f"select sku, location, {_DAYS}, array_send(array_agg(quantity::float8 order by business_date)) as value,"
    " array_send(array_agg((quantity - restocked)::float8 order by business_date)) as shelf,"
    f" sum(revision)::int as revision from daily_demand{_OF}"
)
_NET = (
    f"select sku, location, {_DAYS}, array_send(array_agg(net::float8 order by business_date)) as value"
    f" from stock_days{_OF}"
)
_COUNTS = (
    f"select sku, location, {_DAYS}, array_send(array_agg(quantity::float8 order by business_date)) as value,"
    f" array_send(array_agg(at_opening::int4 order by business_date)) as opening from stock_counts{_OF}"
)


async def frame(tx: Transaction, tenant: str, *, history_days: int, portion: int = PORTION) -> Frame | None:
    """The frame of everything of a tenant whose location has closed a day, items in key order; the demand of superseded
    products is their successors'. Read in portions of items: beside the frame itself, one portion is in memory at a time.
    None when no day is closed."""
    items = await _items(tx, tenant)
    if not items:
        return None
    successions = await succession.read(tx, tenant)
    moving = set(affected(successions))
    # Demand moves only among products that have to do with each other, so those are read together.
    linked = await _records(tx, tenant, [item for item in items if item.sku in moving])
    linked = move(linked, successions) if linked.items else linked
    rest = [item for item in items if item.sku not in moving]
    everyone = sorted([*linked.items, *rest], key=lambda item: (item.sku, item.location))
    builder = await asyncio.to_thread(FrameBuilder, everyone, history_days=history_days)
    if linked.items:
        await asyncio.to_thread(builder.add, linked)
    for start in range(0, len(rest), portion):
        await asyncio.to_thread(builder.add, await _records(tx, tenant, rest[start : start + portion]))
    return await asyncio.to_thread(builder.frame)


async def _items(tx: Transaction, tenant: str) -> list[ItemRecord]:
    rows = await tx.fetch(
        "select i.sku, i.location, i.partition, i.first_on, c.category, c.abc_class, c.price::float8 as price, max(d.business_date) as closed_on"
        " from items i join closed_days d on d.tenant = i.tenant and d.location = i.location"
        " and d.partition in (i.partition, $2)"
        " left join catalogue_items c on c.tenant = i.tenant and c.sku = i.sku"
        " where i.tenant = $1 group by 1, 2, 3, 4, 5, 6, 7 having max(d.business_date) >= i.first_on order by 1, 2",
        tenant,
        WHOLE_LOCATION,
    )
    return [
        ItemRecord(
            r["sku"], r["location"], r["partition"], r["category"], r["first_on"], r["closed_on"], r["abc_class"],
            r["price"],
        )
        for r in rows
    ]  # fmt: skip


async def _records(tx: Transaction, tenant: str, items: Sequence[ItemRecord]) -> Records:
    """Everything of these items."""
    number = {(item.sku, item.location): position for position, item in enumerate(items)}
    asked = (tenant, [item.sku for item in items], [item.location for item in items])
    revision = np.zeros(len(items), dtype=np.int64)
    sold, left, moved, counted = _Gathered(), _Gathered(), _Gathered(), _Gathered()
    opening: list[IntArray] = []
    for row in await tx.fetch(_DEMAND, *asked):
        item, days = number[(row["sku"], row["location"])], arrays.integers(row["days"])
        sold.add(item, days, arrays.floats(row["value"]))
        left.add(item, days, arrays.floats(row["shelf"]))
        revision[item] = row["revision"]
    for row in await tx.fetch(_NET, *asked):
        place = number[(row["sku"], row["location"])]
        moved.add(place, arrays.integers(row["days"]), arrays.floats(row["value"]))
    for row in await tx.fetch(_COUNTS, *asked):
        place = number[(row["sku"], row["location"])]
        counted.add(place, arrays.integers(row["days"]), arrays.floats(row["value"]))
        opening.append(arrays.integers(row["opening"]))
    at_opening = np.concatenate(opening) > 0 if opening else np.zeros(0, dtype=np.bool_)
    cells = (sold.cells(), left.cells(), moved.cells(), counted.cells())
    return Records(tuple(items), *cells, at_opening, revision)


class _Gathered:
    """Cells of many items, one array each until the end."""

    def __init__(self) -> None:
        self._items: list[int] = []
        self._days: list[IntArray] = []
        self._values: list[FloatArray] = []

    def add(self, item: int, days: IntArray, values: FloatArray) -> None:
        self._items.append(item)
        self._days.append(days)
        self._values.append(values)

    def cells(self) -> Cells:
        if not self._items:
            return Cells.empty()
        lengths = [len(days) for days in self._days]
        item = np.repeat(np.array(self._items, dtype=np.int64), lengths)
        return Cells(item, np.concatenate(self._days), np.concatenate(self._values))


async def save_censored(
    tx: Transaction, tenant: str, keys: Sequence[tuple[str, str]], days: Sequence[tuple[str, str, date]]
) -> None:
    """Make the censored flags of these items exactly `days`; a stock-out day without a sale gets a row of zero."""
    skus, places = [key[0] for key in keys], [key[1] for key in keys]
    await tx.execute(
        "update daily_demand d set censored = false from unnest($2::text[], $3::text[]) as k(sku, location)"
        " where d.tenant = $1 and d.sku = k.sku and d.location = k.location and d.censored and not exists"
        " (select from unnest($4::text[], $5::text[], $6::date[]) as f(sku, location, business_date)"
        "  where (f.sku, f.location, f.business_date) = (d.sku, d.location, d.business_date))",
        tenant,
        skus,
        places,
        *_columns(days),
    )
    await tx.execute(
        "insert into daily_demand as d (tenant, sku, location, business_date, censored)"
        " select $1, s, l, b, true from unnest($2::text[], $3::text[], $4::date[]) as t(s, l, b) order by s, l, b"
        " on conflict (tenant, sku, location, business_date) do update set censored = true where not d.censored",
        tenant,
        *_columns(days),
    )


def _columns(days: Sequence[tuple[str, str, date]]) -> tuple[list[str], list[str], list[date]]:
    return [day[0] for day in days], [day[1] for day in days], [day[2] for day in days]


async def series(tx: Transaction, tenant: str, sku: str, location: str) -> list[Any]:
    """Every recorded day of one item, oldest first."""
    return list(
        await tx.fetch(
            "select business_date, quantity, returned, restocked, promoted, revision, censored from daily_demand"
            " where tenant = $1 and sku = $2 and location = $3 order by business_date",
            tenant,
            sku,
            location,
        )
    )


async def item(tx: Transaction, tenant: str, sku: str, location: str) -> Any:
    """First recorded day and last closed day of one item; None when it is not known."""
    return await tx.fetchrow(
        "select i.first_on, max(d.business_date) as closed_on from items i left join closed_days d"
        " on d.tenant = i.tenant and d.location = i.location and d.partition in (i.partition, $4)"
        " where i.tenant = $1 and i.sku = $2 and i.location = $3 group by 1",
        tenant,
        sku,
        location,
        WHOLE_LOCATION,
    )
