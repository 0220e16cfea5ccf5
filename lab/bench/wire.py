"""One kept HTTP/1.1 connection, as light as Python has it: what asks must not take the processor from what is measured.

A client library took the fifty planners five seconds of the processor where this takes less than one; what they waited for
their own answers to be unpacked was told as the gateway's time.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import httptools

# Shorter than the server keeps a connection that nobody uses (uvicorn: 5 s), so that none ends while it is written to.
IDLE_SECONDS_MAX = 3.0


class ConnectionEnded(OSError):
    """The server hung up before its answer was whole."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body, as they came."""

    status: int
    body: bytes


class _Exchange(asyncio.Protocol):
    """Parses the answers of one connection, one after the other; `heard` gets each piece of a body as it comes."""

    def __init__(self, heard: Callable[[bytes], None] | None = None) -> None:
        self._heard = heard
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.waiting: asyncio.Future[Answer] | None = None
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.is_open = cast(asyncio.Transport, transport), True  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(exc or ConnectionEnded("the server hung up"))

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        if self._heard is not None:
            self._heard(body)
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        body, self._pieces = b"".join(self._pieces), []
        status, self._parser = self._parser.get_status_code(), httptools.HttpResponseParser(self)
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(Answer(status, body))


class Wire:
    """Asks one server, one question at a time, with the same `headers` each time."""

    def __init__(self, host: str, port: int, headers: Mapping[str, str], timeout: float) -> None:
        self._host, self._port, self._timeout = host, port, timeout
        self._head = "".join(f"{name}: {value}\r\n" for name, value in {"host": f"{host}:{port}", **headers}.items())
        self._exchange = _Exchange()
        self._used_at = 0.0

    async def ask(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The whole answer. Raises TimeoutError, or OSError when the connection ends before it."""
        async with asyncio.timeout(self._timeout):
            if not self._exchange.is_open or time.monotonic() > self._used_at + IDLE_SECONDS_MAX:
                self.close()
                self._exchange = await self._connected(_Exchange())
            self._send(self._exchange, method, path, body, headers or {})
            assert self._exchange.waiting is not None
            answer = await self._exchange.waiting
        self._used_at = time.monotonic()
        return answer

    async def listen(self, path: str, heard: Callable[[bytes], None]) -> None:
        """Hand on each piece of an answer that does not end, over a connection of its own, until cancelled.
        Raises ConnectionEnded when it does end."""
        exchange = await self._connected(_Exchange(heard))
        try:
            self._send(exchange, "GET", path, b"", {})
            assert exchange.waiting is not None
            ended = await exchange.waiting
            raise ConnectionEnded(f"{path} ended with status {ended.status}")
        finally:
            if exchange.transport is not None:
                exchange.transport.close()

    def close(self) -> None:
        """Hang up."""
        if self._exchange.transport is not None:
            self._exchange.transport.close()

    async def _connected(self, exchange: _Exchange) -> _Exchange:
        await asyncio.get_running_loop().create_connection(lambda: exchange, self._host, self._port)
        return exchange

    def _send(self, exchange: _Exchange, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        assert exchange.transport is not None
        exchange.waiting = asyncio.get_running_loop().create_future()
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        length = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n" if body else ""
        exchange.transport.write(f"{method} {path} HTTP/1.1\r\n{self._head}{more}{length}\r\n".encode() + body)
