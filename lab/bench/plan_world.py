"""The items of the offline planning bench as rows of the policy service's own tables: what its topics would have led to."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from lab.bench.plan_items import DAY, write
from services.policy.domain.evidence import pack_integers

AT = datetime.combine(DAY, datetime.min.time(), UTC)
PORTION_ROWS = 10_000
CURRENCY = "EUR"
Row = dict[str, Any]

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]


async def fill(admin: "Connection", tenant: str, folder: Path, items: int) -> None:
    """Fill a tenant's tables with so many item-locations, by the database's administrator, who stands before the tenant wall."""
    given, foreseen = write(folder, items)
    await admin.execute("set search_path to policy")
    await admin.execute("insert into tenants (tenant) values ($1)", tenant)
    table = pq.read_table(given)
    await _places(admin, tenant, table)
    known: set[str] = set()
    for rows in _portions(table):
        new = {row["sku"]: row for row in rows if row["sku"] not in known}
        known |= new.keys()
        await _items(admin, tenant, list(new.values()), rows)
    for rows in _portions(pq.read_table(foreseen)):
        await _forecasts(admin, tenant, rows)
    await admin.execute("analyze")


def _portions(table: pa.Table) -> Iterator[list[Row]]:
    for start in range(0, len(table), PORTION_ROWS):
        yield table.slice(start, PORTION_ROWS).to_pylist()


async def _copy(admin: "Connection", table: str, rows: Sequence[Row]) -> None:
    if rows:
        records = [tuple(row.values()) for row in rows]
        await admin.copy_records_to_table(table, records=records, columns=list(rows[0]))


async def _places(admin: "Connection", tenant: str, table: pa.Table) -> None:
    suppliers, places = (sorted(set(table[name].to_pylist())) for name in ("supplier", "location"))
    plain = {"tenant": tenant, "active": True, "defined_at": AT}
    calendars = [{"order_weekdays": [0, 3] if place % 3 == 0 else []} for place in range(len(suppliers))]
    always = {"receipt_weekdays": [], "closed_on": [], "currency": CURRENCY}
    await _copy(
        admin,
        "suppliers",
        [
            plain | always | days | {"supplier": one, "name": one}
            for one, days in zip(suppliers, calendars, strict=True)
        ],
    )
    await _copy(admin, "locations", [plain | {"location": one, "name": one} for one in places])
    # As if the run that follows a close had been: the service would begin it by itself, and every item be planned twice.
    planned = {"tenant": tenant, "closed_on": DAY, "planned_on": DAY}
    await _copy(admin, "closed_days", [planned | {"location": one} for one in places])


async def _items(admin: "Connection", tenant: str, new: Sequence[Row], rows: Sequence[Row]) -> None:
    plain = {"tenant": tenant, "active": True, "defined_at": AT}
    as_they_are = ("sku", "shelf_life_days", "abc_class")
    product = {"unit": "each", "currency": CURRENCY}
    await _copy(
        admin,
        "products",
        [
            plain
            | product
            | {name: row[name] for name in as_they_are}
            | {"name": row["sku"], "price": _exact(row["price"])}
            for row in new
        ],
    )
    terms = {"currency": CURRENCY, "price_breaks": "[]", "discount": "all_units", "priority": 1}
    quoted = ("sku", "location", "supplier", "lead_time_days", "lead_time_sd_days")
    await _copy(
        admin,
        "supplier_items",
        [
            plain | terms | {name: row[name] for name in quoted}
            | {name: _exact(row[name]) for name in ("unit_cost", "moq", "pack")}
            for row in rows
        ],
    )  # fmt: skip
    stock = {"tenant": tenant, "backorders": Decimal(0), "movements": 1, "moved_at": AT}
    await _copy(
        admin,
        "positions",
        [
            stock | {"sku": row["sku"], "location": row["location"]}
            | {name: _exact(row[name]) for name in ("on_hand", "reserved")}
            for row in rows
        ],
    )  # fmt: skip
    await _copy(
        admin,
        "supply",
        [
            {
                "tenant": tenant, "sku": row["sku"], "location": row["location"], "status": "confirmed",
                "recommendation_id": f"for-{one['order_id']}", "order_id": one["order_id"],
                "quantity": _exact(one["quantity"]), "arrive_on": one["arrive_on"],
            }
            for row in rows
            for one in row["open_orders"]
        ],
    )  # fmt: skip


async def _forecasts(admin: "Connection", tenant: str, rows: Sequence[Row]) -> None:
    plain = {"tenant": tenant, "revision": 0, "flags": [], "strategy": "bench", "model_id": "bench"}
    await _copy(
        admin,
        "forecasts",
        [
            plain
            | {
                "sku": row["sku"], "location": row["location"], "origin": row["origin"],
                "forecast_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{row['sku']}/{row['location']}")),
                "confidence": _exact(row["confidence"]),
                "mean_e4": pack_integers(row["mean_e4"]), "quantiles_e2": pack_integers(row["quantiles_e2"]),
            }
            for row in rows
        ],
    )  # fmt: skip


def _exact(value: float) -> Decimal:
    return round(Decimal(str(value)), 4)
