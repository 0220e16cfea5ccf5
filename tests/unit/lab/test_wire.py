"""The connection the planners of the bench ask over: whole answers, one connection while it is in use, no silent loss."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lab.bench import wire
from lab.bench.wire import Answer, ConnectionEnded, Wire
from tests.answering import Answers, answering


@asynccontextmanager
async def server(answers: Answers) -> AsyncIterator[tuple[Wire, list[asyncio.Task[None] | None]]]:
    """A wire to a server that says `answers` to each request, and what serves the connections that were opened."""
    async with answering(answers) as there:
        one = Wire(there.host, there.port, {"cookie": "who=me"}, timeout=5)
        try:
            yield one, there.served
        finally:
            one.close()


def _echo(asked: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n")
    for piece in (asked[:20], asked[20:]):
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    writer.write(b"0\r\n\r\n")


async def test_an_answer_in_pieces_comes_whole_and_the_request_carries_what_was_given() -> None:
    async with server(_echo) as (one, opened):
        said = await one.ask("POST", "/lines", body=b'{"a":1}', headers={"if-match": '"0"'})
        again = await one.ask("GET", "/lines?limit=50")
    assert said.status == 201
    assert said.body.startswith(b"POST /lines HTTP/1.1\r\n")
    assert said.body.endswith(b'\r\n\r\n{"a":1}')
    assert b'if-match: "0"\r\n' in said.body
    assert b"cookie: who=me\r\n" in again.body
    assert b"if-match" not in again.body
    assert len(opened) == 1, "a connection in use is kept"


async def test_a_connection_nobody_used_for_long_is_not_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "IDLE_SECONDS_MAX", -1.0)
    async with server(_echo) as (one, opened):
        assert (await one.ask("GET", "/a")).status == 201
        assert (await one.ask("GET", "/b")).status == 201
    assert len(opened) == 2


async def test_a_server_that_hangs_up_before_its_answer_is_whole_is_an_error() -> None:
    def cut(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        writer.close()

    async with server(cut) as (one, _):
        with pytest.raises(ConnectionEnded):
            await one.ask("GET", "/a")


async def test_what_a_stream_says_is_handed_on_and_its_end_is_an_error() -> None:
    heard: list[bytes] = []
    async with server(lambda _, writer: _echo(b"event: decision\nand more of it\n", writer)) as (one, _):
        with pytest.raises(ConnectionEnded, match="/stream ended with status 201"):
            await one.listen("/stream", heard.append)
    assert b"".join(heard) == b"event: decision\nand more of it\n"


async def test_two_answers_in_one_piece_are_not_mixed_up() -> None:
    async with server(
        lambda asked, writer: writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n" + asked[5:6])
    ) as (one, _):
        assert [await one.ask("GET", f"/{letter}") for letter in "ab"] == [Answer(200, b"a"), Answer(200, b"b")]
