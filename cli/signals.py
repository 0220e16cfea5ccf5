"""Ctrl-C, a closed terminal and `kill`: all three end a command the same orderly way."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def ending_politely() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise KeyboardInterrupt like Ctrl-C does, so that `finally` blocks stop what was started.

    What whoever called us has ignored stays ignored: after `nohup`, a closed terminal ends nothing.
    """

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    with contextlib.ExitStack() as back:
        for number in (signal.SIGTERM, signal.SIGHUP):
            if hears(number):
                back.callback(signal.signal, number, signal.signal(number, interrupt))
        yield


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Inside, the three wait: what has been started is also written down before anything ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    came: list[int] = []
    try:
        with contextlib.ExitStack() as back:
            for number in filter(hears, _ENDING):
                back.callback(signal.signal, number, signal.signal(number, lambda number, _frame: came.append(number)))
            yield
    finally:
        if came:
            signal.raise_signal(came[0])


def hears(number: int) -> bool:
    """Whether a signal reaches us. A script's shell keeps Ctrl-C (SIGINT) from what it starts in the background."""
    return signal.getsignal(number) not in (signal.SIG_IGN, None)
