"""Which exceptions this service has raised and not resolved."""

from collections.abc import Sequence

from kit.database import Transaction


async def raise_once(tx: Transaction, tenant: str, found: Sequence[tuple[str, str, str]]) -> set[str]:
    """Note (exception id, kind, subject); returns the ids that were not open yet."""
    rows = await tx.fetch(
        "insert into open_exceptions (tenant, exception_id, kind, subject)"
        " select $1, * from unnest($2::text[], $3::text[], $4::text[]) on conflict do nothing returning exception_id",
        tenant,
        [one[0] for one in found],
        [one[1] for one in found],
        [one[2] for one in found],
    )
    return {row["exception_id"] for row in rows}


async def resolve(tx: Transaction, tenant: str, exception_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Close exceptions; returns (id, subject) of those that were open."""
    rows = await tx.fetch(
        "delete from open_exceptions where tenant = $1 and exception_id = any($2::text[]) returning exception_id, subject",
        tenant,
        list(exception_ids),
    )
    return [(row["exception_id"], row["subject"]) for row in rows]


async def open_of(tx: Transaction, tenant: str, kind: str) -> list[str]:
    """Ids of the open exceptions of a kind."""
    rows = await tx.fetch(
        "select exception_id from open_exceptions where tenant = $1 and kind = $2 order by 1", tenant, kind
    )
    return [row["exception_id"] for row in rows]
