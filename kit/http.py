"""The HTTP side every service shares: problem documents, probes, metrics, request ids, spans."""

import time
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from kit import telemetry
from kit.errors import TRANSIENT

log = telemetry.get_logger()
# Reads are promised within 0.3 s (deploy/observability/objectives.py), which is counted where there is such a bucket.
BUCKETS_SECONDS = (*sorted({*telemetry.LATENCY_BUCKETS_SECONDS, 0.3}),)
REQUESTS = telemetry.histogram(
    "http_request_duration_seconds", "HTTP requests by route", ("method", "route", "status"), BUCKETS_SECONDS
)
PROBLEM_TYPE = "application/problem+json"
# Each request is traced and measured once, here; FastAPI would do it again, with a span for every dependency and answer.
OWN_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}


class Problem(Exception):
    """An error as the caller will read it (RFC 9457). `code` is stable; `errors` name fields and reasons."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(f"{code}: {detail or title}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.more = more

    def document(self, instance: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"/docs/problems#{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "instance": instance,
        }
        if self.detail:
            body["detail"] = self.detail
        if self.errors:
            body["errors"] = self.errors
        return body | self.more


def respond(problem: Problem, request: Request) -> JSONResponse:
    request_id = getattr(request.state, "request_id", "")
    return JSONResponse(problem.document(f"urn:request:{request_id}"), problem.status, problem.headers, PROBLEM_TYPE)


def create_app(service: str, *, title: str, description: str = "") -> FastAPI:
    """A FastAPI app in which every error is a problem document and every request is logged, measured and traced."""
    app = FastAPI(
        title=title, description=description, version="1", docs_url=None, redoc_url=None, telemetry=OWN_TELEMETRY
    )
    app.state.service = service
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    for unwritable in (asyncpg.DataError, UnicodeError):
        app.add_exception_handler(unwritable, _on_unwritable)
    app.add_exception_handler(Exception, _on_unexpected)
    app.add_middleware(_Around)
    return app


class _Around:
    """Every request gets an id, a span, a log line and a measurement; every failure becomes a problem document.

    Plain ASGI: bodies and streams pass through untouched, in both directions at once if need be.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        request_id = request.headers.get("x-request-id", "")[:64] or uuid.uuid4().hex
        request.state.request_id = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started, has_begun = time.perf_counter(), False
        try:
            with telemetry.span(
                f"{request.method} {scope['path']}", kind="server", parents=[request.headers.get("traceparent")]
            ) as span:

                async def told(message: AsgiMessage) -> None:
                    nonlocal has_begun
                    if message["type"] == "http.response.start":
                        has_begun = True
                        MutableHeaders(scope=message)["x-request-id"] = request_id
                        path = getattr(scope.get("route"), "path", "unmatched")
                        span.update_name(f"{request.method} {path}")
                        _record(request.method, path, message["status"], time.perf_counter() - started)
                    await send(message)

                try:
                    await self._app(scope, receive, told)
                except Exception as error:
                    if has_begun:  # the answer cannot be taken back; cutting it off tells the caller
                        log.exception("answer_cut_off", error=f"{type(error).__name__}: {error}")
                        raise
                    await respond(_failure(error, request_id), request)(scope, receive, told)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")


def _failure(error: Exception, request_id: str) -> Problem:
    """What the caller is told: a problem document without insides; the log gets all of it."""
    if isinstance(error, TRANSIENT):
        log.warning("dependency_unavailable", error=f"{type(error).__name__}: {error}")
        return Problem(
            503,
            "dependency_unavailable",
            "A system this service needs does not answer",
            "Try again in a moment.",
            headers={"Retry-After": "2"},
        )
    log.exception("request_failed", error=f"{type(error).__name__}: {error}")
    return Problem(500, "internal_error", "Something went wrong on our side", f"Report request id {request_id}.")


def _record(method: str, path: str, status: int, elapsed: float) -> None:
    """Measure and log a request when its answer begins."""
    REQUESTS.labels(method, path, status).observe(elapsed)
    if path not in ("/livez", "/readyz", "/metrics"):
        log.info("request", method=method, route=path, status=status, seconds=round(elapsed, 4))


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return respond(error, request)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [{"field": ".".join(str(part) for part in one["loc"]), "reason": one["msg"]} for one in error.errors()]
    return respond(
        Problem(
            422, "invalid_request", "The request does not fit", f"{len(errors)} field(s) are not valid.", errors=errors
        ),
        request,
    )


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    return respond(
        Problem(error.status_code, title.lower().replace(" ", "_"), title, str(error.detail), headers=error.headers),
        request,
    )


async def _on_unwritable(request: Request, error: Exception) -> Response:
    """A text Postgres or UTF-8 cannot hold (a NUL, half a surrogate pair), which no field of ours means."""
    log.warning("unwritable_text", error=f"{type(error).__name__}: {error}")
    detail = "A text holds a character that cannot be stored, such as NUL or half a surrogate pair."
    return respond(Problem(422, "invalid_request", "The request does not fit", detail), request)


async def _on_unexpected(request: Request, error: Exception) -> Response:
    log.error("request_failed", error=f"{type(error).__name__}: {error}")
    return respond(Problem(500, "internal_error", "Something went wrong on our side"), request)
