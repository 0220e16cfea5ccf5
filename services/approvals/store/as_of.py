"""Versions of lines, the decisions about them and the orders that followed, up to a past moment."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kit.database import Transaction


async def versions(tx: Transaction, tenant: str, line_ids: Sequence[str], at: datetime) -> list[Any]:
    """Every recommendation of these lines that had come by then and was not too late, in the order they came."""
    return await tx.fetch(
        "select line_id, recommendation_id, received_at, action, origin, location, from_location, changes_order, supplier, quantity,"
        " unit, value, currency, order_on, arrive_on from recommendations where tenant = $1 and line_id = any($2::text[])"
        " and received_at <= $3 and place <> 'too_late' order by line_id, arrived",
        tenant,
        list(line_ids),
        at,
    )


async def decisions(tx: Transaction, tenant: str, line_ids: Sequence[str], at: datetime) -> list[Any]:
    """Every decision about these lines by then, first to last, with the order it led to, if that had gone out by then."""
    return await tx.fetch(
        "select d.line_id, d.version, d.decision_id, d.recommendation_id, d.verdict, d.quantity_before, d.quantity, d.value,"
        " d.decided_by, d.role, d.decided_at, d.reason, d.snoozed_until, d.policy_version, d.matrix_version, o.order_id,"
        " o.released_at from decisions d"
        " left join order_lines n on n.tenant = d.tenant and n.decision_id = d.decision_id"
        " left join orders o on o.tenant = n.tenant and o.order_id = n.order_id and o.released_at <= $3"
        " where d.tenant = $1 and d.line_id = any($2::text[]) and d.decided_at <= $3 order by d.line_id, d.version",
        tenant,
        list(line_ids),
        at,
    )
