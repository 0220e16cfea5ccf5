"""The server's clock, for ages, tokens and windows of human work only: planning runs on event time."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from, so that a test can say what time it is."""

    def now(self) -> datetime: ...


class SystemClock:
    """The clock of this machine, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)
