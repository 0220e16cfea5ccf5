"""What may change demand or supply for a while, as told, and the items it is about."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from kernel.closing import shuts_doors
from kit.database import Transaction
from schemas.signals import SignalObserved

Items = list[tuple[str, str]]
# Items of one signal that are planned at once; a signal about everything waits for the next run instead.
ITEMS_MAX = 500


async def keep(tx: Transaction, tenant: str, told: Sequence[tuple[SignalObserved, datetime]]) -> Items:
    """Keep signals with their event times, the newest word of each; returns the items to be planned again.

    What sensing says (advisory) moves no plan.
    """
    due: Items = []
    for one, at in told:
        new = await tx.fetchval(
            "insert into signals as s (tenant, signal_id, kind, sku, location, category, supplier, strength, probability,"
            " starts_at, ends_at, advisory, told_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
            " on conflict (tenant, signal_id) do update set kind = excluded.kind, sku = excluded.sku,"
            " location = excluded.location, category = excluded.category, supplier = excluded.supplier,"
            " strength = excluded.strength, probability = excluded.probability, starts_at = excluded.starts_at,"
            " ends_at = excluded.ends_at, advisory = excluded.advisory, told_at = excluded.told_at"
            " where excluded.told_at >= s.told_at returning true",
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
        if new and not one.advisory:
            due += await _items(tx, tenant, one)
    return sorted(set(due))


async def _items(tx: Transaction, tenant: str, signal: SignalObserved) -> Items:
    rows = await tx.fetch(
        # A new item is planned from its forecast before anything moved: it has a plan and no position yet.
        "select p.sku, p.location from (select sku, location from positions where tenant = $1"
        " union select sku, location from plans where tenant = $1) p left join products i on i.tenant = $1 and i.sku = p.sku"
        " where ($2::text is null or p.sku = $2) and ($3::text is null or p.location = $3)"
        " and ($4::text is null or i.category = $4) and ($5::text is null or exists (select from terms_of_supply x"
        "  where x.tenant = $1 and x.sku = p.sku and x.supplier = $5 and x.location in (p.location, '*')))"
        " order by 1, 2 limit $6",
        tenant,
        signal.scope.sku,
        signal.scope.location,
        signal.scope.category,
        signal.scope.supplier,
        ITEMS_MAX + 1,
    )
    return [(row["sku"], row["location"]) for row in rows] if len(rows) <= ITEMS_MAX else []


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


def is_closing(told: Any) -> bool:
    """Whether it shuts the doors of a location."""
    scope = [name for name in ("sku", "location", "category", "supplier") if told[name] is not None]
    return shuts_doors(told["kind"], told["strength"], told["probability"], scope)
