"""Which codes are known: items, locations, and other codes that stand for them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kit.database import Transaction

# An alias may point to a code that is itself an alias (a legacy code of a legacy code); longer chains are a loop.
ALIAS_STEPS_MAX = 4


async def define_items(
    tx: Transaction, tenant: str, rows: Sequence[tuple[str, str | None, str | None, bool, Any]]
) -> None:
    """Rows (sku, category, ABC class, active, defined at). An older fact never replaces a newer one."""
    await tx.execute(
        "insert into catalogue_items as c (tenant, sku, category, abc_class, active, defined_at)"
        " select distinct on (s) $1, s, g, k, a, d"
        " from unnest($2::text[], $3::text[], $4::text[], $5::bool[], $6::timestamptz[])"
        " with ordinality as t(s, g, k, a, d, n) order by s, d desc, n desc"
        " on conflict (tenant, sku) do update set category = excluded.category, abc_class = excluded.abc_class,"
        " active = excluded.active,"
        " defined_at = excluded.defined_at where excluded.defined_at >= c.defined_at",
        tenant,
        *_columns(rows, 5),
    )


async def define_locations(tx: Transaction, tenant: str, rows: Sequence[tuple[str, str, bool, Any]]) -> None:
    """Rows (location, time zone, active, defined at)."""
    await tx.execute(
        "insert into catalogue_locations as c (tenant, location, time_zone, active, defined_at)"
        " select distinct on (s) $1, s, z, a, d from unnest($2::text[], $3::text[], $4::bool[], $5::timestamptz[])"
        " with ordinality as t(s, z, a, d, n) order by s, d desc, n desc"
        " on conflict (tenant, location) do update set time_zone = excluded.time_zone, active = excluded.active,"
        " defined_at = excluded.defined_at where excluded.defined_at >= c.defined_at",
        tenant,
        *_columns(rows, 4),
    )


async def define_aliases(tx: Transaction, tenant: str, rows: Sequence[tuple[str, str, str, bool, Any]]) -> None:
    """Rows (subject, code, target, active, defined at)."""
    await tx.execute(
        "insert into catalogue_aliases as c (tenant, subject, code, target, active, defined_at)"
        " select distinct on (b, s) $1, b, s, t, a, d"
        " from unnest($2::text[], $3::text[], $4::text[], $5::bool[], $6::timestamptz[])"
        " with ordinality as x(b, s, t, a, d, n) order by b, s, d desc, n desc"
        " on conflict (tenant, subject, code) do update set target = excluded.target, active = excluded.active,"
        " defined_at = excluded.defined_at where excluded.defined_at >= c.defined_at",
        tenant,
        *_columns(rows, 5),
    )


async def resolve_items(tx: Transaction, tenant: str, codes: Iterable[str]) -> dict[str, str]:
    """Code -> own code, for those that are known. A code nobody defined is missing from the answer."""
    known = "select sku from catalogue_items where tenant = $1 and sku = any($2::text[])"
    return await _resolve(tx, tenant, "item", known, set(codes))


async def resolve_locations(tx: Transaction, tenant: str, codes: Iterable[str]) -> dict[str, str]:
    """As `resolve_items`, for locations."""
    known = "select location from catalogue_locations where tenant = $1 and location = any($2::text[])"
    return await _resolve(tx, tenant, "location", known, set(codes))


async def time_zones(tx: Transaction, tenant: str) -> Mapping[str, str]:
    """IANA time zone of every location."""
    rows = await tx.fetch("select location, time_zone from catalogue_locations where tenant = $1", tenant)
    return {row["location"]: row["time_zone"] for row in rows}


async def _resolve(tx: Transaction, tenant: str, subject: str, known: str, codes: set[str]) -> dict[str, str]:
    found = {row[0]: row[0] for row in await tx.fetch(known, tenant, list(codes))}
    open_ends = {code: code for code in codes - found.keys()}
    for _ in range(ALIAS_STEPS_MAX):
        if not open_ends:
            break
        rows = await tx.fetch(
            "select code, target from catalogue_aliases where tenant = $1 and subject = $2 and active"
            " and code = any($3::text[])",
            tenant,
            subject,
            list(set(open_ends.values())),
        )
        step = {row["code"]: row["target"] for row in rows}
        open_ends = {code: step[at] for code, at in open_ends.items() if at in step}
        targets = (
            {row[0] for row in await tx.fetch(known, tenant, list(set(open_ends.values())))} if open_ends else set()
        )
        found |= {code: at for code, at in open_ends.items() if at in targets}
        open_ends = {code: at for code, at in open_ends.items() if at not in targets}
    return found


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
