"""What stands still is seen, and ends the process only when it stands still indeed."""

import asyncio

import pytest
from pydantic import SecretStr

from kit import runtime
from kit.database import Database
from kit.runtime import STILL_SECONDS_MAX, Runtime, Stuck
from kit.settings import ServiceSettings


def made() -> Runtime:
    """A runtime that has not opened anything yet."""
    settings = ServiceSettings(kafka_bootstrap="127.0.0.1:1", database_url=SecretStr("postgresql://127.0.0.1:1/none"))
    return Runtime("policy", settings, Database(None, "policy"))  # type: ignore[arg-type]  # nothing is asked of it


async def test_the_part_that_stands_still_longest_is_named() -> None:
    one = made()
    reader = one.consumer()
    assert one.still() is None
    one.relay.moved_at -= STILL_SECONDS_MAX
    assert one.still() == "relay has not moved for 120 s"
    reader.polled_at -= 2 * STILL_SECONDS_MAX
    assert one.still() == "reader has not moved for 240 s"


async def test_a_process_of_which_a_part_stands_still_ends_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "WATCH_SECONDS", 0.0)
    one = made()
    one.relay.moved_at -= STILL_SECONDS_MAX
    with pytest.raises(Stuck, match="relay has not moved for 120 s; the process ends, so that a new one takes over"):
        await asyncio.wait_for(one._watch(), 30)


async def test_a_process_that_was_stopped_and_goes_on_gets_its_turn_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "WATCH_SECONDS", 0.0)
    one = made()
    one.relay.moved_at -= STILL_SECONDS_MAX
    watch = asyncio.create_task(one._watch())
    await asyncio.sleep(0)  # the first look
    one.relay._moved()
    for _ in range(100):
        await asyncio.sleep(0)
    assert not watch.done()
    watch.cancel()
