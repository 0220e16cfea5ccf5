"""When live sensing is started: not beside a backlog of the books, which it would skip and which needs the processor."""

import asyncio

import pytest

from services.forecaster import sensing_process
from services.forecaster.sensing_process import SensingProcess
from services.forecaster.settings import Settings

LAG_MAX = Settings().sensing_lag_records_max


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """What was answered about the books' lag before the child was started, which takes its place here."""
    monkeypatch.setattr(sensing_process, "LOOK_SECONDS", 0.0)
    return []


async def watched(
    asked: list[int | None], lags: list[int | None], stop: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> int:
    """Watch until the child was started once or `stop` is set; how often it was started."""
    started = 0

    async def live_once(_self: SensingProcess, stop: asyncio.Event) -> str:
        nonlocal started
        started += 1
        stop.set()
        return "ended"

    def lag() -> int | None:
        asked.append(lags[min(len(asked), len(lags) - 1)])
        return asked[-1]

    monkeypatch.setattr(SensingProcess, "_live_once", live_once)
    await SensingProcess(Settings(), lag).watch(stop)
    return started


async def test_it_is_started_once_the_books_are_no_further_behind_than_it_would_skip(
    asked: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lags = [None, 50 * LAG_MAX, LAG_MAX + 1, LAG_MAX]
    assert await watched(asked, lags, asyncio.Event(), monkeypatch) == 1
    assert asked == lags


async def test_a_service_that_stops_meanwhile_starts_nothing(
    asked: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    assert await watched(asked, [None], stop, monkeypatch) == 0
