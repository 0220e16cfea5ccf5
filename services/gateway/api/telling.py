"""What a person tells at the gateway becomes an event like any other: checked, under their name, durable before the answer."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from kit.http import Problem
from services.gateway.access import Caller
from services.gateway.context import Context
from services.gateway.ingest.check import Refused, check
from services.gateway.store.rows import instant


def told_by(who: Caller, message_type: str, data: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """An event of this moment in the caller's name, with an id of its own."""
    return {
        "id": str(uuid.uuid4()),
        "source": "countersign/gateway",
        "type": message_type,
        "time": instant(now),
        "subject": who.principal.subject,
        "data": data,
    }


async def send(
    parts: Context, who: Caller, event: Mapping[str, Any], detail: Callable[[Refused], str] = attrgetter("reason")
) -> None:
    """Publish it. Raises Problem 422 with field, reason and `detail` when it does not fit its contract."""
    try:
        checked = check(event, who.tenant)
    except Refused as refused:
        errors = [{"field": refused.field, "reason": refused.reason}]
        raise Problem(422, "event_rejected", "The event is not taken", detail(refused), errors=errors) from refused
    await parts.publisher.publish(checked.records)
