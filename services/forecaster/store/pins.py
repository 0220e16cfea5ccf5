"""Pins of strategies by planners: kept for good, used until they are taken back."""

from datetime import datetime
from typing import Any

from kit.database import Transaction
from services.forecaster.domain.pins import Pin

SCOPE = ("sku", "location", "category", "abc_class")


async def add(
    tx: Transaction, tenant: str, pin: Pin, *, reason: str, note: str | None, by: str, at: datetime
) -> tuple[bool, list[Any]]:
    """Keep a new pin; one of the same scope that held until now is taken back by it.

    Says whether it is new (False: the same request came twice), and which pins it took the place of.
    """
    row = await tx.fetchrow(
        "insert into strategy_pins (tenant, pin_id, strategy, sku, location, category, abc_class, reason, note, set_by,"
        " set_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing returning pin_id",
        tenant, pin.pin_id, pin.strategy, pin.sku, pin.location, pin.category, pin.abc_class, reason, note, by, at,
    )  # fmt: skip
    if row is None:
        return False, []
    replaced = await tx.fetch(
        "update strategy_pins set withdrawn_by = $7, withdrawn_at = $8 where tenant = $1 and pin_id <> $2"
        " and withdrawn_at is null and (sku, location, category, abc_class) is not distinct from"
        " ($3::text, $4::text, $5::text, $6::text) returning pin_id",
        tenant, pin.pin_id, pin.sku, pin.location, pin.category, pin.abc_class, by, at,
    )  # fmt: skip
    return True, list(replaced)


async def withdraw(tx: Transaction, tenant: str, pin_id: str, by: str, at: datetime) -> Any:
    """Take a pin back; None when it is unknown or was taken back before."""
    return await tx.fetchrow(
        "update strategy_pins set withdrawn_by = $3, withdrawn_at = $4 where tenant = $1 and pin_id = $2"
        " and withdrawn_at is null returning *",
        tenant, pin_id, by, at,
    )  # fmt: skip


async def one(tx: Transaction, tenant: str, pin_id: str) -> Any:
    """One pin, or None."""
    return await tx.fetchrow("select * from strategy_pins where tenant = $1 and pin_id = $2", tenant, pin_id)


async def listed(tx: Transaction, tenant: str, limit: int) -> list[Any]:
    """Pins that hold first, then those taken back; newest first in each."""
    return list(
        await tx.fetch(
            "select * from strategy_pins where tenant = $1 order by withdrawn_at is not null, set_at desc, pin_id limit $2",
            tenant, limit,
        )
    )  # fmt: skip


async def active(tx: Transaction, tenant: str) -> list[Pin]:
    """Pins that hold, oldest first."""
    rows = await tx.fetch(
        "select * from strategy_pins where tenant = $1 and withdrawn_at is null order by set_at, pin_id", tenant
    )
    return [Pin(row["pin_id"], row["strategy"], **scope_of(row)) for row in rows]


def scope_of(row: Any) -> dict[str, str | None]:
    """The scope of a pin by part; None: all of them."""
    return {part: row[part] for part in SCOPE}
