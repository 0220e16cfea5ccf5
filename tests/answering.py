"""A bare HTTP/1.1 server for tests of what asks: it says what it is told to, and counts the connections it is asked over."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

Answers = Callable[[bytes, asyncio.StreamWriter], None]  # what came, head and body, and where the answer goes


class Listening(NamedTuple):
    """Where it listens, and the tasks that serve its connections: as many as were opened."""

    host: str
    port: int
    served: list[asyncio.Task[None] | None]


@asynccontextmanager
async def answering(answers: Answers) -> AsyncIterator[Listening]:
    """A server that says `answers` to each request. Who asks has to hang up before this ends."""
    served: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(one[15:]) for one in head.lower().split(b"\r\n") if one.startswith(b"content-length:")), 0
                )
                answers(head + await reader.readexactly(length), writer)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass  # the asker hung up
        finally:
            writer.close()
            await writer.wait_closed()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    try:
        yield Listening(host, port, served)
    finally:
        listening.close()
        await asyncio.gather(*(task for task in served if task is not None))
