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


async def same_for_all(
    request: Request, response: Response, who: Caller, parts: Context, find: Find, *, is_kept: bool = True
) -> Response:
    """What `find` reads, as it is at the newest revision; 304 to a caller that has just that.

    The revision is read first and changes in the same transaction as what it counts, so an answer kept under it is never
    older than it. `find` may depend on the tenant, what the caller reads of it, and the address with its query, and on nothing else.
    `is_kept` false: one of many that a machine reads in turn, and would push out what all pages ask for.
    """

    async def found() -> Answer:
        async with parts.reading(who) as tx:
            return tagged((await find(tx)).model_dump_json().encode())

    if not is_kept:
        return unless_had(request, response, await found())
    async with parts.database.transaction(who.tenant) as tx:
        revision = await live.revision(tx, who.tenant)
    answer = await parts.answers.get((who.tenant, who.reads_as, request.url.path, request.url.query), found, revision)
    return unless_had(request, response, answer)


def tagged(body: bytes) -> Answer:
    """An answer with the tag of its bytes: what differs by a byte, to whomever it is told, has another one."""
    return Answer(body, f'"{blake2b(body, digest_size=12).hexdigest()}"')


def unless_had(request: Request, response: Response, answer: Answer) -> Response:
    """The answer, or 304 to a caller that names it as what it has (RFC 9110 §13.1.2)."""
    headers = {**response.headers, "ETag": answer.etag}
    named = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if named & {answer.etag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(answer.body, media_type="application/json", headers=headers)
