"""The proxy's modes, between a real client and a real server on this machine's loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from lab.chaos.proxy import HOST, Link

Exchange = Callable[[bytes], Awaitable[bytes]]
# Far above what loopback takes, far below what a person would wait for.
SOON_SECONDS = 5.0
SILENCE_SECONDS = 0.2


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1000):
        writer.write(piece)
    writer.close()


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[Link, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A link before an echo, and a client that is connected through it."""
    async with await asyncio.start_server(_echo, HOST, 0) as target:
        link = Link(0, target.sockets[0].getsockname()[1])
        async with await asyncio.start_server(link.serve, HOST, 0) as door:
            reader, writer = await asyncio.open_connection(HOST, door.sockets[0].getsockname()[1])
            try:
                yield link, reader, writer
            finally:
                link.set("refuse")
                writer.close()


async def heard(reader: asyncio.StreamReader, seconds: float = SOON_SECONDS) -> bytes | None:
    """What comes back within a time; None for silence, empty for an end."""
    try:
        async with asyncio.timeout(seconds):
            return await reader.read(1000)
    except TimeoutError:
        return None
    except ConnectionResetError:
        return b""


def test_pass_carries_both_ways() -> None:
    async def story() -> None:
        async with linked() as (_, reader, writer):
            writer.write(b"hello")
            assert await heard(reader) == b"hello"

    asyncio.run(story())


@pytest.mark.parametrize("mode", ["hold", "hold-answers", "hold-requests"])
def test_a_hold_is_silence_and_what_was_held_is_lost(mode: str) -> None:
    async def story() -> None:
        async with linked() as (link, reader, writer):
            writer.write(b"before")
            assert await heard(reader) == b"before"
            link.set(mode)
            writer.write(b"held")
            assert await heard(reader, SILENCE_SECONDS) is None
            link.set("pass")
            assert await heard(reader) == b""

    asyncio.run(story())


@pytest.mark.parametrize("mode", ["refuse", "reset"])
def test_refuse_and_reset_end_what_is_connected(mode: str) -> None:
    async def story() -> None:
        async with linked() as (link, reader, writer):
            writer.write(b"before")
            assert await heard(reader) == b"before"
            link.set(mode)
            assert await heard(reader) == b""
            assert link.mode == ("refuse" if mode == "refuse" else "pass")

    asyncio.run(story())


def test_delay_is_late_and_loses_nothing() -> None:
    async def story() -> None:
        async with linked() as (link, reader, writer):
            link.set("delay", 0.15)
            began = asyncio.get_running_loop().time()
            writer.write(b"late")
            assert await heard(reader) == b"late"
            assert asyncio.get_running_loop().time() - began >= 0.3

    asyncio.run(story())
