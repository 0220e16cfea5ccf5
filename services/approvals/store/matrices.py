"""The approval matrix as it is kept: versions in force, proposals to change it, owners and categories from the catalogue."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson

from kit.database import Transaction
from schemas.catalogue import ItemDefined, OwnerScopeDefined
from schemas.matrix import ApprovalMatrixPublished


async def newest(tx: Transaction, tenant: str) -> ApprovalMatrixPublished | None:
    """The version in force; None before a tenant published its own."""
    document = await tx.fetchval(
        "select document from matrices where tenant = $1 order by version desc limit 1", tenant
    )
    return ApprovalMatrixPublished.model_validate_json(document) if document is not None else None


async def add(tx: Transaction, published: ApprovalMatrixPublished, now: datetime) -> bool:
    """Put a version in force; False when that version is there already."""
    added = await tx.fetchval(
        "insert into matrices (tenant, version, document, proposed_by, approved_by, published_at) values ($1,$2,$3,$4,$5,$6)"
        " on conflict (tenant, version) do nothing returning 1",
        published.tenant,
        published.version,
        published.model_dump_json(),
        published.proposed_by,
        published.approved_by,
        now,
    )
    return added is not None


async def lock(tx: Transaction, tenant: str) -> None:
    """One change of a tenant's matrix at a time, until the transaction ends."""
    await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 3))", f"approvals.matrix\x1f{tenant}")


async def propose(
    tx: Transaction,
    tenant: str,
    proposal_id: str,
    *,
    base_version: int,
    document: dict[str, Any],
    reason: str,
    by: str,
    now: datetime,
) -> None:
    """Keep a proposal, open."""
    await tx.execute(
        "insert into matrix_proposals (tenant, proposal_id, base_version, document, reason, proposed_by, proposed_at, state)"
        " values ($1,$2,$3,$4,$5,$6,$7,'open') on conflict (tenant, proposal_id) do nothing",
        tenant,
        proposal_id,
        base_version,
        orjson.dumps(document).decode(),
        reason,
        by,
        now,
    )


async def proposals(tx: Transaction, tenant: str, limit: int) -> list[dict[str, Any]]:
    """Proposals, newest first."""
    rows = await tx.fetch(
        "select * from matrix_proposals where tenant = $1 order by proposed_at desc, proposal_id limit $2",
        tenant,
        limit,
    )
    return [_proposal(row) for row in rows]


async def proposal(tx: Transaction, tenant: str, proposal_id: str) -> dict[str, Any] | None:
    """One proposal; the caller holds the tenant's matrix lock when it is going to decide."""
    row = await tx.fetchrow(
        "select * from matrix_proposals where tenant = $1 and proposal_id = $2", tenant, proposal_id
    )
    return _proposal(row) if row is not None else None


def _proposal(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "tenant"} | {
        "document": orjson.loads(row["document"])
    }


async def end(tx: Transaction, tenant: str, proposal_id: str, state: str, by: str, now: datetime) -> None:
    """A proposal is published, declined or withdrawn."""
    await tx.execute(
        "update matrix_proposals set state = $3, decided_by = $4, decided_at = $5 where tenant = $1 and proposal_id = $2",
        tenant,
        proposal_id,
        state,
        by,
        now,
    )


async def define_owners(tx: Transaction, tenant: str, defined: Sequence[OwnerScopeDefined]) -> None:
    """Keep who owns what; who is not active any more owns nothing. The newest definition counts, however late an older one comes."""
    for one in defined:
        if not one.active:
            await tx.execute(
                "delete from owner_scopes where tenant = $1 and owner = $2 and defined_at <= $3",
                tenant,
                one.owner,
                one.defined_at,
            )
            continue
        await tx.execute(
            "insert into owner_scopes (tenant, owner, suppliers, categories, locations, defined_at) values ($1,$2,$3,$4,$5,$6)"
            " on conflict (tenant, owner) do update set suppliers = excluded.suppliers, categories = excluded.categories,"
            " locations = excluded.locations, defined_at = excluded.defined_at where owner_scopes.defined_at <= excluded.defined_at",
            tenant,
            one.owner,
            list(one.suppliers),
            list(one.categories),
            list(one.locations),
            one.defined_at,
        )


async def categories(tx: Transaction, tenant: str, skus: Iterable[str]) -> dict[str, str | None]:
    """The category of each of these items that the catalogue has told of."""
    rows = await tx.fetch(
        "select sku, category from item_categories where tenant = $1 and sku = any($2::text[])",
        tenant,
        sorted(set(skus)),
    )
    return {row["sku"]: row["category"] for row in rows}


async def define_categories(tx: Transaction, tenant: str, defined: Sequence[ItemDefined]) -> None:
    """Keep which category each item is in."""
    newest_of: dict[str, ItemDefined] = {}
    for one in sorted(defined, key=lambda item: item.defined_at):
        newest_of[one.sku] = one
    items = sorted(newest_of.values(), key=lambda item: item.sku)
    await tx.execute(
        "insert into item_categories (tenant, sku, category, defined_at)"
        " select $1, sku, category, defined_at from unnest($2::text[], $3::text[], $4::timestamptz[]) as x(sku, category, defined_at)"
        " on conflict (tenant, sku) do update set category = excluded.category, defined_at = excluded.defined_at"
        " where item_categories.defined_at <= excluded.defined_at",
        tenant,
        [item.sku for item in items],
        [item.category for item in items],
        [item.defined_at for item in items],
    )
