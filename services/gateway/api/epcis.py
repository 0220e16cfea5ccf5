"""EPCIS 2.0 capture: a warehouse's visibility events become stock movements and counts."""

from hashlib import sha256
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Header, Request

from kernel.ids import derived_id
from kit.http import Problem
from services.gateway.api import models
from services.gateway.api.events import read_body
from services.gateway.api.shared import Parts, Who
from services.gateway.domain.epcis import Movement, movements
from services.gateway.domain.epcis_ids import EpcisRefused
from services.gateway.ingest import batch
from services.gateway.ingest.check import Refused, check
from services.gateway.store.rows import instant

router = APIRouter(prefix="/v1", tags=["events"])
SOURCE = "epcis"
EXAMPLE: dict[str, Any] = {
    "@context": "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
    "type": "EPCISDocument",
    "schemaVersion": "2.0",
    "creationDate": "2017-11-05T18:10:00Z",
    "epcisBody": {
        "eventList": [
            {
                "type": "ObjectEvent",
                "eventID": "urn:uuid:8f93dd62-f7d5-4033-887a-e81e7596a988",
                "eventTime": "2017-11-05T18:04:11Z",
                "eventTimeZoneOffset": "-06:00",
                "action": "OBSERVE",
                "bizStep": "receiving",
                "bizLocation": {"id": "urn:epc:id:sgln:0614141.00888.0"},
                "quantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.012345.998877", "quantity": 200}],
                "bizTransactionList": [{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:0614141111114:PO-7"}],
            }
        ]
    },
}
BODY = {
    "requestBody": {
        "required": True,
        "description": "An EPCISDocument, a list of EPCIS events, or one of them, in JSON or JSON-LD.",
        "content": {
            "application/json": {"schema": {"type": "object"}, "example": EXAMPLE},
            "application/ld+json": {"schema": {"type": "object"}, "example": EXAMPLE},
        },
    }
}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {"description": "What became of each event; what was accepted is durable."},
    413: {"description": "More events or bytes than one request may bring; nothing was taken."},
    429: {"description": "Kafka is behind; nothing was taken. Wait for Retry-After and send it again."},
    503: {"description": "Kafka did not acknowledge; send the same again, equal events count once."},
}
Behaviour = Annotated[
    Literal["rollback", "proceed"],
    Header(alias="GS1-Capture-Error-Behaviour", description="rollback: all events or none; proceed: those that fit"),
]


@router.post("/epcis/capture", summary="Capture EPCIS 2.0 events", responses=DOCUMENTED, openapi_extra=BODY)
async def capture(request: Request, who: Who, parts: Parts, behaviour: Behaviour = "rollback") -> models.CaptureView:
    """Object, aggregation and transaction events become receipts, shipments, transfers, counts and adjustments, by business
    step; GTINs and GLNs are matched with master data behind, where unknown ones wait for a person."""
    body = await read_body(request, parts.settings.ingest_body_bytes_max)
    captured = [
        _understood(index, event) for index, event in enumerate(_events(body, parts.settings.ingest_events_max))
    ]
    if behaviour == "rollback":
        _demand_all(captured, who.tenant)
    told = [one for one, _ in _lines(captured)]
    outcome = await batch.take([event for _, event in _lines(captured)], who.tenant, parts.publisher, parts.recent)
    for one, result in zip(told, outcome.results, strict=True):
        if result.result == "rejected":
            one.result, one.field, one.reason = "rejected", result.field, result.reason
        elif result.result == "duplicate" and one.result == "accepted":
            one.result = "duplicate"
    views = [models.CapturedEvent(**one.view()) for one in captured]
    counts = {
        name: sum(view.result == name for view in views) for name in ("accepted", "duplicate", "ignored", "rejected")
    }
    return models.CaptureView(events=views, **counts)


def _demand_all(captured: list["_Captured"], tenant: str) -> None:
    """Raise Problem 422 unless every line of every event will be taken: all or nothing."""
    for one, event in _lines(captured):
        try:
            check(event, tenant)
        except Refused as refused:
            one.result, one.field, one.reason = "rejected", refused.field, refused.reason
    wrong = [one for one in captured if one.result == "rejected"]
    if wrong:
        raise _refused(wrong)


class _Captured:
    """One event of the document, what it moves, and what became of it."""

    def __init__(self, index: int, event_id: str | None) -> None:
        self.index, self.event_id = index, event_id
        self.result: Literal["accepted", "duplicate", "ignored", "rejected"] = "ignored"
        self.field: str | None = None
        self.reason: str | None = None
        self.events: list[dict[str, Any]] = []

    def view(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "event_id": self.event_id,
            "result": self.result,
            "movements": len(self.events),
            "field": self.field,
            "reason": self.reason,
        }


def _understood(index: int, event: Any) -> _Captured:
    identity = event.get("eventID") if isinstance(event, dict) else None
    one = _Captured(index, identity[:300] if isinstance(identity, str) else None)
    try:
        moved = movements(event)
    except EpcisRefused as refused:
        one.result, one.field, one.reason = "rejected", refused.field, refused.reason
        return one
    # Without an id, an event is its content (EPCIS 2.0, 7.4.1: hash of the event).
    stable = one.event_id or sha256(orjson.dumps(event, option=orjson.OPT_SORT_KEYS)).hexdigest()
    one.events = [_event(stable, line) for line in moved]
    if moved:
        one.result = "accepted"
    else:
        one.reason = "this step changes no stock"
    return one


def _event(stable: str, line: Movement) -> dict[str, Any]:
    """The CloudEvent of one line: its id follows from the EPCIS event and the item, so that a repeat counts once."""
    at = instant(line.at)
    data: dict[str, Any] = {
        "sku": line.gtin,
        "location": line.location,
        "quantity": format(line.quantity, "f"),
        "unit": line.unit,
        "business_date": line.business_date.isoformat(),
    }
    if line.kind is None:
        message_type, data["counted_at"] = "stock.counted.v1", at
    else:
        message_type, data["moved_at"], data["kind"] = "stock.moved.v1", at, line.kind
        more = {"order_id": line.order_id, "counterpart_location": line.counterpart, "note": line.note}
        data |= {name: text for name, text in more.items() if text}
    return {
        "id": derived_id("epcis", stable, line.gtin, line.unit),
        "source": SOURCE,
        "type": message_type,
        "time": at,
        "data": data,
    }


def _lines(captured: list[_Captured]) -> list[tuple[_Captured, Any]]:
    return [(one, event) for one in captured for event in one.events]


def _events(body: bytes, events_max: int) -> list[Any]:
    """The events of a document, of a list, or one by itself. Raises Problem 400, 413 or 422."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise batch.malformed(error) from error
    found = document
    if isinstance(document, dict) and (document.get("type") or document.get("isA")) == "EPCISDocument":
        inside = document.get("epcisBody")
        found = (inside.get("eventList") or [inside.get("event")]) if isinstance(inside, dict) else None
    elif isinstance(document, dict):
        found = [document]
    if not isinstance(found, list) or not found:
        detail = "Send an EPCISDocument with epcisBody.eventList, or a list of EPCIS events."
        raise Problem(422, "not_epcis", "The body is not an EPCIS document", detail)
    if len(found) > events_max:
        detail = f"It has {len(found)} events, at most {events_max} are taken at once; split it."
        raise Problem(413, "too_many_events", "The batch is too large", detail)
    return found


def _refused(wrong: list[_Captured]) -> Problem:
    errors = [{"field": f"eventList.{one.index}.{one.field}".rstrip("."), "reason": one.reason} for one in wrong[:100]]
    first = errors[0]
    detail = (
        f"{len(wrong)} event(s) do not fit, the first at {first['field']}: {first['reason']}. Nothing was taken; with the "
        "header GS1-Capture-Error-Behaviour: proceed, those that fit are."
    )
    return Problem(422, "epcis_refused", "The document is not taken", detail, errors=errors)
