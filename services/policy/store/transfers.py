"""Who may spare something of a product, and what is promised to others already."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from kit.database import Transaction

Items = list[tuple[str, str]]
KINDS = ("transfer", "allocate")


@dataclass(frozen=True, slots=True)
class Promise:
    """An open proposal to send units of a product from one location to another."""

    sku: str
    sender: str
    receiver: str
    quantity: Decimal
    arrive_on: date
    recommendation_id: str


async def lock(tx: Transaction, tenant: str, skus: Sequence[str]) -> None:
    """Nobody else plans transfers of these products until the transaction ends: two receivers would be promised the same
    units. Taken after the items' own locks and in the order of the products, so that nobody waits in a circle."""
    for sku in sorted(set(skus)):
        await tx.execute(
            "select pg_advisory_xact_lock(hashtextextended($1, 3))", f"policy.transfers\x1f{tenant}\x1f{sku}"
        )


async def senders(tx: Transaction, tenant: str, skus: Sequence[str]) -> Items:
    """Locations that have more of these products than their last plan's reorder point."""
    rows = await tx.fetch(
        "select s.sku, s.location from positions s left join plans p using (tenant, sku, location)"
        " left join locations l on l.tenant = $1 and l.location = s.location where s.tenant = $1 and s.sku = any($2::text[])"
        " and s.on_hand - s.reserved - s.backorders > coalesce(p.reorder_point, 0) and coalesce(l.active, true)"
        " order by s.sku, s.location",
        tenant,
        sorted(set(skus)),
    )
    return [(row["sku"], row["location"]) for row in rows]


async def promised(tx: Transaction, tenant: str, skus: Sequence[str]) -> list[Promise]:
    """What is proposed to leave anywhere, and not decided yet."""
    rows = await tx.fetch(
        "select b.sku, b.code as sender, b.location as receiver, r.quantity, r.arrive_on, b.recommendation_id"
        " from lines_beside b join recommendations r using (tenant, recommendation_id)"
        " where b.tenant = $1 and b.sku = any($2::text[]) and b.kind = any($3::text[]) and b.is_open order by 1, 2, 3",
        tenant,
        sorted(set(skus)),
        list(KINDS),
    )
    return [Promise(**dict(row)) for row in rows]


async def closed(tx: Transaction, tenant: str, skus: Sequence[str]) -> list[tuple[str, str, str, date]]:
    """(product, sender, receiver, until) of the lanes a person wants left alone."""
    rows = await tx.fetch(
        "select sku, code, location, hold_until from lines_beside where tenant = $1 and sku = any($2::text[])"
        " and kind = any($3::text[]) and hold_until is not null",
        tenant,
        sorted(set(skus)),
        list(KINDS),
    )
    return [(row["sku"], row["code"], row["location"], row["hold_until"]) for row in rows]
