"""Who answers for what, as the catalogue's owner scopes say."""

from collections.abc import Sequence

from kit.database import Transaction
from schemas.catalogue import OwnerScopeDefined
from services.policy.domain.ownership import DEFAULT_OWNER, Scope, choose


async def define(tx: Transaction, tenant: str, scopes: Sequence[OwnerScopeDefined]) -> None:
    """Insert or renew owner scopes; an older word never replaces a newer one."""
    await tx.executemany(
        "insert into owner_scopes (tenant, owner, suppliers, categories, locations, active, defined_at)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant, owner) do update set suppliers = excluded.suppliers,"
        " categories = excluded.categories, locations = excluded.locations, active = excluded.active,"
        " defined_at = excluded.defined_at where excluded.defined_at >= owner_scopes.defined_at",
        [
            (
                tenant,
                one.owner,
                list(one.suppliers),
                list(one.categories),
                list(one.locations),
                one.active,
                one.defined_at,
            )
            for one in scopes
        ],
    )


async def owner_of(
    tx: Transaction,
    tenant: str,
    *,
    location: str | None = None,
    supplier: str | None = None,
    category: str | None = None,
) -> str:
    """The one owner of something at this location, of this supplier, in this category."""
    rows = await tx.fetch(
        "select owner, suppliers, categories, locations from owner_scopes where tenant = $1 and active", tenant
    )
    scopes = [
        Scope(row["owner"], frozenset(row["suppliers"]), frozenset(row["categories"]), frozenset(row["locations"]))
        for row in rows
    ]
    return choose(scopes, location=location, supplier=supplier, category=category) if scopes else DEFAULT_OWNER
