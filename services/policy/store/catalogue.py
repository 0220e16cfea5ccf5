"""Master data as last told; what codes mean is in `kit.names`."""

import json
from collections.abc import Sequence

from kit.database import Transaction
from schemas.catalogue import (
    ChannelDefined,
    ItemDefined,
    LocationDefined,
    SupplierDefined,
    SupplierItemDefined,
)

EVERYWHERE = "*"
# The newest `defined_at` wins, whatever the order of arrival.
NEWER = "where excluded.defined_at >= {table}.defined_at"


async def define_items(tx: Transaction, tenant: str, items: Sequence[ItemDefined]) -> None:
    """Insert or renew products."""
    await tx.executemany(
        "insert into products (tenant, sku, name, unit, category, price, currency, shelf_life_days, abc_class, active,"
        " defined_at, volume_m3) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict (tenant, sku) do update set"
        " name = excluded.name, unit = excluded.unit, category = excluded.category, price = excluded.price,"
        " currency = excluded.currency, shelf_life_days = excluded.shelf_life_days, abc_class = excluded.abc_class,"
        " active = excluded.active, volume_m3 = excluded.volume_m3, defined_at = excluded.defined_at "
        + NEWER.format(table="products"),
        [
            (
                tenant,
                one.sku,
                one.name,
                one.unit,
                one.category,
                one.price,
                one.currency,
                one.shelf_life_days,
                one.abc_class,
                one.active,
                one.defined_at,
                one.volume_m3,
            )
            for one in items
        ],
    )


async def define_locations(tx: Transaction, tenant: str, locations: Sequence[LocationDefined]) -> None:
    """Insert or renew locations."""
    await tx.executemany(
        "insert into locations (tenant, location, name, active, defined_at, time_zone) values ($1, $2, $3, $4, $5, $6)"
        " on conflict (tenant, location) do update set name = excluded.name, active = excluded.active,"
        " time_zone = excluded.time_zone, defined_at = excluded.defined_at " + NEWER.format(table="locations"),
        [(tenant, one.location, one.name, one.active, one.defined_at, one.time_zone) for one in locations],
    )


async def define_channels(tx: Transaction, tenant: str, channels: Sequence[ChannelDefined]) -> None:
    """Insert or renew ways of selling."""
    await tx.executemany(
        "insert into channels (tenant, channel, name, active, defined_at) values ($1, $2, $3, $4, $5)"
        " on conflict (tenant, channel) do update set name = excluded.name, active = excluded.active,"
        " defined_at = excluded.defined_at " + NEWER.format(table="channels"),
        [(tenant, one.channel, one.name, one.active, one.defined_at) for one in channels],
    )


async def define_suppliers(tx: Transaction, tenant: str, suppliers: Sequence[SupplierDefined]) -> None:
    """Insert or renew suppliers and their calendars."""
    await tx.executemany(
        "insert into suppliers (tenant, supplier, name, order_weekdays, receipt_weekdays, closed_on, currency, active,"
        " defined_at, minimum_order_value, truck_volume_m3, cut_off) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict (tenant, supplier) do update set"
        " name = excluded.name, order_weekdays = excluded.order_weekdays, receipt_weekdays = excluded.receipt_weekdays,"
        " closed_on = excluded.closed_on, currency = excluded.currency, active = excluded.active,"
        " minimum_order_value = excluded.minimum_order_value, truck_volume_m3 = excluded.truck_volume_m3,"
        " cut_off = excluded.cut_off,"
        " defined_at = excluded.defined_at " + NEWER.format(table="suppliers"),
        [
            (
                tenant,
                one.supplier,
                one.name,
                sorted(set(one.order_weekdays)),
                sorted(set(one.receipt_weekdays)),
                sorted(set(one.closed_on)),
                one.currency,
                one.active,
                one.defined_at,
                one.minimum_order_value,
                one.truck_volume_m3,
                one.cut_off,
            )
            for one in suppliers
        ],
    )


async def define_terms(tx: Transaction, tenant: str, terms: Sequence[SupplierItemDefined]) -> None:
    """Insert or renew the terms on which suppliers deliver products."""
    await tx.executemany(
        "insert into supplier_items (tenant, sku, location, supplier, lead_time_days, lead_time_sd_days, unit_cost, currency,"
        " moq, pack, price_breaks, discount, priority, active, defined_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        " on conflict (tenant, sku, location, supplier) do update set lead_time_days = excluded.lead_time_days,"
        " lead_time_sd_days = excluded.lead_time_sd_days, unit_cost = excluded.unit_cost, currency = excluded.currency,"
        " moq = excluded.moq, pack = excluded.pack, price_breaks = excluded.price_breaks, discount = excluded.discount,"
        " priority = excluded.priority, active = excluded.active, defined_at = excluded.defined_at "
        + NEWER.format(table="supplier_items"),
        [
            (
                tenant,
                one.sku,
                one.location or EVERYWHERE,
                one.supplier,
                one.lead_time_days,
                one.lead_time_sd_days or 0.0,
                one.unit_cost,
                one.currency,
                one.moq,
                one.pack,
                json.dumps([[str(step.from_quantity), str(step.unit_cost)] for step in one.price_breaks]),
                one.discount,
                one.priority,
                one.active,
                one.defined_at,
            )
            for one in terms
        ],
    )
