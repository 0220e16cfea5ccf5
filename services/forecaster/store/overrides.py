"""Overrides of forecasts by people: kept for good, used while they hold."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from kit.database import Transaction
from services.forecaster.domain.overrides import Override

# More overrides than this on the days ahead and nobody knows any more what the forecast says.
ACTIVE_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A new override, as its author sent it."""

    override_id: str
    kind: str
    sku: str | None
    location: str | None
    category: str | None
    from_on: date
    to_on: date
    units: Decimal
    reason: str
    note: str | None
    expires_on: date
    created_by: str
    created_at: datetime


async def add(tx: Transaction, tenant: str, entry: Entry) -> bool:
    """Keep a new override; False when its id is there already (the same request came twice)."""
    row = await tx.fetchrow(
        "insert into overrides (tenant, override_id, kind, sku, location, category, from_on, to_on, units, reason, note,"
        " expires_on, created_by, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        " on conflict do nothing returning override_id",
        tenant,
        entry.override_id,
        entry.kind,
        entry.sku,
        entry.location,
        entry.category,
        entry.from_on,
        entry.to_on,
        entry.units,
        entry.reason,
        entry.note,
        entry.expires_on,
        entry.created_by,
        entry.created_at,
    )
    return row is not None


async def withdraw(tx: Transaction, tenant: str, override_id: str, by: str, at: datetime) -> Any:
    """Take an override back; None when it is unknown or was withdrawn before."""
    return await tx.fetchrow(
        "update overrides set withdrawn_by = $3, withdrawn_at = $4 where tenant = $1 and override_id = $2"
        " and withdrawn_at is null returning *",
        tenant,
        override_id,
        by,
        at,
    )


async def one(tx: Transaction, tenant: str, override_id: str) -> Any:
    """One override with how it turned out, or None."""
    rows = await _shown(tx, tenant, "o.override_id = $2", override_id)
    return rows[0] if rows else None


async def listed(tx: Transaction, tenant: str, *, only_active_on: date | None, limit: int) -> list[Any]:
    """Overrides, newest first; with `only_active_on`, those that a forecast from that origin would still use."""
    if only_active_on is None:
        return await _shown(tx, tenant, "true", limit=limit)
    active = "o.withdrawn_at is null and o.to_on > $2 and o.expires_on > $2"
    return await _shown(tx, tenant, active, only_active_on, limit=limit)


async def _shown(tx: Transaction, tenant: str, where: str, *values: Any, limit: int = 1) -> list[Any]:
    # How it turned out is told at the shortest horizon: windows of one day overlap with nothing.
    return list(
        await tx.fetch(
            "select o.*, s.horizon_days, s.windows, s.actual, s.absolute_error, s.model_absolute_error from overrides o"
            " left join lateral (select * from override_scores s where s.tenant = o.tenant"
            " and s.override_id = o.override_id order by s.horizon_days limit 1) s on true"
            f" where o.tenant = $1 and {where} order by o.created_at desc, o.override_id limit {int(limit)}",
            tenant,
            *values,
        )
    )


async def active(tx: Transaction, tenant: str) -> list[Override]:
    """Overrides that may still hold for some origin, oldest first. The period and expiry are judged per origin."""
    rows = await tx.fetch(
        "select override_id, kind, from_on, to_on, units::float8 as units, expires_on, sku, location, category"
        " from overrides where tenant = $1 and withdrawn_at is null"
        " and to_on > (select min(business_date) from closed_days where tenant = $1)"
        " order by created_at, override_id limit $2",
        tenant,
        ACTIVE_MAX,
    )
    return [
        Override(
            row["override_id"],
            row["kind"],
            row["from_on"],
            row["to_on"],
            row["units"],
            row["expires_on"],
            row["sku"],
            row["location"],
            row["category"],
        )
        for row in rows
    ]


async def discontinued(tx: Transaction, tenant: str) -> frozenset[str]:
    """Products the catalogue says are no longer sold."""
    rows = await tx.fetch("select sku from catalogue_items where tenant = $1 and not active", tenant)
    return frozenset(row["sku"] for row in rows)


async def totals(tx: Transaction, tenant: str) -> list[Any]:
    """Value of people by who set the override and why: errors with and without, at each override's shortest horizon."""
    return list(
        await tx.fetch(
            "with shortest as (select distinct on (override_id) * from override_scores where tenant = $1"
            " order by override_id, horizon_days)"
            " select o.created_by, o.reason, count(*) as overrides, sum(s.windows) as windows, sum(s.actual) as actual,"
            " sum(s.absolute_error) as absolute_error, sum(s.model_absolute_error) as model_absolute_error"
            " from shortest s join overrides o on o.tenant = s.tenant and o.override_id = s.override_id"
            " where o.tenant = $1 group by 1, 2 order by sum(s.windows) desc, 1, 2 limit 100",
            tenant,
        )
    )
