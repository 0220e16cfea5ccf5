"""From what the services published to notices."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kernel.ids import derived_id
from schemas.decisions import LineAssigned, LineCommented, OrderReleased
from services.gateway.domain.notices import Notice


def _instant(value: Any) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value is not None else None


def of_assignments(assigned: Iterable[LineAssigned]) -> Iterator[Notice]:
    """A line is somebody's now. Said once for each owner and deadline, however often fresher numbers say it again."""
    for one in assigned:
        kind = "escalated" if one.escalated else "assigned"
        due = _instant(one.due_at)
        body = {
            "line_id": one.line_id,
            "recommendation_id": one.recommendation_id,
            "version": one.version,
            "owner": one.owner,
            "due_at": due,
            "signatures": one.signatures,
            "asked_by": list(one.asked_by),
        }
        notice_id = derived_id("notice", one.tenant, kind, one.line_id, one.owner, due or "")
        yield Notice(notice_id, kind, one.owner, one.assigned_at, body)


def of_mentions(said: Iterable[LineCommented]) -> Iterator[Notice]:
    """Somebody is named in a comment. Who names themselves is not told."""
    for one in said:
        body = {
            "line_id": one.line_id,
            "recommendation_id": one.recommendation_id,
            "sku": one.sku,
            "location": one.location,
            "by": one.commented_by,
            "text": " ".join(one.text.split()),
        }
        for name in one.mentions:
            if name != one.commented_by:
                notice_id = derived_id("notice", one.tenant, "mentioned", one.comment_id, name)
                yield Notice(notice_id, "mentioned", name, one.commented_at, body | {"mentioned": name})


def of_orders(released: Iterable[OrderReleased]) -> Iterator[Notice]:
    """An order left for the ERP."""
    for one in released:
        body = {
            "order_id": one.order_id,
            "kind": one.kind,
            "supplier": one.supplier,
            "location": one.location,
            "value": format(one.value, "f"),
            "currency": one.currency,
            "line_count": len(one.lines),
        }
        yield Notice(
            derived_id("notice", one.tenant, "released", one.order_id), "released", None, one.released_at, body
        )


def of_nearly_due(tenant: str, row: Mapping[str, Any], now: Any) -> Notice:
    """A line's time is nearly over."""
    due = _instant(row["due_at"])
    body = {name: row[name] for name in ("line_id", "recommendation_id", "version", "owner", "signatures")} | {
        "due_at": due
    }
    return Notice(derived_id("notice", tenant, "due", row["line_id"], due or ""), "due", row["owner"], now, body)
