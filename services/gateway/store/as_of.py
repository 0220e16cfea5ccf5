"""What the read models keep of an item's past: its lines, the orders about it with all their answers, and the policy in force."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from kit.database import Transaction
from services.gateway.domain.as_of import Answer, Line, Ordered
from services.gateway.store.rows import Row, as_dicts, loaded

# An item has a line for each need; of more than these the oldest are not looked at.
LINES_MAX = 1000


async def lines(tx: Transaction, tenant: str, sku: str, location: str) -> list[str]:
    """Lines of the item, and of transfers that take it away, newest first."""
    rows = await tx.fetch(
        "select line_id from lines where tenant = $1 and sku = $2 and (location = $3 or from_location = $3)"
        " order by issued_at desc, line_id limit $4",
        tenant,
        sku,
        location,
        LINES_MAX,
    )
    return [row["line_id"] for row in rows]


async def policy(tx: Transaction, tenant: str, at: datetime) -> Row | None:
    """The version of the parameters that was newest then: plans follow it from its publication on."""
    row = await tx.fetchrow(
        "select scope, version, published_at, published_by, reason from policies"
        " where tenant = $1 and scope = 'default' and published_at <= $2 order by version desc limit 1",
        tenant,
        at,
    )
    return dict(row) if row else None


async def orders(tx: Transaction, tenant: str, sku: str, order_ids: Sequence[str]) -> list[Ordered]:
    """These orders and those that change them, with what each ordered of a product, and every answer."""
    rows = as_dicts(
        await tx.fetch(
            "select order_id, kind, released_at, arrive_on, changes_order, lines from orders where tenant = $1"
            " and (order_id = any($2::text[]) or changes_order = any($2::text[])) order by released_at, order_id",
            tenant,
            list(order_ids),
        )
    )
    answers = await tx.fetch(
        "select order_id, event_id, status, updated_at, lines from order_updates where tenant = $1"
        " and order_id = any($2::text[]) order by order_id, updated_at, event_id",
        tenant,
        [row["order_id"] for row in rows],
    )
    of_order: dict[str, list[Answer]] = {}
    for row in answers:
        said = tuple(_line(one) for one in loaded(row["lines"]))
        of_order.setdefault(row["order_id"], []).append(Answer(row["event_id"], row["status"], row["updated_at"], said))
    return [
        Ordered(
            row["order_id"],
            row["kind"],
            row["released_at"],
            row["arrive_on"],
            sum((Decimal(one["quantity"]) for one in mine), Decimal(0)),
            row["changes_order"],
            tuple(of_order.get(row["order_id"], ())),
        )
        for row in rows
        if (mine := [one for one in loaded(row["lines"]) if one["sku"] == sku]) or row["changes_order"] is None
    ]


def _line(said: dict[str, Any]) -> Line:
    arrive_on = said.get("arrive_on")
    return Line(
        said["sku"],
        Decimal(said["quantity"]),
        date.fromisoformat(arrive_on) if arrive_on else None,
        said.get("substitute_sku"),
    )
