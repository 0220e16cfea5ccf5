"""Promotions, price changes and other signals as told: the newest word of each, and the items they are about."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from kernel.closing import OF_SUPPLY
from kit.database import Transaction
from schemas.signals import SignalObserved
from services.forecaster.domain.known_ahead import KINDS, KnownSignal
from services.forecaster.store.due import again as due_again


async def keep(
    tx: Transaction, tenant: str, told: Sequence[tuple[SignalObserved, str, datetime]], *, due: bool = True
) -> None:
    """Keep signals (message, event id, event time); a signal told again later replaces what was said of it before.

    What sensing says of the running day is advisory and about the present: it makes no forecast due. Nor does a first word
    about a supplier's articles, which no forecast contains (`known`); a later word may take back what the first one said.
    """
    for one, cause, at in told:
        has_replaced = await tx.fetchval(  # None: a newer word is known already
            "insert into signals as s (tenant, signal_id, kind, sku, location, category, supplier, strength, probability,"
            " starts_at, ends_at, advisory, told_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
            " on conflict (tenant, signal_id) do update set kind = excluded.kind, sku = excluded.sku,"
            " location = excluded.location, category = excluded.category, supplier = excluded.supplier,"
            " strength = excluded.strength, probability = excluded.probability, starts_at = excluded.starts_at,"
            " ends_at = excluded.ends_at, advisory = excluded.advisory, told_at = excluded.told_at"
            " where excluded.told_at >= s.told_at returning xmax <> 0",
            tenant,
            one.signal_id,
            one.kind,
            one.scope.sku,
            one.scope.location,
            one.scope.category,
            one.scope.supplier,
            one.strength,
            one.probability,
            one.starts_at,
            one.ends_at,
            one.advisory,
            at,
        )
        if has_replaced is None or one.advisory or not due:
            continue
        if has_replaced or one.scope.supplier is None:
            scope = {"sku": one.scope.sku, "location": one.scope.location, "category": one.scope.category}
            await due_again(tx, tenant, scope, cause, at)


async def known(tx: Transaction, tenant: str) -> list[KnownSignal]:
    """Promotions, price changes and closures of whole locations as told, in a fixed order; what is only advisory says nothing
    about days ahead, and what is about a supplier's articles is left to those who plan: here nobody knows which they are."""
    rows = await tx.fetch(
        "select kind, sku, location, category, strength, probability::float8 as probability, starts_at, ends_at, told_at"
        " from signals where tenant = $1 and not advisory and supplier is null and (kind = any($2::text[]) or (kind <> $3"
        " and strength = 0 and probability = 1 and location is not null and sku is null and category is null))"
        " order by told_at, signal_id",
        tenant,
        list(KINDS),
        OF_SUPPLY,
    )
    return [KnownSignal(**row) for row in rows]


async def during(tx: Transaction, tenant: str, first: date, last: date) -> list[Any]:
    """Signals that are under way on any of these days, in a fixed order."""
    return list(
        await tx.fetch(
            "select signal_id, kind, sku, location, category, supplier, strength, probability, starts_at, ends_at, advisory"
            " from signals where tenant = $1 and starts_at::date <= $3 and ends_at::date >= $2 order by starts_at, signal_id",
            tenant,
            first,
            last,
        )
    )
