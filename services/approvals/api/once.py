"""Every command happens once: the same Idempotency-Key gets the same answer, from the transaction that made it true."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from fastapi import Request, Response

from kit.database import Database, Transaction
from kit.http import PROBLEM_TYPE, Problem
from kit.identity import Principal
from kit.relay import Relay
from services.approvals.store import requests
from services.approvals.store.requests import Answer, RequestKey

KEY_CHARACTERS_MAX = 255
# (status, document, etag) of a command that ran to its end, also when the rules refused it
Outcome = tuple[int, dict[str, Any], str | None]


def idempotency_key(request: Request) -> str:
    """The caller's key. Raises Problem 400 when it is missing or unusable."""
    key = request.headers.get("idempotency-key", "").strip().strip('"')
    if not key:
        raise Problem(
            400,
            "idempotency_key_missing",
            "Idempotency-Key is missing",
            "Send a fresh UUID with each new decision, and the same one when you try again.",
        )
    if len(key) > KEY_CHARACTERS_MAX or not key.isascii() or not key.isprintable():
        raise Problem(
            400,
            "idempotency_key_invalid",
            "Idempotency-Key is not usable",
            f"Use at most {KEY_CHARACTERS_MAX} printable ASCII characters, for example a UUID.",
        )
    return key


def expected_version(request: Request) -> int:
    """The version the caller saw. Raises Problem: 428 missing, 400 not a version."""
    given = request.headers.get("if-match")
    if given is None:
        raise Problem(
            428,
            "if_match_missing",
            "If-Match is missing",
            "Send the ETag of the line you looked at, so that nobody's decision is overwritten.",
        )
    text = given.strip().strip('"')
    if not text.isdecimal() or not text.isascii() or len(text) > 9:
        raise Problem(
            400,
            "if_match_invalid",
            "If-Match is not a version",
            'Send the ETag of the line as it was given, for example "3".',
        )
    return int(text)


async def once(
    database: Database,
    relay: Relay,
    principal: Principal,
    request: Request,
    key: str | None,
    work: Callable[[Transaction], Awaitable[Outcome]],
) -> Response:
    """Run `work` in one transaction, or repeat the answer it gave before.

    Same key, other content: 422. Same key, still running: 409. The key is the caller's own: it is looked up under tenant,
    person and route. Without a key (a command that is harmless to repeat) it simply runs. The relay is told when it is over.
    """
    response = await _once(database, principal, request, key, work)
    relay.wake()
    return response


def refused(problem: Problem) -> Outcome:
    """A refusal as the outcome of a command: it is stored, and told again when the request is sent again."""
    return problem.status, problem.document(""), None


async def _once(
    database: Database,
    principal: Principal,
    request: Request,
    key: str | None,
    work: Callable[[Transaction], Awaitable[Outcome]],
) -> Response:
    body = await request.body()
    digest = hashlib.sha256(body + b"\x00" + request.headers.get("if-match", "").encode()).hexdigest()
    async with database.transaction(principal.tenant) as tx:
        if key is None:
            status, document, tag = await work(tx)
            return _response(Answer(status, orjson.dumps(document).decode(), tag, digest))
        asked = RequestKey(principal.tenant, principal.subject, f"{request.method} {request.url.path}", key)
        if not await requests.claim(tx, asked):
            raise Problem(
                409,
                "request_in_progress",
                "This request is being worked on",
                "It was sent twice at once; wait a moment, then try again with the same key.",
            )
        before = await requests.answered(tx, asked)
        if before is not None:
            if before.body_sha256 != digest:
                raise Problem(
                    422,
                    "idempotency_key_reused",
                    "This Idempotency-Key was used for another request",
                    "Use a fresh key for a new decision.",
                )
            return _response(before, replayed=True)
        status, document, tag = await work(tx)
        answer = Answer(status, orjson.dumps(document).decode(), tag, digest)
        await requests.answer(tx, asked, answer)
    return _response(answer)


def _response(answer: Answer, *, replayed: bool = False) -> Response:
    headers = {"etag": answer.etag} if answer.etag else {}
    if replayed:
        headers["idempotency-replayed"] = "true"
    media_type = "application/json" if answer.status < 400 else PROBLEM_TYPE
    return Response(answer.body, answer.status, headers, media_type)
