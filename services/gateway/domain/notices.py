"""What is worth telling somebody outside the pages: a line is theirs now, its time is nearly over, it was escalated, an order left,
somebody named them in a comment."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

KINDS: Final = ("assigned", "escalated", "due", "released", "mentioned")


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. `notice_id` follows from its cause, so that a replay tells nothing twice; `recipient` is an account
    name or a role, None for what only systems are told. `body` is what a webhook sends, without tenant and secrets."""

    notice_id: str
    kind: str
    recipient: str | None
    at: datetime
    body: Mapping[str, Any]


def without_words(notice: Notice) -> Notice:
    """A mention for somebody who may not read the line: who asks for them, and neither what was said nor of which item."""
    return replace(notice, body={**notice.body, **dict.fromkeys(("recommendation_id", "sku", "location", "text"))})


def document(notice: Notice) -> dict[str, Any]:
    """The payload of a webhook: type, timestamp and data, as Standard Webhooks asks."""
    return {
        "type": f"line.{notice.kind}" if notice.kind != "released" else "order.released",
        "timestamp": notice.at.isoformat().replace("+00:00", "Z"),
        "data": dict(notice.body),
    }


def sentence(notice: Notice) -> str:
    """One line of an e-mail. Numbers are those of the event."""
    body = notice.body
    if notice.kind == "released":
        return f"Order {body['order_id']} is out: {body['line_count']} lines, {body['value']} {body['currency']}."
    what = f"line {body['line_id']}"
    if notice.kind == "mentioned":
        if body["text"] is None:
            return f"{body['by']} asks for you on {what}, which you do not cover; an administrator can let you read it."
        return f"{body['by']} asks for you on {what}: {body['text']}"
    due = f", to be decided by {body['due_at']}" if body.get("due_at") else ""
    if notice.kind == "escalated":
        return f"Nobody decided {what} in time; it is yours now."
    if notice.kind == "due":
        return f"The time to decide {what} is nearly over{due}."
    return f"You answer for {what}{due}."
