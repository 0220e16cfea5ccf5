"""Drift flags: which rules of accuracy are broken, since when."""

from datetime import date
from typing import Any

from kit.database import Transaction
from services.forecaster.domain.accuracy import Drift


async def open_flags(tx: Transaction, tenant: str) -> list[Any]:
    """Rules that are broken now."""
    return list(
        await tx.fetch("select * from drift_flags where tenant = $1 and resolved_on is null order by rule", tenant)
    )


async def flags(tx: Transaction, tenant: str, limit: int = 50) -> list[Any]:
    """All flags, newest first."""
    return list(
        await tx.fetch(
            "select * from drift_flags where tenant = $1 order by raised_on desc, rule limit $2", tenant, limit
        )
    )


async def raise_flag(
    tx: Transaction, tenant: str, exception_id: str, model_id: str, drift: Drift, raised_on: date
) -> None:
    """Remember a broken rule; one that is seen again on the same day is open again."""
    await tx.execute(
        "insert into drift_flags (tenant, rule, exception_id, model_id, raised_on, says, value, limit_value)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8)"
        " on conflict (tenant, exception_id) do update set resolved_on = null, value = excluded.value",
        tenant,
        drift.rule,
        exception_id,
        model_id,
        raised_on,
        drift.says,
        drift.value,
        drift.limit,
    )


async def resolve_flag(tx: Transaction, tenant: str, exception_id: str, resolved_on: date) -> None:
    """The rule holds again."""
    await tx.execute(
        "update drift_flags set resolved_on = $3 where tenant = $1 and exception_id = $2",
        tenant,
        exception_id,
        resolved_on,
    )
