"""Around the API: security headers, body limits, static files and the pages."""

import asyncio
import importlib
import importlib.util
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.http import PROBLEM_TYPE
from services.gateway.api.openapi import complete
from services.gateway.live import Broadcaster
from services.gateway.settings import GatewaySettings

DESCRIPTION = (
    "Inventory planning that someone can defend: events in, forecasts and recommendations, decisions and proof."
)
HERE = Path(__file__).resolve().parent
PAGES = "services.gateway.pages"
SIGN_ON_PAGES = "services.gateway.sign_on_pages"
# These have a larger limit of their own.
MASS_PATHS = frozenset({"/v1/events", "/v1/epcis/capture"})
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HSTS = "max-age=31536000; includeSubDomains"


class Shield:
    """Every answer carries the security headers; a body above the limit is refused before it is read."""

    def __init__(self, app: ASGIApp, body_bytes_max: int) -> None:
        self._app = app
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", HSTS)
                if scope["path"].startswith("/v1/") and "cache-control" not in headers:
                    headers["Cache-Control"] = "private, no-cache"
            await send(message)

        if scope["path"] in MASS_PATHS:
            await self._app(scope, receive, shielded)
        else:
            await self._bounded(scope, receive, shielded)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._body_bytes_max:
            await _refuse_body(send, self._body_bytes_max)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if (
                seen > self._body_bytes_max
            ):  # no length was declared: cut the body off, which cannot be valid JSON any more
                return {"type": "http.request", "body": b"", "more_body": False}
            return message

        await self._app(scope, counted, send)


async def _refuse_body(send: Send, limit: int) -> None:
    body = f'{{"type":"/docs/problems#body_too_large","title":"The body is too large","status":413,"code":"body_too_large","instance":"","detail":"At most {limit} bytes are taken."}}'
    start = {"type": "http.response.start", "status": 413, "headers": [(b"content-type", PROBLEM_TYPE.encode())]}
    await send(start)
    await send({"type": "http.response.body", "body": body.encode()})


def attach(app: FastAPI, settings: GatewaySettings) -> None:
    """Add the shield, the static files, the pages (when they are there) and the full description."""
    if (HERE / "static").is_dir():
        app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    if importlib.util.find_spec(PAGES) is not None:
        for pages in (SIGN_ON_PAGES, PAGES):  # the first has addresses that the second would answer as unknown pages
            app.include_router(importlib.import_module(pages).router, include_in_schema=False)
    app.add_middleware(Shield, body_bytes_max=settings.request_body_bytes_max)
    plain_description = app.openapi

    def description() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = complete(plain_description())
        return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]


async def close_streams(stop: asyncio.Event, broadcaster: Broadcaster) -> None:
    """End the open live streams as soon as the process is told to stop, so that they do not hold it up."""
    await stop.wait()
    broadcaster.close()
