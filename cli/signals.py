"""Ctrl-C, a closed terminal and `kill`: all three end a command the same orderly way."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def ending_politely() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise KeyboardInterrupt like Ctrl-C does, so that `finally` blocks stop what was started."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
