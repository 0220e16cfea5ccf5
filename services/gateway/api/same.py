"""Reads whose answer is the same for everybody of a tenant who reads as much of it: found once for each revision of the read models, and not sent
again to a browser that has it."""

from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel

from kit.database import Transaction
from services.gateway.access import Caller
from services.gateway.context import Context
from services.gateway.remembered import Answer
from services.gateway.store import live

UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "If-None-Match names what would be answered."}}
Find = Callable[[Transaction], Awaitable[BaseModel]]
# The default queue, a few filters of it and a few pages each: an answer of 200 lines has 300 kB.
KEPT_MAX = 100
KEPT_SECONDS = 60.0


async def same_for_all(request: Request, response: Response, who: Caller, parts: Context, find: Find) -> Response:
    """What `find` reads, as it is at the newest revision; 304 to a caller that has just that.

    The revision is read first and changes in the same transaction as what it counts, so an answer kept under it is never
    older than it. `find` may depend on the tenant, what the caller reads of it, and the address with its query, and on nothing else.
    """

    async def found() -> Answer:
        async with parts.reading(who) as tx:
            body = (await find(tx)).model_dump_json().encode()
        return Answer(body, f'"{blake2b(body, digest_size=12).hexdigest()}"')

    async with parts.database.transaction(who.tenant) as tx:
        revision = await live.revision(tx, who.tenant)
    answer = await parts.answers.get((who.tenant, who.reads_as, request.url.path, request.url.query), found, revision)
    headers = {**response.headers, "ETag": answer.etag}
    if answer.etag in {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(answer.body, media_type="application/json", headers=headers)
