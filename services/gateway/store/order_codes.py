"""By which codes the other side knows the items of an order."""

from collections import defaultdict
from collections.abc import Collection

from kernel import gtin
from kit.database import Transaction
from services.gateway.store.rows import like

# Codes by supplier, location (None: all) and product.
SupplierCodes = dict[tuple[str, str | None, str], set[str]]


async def supplier_codes(
    tx: Transaction, tenant: str, suppliers: Collection[str], skus: Collection[str]
) -> SupplierCodes:
    """What these suppliers call each product, from their terms and their aliases."""
    rows = await tx.fetch(
        "select body->>'supplier' as supplier, body->>'sku' as sku, body->>'location' as location, body->>'supplier_code' as code"
        " from catalogue where tenant = $1 and kind = 'supplier-item' and active and body->>'supplier' = any($2)"
        " and body->>'sku' = any($3) and body->>'supplier_code' is not null"
        " union all select body->>'supplier', body->>'target', null, body->>'code' from catalogue where tenant = $1"
        " and kind = 'identity-alias' and active and body->>'scheme' = 'supplier_code' and body->>'subject' = 'item'"
        " and body->>'supplier' = any($2) and body->>'target' = any($3)",
        tenant,
        sorted(suppliers),
        sorted(skus),
    )
    found: SupplierCodes = defaultdict(set)
    for row in rows:
        found[row["supplier"], row["location"], row["sku"]].add(row["code"])
    return found


def code_at(codes: SupplierCodes, supplier: str | None, location: str, sku: str) -> str | None:
    """The supplier's code for a product delivered to a location: that of its terms for the location before that for all. A
    product with several has none here: nobody knows which of them an order should say."""
    if supplier is None:
        return None
    some = codes.get((supplier, location, sku)) or codes.get((supplier, None, sku)) or set()
    return next(iter(some)) if len(some) == 1 else None


async def gtins(tx: Transaction, tenant: str, skus: Collection[str]) -> dict[str, str]:
    """The GTIN of each product, in 14 digits: its own code if that is one, else its only GTIN alias."""
    rows = await tx.fetch(
        "select body->>'target' as sku, body->>'code' as code from catalogue where tenant = $1 and kind = 'identity-alias'"
        " and active and body->>'scheme' = 'gtin' and body->>'subject' = 'item' and body->>'target' = any($2)",
        tenant,
        sorted(skus),
    )
    told: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        whole = gtin.canonical(row["code"])
        if whole is not None:
            told[row["sku"]].add(whole)
    found = {sku: next(iter(some)) for sku, some in told.items() if len(some) == 1}
    return found | {sku: whole for sku in skus if (whole := gtin.canonical(sku)) is not None}


async def starting_with(tx: Transaction, tenant: str, start: str) -> list[str]:
    """Ids of the orders that begin like this."""
    rows = await tx.fetch(
        "select order_id from orders where tenant = $1 and order_id like $2 limit 2",
        tenant,
        like(start).removeprefix("%"),
    )
    return [row["order_id"] for row in rows]


async def item_of(tx: Transaction, tenant: str, supplier: str, code: str) -> str | None:
    """The product that exactly one of these names: our own code, a GTIN, or this supplier's code. None: nobody knows."""
    whole = gtin.canonical(code)
    rows = await tx.fetch(
        "select identity as sku from catalogue where tenant = $1 and kind = 'item' and active and identity = any($3)"
        " union select body->>'target' from catalogue where tenant = $1 and kind = 'identity-alias' and active"
        " and body->>'subject' = 'item' and coalesce(body->>'supplier', $2) = $2"
        " and (body->>'code' = $4 or body->>'scheme' = 'gtin' and lpad(body->>'code', 14, '0') = $5)"
        " union select body->>'sku' from catalogue where tenant = $1 and kind = 'supplier-item' and active"
        " and body->>'supplier' = $2 and body->>'supplier_code' = $4",
        tenant,
        supplier,
        sorted({code, whole or code}),
        code,
        whole,
    )
    return rows[0]["sku"] if len(rows) == 1 else None
