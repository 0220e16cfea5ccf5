"""What decisions are judged by: the limits in force and the business day of each location."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from kit.database import Transaction


async def publish_limits(
    tx: Transaction,
    tenant: str,
    scope: str,
    version: int,
    rule_value_limit: Decimal | None,
    second_signature_above: Decimal | None,
) -> None:
    """Put a published policy version in force, unless a newer one of its scope already is."""
    await tx.execute(
        "insert into limits (tenant, scope, policy_version, rule_value_limit, second_signature_above) values ($1,$2,$3,$4,$5)"
        " on conflict (tenant, scope) do update set policy_version = excluded.policy_version, rule_value_limit = excluded.rule_value_limit,"
        " second_signature_above = excluded.second_signature_above where limits.policy_version < excluded.policy_version",
        tenant,
        scope,
        version,
        rule_value_limit,
        second_signature_above,
    )


async def business_dates(tx: Transaction, tenant: str, locations: Iterable[str]) -> dict[str, date]:
    """The last closed business day of each of these locations that has one."""
    rows = await tx.fetch(
        "select location, business_date from location_days where tenant = $1 and location = any($2::text[])",
        tenant,
        sorted(set(locations)),
    )
    return {row["location"]: row["business_date"] for row in rows}


async def advance(tx: Transaction, tenant: str, days: Mapping[str, date]) -> dict[str, date]:
    """Move business days forward, never back; returns the locations that moved."""
    rows = await tx.fetch(
        "insert into location_days (tenant, location, business_date) select $1, l, d from unnest($2::text[], $3::date[]) as x(l, d) order by l"
        " on conflict (tenant, location) do update set business_date = excluded.business_date"
        " where location_days.business_date < excluded.business_date returning location, business_date",
        tenant,
        list(days),
        list(days.values()),
    )
    return {row["location"]: row["business_date"] for row in rows}
