"""Whom the approval matrix lets read only part of the tenant, and transactions that see no more than that.

The rows themselves are kept back by Postgres (`migrations/0017_reading_by_coverage.sql`), so that no query can forget to.
"""

from collections.abc import Collection
from datetime import date

import orjson

from kit.database import Transaction, role_of
from schemas.matrix import ApprovalMatrixPublished
from services.gateway.store.rows import as_json

READER = f"{role_of('gateway')}_reader"


async def put_matrix(tx: Transaction, tenant: str, published: ApprovalMatrixPublished) -> None:
    """Keep what a version of the matrix says of reading; an older version never replaces a newer one."""
    said = published.model_dump(mode="json", include={"coverage", "delegations"})
    is_newer = await tx.fetchval(
        "insert into matrices (tenant, version, limits_reading, delegations) values ($1, $2, $3, $4::jsonb)"
        " on conflict (tenant) do update set version = excluded.version, limits_reading = excluded.limits_reading,"
        " delegations = excluded.delegations where matrices.version < excluded.version returning true",
        tenant,
        published.version,
        published.limits_reading,
        orjson.dumps(said["delegations"]).decode(),
    )
    if not is_newer:
        return
    await tx.execute("delete from coverage where tenant = $1", tenant)
    rows = [{"subject": one["subject"], "entry": number, **one["scope"]} for number, one in enumerate(said["coverage"])]
    await tx.execute(
        "insert into coverage (tenant, subject, entry, suppliers, categories, locations)"
        " select $1, subject, entry, suppliers, categories, locations from jsonb_to_recordset($2::jsonb)"
        " as r(subject text, entry integer, suppliers text[], categories text[], locations text[])",
        tenant,
        as_json(rows),
    )


async def readers(tx: Transaction, tenant: str, subject: str, today: date) -> tuple[str, ...] | None:
    """Whose coverage says what `subject` reads: their own, and that of who delegated to them. None: they read everything.

    As for deciding: while nobody has an entry everybody covers everything, and then who has none covers nothing.
    """
    matrix = await tx.fetchrow(
        "select delegations from matrices m where tenant = $1 and limits_reading"
        " and exists (select from coverage c where c.tenant = $1)",
        tenant,
    )
    if matrix is None:
        return None
    given = [
        one["delegator"]
        for one in orjson.loads(matrix["delegations"])
        if one["delegate"] == subject and date.fromisoformat(one["starts"]) <= today <= date.fromisoformat(one["ends"])
    ]
    names = tuple(sorted({subject, *given}))
    covers_all = await tx.fetchval(
        "select exists (select from coverage where tenant = $1 and subject = any($2)"
        " and suppliers = '{}' and categories = '{}' and locations = '{}')",
        tenant,
        names,
    )
    return None if covers_all else names


async def limit(tx: Transaction, names: tuple[str, ...]) -> None:
    """From here to its end, this transaction changes nothing and sees what these people cover."""
    await tx.execute(
        "select set_config('app.readers', $1::text[]::text, true), set_config('role', $2, true)", names, READER
    )


async def covers_item(tx: Transaction, tenant: str, sku: str, location: str) -> bool:
    """Whether the item is among what this transaction sees: planned or forecast here, or with a line."""
    return bool(
        await tx.fetchval(
            "select exists (select from outcomes where tenant = $1 and sku = $2 and location = $3)"
            " or exists (select from forecasts where tenant = $1 and sku = $2 and location = $3)"
            " or exists (select from lines where tenant = $1 and sku = $2 and location = $3)",
            tenant,
            sku,
            location,
        )
    )


async def covered_lines(tx: Transaction, tenant: str, line_ids: Collection[str]) -> frozenset[str]:
    """Those of these lines that this transaction sees."""
    rows = await tx.fetch("select line_id from lines where tenant = $1 and line_id = any($2)", tenant, sorted(line_ids))
    return frozenset(row["line_id"] for row in rows)


async def covers_recommendation(tx: Transaction, tenant: str, recommendation_id: str) -> bool:
    return bool(
        await tx.fetchval(
            "select exists (select from lines where tenant = $1 and recommendation_id = $2)"
            " or exists (select from decisions where tenant = $1 and recommendation_id = $2)",
            tenant,
            recommendation_id,
        )
    )


async def covers_comment(tx: Transaction, tenant: str, comment_id: str) -> bool:
    return bool(
        await tx.fetchval(
            "select exists (select from comments where tenant = $1 and comment_id = $2)", tenant, comment_id
        )
    )


async def covers_order(tx: Transaction, tenant: str, order_id: str) -> bool:
    return bool(
        await tx.fetchval("select exists (select from orders where tenant = $1 and order_id = $2)", tenant, order_id)
    )
