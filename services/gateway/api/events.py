"""Events in over HTTP."""

from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from kit import telemetry
from kit.http import Problem
from services.gateway.api.event_lines import MEDIA_TYPE, LinesAnswer
from services.gateway.api.models import BatchView
from services.gateway.api.shared import Parts, Who
from services.gateway.ingest import batch
from services.gateway.ingest.check import Refused
from services.gateway.ingest.modes import Mode, binary_event, mode_of
from services.gateway.ingest.reading import Reader

router = APIRouter(prefix="/v1", tags=["events"])
BATCHES = telemetry.histogram("ingest_batch_duration_seconds", "One batch of events, from first byte to durable")

EXAMPLE: list[dict[str, Any]] = [
    {
        "specversion": "1.0",
        "id": "till-7/2017-11-05/000123/1",
        "source": "pos/store-367",
        "type": "sale.recorded.v1",
        "time": "2017-11-05T18:04:11Z",
        "data": {
            "sku": "1029743",
            "location": "367",
            "quantity": "2",
            "business_date": "2017-11-05",
            "sold_at": "2017-11-05T18:04:11Z",
            "unit_price": "2.69",
            "currency": "USD",
        },
    }
]
BODY = {
    "requestBody": {
        "required": True,
        "description": (
            "CloudEvents 1.0; `data` fits the schema of its `type` (x-events below). A JSON array of events "
            "(application/cloudevents-batch+json or application/json) gets one result per event. One event, structured "
            "(application/cloudevents+json) or binary (attributes as `ce-` headers, data as body), is taken or refused as a "
            "whole. Lines (application/x-ndjson) are taken while they come, without end, and answered in lines: one for "
            "each event that was not accepted, and now and then `through`: up to this index everything without a line of "
            "its own is durable; then `done`, or `problem`."
        ),
        "content": {
            "application/json": {
                "schema": {"type": "array", "items": {"type": "object"}, "maxItems": 5000},
                "example": EXAMPLE,
            },
            "application/cloudevents-batch+json": {
                "schema": {"type": "array", "items": {"type": "object"}, "maxItems": 5000},
                "example": EXAMPLE,
            },
            "application/cloudevents+json": {"schema": {"type": "object"}, "example": EXAMPLE[0]},
            "application/x-ndjson": {"schema": {"type": "string"}, "example": orjson.dumps(EXAMPLE[0]).decode() + "\n"},
        },
    }
}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": BatchView,
        "description": "One result per event; accepted events are durable.",
        "content": {
            "application/json": {
                "example": {
                    "accepted": 1,
                    "duplicates": 0,
                    "rejected": 0,
                    "results": [
                        {"index": 0, "id": EXAMPLE[0]["id"], "result": "accepted", "field": None, "reason": None}
                    ],
                }
            },
            MEDIA_TYPE: {"example": '{"through":499,"accepted":500,"duplicates":0,"rejected":0}\n'},
        },
    },
    413: {"description": "More than 5,000 events or 5 MB; nothing was taken. Lines have no limit."},
    429: {"description": "Kafka is behind; nothing was taken. Wait for Retry-After and send the batch again."},
    503: {"description": "Kafka did not acknowledge; send the same batch again, equal ids count once."},
}


async def read_body(request: Request, limit: int) -> bytes:
    """The body, refused as soon as it is larger than `limit` bytes. Raises Problem 413."""
    too_large = Problem(
        413,
        "body_too_large",
        "The body is too large",
        f"At most {limit} bytes are taken at once; split it. Nothing was taken.",
    )
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > limit:
            raise too_large
    return bytes(received)


@router.post(
    "/events", summary="Send a batch of events", response_model=BatchView, responses=DOCUMENTED, openapi_extra=BODY
)
async def take_events(request: Request, who: Who, parts: Parts) -> Response:
    """Every event is checked on its own: `accepted` (durable now), `duplicate` (was taken before), or `rejected` with the
    field and the reason. The tenant is the caller's; a business-day close is written to every partition."""
    mode = mode_of(request.headers)
    if mode is Mode.LINES:
        return LinesAnswer(request, who, parts)
    with BATCHES.time():
        body = await read_body(request, parts.settings.ingest_body_bytes_max)
        events, reader = _events(mode, request, body, who.tenant, parts.settings.ingest_events_max)
        outcome = await batch.take(events, who.tenant, parts.publisher, parts.recent, reader=reader)
    if mode is not Mode.BATCH and outcome.rejected:
        raise _refusal(outcome.results[0])
    return Response(outcome.document(), media_type="application/json")


def _events(mode: Mode, request: Request, body: bytes, tenant: str, events_max: int) -> tuple[list[Any], Reader | None]:
    """What the request carries, parsed, and by which reader. Raises Problem when it cannot be read."""
    if mode is Mode.BINARY:
        try:
            return [binary_event(request.headers, body)], None
        except Refused as refused:
            return [refused], None
    if mode is Mode.BATCH:
        return batch.read(body, tenant, events_max)
    events = batch.parse(body, events_max)
    if mode is Mode.SINGLE and len(events) != 1:
        detail = f"application/cloudevents+json is one event, the body has {len(events)}; send application/cloudevents-batch+json."
        raise Problem(422, "not_one_event", "The body is not one event", detail)
    return events, None


def _refusal(result: batch.Result) -> Problem:
    """One event sent by itself and refused: a sender that knows nothing but CloudEvents has to see it in the status."""
    errors = [{"field": result.field, "reason": result.reason}]
    detail = f"{result.field or 'The event'}: {result.reason}. It was not taken."
    return Problem(422, "event_rejected", "The event is not taken", detail, errors=errors)
