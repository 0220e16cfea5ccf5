"""Events in over HTTP."""

from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from kit import telemetry
from kit.http import Problem
from services.gateway.api.models import BatchView
from services.gateway.api.shared import Parts, Who
from services.gateway.ingest import batch

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
        "description": "A JSON array of CloudEvents in structured mode; `data` fits the schema of its `type` (see /v1/openapi.json, x-events)",
        "content": {
            "application/json": {
                "schema": {"type": "array", "items": {"type": "object"}, "maxItems": 5000},
                "example": EXAMPLE,
            }
        },
    }
}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {"model": BatchView, "description": "One result per event; accepted events are durable."},
    413: {"description": "More than 5,000 events or 5 MB; nothing was taken."},
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
    with BATCHES.time():
        body = await read_body(request, parts.settings.ingest_body_bytes_max)
        events = batch.parse(body, parts.settings.ingest_events_max)
        outcome = await batch.take(events, who.tenant, parts.publisher, parts.recent)
    return Response(orjson.dumps(outcome.document()), media_type="application/json")
