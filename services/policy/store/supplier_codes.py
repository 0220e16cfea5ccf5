"""Which supplier a code stands for: what the names say, kept as one table, so that planning reads terms in one statement."""

from datetime import date

from kernel import naming
from kit.database import Transaction
from kit.names import Names

SUPPLIER = "supplier"
NOBODY = ""


async def settle(tx: Transaction, tenant: str, names: Names) -> None:
    """Ask again what every alias of a supplier means; call it when one was told, or a supplier was.

    Terms have no business day, so the newest word counts, from when it is told. A code that may be several suppliers, or
    that leads to none, delivers nothing: its items say `no_supplier` until one is left.
    """
    rows = await tx.fetch(
        "select distinct code from name_facts where tenant = $1 and subject = $2 and scheme <> $3 order by 1",
        tenant,
        SUPPLIER,
        naming.OWN,
    )
    codes = [row["code"] for row in rows]
    if not codes:
        return
    await names.refresh(tx, tenant)
    await names.learn(tx, tenant, SUPPLIER, codes)
    means = [(code, names.known(tenant, SUPPLIER, code, date.max, naming.NOW_MS).target or NOBODY) for code in codes]
    await tx.execute("delete from supplier_codes where tenant = $1", tenant)
    await tx.executemany(
        "insert into supplier_codes (tenant, code, supplier) values ($1, $2, $3)",
        [(tenant, code, supplier) for code, supplier in means if supplier != code],
    )
