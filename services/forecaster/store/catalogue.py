"""Master data of items and locations, as far as demand needs it; what codes mean is in `kit.names`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from kit.database import Transaction
from services.forecaster.domain.calendars import Place, Places


async def define_items(
    tx: Transaction, tenant: str, rows: Sequence[tuple[str, str | None, str | None, Decimal | None, bool, Any]]
) -> None:
    """Rows (sku, category, ABC class, price, active, defined at). An older fact never replaces a newer one."""
    await tx.execute(
        "insert into catalogue_items as c (tenant, sku, category, abc_class, price, active, defined_at)"
        " select distinct on (s) $1, s, g, k, p, a, d"
        " from unnest($2::text[], $3::text[], $4::text[], $5::numeric[], $6::bool[], $7::timestamptz[])"
        " with ordinality as t(s, g, k, p, a, d, n) order by s, d desc, n desc"
        " on conflict (tenant, sku) do update set category = excluded.category, abc_class = excluded.abc_class,"
        " price = excluded.price, active = excluded.active,"
        " defined_at = excluded.defined_at where excluded.defined_at >= c.defined_at",
        tenant,
        *_columns(rows, 6),
    )


async def define_locations(
    tx: Transaction, tenant: str, rows: Sequence[tuple[str, str, str | None, str | None, bool, Any]]
) -> None:
    """Rows (location, time zone, country, region, active, defined at)."""
    await tx.execute(
        "insert into catalogue_locations as c (tenant, location, time_zone, country, region, active, defined_at)"
        " select distinct on (s) $1, s, z, n, r, a, d"
        " from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bool[], $7::timestamptz[])"
        " with ordinality as t(s, z, n, r, a, d, o) order by s, d desc, o desc"
        " on conflict (tenant, location) do update set time_zone = excluded.time_zone, country = excluded.country,"
        " region = excluded.region, active = excluded.active,"
        " defined_at = excluded.defined_at where excluded.defined_at >= c.defined_at",
        tenant,
        *_columns(rows, 6),
    )


async def places(tx: Transaction, tenant: str) -> Places:
    """Time zone, country and region of every location."""
    rows = await tx.fetch(
        "select location, time_zone, country, region from catalogue_locations where tenant = $1", tenant
    )
    return {row["location"]: Place(row["time_zone"], row["country"], row["region"]) for row in rows}


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
