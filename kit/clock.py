"""The server's clock, for ages, tokens and windows of human work only: planning runs on event time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    """Where the time comes from, so that a test can say what time it is."""

    def now(self) -> datetime: ...


class SystemClock:
    """The clock of this machine, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class StoreClock:
    """The database's clock, carried on by this process's own steady one from look to look.

    All processes of an installation then agree on the time, and a machine whose clock jumps moves no deadline, undo
    window, session, token or signature (`lab.chaos.faults.clocks`). `ask` gives the database's time.
    """

    # What a slow answer says about the time is no better than what is known already.
    ANSWER_SECONDS_MAX = 1.0

    def __init__(self, ask: Callable[[], Awaitable[datetime]]) -> None:
        self._ask = ask
        self._known: tuple[datetime, float] | None = None

    async def look(self) -> None:
        """Ask again: a steady clock loses the time in which its machine sleeps, and a little every day."""
        asked = time.monotonic()
        told = await self._ask()
        answered = time.monotonic()
        if self._known is None or answered - asked <= self.ANSWER_SECONDS_MAX:
            self._known = (told, (asked + answered) / 2)

    def now(self) -> datetime:
        if self._known is None:
            raise RuntimeError("the clock was never set: `look` before `now`")
        told, at = self._known
        return told + timedelta(seconds=time.monotonic() - at)


@lru_cache(maxsize=1_024)
def zone_of(name: str | None) -> ZoneInfo:
    """A location's time zone by its IANA name; a mistyped one must not stop its events, so it counts as UTC, as none does."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def on_clock(moment: datetime, time_zone: str | None) -> datetime:
    """A moment as a location's clock shows it, whole seconds."""
    return moment.astimezone(zone_of(time_zone)).replace(microsecond=0, tzinfo=None)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait `seconds`, or less when `stop` is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
