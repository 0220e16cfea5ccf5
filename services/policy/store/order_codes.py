"""Orders by the codes others give them: answers wait until their order is known, receipts are booked and find it later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kernel import naming
from kit import names, references
from kit.database import Transaction
from kit.events import Received
from kit.identify import Unmade
from services.policy.store import supply
from services.policy.store.deliveries import Came
from services.policy.store.ledger import Movement


async def made(tx: Transaction, tenant: str, codes: Sequence[str]) -> set[str]:
    """Those of these that were released, as orders or as changes of orders."""
    rows = await tx.fetch(
        "select order_id from supply where tenant = $1 and order_id = any($2::text[])"
        " union select change_order_id from supply where tenant = $1 and change_order_id = any($2::text[])",
        tenant,
        codes,
    )
    return {row["order_id"] for row in rows}


async def unknown(tx: Transaction, tenant: str, answers: Sequence[Received[Any]]) -> Unmade:
    """Of these answers, those that name no order that is known."""
    found = await references.of_answers(tx, tenant, answers, made)
    return {one.hash: meaning for one, meaning in found if meaning.target is None}


async def of_movements(
    tx: Transaction, tenant: str, movements: Sequence[Movement], stored_at_ms: Mapping[UUID, int]
) -> list[Movement]:
    """Movements with the order they mean; one that names none that is known keeps the code it came with."""
    naming_one = [(one.order_id, one) for one in movements if one.order_id is not None]
    asked = [(code, one.business_date, stored_at_ms[one.event_hash]) for code, one in naming_one]
    means = await references.meanings(tx, tenant, names.ORDER, asked, made)
    meant = {one.event_hash: means[n].target or code for n, (code, one) in enumerate(naming_one)}
    return [one._replace(order_id=meant.get(one.event_hash)) for one in movements]


@dataclass(frozen=True, slots=True)
class Settled:
    """Receipts that have found their order: items of it, the codes they came with, and all that came of either."""

    due: list[tuple[str, str]]
    codes: list[str]
    came: list[Came]


async def settle(tx: Transaction, tenant: str) -> Settled:
    """Let booked movements whose order nobody knew go to the order that an alias of its code means by now."""
    rows = await tx.fetch(
        "select sku, location, event_hash, order_id, business_date from ledger where tenant = $1 and order_id in"
        " (select code from name_facts where tenant = $1 and subject = $2 and scheme <> $3) order by 1, 2, 3",
        tenant,
        names.ORDER,
        naming.OWN,
    )
    asked = [(row["order_id"], row["business_date"], naming.NOW_MS) for row in rows]
    means = await references.meanings(tx, tenant, names.ORDER, asked, made)
    found = [
        (row, meaning.target)
        for row, meaning in zip(rows, means, strict=True)
        if meaning.target is not None and meaning.target != row["order_id"]
    ]
    if not found:
        return Settled([], [], [])
    await tx.execute(
        "update ledger l set order_id = t.order_id"
        " from unnest($2::text[], $3::text[], $4::uuid[], $5::text[]) as t(sku, location, event_hash, order_id)"
        " where l.tenant = $1 and l.sku = t.sku and l.location = t.location and l.event_hash = t.event_hash",
        tenant,
        *(list(column) for column in zip(*((row[0], row[1], row[2], target) for row, target in found), strict=True)),
    )
    codes = sorted({row["order_id"] for row, _target in found})
    touched = sorted({*codes, *(target for _row, target in found)})
    came = await tx.fetch(
        "select order_id, location, min(business_date) from ledger"
        " where tenant = $1 and order_id = any($2::text[]) and kind = 'receipt' group by 1, 2",
        tenant,
        touched,
    )
    return Settled(await supply.receiving(tx, tenant, touched), codes, [(row[0], row[1], row[2]) for row in came])
