"""One live stream per open browser: Server-Sent Events, resumed by Last-Event-ID."""

import time
from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from kit.http import Problem
from services.gateway.access import Caller, identify
from services.gateway.api.shared import Parts, Who
from services.gateway.context import Context
from services.gateway.store.rows import instant

router = APIRouter(prefix="/v1", tags=["live"])
# A browser that lost the stream comes back after this long; also how soon it finds a restarted gateway.
RETRY_MILLISECONDS = 2_000
EventId = Annotated[str | None, Header(alias="Last-Event-ID", pattern=r"^\d{1,18}$")]
QueryId = Annotated[int | None, Query(ge=0, lt=10**18, description="the same for clients that cannot set the header")]


@router.get("/stream", summary="What changes, as it changes", response_class=StreamingResponse)
async def stream(
    request: Request, who: Who, parts: Parts, last_event_id: EventId = None, after: QueryId = None
) -> Response:
    """Events `recommendation`, `decision`, `comment`, `order`, `exception`, `changed` (many at once: look again), `reset` (away too long:
    load afresh) and `heartbeat`. Every page of a tenant gets what its own tenant committed, in order; who
    reads only what they cover is told of that only."""
    behind = int(last_event_id) if last_event_id is not None else after
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_lines(request, parts, who, behind), media_type="text/event-stream", headers=headers)


async def _lines(request: Request, parts: Context, who: Caller, behind: int | None) -> AsyncIterator[bytes]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    limited = None if who.reads_as is None else lambda: parts.reading(who)
    seconds = parts.settings.stream_heartbeat_seconds
    looked = time.monotonic()
    async for events in parts.broadcaster.follow(who.tenant, behind, seconds, limited):
        if time.monotonic() >= looked + seconds or not events:  # also on a busy day, when no heartbeat is ever due
            if not await _is_as_before(request, who):
                return
            looked = time.monotonic()
        if events:
            yield b"".join(event.lines for event in events)
            continue
        yield b"event: heartbeat\ndata: " + orjson.dumps({"now": instant(parts.clock.now())}) + b"\n\n"


async def _is_as_before(request: Request, who: Caller) -> bool:
    """Whether the session or key that opened the stream is still good and reads as much as then: a stream must not outlive
    a sign-out. A page that is cut off comes back at once and is told what it may be told now."""
    try:
        found = await identify(request)
    except Problem:
        return False
    return found is not None and found.reads_as == who.reads_as
