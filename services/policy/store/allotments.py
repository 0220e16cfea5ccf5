"""What scarce resources let each item have on a business date, and what of them is taken already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from kit.database import Transaction
from services.policy.domain.evidence import Allotment
from services.policy.domain.order_filling import OrderTerms

Item = tuple[str, str]
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Share:
    """One item's allotment and what it takes: money, cubic metres, units of a supplier."""

    sku: str
    location: str
    allotment: Allotment
    cash: Decimal
    volume_m3: Decimal
    supplier: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What approved orders and other items' allotments of a business date take."""

    cash: Decimal
    volume_m3: Decimal
    supplier_units: Mapping[str, Decimal]


async def lock(tx: Transaction, tenant: str) -> None:
    """Nobody else deals out this tenant's scarce resources until the transaction ends."""
    await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 4))", f"policy.allotments\x1f{tenant}")


async def order_terms(tx: Transaction, tenant: str) -> dict[str, OrderTerms]:
    """Suppliers that ask something of an order."""
    rows = await tx.fetch(
        "select supplier, coalesce(minimum_order_value, 0) as value, coalesce(truck_volume_m3, 0) as truck from suppliers"
        " where tenant = $1 and active and (minimum_order_value > 0 or truck_volume_m3 > 0)",
        tenant,
    )
    return {row["supplier"]: OrderTerms(float(row["value"]), float(row["truck"])) for row in rows}


async def of_items(tx: Transaction, tenant: str, items: Sequence[Item]) -> dict[Item, tuple[date, Allotment]]:
    """The newest allotments of these items that were not ordered since, each with the business date it is for."""
    rows = await tx.fetch(
        "select sku, location, business_date, quantity, resource, shadow_price, rank from allotments where tenant = $1"
        " and (sku, location) in (select * from unnest($2::text[], $3::text[]))",
        tenant,
        [sku for sku, _location in items],
        [location for _sku, location in items],
    )
    return {
        (row["sku"], row["location"]): (
            row["business_date"],
            Allotment(row["quantity"], row["resource"], row["shadow_price"], row["rank"]),
        )
        for row in rows
    }


async def taken(tx: Transaction, tenant: str, day: date, items: Sequence[Item]) -> Taken:
    """What is taken of this business date's budget: by approved orders, and by the allotments of all items but these."""
    rows = await tx.fetch(
        "with used as (select s.quantity * r.value / r.quantity as cash, s.quantity * coalesce(i.volume_m3, 0) as volume_m3,"
        " r.supplier, s.quantity as units from recommendations r join supply s using (tenant, recommendation_id)"
        " left join products i on i.tenant = r.tenant and i.sku = r.sku"
        " where r.tenant = $1 and r.budget_date = $2 and r.action = 'buy' and s.status <> 'cancelled'"
        " union all select cash, volume_m3, supplier, quantity from allotments where tenant = $1 and business_date = $2"
        " and (sku, location) not in (select * from unnest($3::text[], $4::text[])))"
        " select supplier, sum(cash) as cash, sum(volume_m3) as volume_m3, sum(units) as units from used group by supplier",
        tenant,
        day,
        [sku for sku, _location in items],
        [location for _sku, location in items],
    )
    return Taken(
        sum((row["cash"] for row in rows), ZERO),
        sum((row["volume_m3"] for row in rows), ZERO),
        {row["supplier"]: row["units"] for row in rows if row["supplier"] is not None},
    )


async def volumes(tx: Transaction, tenant: str, skus: Sequence[str]) -> dict[str, float]:
    """Cubic metres of one unit of each product; products that do not say take none."""
    rows = await tx.fetch(
        "select sku, volume_m3 from products where tenant = $1 and sku = any($2::text[]) and volume_m3 is not null",
        tenant,
        sorted(set(skus)),
    )
    return {row["sku"]: float(row["volume_m3"]) for row in rows}


async def keep(tx: Transaction, tenant: str, day: date, items: Sequence[Item], shares: Sequence[Share]) -> None:
    """What these items may have from now on; those without a share have none."""
    await tx.execute(
        "delete from allotments where tenant = $1 and (sku, location) in (select * from unnest($2::text[], $3::text[]))",
        tenant,
        [sku for sku, _location in items],
        [location for _sku, location in items],
    )
    await tx.executemany(
        "insert into allotments (tenant, sku, location, business_date, quantity, resource, shadow_price, rank, cash,"
        " volume_m3, supplier) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        [
            (
                tenant, one.sku, one.location, day, one.allotment.quantity, one.allotment.resource,
                one.allotment.shadow_price, one.allotment.rank, one.cash, one.volume_m3, one.supplier,
            )
            for one in sorted(shares, key=lambda one: (one.sku, one.location))
        ],
    )  # fmt: skip


async def spend(tx: Transaction, tenant: str, sku: str, location: str) -> None:
    """The item's order is approved: from now on the order itself is what it takes."""
    await tx.execute("delete from allotments where tenant = $1 and sku = $2 and location = $3", tenant, sku, location)
