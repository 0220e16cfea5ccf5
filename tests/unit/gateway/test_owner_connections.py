"""A command is never written to a connection that its owner is about to end: the gateway hangs up first."""

import asyncio
from pathlib import Path

import pytest
import uvicorn

from kit.identity import Mint, Principal, ensure_keys
from services.gateway import owners
from services.gateway.owners import Owners
from tests.answering import answering

WHO = Principal("t", "ann", frozenset({"planner"}))


def _nothing(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")


async def _connections(folder: Path, calls: int) -> int:
    """How many connections so many calls, one after the other, are made over."""
    async with answering(_nothing) as there:
        gateway = Owners({"approvals": f"http://{there.host}:{there.port}"}, Mint(ensure_keys(folder)[0]), 5.0)
        try:
            for _ in range(calls):
                assert (await gateway.call("approvals", "GET", "/decision-reasons", WHO)).status_code == 200
        finally:
            await gateway.close()
    return len(there.served)


async def test_a_connection_is_used_again_until_it_was_idle_for_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await _connections(tmp_path, calls=3) == 1
    monkeypatch.setattr(owners, "IDLE_SECONDS_MAX", 0.0)
    assert await _connections(tmp_path, calls=3) == 3


def test_the_gateway_hangs_up_well_before_an_owner_would() -> None:
    assert uvicorn.Config("never.started:app").timeout_keep_alive > owners.IDLE_SECONDS_MAX + 1
