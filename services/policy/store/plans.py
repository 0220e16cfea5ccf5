"""The last plan of each item, holds by people, and what was published."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from kit.database import Transaction
from kit.packing import unpack
from services.policy.store.numbers import texts


@dataclass(frozen=True, slots=True)
class Plan:
    """A row to be written: what an item's newest plan said."""

    sku: str
    location: str
    as_of: date | None
    run_id: str | None
    outcome: str
    reason: str | None
    recommendation_id: str | None
    line_id: str | None
    is_open: bool
    signature: str | None
    quantity: Decimal | None
    reorder_point: Decimal | None
    order_up_to: Decimal | None


@dataclass(frozen=True, slots=True)
class Published:
    """A recommendation as it was published. `document` is packed (`kit.packing`); `signals`: the steps of its derivation that
    say what signals moved, as JSON."""

    recommendation_id: str
    sku: str
    location: str
    line_id: str
    arrive_on: date
    quantity: Decimal
    document: bytes
    action: str = "buy"
    about: str | None = None
    budget_date: date | None = None
    value: Decimal | None = None
    supplier: str | None = None
    order_on: date | None = None
    signals: str | None = None


async def keep(tx: Transaction, tenant: str, plans: Sequence[Plan]) -> None:
    """Write the newest plans of items (their rows exist, locked by `evidence.load`).

    Written as an insert that finds its rows there: it always goes by the key, which an update joined with what is new does not
    while PostgreSQL believes the table empty.
    """
    await tx.execute(
        "insert into plans as p (tenant, sku, location, as_of, run_id, outcome, reason, recommendation_id, line_id, is_open,"
        " signature, quantity, reorder_point, order_up_to) select $1, * from unnest($2::text[], $3::text[], $4::date[],"
        " $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::boolean[], $11::text[], $12::text[]::numeric[],"
        " $13::text[]::numeric[], $14::text[]::numeric[]) on conflict (tenant, sku, location) do update set"
        " as_of = excluded.as_of, run_id = coalesce(excluded.run_id, p.run_id), outcome = excluded.outcome,"
        " reason = excluded.reason, recommendation_id = excluded.recommendation_id, line_id = excluded.line_id,"
        " is_open = excluded.is_open, signature = excluded.signature, quantity = excluded.quantity,"
        " reorder_point = excluded.reorder_point, order_up_to = excluded.order_up_to,"
        " hold_reason = case when p.hold_until > excluded.as_of then p.hold_reason end,"
        " hold_until = case when p.hold_until > excluded.as_of then p.hold_until end",
        tenant,
        [one.sku for one in plans],
        [one.location for one in plans],
        [one.as_of for one in plans],
        [one.run_id for one in plans],
        [one.outcome for one in plans],
        [one.reason for one in plans],
        [one.recommendation_id for one in plans],
        [one.line_id for one in plans],
        [one.is_open for one in plans],
        [one.signature for one in plans],
        texts(one.quantity for one in plans),
        texts(one.reorder_point for one in plans),
        texts(one.order_up_to for one in plans),
    )


async def publish(tx: Transaction, tenant: str, published: Sequence[Published]) -> None:
    """Keep recommendations with their evidence."""
    await tx.execute(
        "insert into recommendations (tenant, recommendation_id, sku, location, line_id, arrive_on, quantity, document,"
        " action, about, budget_date, value, supplier, order_on, signals) select $1, * from unnest($2::text[], $3::text[], $4::text[],"
        " $5::text[], $6::date[], $7::text[]::numeric[], $8::bytea[], $9::text[], $10::text[], $11::date[], $12::text[]::numeric[],"
        " $13::text[], $14::date[], $15::text[]::jsonb[])"
        " on conflict do nothing",
        tenant,
        [one.recommendation_id for one in published],
        [one.sku for one in published],
        [one.location for one in published],
        [one.line_id for one in published],
        [one.arrive_on for one in published],
        texts(one.quantity for one in published),
        [one.document for one in published],
        [one.action for one in published],
        [one.about for one in published],
        [one.budget_date for one in published],
        texts(one.value for one in published),
        [one.supplier for one in published],
        [one.order_on for one in published],
        [one.signals for one in published],
    )


async def published_before(tx: Transaction, tenant: str, identities: Sequence[str]) -> set[str]:
    """Which of these recommendations were published before."""
    rows = await tx.fetch(
        "select recommendation_id from recommendations where tenant = $1 and recommendation_id = any($2::text[])",
        tenant,
        list(identities),
    )
    return {row["recommendation_id"] for row in rows}


async def document_of(tx: Transaction, tenant: str, recommendation_id: str) -> bytes | None:
    """A recommendation as published; None when there is none of this id."""
    kept: bytes | None = await tx.fetchval(
        "select document from recommendations where tenant = $1 and recommendation_id = $2", tenant, recommendation_id
    )
    return None if kept is None else unpack(kept)


async def recommended(tx: Transaction, tenant: str, recommendation_id: str) -> Any:
    """sku, location, action, what it is about and quantity of a recommendation; None when this service did not make it."""
    return await tx.fetchrow(
        "select sku, location, action, about, quantity from recommendations where tenant = $1 and recommendation_id = $2",
        tenant,
        recommendation_id,
    )


async def hold(tx: Transaction, tenant: str, sku: str, location: str, reason: str, until: date | None) -> None:
    """A person wants nothing proposed before `until`; without it, until the business date after the plan's."""
    await tx.execute(
        "update plans set hold_reason = $4, hold_until = coalesce($5, as_of + 1)"
        " where tenant = $1 and sku = $2 and location = $3",
        tenant,
        sku,
        location,
        reason,
        until,
    )


async def unhold(tx: Transaction, tenant: str, sku: str, location: str) -> None:
    """The item may be proposed again."""
    await tx.execute(
        "update plans set hold_reason = null, hold_until = null where tenant = $1 and sku = $2 and location = $3",
        tenant,
        sku,
        location,
    )


async def close_line(tx: Transaction, tenant: str, sku: str, location: str, line_id: str) -> None:
    """The line of an item waits for no decision any more, whichever of its versions was decided."""
    await tx.execute(
        "update plans set is_open = false, signature = null"
        " where tenant = $1 and sku = $2 and location = $3 and line_id = $4",
        tenant,
        sku,
        location,
        line_id,
    )


async def reopen(tx: Transaction, tenant: str, recommendation_id: str) -> None:
    """A decision was taken back: its line waits again, unless the item has another open line by now."""
    await tx.execute(
        "update plans p set is_open = true, recommendation_id = r.recommendation_id, line_id = r.line_id, signature = null"
        " from recommendations r where r.tenant = $1 and r.recommendation_id = $2 and p.tenant = $1 and p.sku = r.sku"
        " and p.location = r.location and not p.is_open",
        tenant,
        recommendation_id,
    )


async def open_first(tx: Transaction, tenant: str, limit: int) -> list[tuple[str, str]]:
    """Planned items, those with an open line first, the others in an order that mixes products and places."""
    rows = await tx.fetch(
        "select sku, location from plans where tenant = $1 and outcome <> 'none'"
        " order by is_open desc, hashtextextended(sku || '/' || location, 0), sku, location limit $2",
        tenant,
        limit,
    )
    return [(row["sku"], row["location"]) for row in rows]
