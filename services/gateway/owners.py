"""Questions and commands for the owner services: with a token for one call, a time-out, and an honest answer when one is down."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx2
from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from kit import telemetry
from kit.http import PROBLEM_TYPE, Problem
from kit.identity import Mint, Principal

log = telemetry.get_logger()
CALLS = telemetry.histogram("owner_call_duration_seconds", "Calls to the owner services", ("service", "outcome"))
# Headers of an answer that mean something to the caller; everything else stays inside.
PASSED_BACK = ("content-type", "etag", "retry-after", "location", "content-disposition", "cache-control")
CONNECT_TIMEOUT_SECONDS = 2.0
# A stream may be long, but between two pieces of it an owner reads one page of its tables.
STREAM_SILENCE_SECONDS = 60.0
# An owner hangs up on a connection nobody uses (uvicorn: after 5 s). We do so before it, or a command would be written to a
# connection that ends at the same moment, and come back as "cannot be reached".
IDLE_SECONDS_MAX = 3.0


def path_of(*segments: str) -> str:
    """A path at an owner, of its own words and of names that anybody chose: each stays one segment, whatever it holds.

    A dot is written %2E: a name of two dots would be the folder above, and the call another one than the caller may make.
    """
    return "".join("/" + quote(one, safe="").replace(".", "%2E") for one in segments)


class Owners:
    """The four owner services over HTTP."""

    def __init__(self, urls: Mapping[str, str], mint: Mint, timeout_seconds: float) -> None:
        self._mint = mint
        timeout = httpx2.Timeout(timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS)
        limits = httpx2.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=IDLE_SECONDS_MAX)
        self._clients = {
            name: httpx2.AsyncClient(base_url=url, timeout=timeout, limits=limits) for name, url in urls.items()
        }

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def ready(self, service: str) -> bool:
        """Whether the service says it can work."""
        try:
            answer = await self._clients[service].get("/readyz", timeout=1.0)
        except httpx2.HTTPError:
            return False
        return answer.status_code == 200

    async def call(
        self,
        service: str,
        method: str,
        path: str,
        principal: Principal,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        patience_seconds: float | None = None,
    ) -> httpx2.Response:
        """One call on behalf of `principal`. Raises Problem: what the owner refused (4xx), or 502, 503, 504 when it failed.

        `patience_seconds`: wait so long instead of the usual time, where the owner has to ask somebody else.
        """
        patient = httpx2.Timeout(patience_seconds, connect=CONNECT_TIMEOUT_SECONDS) if patience_seconds else None
        request = self._request(
            service, method, path, principal, json=json, params=params, headers=headers, timeout=patient
        )
        return self._judged(service, request, await self._send(service, request, stream=False))

    async def stream(self, service: str, path: str, principal: Principal) -> Response:
        """A large answer, handed on piece by piece as it comes. Raises Problem as `call` does."""
        patient = httpx2.Timeout(STREAM_SILENCE_SECONDS, connect=CONNECT_TIMEOUT_SECONDS)
        request = self._request(service, "GET", path, principal, timeout=patient)
        answer = await self._send(service, request, stream=True)
        if answer.status_code >= 400:
            await answer.aread()
            self._judged(service, request, answer)
        headers = {name: answer.headers[name] for name in PASSED_BACK if name in answer.headers}
        return StreamingResponse(
            answer.aiter_bytes(), answer.status_code, headers, background=BackgroundTask(answer.aclose)
        )

    def _request(
        self,
        service: str,
        method: str,
        path: str,
        principal: Principal,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
    ) -> httpx2.Request:
        sent = {"authorization": f"Bearer {self._mint.token(principal, service)}", **(headers or {})}
        traceparent = telemetry.traceparent()
        if traceparent is not None:
            sent["traceparent"] = traceparent
        present = {name: value for name, value in (params or {}).items() if value is not None}
        client = self._clients[service]
        return client.build_request(
            method, path, json=json, params=present, headers=sent, timeout=timeout or client.timeout
        )

    async def _send(self, service: str, request: httpx2.Request, *, stream: bool) -> httpx2.Response:
        started, outcome = time.perf_counter(), "failed"
        try:
            answer = await self._clients[service].send(request, stream=stream)
            outcome = str(answer.status_code)
        except httpx2.TimeoutException as error:
            raise self._down(504, "owner_timeout", service, f"The {service} service did not answer in time.") from error
        except httpx2.HTTPError as error:
            raise self._down(503, "owner_unavailable", service, f"The {service} service cannot be reached.") from error
        finally:
            CALLS.labels(service, outcome).observe(time.perf_counter() - started)
        return answer

    def _judged(self, service: str, request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if answer.status_code >= 500:
            log.warning(
                "owner_failed",
                owner=service,
                method=request.method,
                path=request.url.path,
                status=answer.status_code,
                body=answer.text[:500],
            )
            if answer.status_code == 503:
                raise self._down(
                    503, "owner_unavailable", service, f"The {service} service cannot do this at the moment."
                )
            raise self._down(502, "owner_failed", service, f"The {service} service failed; its log says why.")
        if answer.status_code >= 400:
            raise refusal(answer)
        return answer

    def _down(self, status: int, code: str, service: str, detail: str) -> Problem:
        return Problem(
            status,
            code,
            "A service this needs is not there",
            f"{detail} Try again in a moment.",
            headers={"Retry-After": "2"},
            service=service,
        )


def refusal(answer: httpx2.Response) -> Problem:
    """An owner's refusal as our own problem document, with what it says for the caller."""
    document: dict[str, Any] = {}
    if answer.headers.get("content-type", "").startswith(PROBLEM_TYPE):
        document = answer.json()
    known = {
        name: document.pop(name, None) for name in ("type", "title", "status", "code", "detail", "instance", "errors")
    }
    headers = {name: answer.headers[name] for name in ("etag", "retry-after") if name in answer.headers}
    return Problem(
        answer.status_code,
        known["code"] or "refused",
        known["title"] or "Refused",
        known["detail"] or "",
        errors=known["errors"] or (),
        headers=headers,
        **document,
    )


def passed(answer: httpx2.Response) -> Response:
    """The owner's answer as ours."""
    headers = {name: answer.headers[name] for name in PASSED_BACK if name in answer.headers}
    return Response(answer.content, answer.status_code, headers)
